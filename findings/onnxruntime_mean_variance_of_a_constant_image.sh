#!/usr/bin/env bash
# onnxruntime's MeanVarianceNormalization makes NaN of an image of one colour.
#
# MeanVarianceNormalization is defined by a function of other operators, whose divisor is the standard deviation plus 1e-9. Most would guess that an image
# whose pixels are all the same becomes zeros, as by that function, which the reference evaluator runs: (x - mean) is 0, and 0 over 1e-9 is 0. onnxruntime has a kernel of
# its own without the 1e-9: it divides 0 by 0, and gives NaN for the whole image. A black frame is enough.
#
# Seen on 2026-11-29 with onnx 1.22.0, onnxruntime 1.31.1, numpy 2.2.6, CPython 3.11, Linux x86-64. Nothing of Abeyance runs here, and CI does not run it: it
# fetches packages. It ends with 0 as long as what is said above is still so.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check onnx==1.22.0 onnxruntime==1.31.1 numpy==2.2.6
"$folder/venv/bin/python" - <<'PYTHON'
import sys

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper
from onnx.reference import ReferenceEvaluator

onnxruntime.set_default_logger_severity(4)


def both(operator, inputs, shape, opset=18, constants=(), **attributes):
    """What ONNX's reference evaluator and onnxruntime give for a model of one node, which the checker finds right."""
    names = [f"x{place}" for place in range(len(inputs))]
    everything = [name if place not in constants else f"c{place}" for place, name in enumerate(names)]
    kind = helper.np_dtype_to_tensor_dtype
    ports = [
        helper.make_tensor_value_info(name, kind(x.dtype), x.shape)
        for place, (name, x) in enumerate(zip(names, inputs))
        if place not in constants
    ]
    held = [onnx.numpy_helper.from_array(inputs[place], f"c{place}") for place in constants]
    graph = helper.make_graph(
        [helper.make_node(operator, everything, ["y"], **attributes)],
        "one_node",
        ports,
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, shape)],
        held,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)
    # Without inference of shapes, which fails on the function of this operator.
    onnx.checker.check_model(model)
    feeds = {name: x for place, (name, x) in enumerate(zip(names, inputs)) if place not in constants}
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    found = ReferenceEvaluator(model).run(None, feeds)[0], session.run(None, feeds)[0]
    print("reference evaluator", found[0].tolist())
    print("onnxruntime        ", found[1].tolist())
    return found


reference, runtime = both("MeanVarianceNormalization", [np.full((1, 1, 2, 2), 5, np.float32)], [1, 1, 2, 2], opset=13)
holds = np.array_equal(reference, np.zeros((1, 1, 2, 2))) and bool(np.isnan(runtime).all())
sys.exit(0 if holds else "it is no longer so")
PYTHON
