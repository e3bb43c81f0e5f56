"""Checks models with onnx.checker and runs them with onnxruntime.

Reads one JSON object a line: {"name", "model", "inputs": [array], "wanted": [array]}, where an array is {"name", "dtype", "shape",
"file"} with its raw elements in the file. The argument is how far outputs may be from those wanted. Prints a line for each fault."""

import json
import sys

import numpy as np
import onnx
import onnxruntime

onnxruntime.set_default_logger_severity(4)

# The models are small: threads would only wait for each other.
options = onnxruntime.SessionOptions()
options.intra_op_num_threads = 1
options.inter_op_num_threads = 1


def array(described):
    elements = np.fromfile(described["file"], dtype=described["dtype"])
    return elements.reshape(described["shape"])


def fault(run, tolerance):
    model = onnx.load(run["model"])
    try:
        onnx.checker.check_model(model, full_check=True)
    except Exception as error:
        return f"the checker: {error}"
    try:
        session = onnxruntime.InferenceSession(run["model"], options, providers=["CPUExecutionProvider"])
        given = session.run(None, {each["name"]: array(each) for each in run["inputs"]})
    except Exception as error:
        text = str(error)
        if "NOT_IMPLEMENTED" in text or "Could not find an implementation" in text:
            return f"NOT IMPLEMENTED by the runtime: {text}"
        return f"the runtime: {text}"
    for place, (got, described) in enumerate(zip(given, run["wanted"], strict=True)):
        wanted = array(described)
        if got.shape != wanted.shape or got.dtype != wanted.dtype:
            return f"output {place} is {got.dtype}{got.shape} and not {wanted.dtype}{wanted.shape}"
        if not np.allclose(got, wanted, rtol=tolerance, atol=tolerance, equal_nan=True):
            return f"output {place} is off by {np.max(np.abs(got - wanted))}"
    return None


tolerance = float(sys.argv[1])
for line in sys.stdin:
    run = json.loads(line)
    print(run["name"], file=sys.stderr, flush=True)
    said = fault(run, tolerance)
    if said:
        print(f"{run['name']}: {said}".replace("\n", " "))
