#!/usr/bin/env bash
# Ten elements resized by 0.7 are six in ONNX's reference evaluator and seven in onnxruntime.
#
# The size after a Resize with scales is floor(size * scale). Most would guess 7 for 10 elements and the scale 0.7, and that all agree on a shape at least. The
# scale is a float32, whose 0.7 is 0.699999988. The reference evaluator multiplies in float64, 6.99999988, and gives 6 elements; onnxruntime multiplies in
# float32, where the product rounds to 7, and gives 7. So the shape of a valid model's output depends on who runs it; likewise wherever size * scale is
# whole in decimals and the scale is no binary fraction (0.1, 0.3, 0.7, 0.9). Give Resize sizes, not scales, where the shape matters.
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


image = np.arange(10, dtype=np.float32).reshape(1, 1, 10)
empty, scales = np.array([], np.float32), np.array([1, 1, 0.7], np.float32)
reference, runtime = both("Resize", [image, empty, scales], [1, 1, None], constants=(1, 2), mode="nearest")
print("sizes", reference.shape, runtime.shape)
holds = reference.shape == (1, 1, 6) and runtime.shape == (1, 1, 7)
sys.exit(0 if holds else "it is no longer so")
PYTHON
