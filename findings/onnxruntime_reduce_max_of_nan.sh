#!/usr/bin/env bash
# onnxruntime's ReduceMax does not see NaN where its Max does.
#
# Most would guess that the largest of [1, NaN, 3] is NaN however it is asked for, since the two operators differ only in where the numbers stand. onnxruntime's Max of 1, NaN and 3
# is NaN, and so is the reference evaluator's, and so is the reference evaluator's ReduceMax. onnxruntime's ReduceMax of the vector [1, NaN, 3] is 3: a check for NaN that
# looks at the largest element of a tensor finds nothing.
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
    onnx.checker.check_model(model, full_check=True)
    feeds = {name: x for place, (name, x) in enumerate(zip(names, inputs)) if place not in constants}
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    found = ReferenceEvaluator(model).run(None, feeds)[0], session.run(None, feeds)[0]
    print("reference evaluator", found[0].tolist())
    print("onnxruntime        ", found[1].tolist())
    return found


reference, runtime = both("ReduceMax", [np.array([[1, np.nan, 3]], np.float32), np.array([1], np.int64)], [1], constants=(1,), keepdims=0)
three = [np.array([x], np.float32) for x in (1, np.nan, 3)]
of_three = both("Max", three, [1])
holds = bool(np.isnan(reference).all() and np.isnan(of_three[0]).all() and np.isnan(of_three[1]).all()) and runtime.tolist() == [3]
sys.exit(0 if holds else "it is no longer so")
PYTHON
