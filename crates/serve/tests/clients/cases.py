"""The cases that an answer is held against: ../data/cases.py says their form."""

import base64
import json

import numpy as np

NUMPY = {
    "FP32": np.float32,
    "FP64": np.float64,
    "INT32": np.int32,
    "INT64": np.int64,
    "UINT8": np.uint8,
    "BOOL": np.bool_,
}


class Tensor:
    def __init__(self, fields):
        self.name = fields["name"]
        self.datatype = fields["datatype"]
        self.shape = list(fields["shape"])
        data = base64.b64decode(fields["base64"])
        self.array = np.frombuffer(data, np.dtype(NUMPY[self.datatype]).newbyteorder("<")).reshape(self.shape)
        self.array = self.array.astype(NUMPY[self.datatype])


class Case:
    def __init__(self, fields):
        self.name = fields["name"]
        self.model = fields["model"]
        self.version = fields.get("version") or ""
        self.signature = fields.get("signature")
        self.inputs = [Tensor(tensor) for tensor in fields["inputs"]]
        self.outputs = [Tensor(tensor) for tensor in fields["outputs"]]

    def rows(self):
        """The number of rows, or None where there is none."""
        shape = self.inputs[0].shape
        return shape[0] if shape else None

    def finite(self):
        """Whether every float of inputs and outputs is a number, which JSON can say."""
        floats = [t.array for t in self.inputs + self.outputs if t.datatype.startswith("FP")]
        return all(np.isfinite(array).all() for array in floats)

    def nans(self):
        """Whether there are no infinities: JSON can say NaN by null, and has nothing for them."""
        floats = [t.array for t in self.inputs + self.outputs if t.datatype.startswith("FP")]
        return not any(np.isinf(array).any() for array in floats)


def read(path):
    with open(path, encoding="utf-8") as file:
        return [Case(fields) for fields in json.load(file)["cases"]]


def compare(tensor, array, any_nan=False):
    """Fails unless the array has the tensor's type, shape and bits; with any_nan a NaN may be any NaN."""
    assert array is not None, f"output {tensor.name} is missing"
    array = np.asarray(array)
    assert array.dtype == tensor.array.dtype, f"{tensor.name} is {array.dtype}, not {tensor.array.dtype}"
    assert list(array.shape) == tensor.shape, f"{tensor.name} has the shape {list(array.shape)}, not {tensor.shape}"
    expected, seen = tensor.array, array
    if any_nan and tensor.datatype.startswith("FP"):
        assert (
            np.isnan(expected) == np.isnan(seen)
        ).all(), f"{tensor.name}: NaNs stand elsewhere: {seen}, not {expected}"
        expected, seen = np.where(np.isnan(expected), 0, expected), np.where(np.isnan(seen), 0, seen)
    bits = f"u{tensor.array.dtype.itemsize}"
    differ = np.ascontiguousarray(expected).reshape(-1).view(bits) != np.ascontiguousarray(seen).reshape(-1).view(bits)
    if differ.any():
        at = int(differ.argmax())
        raise AssertionError(
            f"{tensor.name}: {int(differ.sum())} of {differ.size} elements differ, the first at {at}: "
            f"{seen.reshape(-1)[at]!r}, not {expected.reshape(-1)[at]!r}"
        )
