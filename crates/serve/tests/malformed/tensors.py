"""Wrong requests of the Open Inference Protocol: shapes, names, parameters, and binary tensors behind the JSON."""

import json
import struct

from form import cut, data, packed, repeat, text
from inference import MISSING, RIGHT, RIGHT_TEXT, X, but, request

LENGTH = "Inference-Header-Content-Length"


def add(lines):
    shapes(lines)
    names(lines)
    parameters(lines)
    binary(lines)


def shapes(lines):
    for shape, values in [
        ([2], []),
        ([2], [1]),
        ([2], [1, 2, 3]),
        ([0], [1]),
        ([1], []),
        ([2], [[1], [2]]),
        ([2], [[1, 2]]),
        ([2], [1, [2]]),
        ([2], [[1], 2]),
        ([2], [[[]]]),
        ([], [1]),
        ([], [1, 2]),
        ([1, 2], [1, 2]),
        ([2, 1], [1, 2]),
        ([2, 0], []),
        ([-1], [1, 2]),
        ([-2], [1, 2]),
        ([2**31], [1, 2]),
        ([2**62], [1, 2]),
        ([2**63 - 1], [1, 2]),
        ([2**63], [1, 2]),
        ([2**64 - 1], [1, 2]),
        ([2**64], [1, 2]),
        ([2**64 + 2], [1, 2]),
        ([1e300], [1, 2]),
        ([2**32, 2**32], [1, 2]),
        ([2**32, 2**32, 0], []),
        ([1] * 33, [1]),
        ([1] * 1000, [1]),
    ]:
        said = str(shape) if len(shape) < 9 else f"of {len(shape)} sizes"
        lines.http(
            f"infer: shape {said}, data {values}",
            request({**X, "shape": shape, "data": values}),
            says=["x", ["shape", "out of range"]],
        )
    image = {"name": "image", "datatype": "FP32"}
    negative = {"parameters": {"signature": "negative"}}
    for name, shape, values in [
        ("rows of different lengths", [1, 2, 2], [[[1, 2], [3]]]),
        ("a row too many", [1, 2, 2], [[[1, 2], [3, 4], [5, 6]]]),
        ("one level too few", [1, 2, 2], [[1, 2], [3, 4]]),
        ("one level too many", [1, 2, 2], [[[[1], [2]], [[3], [4]]]]),
        ("flat and nested mixed", [1, 2, 2], [[1, 2, 3, 4]]),
        ("another known size", [1, 2, 3], [1, 2, 3, 4, 5, 6]),
        ("a known size of 0", [1, 2, 0], []),
        ("a known size of 0 in many rows", [2**60, 2, 0], []),
        ("a product beyond 64 bits", [2**62, 2, 2], [1, 2, 3, 4]),
    ]:
        lines.http(
            f"infer: three dimensions: {name}",
            request({**image, "shape": shape, "data": values}, **negative),
            says=[["image", "inputs[0]"]],
        )
    for name, shape in [
        ("a terabyte of rows without elements", [2**38, 0]),
        ("2^62 rows without elements", [2**62, 0]),
        ("no rows of 2^62 elements", [0, 2**62]),
        ("more rows without elements than 64 bits count", [2**64, 0]),
    ]:
        # Nothing is sent, and much would be answered; no row of any length is nothing at all, and may be answered.
        status = [200, 400, 413] if shape[0] == 0 else [400, 413]
        body = request({"name": "x", "shape": shape, "datatype": "FP32", "data": []})
        lines.http(f"infer: {name}", body, status, says=["x"] if status[0] == 400 else [], path="/v2/models/free/infer")
    a = {"name": "a", "shape": [2], "datatype": "INT32", "data": [1, 2]}
    b = {"name": "b", "shape": [3], "datatype": "INT32", "data": [1, 2, 3]}
    lines.http(
        "infer: inputs of different numbers of rows", request(a, b), says=["a", "b"], path="/v2/models/quotient/infer"
    )
    b = {"name": "b", "shape": [2], "datatype": "INT32", "data": [1, 0]}
    lines.http("infer: a division by zero", request(a, b), [400, 500], says=["zero"], path="/v2/models/quotient/infer")
    lines.http(
        "infer: a scalar with a dimension",
        request(
            {"name": "x", "shape": [1], "datatype": "FP32", "data": [1]},
            {"name": "n", "shape": [], "datatype": "INT64", "data": [1]},
        ),
        says=["x", "shape"],
        path="/v2/models/scalar/infer",
    )


def names(lines):
    infer = "/v2/models/{}/infer"
    for name in [
        "nothing",
        "Single",
        "single.",
        "singl",
        "single%00",
        "%73ingle%2f",
        "..",
        "...",
        "%2e%2e",
        "%ff",
        "%",
        "%zz",
        "a%0d%0ab",
        "x" * 5000,
        "日本",
    ]:
        status = [404] if name in ("nothing", "Single", "single.", "singl", "...", "日本") else [400, 404, 414]
        path = infer.format(name if name.isascii() else "%E6%97%A5%E6%9C%AC")
        said = name if len(name) < 99 else "of 5,000 letters"
        lines.http(f"infer: model {said}", RIGHT, status, says=["nothing"] if name == "nothing" else [], path=path)
    for version in ["2", "0", "1.0", "-1", "latest", "99999999999999999999999", "%31%20", "1%2f1"]:
        lines.http(
            f"infer: version {version}",
            RIGHT,
            [400, 404],
            says=["single"],
            path=f"/v2/models/single/versions/{version}/infer",
        )
    lines.http("infer: an unknown input", request(but("name", "z")), says=["z", "x"])
    lines.http("infer: an input of another case", request(but("name", "X")), says=["X", "x"])
    lines.http("infer: an input without a name", request(but("name", "")), says=["x"])
    lines.http("infer: an input twice", request(X, X), says=["x"])
    lines.http("infer: an input and another one", request(X, but("name", "z")), says=["z"])
    lines.http("infer: no inputs", request(), says=["x"])
    lines.http(
        "infer: one of two inputs",
        request({"name": "a", "shape": [1], "datatype": "INT32", "data": [1]}),
        says=["b"],
        path="/v2/models/quotient/infer",
    )
    lines.http("infer: an unknown output", request(X, outputs=[{"name": "z"}]), says=["z", "y"])
    lines.http("infer: an output twice", request(X, outputs=[{"name": "y"}, {"name": "y"}]), says=["y"])
    lines.http("infer: an input for an output", request(X, outputs=[{"name": "x"}]), says=["x"])
    # A few bytes each in a request, and a whole tensor each in the answer.
    many = [text('{"outputs": ['), repeat('{"name": "y"},', 999), text('{"name": "y"}], ' + RIGHT_TEXT[1:])]
    lines.http("infer: 1,000 times the same output", many, says=["y"])
    lines.http(
        "infer: 100,000 outputs",
        [text(RIGHT_TEXT[:-1] + ', "outputs": ['), repeat('{"name": "y"},', 99_999), text('{"name": "y"}]}')],
        says=[["y", "outputs"]],
    )
    for name in ["negative ", "Negative", "", "predict2", "__init__"]:
        status = [404, 400] if name else [404, 400, 200]
        lines.http(f"infer: signature {name!r}", request(X, parameters={"signature": name}), status, says=["signature"])
    lines.http(
        "infer: the inputs of another signature", request(X, parameters={"signature": "negative"}), says=["image"]
    )


def parameters(lines):
    for value in [None, True, 7, 0.5, [], {}]:
        if value is not None:
            lines.http(
                f"infer: parameters.signature is {json.dumps(value)}",
                request(X, parameters={"signature": value}),
                says=["signature"],
            )
    for value in ["1", "", True, -1, 0.5, [], {}, 1e300]:
        lines.http(
            f"infer: parameters.timeout is {json.dumps(value)}",
            request(X, parameters={"timeout": value}),
            says=["timeout"],
        )
    lines.http(
        "infer: parameters.timeout is above 64 bits",
        '{"parameters": {"timeout": 18446744073709551616}, ' + RIGHT_TEXT[1:],
        says=[["timeout", "JSON"]],
    )
    lines.http("infer: a microsecond of time", request(X, parameters={"timeout": 1}), [200, 504])
    for value in ["true", 1, [], {}]:
        said = json.dumps(value)
        lines.http(
            f"infer: parameters.binary_data_output is {said}",
            request(X, parameters={"binary_data_output": value}),
            says=["binary_data_output"],
        )
        lines.http(
            f"infer: binary_data of an output is {said}",
            request(X, outputs=[{"name": "y", "parameters": {"binary_data": value}}]),
            says=["binary_data"],
        )
    for size in ["8", True, -1, -8, 0.5, 8.5, [], {}, 1e300]:
        tensor = {**but("data", MISSING), "parameters": {"binary_data_size": size}}
        head = json.dumps(request(tensor))
        lines.http(
            f"infer: binary_data_size is {json.dumps(size)}",
            [text(head), data(bytes(8))],
            says=["binary_data_size"],
            headers=[(LENGTH, len(head))],
        )


def binary(lines):
    values = struct.pack("<2f", 1, 2)
    tensor = lambda size, **fields: {**but("data", MISSING), "parameters": {"binary_data_size": size}, **fields}

    def send(name, head, tail, length=None, says=(), status=400, path="/v2/models/single/infer", **more):
        head = head if isinstance(head, str) else json.dumps(head)
        headers = [(LENGTH, str(len(head) if length is None else length))]
        lines.http(f"binary: {name}", [text(head), data(tail)], status, says, path, headers=headers, **more)

    right = request(tensor(8))
    size = len(json.dumps(right))
    for length in [
        "-1",
        "x",
        "",
        "1.5",
        "0x10",
        "18446744073709551616",
        "9" * 400,
        f"{size}, {size}",
        "NaN",
        f"{size}abc",
    ]:
        said = length if len(length) < 99 else "400 nines"
        send(f"{LENGTH} is {said!r}", right, values, length, [LENGTH])
    for length, said in [
        (size + 9, "one more than the body"),
        (2**31, "2^31"),
        (2**63, "2^63"),
        (2**64 - 1, "2^64 - 1"),
    ]:
        send(f"{LENGTH} is {said}", right, values, length, [LENGTH])
    for length in [0, 1, size // 2, size - 1]:
        send(f"{LENGTH} is {length} of {size}", right, values, length, ["JSON"])
    send(f"{LENGTH} takes the first byte of the data", right, values, size + 1, ["JSON"])
    lines.http(
        "binary: two different lengths",
        [text(json.dumps(right)), data(values)],
        headers=[(LENGTH, size), (LENGTH, size - 1)],
        says=[LENGTH],
    )
    lines.http("binary: no length", [text(json.dumps(right)), data(values)], says=["JSON"])
    lines.http("binary: no length, and no data", right, says=["x"])
    for length, tail, said in [
        (8, b"", "0"),
        (8, values[:7], "7"),
        (8, values + b"\0", "9"),
        (4, values, "8"),
        (7, values[:7], "7"),
        (9, values + b"\0", "9"),
        (16, values, "8"),
        (0, b"", "0"),
    ]:
        send(
            f"a size of {length}, and {said} bytes of data for two numbers",
            request(tensor(length)),
            tail,
            says=["x"] if length != 8 or len(tail) < 8 else [],
        )
    for length in [2**31, 2**32, 2**62, 2**63 - 1, 2**63, 2**64 - 1, 2**64]:
        send(f"a size of {length}", request(tensor(length)), values, says=["x"])
    for shape in [[3], [2**62], [2**62, 4], [1, 2], [], [-2], [0]]:
        send(f"a size of 8 for the shape {shape}", request(tensor(8, shape=shape)), values, says=["x"])
    send("data in both places", request(tensor(8, data=[1, 2])), values, says=["x"])
    for datatype in ["FP64", "FP16", "BF16", "BYTES", "INT32", "BOOL", ""]:
        send(
            f"datatype {datatype!r}",
            request(tensor(8, datatype=datatype)),
            values,
            says=["x", ["FP32", datatype or "FP32"]],
        )
    send("an input twice", request(tensor(8), tensor(8)), values * 2, says=["x"])
    send("an unknown input", request(tensor(8, name="z")), values, says=["z"])
    a, b = ({"name": name, "shape": [2], "datatype": "INT32", "parameters": {"binary_data_size": 8}} for name in "ab")
    path = "/v2/models/quotient/infer"
    send("one of two tensors is missing behind the JSON", request(a, b), values, says=["b"], path=path)
    send(
        "two sizes whose sum is beyond 64 bits",
        request({**a, "parameters": {"binary_data_size": 2**64 - 8}}, {**b, "parameters": {"binary_data_size": 16}}),
        values,
        says=[["a", "inputs[0]"]],
        path=path,
    )
    send(
        "two tensors that overlap",
        request(a, {**b, "parameters": {"binary_data_size": 4}}),
        values + values[:4],
        says=["b"],
        path=path,
    )
    right_types = [
        ("x_f32", "FP32", [1, 3], 12),
        ("x_f64", "FP64", [1, 2], 16),
        ("x_i32", "INT32", [1], 4),
        ("x_i64", "INT64", [1, 2], 16),
        ("x_u8", "UINT8", [1, 2, 2], 4),
        ("x_bool", "BOOL", [1], 1),
    ]
    all_types = request(
        *[{"name": n, "datatype": d, "shape": s, "parameters": {"binary_data_size": z}} for n, d, s, z in right_types]
    )
    for value in (2, 255):
        send(
            f"a BOOL of the byte {value}",
            all_types,
            bytes(52) + bytes([value]),
            says=["x_bool"],
            path="/v2/models/types/infer",
        )
    lines.http("binary: nothing but data", data(values), headers=[(LENGTH, 0)], says=["JSON"])
    lines.http(
        "binary: 10,000,000 bytes of data for nothing",
        [text(RIGHT_TEXT), repeat("x", 10_000_000)],
        headers=[(LENGTH, len(RIGHT_TEXT))],
    )
    for how, encoding in [("gzip", "gzip"), ("zlib", "deflate")]:
        headers = [("Content-Encoding", encoding), (LENGTH, size + 9)]
        lines.http(
            f"binary: a length beyond what {encoding} gives",
            packed(how, text(json.dumps(right)), data(values)),
            headers=headers,
            says=[LENGTH],
        )
        lines.http(
            f"binary: {encoding} of a part",
            [cut([packed(how, text(json.dumps(right)), data(values))], 40)],
            headers=[("Content-Encoding", encoding), (LENGTH, size)],
        )
