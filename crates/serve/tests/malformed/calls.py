"""Wrong calls of gRPC: messages that say what is wrong, and methods that there are not."""

import struct

from form import data, frame_of, repeat, words
from protobuf import LENGTH, field, parameters, request, string, tensor, varint

SERVICE = "/inference.GRPCInferenceService/"
TWO = struct.pack("<2f", 1, 2)
RIGHT = request(tensor(), raw=[TWO])
BAD, ABSENT, LARGE = ["INVALID_ARGUMENT"], ["NOT_FOUND"], ["RESOURCE_EXHAUSTED", "OUT_OF_RANGE", "INVALID_ARGUMENT"]
# What cannot be read as a message is, for tonic and grpc's own servers, an error of the server's side or of the argument, and a call that ends before it is no unary one.
UNREADABLE = ["INTERNAL", "INVALID_ARGUMENT", "UNKNOWN", "UNIMPLEMENTED", "CANCELLED", "CLOSED"]


def add(lines):
    messages(caller(lines))
    other_methods(caller(lines))


def caller(lines):
    """What adds a call to the lines."""

    def call(name, body, code, says=(), path=SERVICE + "ModelInfer", headers=(), **more):
        parts = [frame_of(data(body))] if isinstance(body, bytes) else body
        lines.add(
            f"grpc: {name}",
            path=path,
            headers=[list(pair) for pair in headers],
            body=parts,
            code=code,
            says=words(says),
            **more,
        )

    return call


def messages(call):
    call("an empty message", b"", BAD + ABSENT, ["model"])
    call("no model's name", request(tensor(), model="", raw=[TWO]), BAD + ABSENT, ["model"])
    for model in ["nothing", "Single", "../single", "single/versions/1", "single\0", "x" * 5000, "日本"]:
        call(
            f"model {model!r}" if len(model) < 99 else "model of 5,000 letters",
            request(tensor(), model=model, raw=[TWO]),
            ABSENT + BAD,
            ["nothing"] if model == "nothing" else [],
        )
    for version in ["9", "0", "-1", "latest", "1 ", "99999999999999999999"]:
        call(f"version {version!r}", request(tensor(), version=version, raw=[TWO]), ABSENT + BAD, ["single"])
    for name, body, says in [
        ("no inputs", request(), ["x"]),
        ("an unknown input", request(tensor("z"), raw=[TWO]), ["z", "x"]),
        ("an input without a name", request(tensor(""), raw=[TWO]), ["x"]),
        ("an input twice", request(tensor(), tensor(), raw=[TWO, TWO]), ["x"]),
        ("an input and another one", request(tensor(), tensor("z"), raw=[TWO, TWO]), ["z"]),
        ("one of two inputs", request(tensor("a", "INT32"), model="quotient", raw=[TWO]), ["b"]),
        (
            "inputs of different numbers of rows",
            request(tensor("a", "INT32", [2], int=[1, 2]), tensor("b", "INT32", [1], int=[1]), model="quotient"),
            ["b"],
        ),
        ("an unknown output", request(tensor(), raw=[TWO], outputs=["z"]), ["z", "y"]),
        ("an output twice", request(tensor(), raw=[TWO], outputs=["y", "y"]), ["y"]),
        ("an output without a name", request(tensor(), raw=[TWO], outputs=[""]), ["y"]),
        ("a signature that is a number", request(tensor(), raw=[TWO], values={"signature": 7}), ["signature"]),
        ("a signature that is true", request(tensor(), raw=[TWO], values={"signature": True}), ["signature"]),
        ("the inputs of another signature", request(tensor(), raw=[TWO], values={"signature": "negative"}), ["image"]),
        ("a timeout that is a text", request(tensor(), raw=[TWO], values={"timeout": "1"}), ["timeout"]),
        ("a timeout that is true", request(tensor(), raw=[TWO], values={"timeout": True}), ["timeout"]),
        ("a timeout below zero", request(tensor(), raw=[TWO], values={"timeout": -1}), ["timeout"]),
        (
            "fewer raw contents than inputs",
            request(tensor("a", "INT32"), tensor("b", "INT32"), model="quotient", raw=[TWO]),
            ["raw_input_contents"],
        ),
        ("more raw contents than inputs", request(tensor(), raw=[TWO, TWO]), ["raw_input_contents"]),
        ("raw contents without inputs", request(raw=[TWO]), ["raw_input_contents"]),
        ("raw contents and typed contents", request(tensor(fp32=[1, 2]), raw=[TWO]), ["x", "contents"]),
        ("neither raw nor typed contents", request(tensor()), ["x"]),
        ("contents of another type", request(tensor(fp64=[1, 2])), ["x", "fp32_contents"]),
        ("contents of two types", request(tensor(fp32=[1, 2], int=[1, 2])), ["x", "contents"]),
        ("contents of bytes", request(tensor(bytes=[b"a", b"b"])), ["x"]),
        ("a UINT8 of 256", request(tensor("x_u8", "UINT8", [1, 2, 2], uint=[256, 0, 0, 0]), model="types"), ["x_u8"]),
        (
            "a scalar of two elements",
            request(tensor("x", "FP32", [], fp32=[1, 2]), tensor("n", "INT64", [], int64=[1]), model="scalar"),
            ["x"],
        ),
        (
            "a scalar with a dimension",
            request(tensor("x", "FP32", [1], fp32=[1]), tensor("n", "INT64", [], int64=[1]), model="scalar"),
            ["x"],
        ),
        (
            "a row of another length",
            request(tensor("image", shape=[1, 2, 3], raw=0), raw=[bytes(24)], values={"signature": "negative"}),
            ["image"],
        ),
    ]:
        call(name, body, BAD, says)
    zero = request(tensor("a", "INT32", [2], int=[1, 2]), tensor("b", "INT32", [2], int=[1, 0]), model="quotient")
    call("a division by zero", zero, BAD + ["INTERNAL"], ["zero"])
    for datatype in ["", "fp32", "FP16", "BF16", "FP64", "INT32", "BYTES", "BOOL", "日本"]:
        call(
            f"datatype {datatype!r}",
            request(tensor(datatype=datatype), raw=[TWO]),
            BAD,
            ["x", ["FP32", datatype or "FP32"]],
        )
    for shape in [
        [],
        [3],
        [1],
        [0],
        [1, 2],
        [2, 1],
        [-1],
        [-2],
        [2**31],
        [2**62],
        [2**63 - 1],
        [-(2**63)],
        [2**32, 2**32],
        [2**62, 4],
        [1] * 33,
        [1] * 1_000,
    ]:
        said = str(shape) if len(shape) < 9 else f"of {len(shape)} sizes"
        call(
            f"shape {said} for two numbers",
            request(tensor(shape=shape), raw=[TWO]),
            BAD,
            ["x", "shape"] if len(shape) < 9 else ["x"],
        )
        if 1 < len(shape) < 9 or shape in ([3], [-1], [2**62]):
            call(f"shape {said} for two typed numbers", request(tensor(shape=shape, fp32=[1, 2])), BAD, ["x"])
    for length in [0, 1, 4, 7, 9, 12, 16]:
        call(f"{length} raw bytes for two numbers", request(tensor(), raw=[bytes(length)]), BAD, ["x"])
    call("2^38 rows without elements", request(tensor(shape=[2**38, 0]), model="free", raw=[b""]), BAD + LARGE, ["x"])
    sizes = [
        ("x_f32", "FP32", [1, 3], 12),
        ("x_f64", "FP64", [1, 2], 16),
        ("x_i32", "INT32", [1], 4),
        ("x_i64", "INT64", [1, 2], 16),
        ("x_u8", "UINT8", [1, 2, 2], 4),
        ("x_bool", "BOOL", [1], 1),
    ]
    raw = [bytes(length) for *_, length in sizes[:-1]] + [b"\2"]
    call(
        "a BOOL of the byte 2",
        request(*[tensor(n, d, s) for n, d, s, _ in sizes], model="types", raw=raw),
        BAD,
        ["x_bool"],
    )
    many = lambda *parts: [frame_of(*[data(part) if isinstance(part, bytes) else part for part in parts])]
    backwards = request(tensor(), raw=[TWO], values={"signature": "backwards"})
    call("an unknown signature", backwards, ABSENT + BAD, ["backwards"])
    call("1,000 times the same output", request(tensor(), raw=[TWO], outputs=["y"] * 1_000), BAD, ["y"])
    # What a message does not tell from nothing may be taken for it.
    for name, value in [("without a name", ""), ("that is nothing", None)]:
        call(
            f"a signature {name}",
            request(tensor(), raw=[TWO], values={"signature": value}),
            BAD + ["OK"],
            ["signature"],
        )
    call(
        "10,000 inputs",
        many(
            string(1, "single"),
            repeat([data(field(5, LENGTH, tensor("other")))], 10_000),
            repeat([data(field(7, LENGTH, TWO))], 10_000),
        ),
        BAD,
        [["other", "inputs"]],
    )
    call(
        "100,000 outputs",
        many(RIGHT, repeat([data(field(6, LENGTH, string(1, "y")))], 100_000)),
        BAD,
        [["y", "outputs"]],
    )
    call(
        "100,000 times the same parameter",
        many(RIGHT, repeat([data(parameters(4, {"p": 1}))], 100_000)),
        BAD + ["OK"],
        [],
    )
    call(
        "a name of a megabyte",
        many(
            field(5, LENGTH, b"")[:1],
            data(varint(1_000_000 + 4)),
            data(b"\x0a" + varint(1_000_000)),
            repeat("n", 1_000_000),
            string(1, "single"),
        ),
        BAD,
    )
    call("a model's name of a megabyte", many(b"\x0a", data(varint(1_000_000)), repeat("n", 1_000_000)), BAD + ABSENT)
    call("a microsecond of time", request(tensor(), raw=[TWO], values={"timeout": 1}), ["OK", "DEADLINE_EXCEEDED"])


def other_methods(call):
    for method in ["ModelReady", "ModelMetadata", "ModelStatistics"]:
        call(
            f"{method} of an unknown model",
            string(1, "nothing"),
            ABSENT + (["OK"] if method == "ModelReady" else []),
            path=SERVICE + method,
        )
        call(
            f"{method} of an unknown version",
            string(1, "single") + string(2, "9"),
            ABSENT + (["OK"] if method == "ModelReady" else []),
            path=SERVICE + method,
        )
    for path in [
        SERVICE + "Nothing",
        SERVICE,
        "/inference.Nothing/ModelInfer",
        "/",
        "/x",
        "//",
        SERVICE + "ModelInfer/x",
        SERVICE.lower() + "ModelInfer",
    ]:
        call(f"path {path}", RIGHT, ["UNIMPLEMENTED"], path=path)
    for method in [
        "RepositoryModelLoad",
        "RepositoryModelUnload",
        "SystemSharedMemoryRegister",
        "TraceSetting",
        "LogSettings",
    ]:
        call(
            f"{method}, which is not served",
            string(1, "x"),
            ["UNIMPLEMENTED", "PERMISSION_DENIED", "UNAVAILABLE"],
            path=SERVICE + method,
        )
