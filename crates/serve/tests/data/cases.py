"""Writes cases.json: inputs for the models in models/, and what they must give, computed here with numpy and by nothing of the engine.

    python3 cases.py > cases.json

The form, which every script in ../clients reads, and which a test may lengthen by cases of other models:

    {"cases": [CASE, ..]}
    CASE    {"name", "model", "version": text or null, "signature": text or null for the default one, "inputs": [TENSOR, ..], "outputs": [TENSOR, ..]}
    TENSOR  {"name", "datatype": FP32 FP64 INT32 INT64 UINT8 BOOL, "shape": [sizes], "base64": the elements, row-major, little-endian}

An answer must have the same bits; where it goes through JSON, a NaN may be any NaN.
"""

import base64
import json
import sys

import numpy as np

DATATYPES = {"f4": "FP32", "f8": "FP64", "i4": "INT32", "i8": "INT64", "u1": "UINT8", "b1": "BOOL"}
ROWS = [0, 1, 2, 17, 300]


def tensor(name, array):
    array = np.asarray(array)
    little = array.astype(array.dtype.newbyteorder("<"))
    return {
        "name": name,
        "datatype": DATATYPES[array.dtype.str[1:]],
        "shape": list(array.shape),
        "base64": base64.b64encode(little.tobytes()).decode(),
    }


def case(name, model, inputs, outputs, signature=None, version=None):
    return {
        "name": name,
        "model": model,
        "version": version,
        "signature": signature,
        "inputs": [tensor(key, array) for key, array in inputs.items()],
        "outputs": [tensor(key, array) for key, array in outputs.items()],
    }


def any_floats(random, dtype, shape):
    """Numbers of every size: bits at random, without those of NaNs."""
    bits = random.integers(0, 2 ** (8 * np.dtype(dtype).itemsize), size=shape, dtype=f"u{np.dtype(dtype).itemsize}")
    floats = bits.view(dtype)
    return np.where(np.isnan(floats), dtype(0.1), floats).astype(dtype)


def special_floats(dtype, shape):
    """NaN, the infinities, both zeros, the smallest and the largest numbers, over and over."""
    limits = np.finfo(dtype)
    values = [
        np.nan,
        np.inf,
        -np.inf,
        -0.0,
        0.0,
        limits.smallest_subnormal,
        -limits.tiny,
        limits.max,
        limits.min,
        0.1,
        1 / 3,
    ]
    return np.resize(np.array(values, dtype), shape)


def types(random, rows, floats):
    whole = lambda dtype, shape: random.integers(
        np.iinfo(dtype).min, np.iinfo(dtype).max, size=shape, dtype=dtype, endpoint=True
    )
    inputs = {
        "x_f32": floats(np.float32, (rows, 3)),
        "x_f64": floats(np.float64, (rows, 2)),
        "x_i32": whole(np.int32, rows),
        "x_i64": whole(np.int64, (rows, 2)),
        "x_u8": whole(np.uint8, (rows, 2, 2)),
        "x_bool": random.integers(0, 2, size=rows).astype(bool),
    }
    outputs = {
        "y_f32": -inputs["x_f32"],
        "y_f64": -inputs["x_f64"],
        "y_i32": inputs["x_i32"] + inputs["x_i32"],
        "y_i64": inputs["x_i64"] + inputs["x_i64"],
        "y_u8": inputs["x_u8"] + inputs["x_u8"],
        "y_bool": ~inputs["x_bool"],
    }
    return inputs, outputs


def small(random, shape):
    """Numbers whose sums and products are exact."""
    return (random.integers(-64, 64, size=shape) / 8).astype(np.float32)


def cases():
    random = np.random.default_rng(12)
    for rows in ROWS:
        floats = lambda dtype, shape: any_floats(random, dtype, shape)
        inputs, outputs = types(random, rows, floats)
        yield case(f"types, {rows} rows", "types", inputs, outputs)
    inputs, outputs = types(random, 17, special_floats)
    yield case("types, NaN and infinities", "types", inputs, outputs)
    yield case("types, echo of NaN and infinities", "types", inputs, inputs, signature="echo")
    yield case("types, version 1 by name", "types", inputs, outputs, version="1")

    for x, n in [(3.0, 4), (-0.5, -(2**63)), (np.inf, 2**62)]:
        x, n = np.array(x, np.float32), np.array(n, np.int64)
        outputs = {"square": x * x, "twice": np.asarray(np.add(n, n, dtype=np.int64)), "below": np.array(x < x * x)}
        yield case(f"scalar, {x} and {n}", "scalar", {"x": x, "n": n}, outputs)

    for rows in [1, 2, 17, 300]:
        x = small(random, (rows, 2))
        yield case(f"mixing, {rows} rows", "mixing", {"x": x}, {"behind": x - x.max(axis=0, keepdims=True)})

    for rows in ROWS:
        a = random.integers(-(2**31), 2**31, size=rows).astype(np.int32)
        b = random.integers(1, 1000, size=rows).astype(np.int32)
        quotient = (np.sign(a) * (np.abs(a.astype(np.int64)) // b)).astype(np.int32)
        yield case(f"quotient, {rows} rows", "quotient", {"a": a, "b": b}, {"quotient": quotient})

    for rows in ROWS:
        x = small(random, rows)
        yield case(f"single, {rows} rows", "single", {"x": x}, {"y": x + x})
        image = small(random, (rows, 2, 2))
        yield case(
            f"single, negative, {rows} rows", "single", {"image": image}, {"negative": -image}, signature="negative"
        )
        yield case(f"multiple, version 2, {rows} rows", "multiple", {"x": x}, {"y": 2 * x}, version="2")
        yield case(f"multiple, version 3, {rows} rows", "multiple", {"x": x}, {"y": 3 * x}, version="3")
        yield case(f"multiple, the newest, {rows} rows", "multiple", {"x": x}, {"y": 3 * x})
    x = special_floats(np.float32, 11)
    with np.errstate(over="ignore"):
        yield case("single, NaN and infinities", "single", {"x": x}, {"y": x + x})

    for shape in [(0, 0), (0, 5), (5, 0), (1, 1), (2, 5), (300, 2)]:
        x = small(random, shape)
        yield case(f"free, {list(shape)}", "free", {"x": x}, {"twice": x + x, "sum": x.sum(axis=1, dtype=np.float32)})

    a, b, c = small(random, 3), small(random, 3), small(random, 3)
    inputs = {"serving_default_x:0": a, 'größe "1"': b, "<b>/x y": c}
    yield case("names", "names", inputs, {"StatefulPartitionedCall:0": a + b, "日本 \\ 語": b + c})


def main():
    with np.errstate(over="ignore"):
        lines = [json.dumps(case, ensure_ascii=False) for case in cases()]
    sys.stdout.write('{"cases": [\n' + ",\n".join(lines) + "\n]}\n")


main()
