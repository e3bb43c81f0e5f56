#!/usr/bin/env bash
# ONNX's reference evaluator forgets the sign in the L1 norm of LpNormalization.
#
# LpNormalization with p=1 divides a vector by the sum of its elements' sizes. Most would guess that [3, -3, 1, 1] becomes [0.375, -0.375, 0.125, 0.125], since
# its L1 norm is 8; onnxruntime says so. ONNX's reference evaluator, which is the definition in code, adds the elements themselves: it divides by 2, and gives
# [1.5, -1.5, 0.5, 0.5]; of [1, -1], whose sum is 0, it gives zeros. The node tests of ONNX have positive numbers only, so that no test shows it. Who checks an
# implementation against the reference has to leave negative numbers out, or to compute the norm.
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


reference, runtime = both("LpNormalization", [np.array([[3, -3, 1, 1]], np.float32)], [1, 4], opset=1, axis=-1, p=1)
zeros, halves = both("LpNormalization", [np.array([[1, -1]], np.float32)], [1, 2], opset=1, axis=-1, p=1)
holds = (
    np.array_equal(reference, [[1.5, -1.5, 0.5, 0.5]])
    and np.array_equal(runtime, [[0.375, -0.375, 0.125, 0.125]])
    and np.array_equal(zeros, [[0, 0]])
    and np.array_equal(halves, [[0.5, -0.5]])
)
sys.exit(0 if holds else "it is no longer so")
PYTHON
