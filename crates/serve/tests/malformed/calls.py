"""Wrong calls of gRPC: messages that say what is wrong, messages and frames that are cut or none, and bytes that are no HTTP/2."""

import base64
import struct

from form import cut, data, frame_of, packed, repeat, text, words

SERVICE = "/inference.GRPCInferenceService/"
VARINT, LENGTH, FIXED32, FIXED64 = 0, 2, 5, 1
CONTENTS = {"bool": 1, "int": 2, "int64": 3, "uint": 4, "uint64": 5, "fp32": 6, "fp64": 7, "bytes": 8}


def varint(value):
    value %= 2**64
    out = bytearray()
    while value >= 128:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes(out) + bytes([value])


def field(number, kind, payload):
    key = varint(number << 3 | kind)
    return key + (varint(len(payload)) + payload if kind == LENGTH else varint(payload) if kind == VARINT else payload)


def string(number, value):
    return field(number, LENGTH, value.encode() if isinstance(value, str) else value)


def parameter(value):
    """An InferParameter."""
    if isinstance(value, bool):
        return field(1, VARINT, value)
    if isinstance(value, int):
        return field(2, VARINT, value)
    if isinstance(value, float):
        return field(4, FIXED64, struct.pack("<d", value))
    return b"" if value is None else string(3, value)


def parameters(number, values):
    return b"".join(field(number, LENGTH, string(1, key) + field(2, LENGTH, parameter(value))) for key, value in values.items())


def contents(kind, values):
    """An InferTensorContents, packed."""
    number = CONTENTS[kind]
    if kind == "bytes":
        return b"".join(field(number, LENGTH, value) for value in values)
    each = {"fp32": lambda v: struct.pack("<f", v), "fp64": lambda v: struct.pack("<d", v)}.get(kind, varint)
    return field(number, LENGTH, b"".join(each(value) for value in values))


def tensor(name="x", datatype="FP32", shape=(2,), **more):
    out = string(1, name) + string(2, datatype) + field(3, LENGTH, b"".join(varint(size) for size in shape))
    out += parameters(4, more.get("parameters", {}))
    for kind, values in more.items():
        if kind in CONTENTS:
            out += field(5, LENGTH, contents(kind, values))
    return out


def request(*inputs, model="single", version="", identity="", raw=(), outputs=(), values={}):
    """A ModelInferRequest."""
    out = string(1, model) + string(2, version) + string(3, identity) + parameters(4, values)
    out += b"".join(field(5, LENGTH, one) for one in inputs)
    out += b"".join(field(6, LENGTH, string(1, name)) for name in outputs)
    return out + b"".join(field(7, LENGTH, one) for one in raw)


def frame(message, compressed=0, length=None):
    return bytes([compressed]) + struct.pack(">I", len(message) if length is None else length) + message


TWO = struct.pack("<2f", 1, 2)
RIGHT = request(tensor(), raw=[TWO])
BAD, ABSENT, LARGE = ["INVALID_ARGUMENT"], ["NOT_FOUND"], ["RESOURCE_EXHAUSTED", "OUT_OF_RANGE", "INVALID_ARGUMENT"]
# What cannot be read as a message is, for tonic and grpc's own servers, an error of the server's side or of the argument, and a call that ends before it is no unary one.
UNREADABLE = ["INTERNAL", "INVALID_ARGUMENT", "UNKNOWN", "UNIMPLEMENTED", "CANCELLED", "CLOSED"]


def add(lines):
    def call(name, body, code, says=(), path=SERVICE + "ModelInfer", headers=(), **more):
        parts = [frame_of(data(body))] if isinstance(body, bytes) else body
        lines.add(f"grpc: {name}", path=path, headers=[list(pair) for pair in headers], body=parts, code=code, says=words(says), **more)

    messages(call)
    other_methods(call)
    unreadable(call)
    frames(call)
    http(call)
    connections(lines)


def messages(call):
    call("an empty message", b"", BAD, ["model_name"])
    call("no model's name", request(tensor(), model="", raw=[TWO]), BAD, ["model_name"])
    for model in ["nothing", "Single", "../single", "single/versions/1", "single\0", "x" * 5000, "日本"]:
        call(f"model {model!r}" if len(model) < 99 else "model of 5,000 letters", request(tensor(), model=model, raw=[TWO]), ABSENT + BAD, ["nothing"] if model == "nothing" else [])
    for version in ["9", "0", "01", "-1", "latest", "1 ", "99999999999999999999"]:
        call(f"version {version!r}", request(tensor(), version=version, raw=[TWO]), ABSENT + BAD, ["single"])
    for name, body, says in [
        ("no inputs", request(), ["x"]),
        ("an unknown input", request(tensor("z"), raw=[TWO]), ["z", "x"]),
        ("an input without a name", request(tensor(""), raw=[TWO]), ["x"]),
        ("an input twice", request(tensor(), tensor(), raw=[TWO, TWO]), ["x"]),
        ("an input and another one", request(tensor(), tensor("z"), raw=[TWO, TWO]), ["z"]),
        ("one of two inputs", request(tensor("a", "INT32"), model="quotient", raw=[TWO]), ["b"]),
        ("inputs of different numbers of rows", request(tensor("a", "INT32", [2], int=[1, 2]), tensor("b", "INT32", [1], int=[1]), model="quotient"), ["b"]),
        ("an unknown output", request(tensor(), raw=[TWO], outputs=["z"]), ["z", "y"]),
        ("an output twice", request(tensor(), raw=[TWO], outputs=["y", "y"]), ["y"]),
        ("an output without a name", request(tensor(), raw=[TWO], outputs=[""]), ["y"]),
        ("an unknown signature", request(tensor(), raw=[TWO], values={"signature": "backwards"}), ["backwards"]),
        ("a signature without a name", request(tensor(), raw=[TWO], values={"signature": ""}), ["signature"]),
        ("a signature that is a number", request(tensor(), raw=[TWO], values={"signature": 7}), ["signature"]),
        ("a signature that is true", request(tensor(), raw=[TWO], values={"signature": True}), ["signature"]),
        ("a signature that is nothing", request(tensor(), raw=[TWO], values={"signature": None}), ["signature"]),
        ("the inputs of another signature", request(tensor(), raw=[TWO], values={"signature": "negative"}), ["image"]),
        ("a timeout that is a text", request(tensor(), raw=[TWO], values={"timeout": "1"}), ["timeout"]),
        ("a timeout that is true", request(tensor(), raw=[TWO], values={"timeout": True}), ["timeout"]),
        ("a timeout below zero", request(tensor(), raw=[TWO], values={"timeout": -1}), ["timeout"]),
        ("fewer raw contents than inputs", request(tensor("a", "INT32"), tensor("b", "INT32"), model="quotient", raw=[TWO]), ["raw_input_contents"]),
        ("more raw contents than inputs", request(tensor(), raw=[TWO, TWO]), ["raw_input_contents"]),
        ("raw contents without inputs", request(raw=[TWO]), ["raw_input_contents"]),
        ("raw contents and typed contents", request(tensor(fp32=[1, 2]), raw=[TWO]), ["x", "contents"]),
        ("neither raw nor typed contents", request(tensor()), ["x"]),
        ("contents of another type", request(tensor(fp64=[1, 2])), ["x", "fp32_contents"]),
        ("contents of two types", request(tensor(fp32=[1, 2], int=[1, 2])), ["x", "contents"]),
        ("contents of bytes", request(tensor(bytes=[b"a", b"b"])), ["x"]),
        ("a UINT8 of 256", request(tensor("x_u8", "UINT8", [1, 2, 2], uint=[256, 0, 0, 0]), model="types"), ["x_u8"]),
        ("a scalar of two elements", request(tensor("x", "FP32", [], fp32=[1, 2]), tensor("n", "INT64", [], int64=[1]), model="scalar"), ["x"]),
        ("a scalar with a dimension", request(tensor("x", "FP32", [1], fp32=[1]), tensor("n", "INT64", [], int64=[1]), model="scalar"), ["x"]),
        ("a row of another length", request(tensor("image", shape=[1, 2, 3], raw=0), raw=[bytes(24)], values={"signature": "negative"}), ["image"]),
    ]:
        call(name, body, BAD, says)
    zero = request(tensor("a", "INT32", [2], int=[1, 2]), tensor("b", "INT32", [2], int=[1, 0]), model="quotient")
    call("a division by zero", zero, BAD + ["INTERNAL"], ["zero"])
    for datatype in ["", "fp32", "FP16", "BF16", "FP64", "INT32", "BYTES", "BOOL", "日本"]:
        call(f"datatype {datatype!r}", request(tensor(datatype=datatype), raw=[TWO]), BAD, ["x", "FP32"])
    for shape in [[], [3], [1], [0], [1, 2], [2, 1], [-1], [-2], [2**31], [2**62], [2**63 - 1], [-(2**63)], [2**32, 2**32], [2**62, 4], [1] * 33, [1] * 1_000]:
        said = str(shape) if len(shape) < 9 else f"of {len(shape)} sizes"
        call(f"shape {said} for two numbers", request(tensor(shape=shape), raw=[TWO]), BAD, ["x", "shape"] if len(shape) < 9 else ["x"])
        if 1 < len(shape) < 9 or shape in ([3], [-1], [2**62]):
            call(f"shape {said} for two typed numbers", request(tensor(shape=shape, fp32=[1, 2])), BAD, ["x"])
    for length in [0, 1, 4, 7, 9, 12, 16]:
        call(f"{length} raw bytes for two numbers", request(tensor(), raw=[bytes(length)]), BAD, ["x"])
    call("2^38 rows without elements", request(tensor(shape=[2**38, 0]), model="free", raw=[b""]), BAD + LARGE, ["x"])
    sizes = [("x_f32", "FP32", [1, 3], 12), ("x_f64", "FP64", [1, 2], 16), ("x_i32", "INT32", [1], 4), ("x_i64", "INT64", [1, 2], 16), ("x_u8", "UINT8", [1, 2, 2], 4), ("x_bool", "BOOL", [1], 1)]
    raw = [bytes(length) for *_, length in sizes[:-1]] + [b"\2"]
    call("a BOOL of the byte 2", request(*[tensor(n, d, s) for n, d, s, _ in sizes], model="types", raw=raw), BAD, ["x_bool"])
    many = lambda *parts: [frame_of(*[data(part) if isinstance(part, bytes) else part for part in parts])]
    call("10,000 inputs", many(string(1, "single"), repeat([data(field(5, LENGTH, tensor("other")))], 10_000), repeat([data(field(7, LENGTH, TWO))], 10_000)), BAD, ["other"])
    call("100,000 outputs", many(RIGHT, repeat([data(field(6, LENGTH, string(1, "y")))], 100_000)), BAD, ["y"])
    call("100,000 times the same parameter", many(RIGHT, repeat([data(parameters(4, {"p": 1}))], 100_000)), BAD + ["OK"], [])
    call("a name of a megabyte", many(field(5, LENGTH, b"")[:1], data(varint(1_000_000 + 4)), data(b"\x0a" + varint(1_000_000)), repeat("n", 1_000_000), string(1, "single")), BAD)
    call("a model's name of a megabyte", many(b"\x0a", data(varint(1_000_000)), repeat("n", 1_000_000)), BAD + ABSENT)
    call("a microsecond of time", request(tensor(), raw=[TWO], values={"timeout": 1}), ["OK", "DEADLINE_EXCEEDED"])


def other_methods(call):
    for method in ["ModelReady", "ModelMetadata", "ModelStatistics"]:
        call(f"{method} of an unknown model", string(1, "nothing"), ABSENT + (["OK"] if method == "ModelReady" else []), path=SERVICE + method)
        call(f"{method} of an unknown version", string(1, "single") + string(2, "9"), ABSENT + (["OK"] if method == "ModelReady" else []), path=SERVICE + method)
    for path in [SERVICE + "Nothing", SERVICE, "/inference.Nothing/ModelInfer", "/", "/x", "//", SERVICE + "ModelInfer/x", SERVICE.lower() + "ModelInfer"]:
        call(f"path {path}", RIGHT, ["UNIMPLEMENTED"], path=path)
    for method in ["RepositoryModelLoad", "RepositoryModelUnload", "SystemSharedMemoryRegister", "TraceSetting", "LogSettings"]:
        call(f"{method}, which is not served", string(1, "x"), ["UNIMPLEMENTED", "PERMISSION_DENIED", "UNAVAILABLE"], path=SERVICE + method)


def unreadable(call):
    size = len(RIGHT)
    for at in [1, 3, size // 3, size // 2, size - 9, size - 1]:
        call(f"a message cut after {at} of {size} bytes", RIGHT[:at], UNREADABLE)
    for name, body in [
        ("noise", bytes((i * 167 + 13) % 256 for i in range(1000))),
        ("text", b'{"inputs": []}'),
        ("bytes of 255", b"\xff" * 100),
        ("a field of the number 0", b"\x00\x01"),
        ("a wire type that there is not", b"\x0f\x01"),
        ("the start of a group", b"\x0b" * 100),
        ("10,000 groups in each other", b"\xa3\x06" * 10_000),
        ("a name that is a number", field(1, VARINT, 7)),
        ("a name that is no UTF-8", string(1, b"\xff\xfe")),
        ("a name that is a cut character", string(1, b"\xe6\x97")),
        ("inputs that are a number", string(1, "single") + field(5, VARINT, 7)),
        ("an input that is noise", string(1, "single") + field(5, LENGTH, b"\xff" * 9)),
        ("a shape that is cut", string(1, "single") + field(5, LENGTH, string(1, "x") + field(3, LENGTH, b"\x80"))),
        ("floats that are no whole number of them", string(1, "single") + field(5, LENGTH, tensor() + field(5, LENGTH, field(6, LENGTH, b"123")))),
        ("a length beyond the message", b"\x0a\x7fx"),
        ("a length of 2^63", b"\x0a" + b"\xff" * 8 + b"\x7f"),
        ("a length of 2^64 - 1", b"\x0a" + b"\xff" * 9 + b"\x01"),
        ("a number of eleven bytes", b"\x08" + b"\xff" * 10 + b"\x01"),
    ]:
        call(f"a message: {name}", body, UNREADABLE)
    deep = b""
    for _ in range(300):
        deep = field(5, LENGTH, deep)
    call("a message: 300 levels of what is no field's", string(1, "single") + field(99, LENGTH, deep), BAD, ["x"])
    call("a message with unknown fields", RIGHT + field(99, VARINT, 1) + string(98, "x") + field(97, FIXED32, bytes(4)), ["OK"])
    call("a message whose name stands twice, the last counts", string(1, "nothing") + RIGHT, ["OK"])


def frames(call):
    call("no frame", [], UNREADABLE + ["UNIMPLEMENTED"])
    for at in [1, 4]:
        call(f"{at} of a frame's five bytes", [data(frame(RIGHT)[:at])], UNREADABLE)
    call("a frame without its message", [data(frame(RIGHT)[:5])], UNREADABLE)
    call("a frame that is cut", [data(frame(RIGHT)[:-3])], UNREADABLE)
    call("a frame that says less than it has", [data(frame(RIGHT, length=len(RIGHT) - 5))], UNREADABLE)
    call("a frame that says one byte more", [data(frame(RIGHT, length=len(RIGHT) + 1))], UNREADABLE)
    for length in [100_000_000, 2**31, 2**32 - 1]:
        call(f"a frame that says {length} bytes", [data(frame(RIGHT, length=length))], LARGE + UNREADABLE)
    call("a message of 100 megabytes", [data(b"\0" + struct.pack(">I", 100_000_000)), repeat([data(bytes(1000))], 100_000)], LARGE)
    call("two messages", [data(frame(RIGHT) * 2)], ["OK", "INTERNAL", "INVALID_ARGUMENT", "UNIMPLEMENTED"])
    call("a right message and a cut one", [data(frame(RIGHT) + frame(RIGHT)[:9])], ["OK", *UNREADABLE])
    call("a flag that there is not", [data(frame(RIGHT, compressed=7))], UNREADABLE)
    call("compressed without an encoding", [data(frame(RIGHT, compressed=1))], UNREADABLE)
    for encoding in ["x", "zstd", "br", "gzip,x"]:
        call(f"grpc-encoding {encoding}", [data(frame(RIGHT, compressed=1))], ["UNIMPLEMENTED", *UNREADABLE], headers=[("grpc-encoding", encoding)])
    for encoding in ["gzip", "deflate"]:
        call(f"{encoding} that is none", [data(frame(RIGHT, compressed=1))], UNREADABLE, headers=[("grpc-encoding", encoding)])
        call(f"{encoding} of nothing", [data(frame(b"", compressed=1))], UNREADABLE + BAD, headers=[("grpc-encoding", encoding)])
    for encoding, kind in [("gzip", "gzip"), ("deflate", "zlib")]:
        headers = [("grpc-encoding", encoding)]
        call(f"a bomb of 300 MB of {encoding}", [frame_of(packed(kind, repeat("\0", 300_000_000)), flag=1)], LARGE + UNREADABLE, headers=headers)
        raw = [text("single"), data(field(7, LENGTH, b"")[:1] + varint(300_000_000)), repeat("\0", 300_000_000)]
        call(f"a bomb of 300 MB of {encoding} within a right message", [frame_of(packed(kind, data(b"\x0a\x06"), *raw), flag=1)], LARGE + UNREADABLE, headers=headers)
        call(f"{encoding} that is cut", [frame_of(cut([packed(kind, data(RIGHT))], 25), flag=1)], UNREADABLE, headers=headers)
        call(f"{encoding} that is right", [frame_of(packed(kind, data(RIGHT)), flag=1)], ["OK"], headers=headers)


def http(call):
    right = [data(frame(RIGHT))]
    for kind in ["application/json", "text/plain", "application/grpcx", ""]:
        call(f"content-type {kind!r}", right, ["HTTP_415", "INVALID_ARGUMENT", "UNIMPLEMENTED", "INTERNAL"], headers=[("content-type", kind)])
    call("content-type application/grpc+proto", right, ["OK"], headers=[("content-type", "application/grpc+proto")])
    for value in ["1n", "1u", "0S"]:
        call(f"grpc-timeout {value}", right, ["DEADLINE_EXCEEDED", "CANCELLED", "OK"] if value != "1n" else ["DEADLINE_EXCEEDED", "CANCELLED"], headers=[("grpc-timeout", value)])
    for value in ["", "1", "S", "-1S", "1.5S", "123456789S", "1x", "1 S", "99999999H"]:
        call(f"grpc-timeout {value!r}", right, ["OK", "INVALID_ARGUMENT", "INTERNAL"], headers=[("grpc-timeout", value)])
    call("a header of a megabyte", right, ["OK", "RESOURCE_EXHAUSTED", "INTERNAL", "CLOSED", "HTTP_431"], headers=[("x-long", [repeat("x", 1_000_000)])])
    call("a binary header that is no base64", right, ["OK", *UNREADABLE], headers=[("x-bin", "***")])
    call("a trace context that is none", right, ["OK"], headers=[("traceparent", "00-zz-1"), ("grpc-trace-bin", "AAAA")])


def connections(lines):
    def raw(name, *parts):
        lines.add(f"grpc: connection: {name}", raw=[text(part) if isinstance(part, str) else part for part in parts])

    def h2(kind, flags, stream, payload=b""):
        return data(struct.pack(">I", len(payload))[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + payload)

    preface, settings = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", h2(4, 0, 0)
    # :method POST, :scheme http, :path /, as HPACK's static table has them.
    headers = bytes([0x83, 0x86, 0x84])
    raw("nothing", {"close": True})
    raw("HTTP/1.1", "GET / HTTP/1.1\r\nHost: x\r\n\r\n", {"close": True})
    raw("a right request of HTTP/1.1 for inference", "POST /v2/models/single/infer HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}", {"close": True})
    raw("noise", data(bytes((i * 167 + 13) % 256 for i in range(5000))), {"close": True})
    raw("a greeting of TLS", data(bytes.fromhex("16030100c8010000c40303") + bytes(200)), {"close": True})
    raw("the preface, cut", preface[:10], {"close": True})
    raw("the preface and noise", preface, data(bytes((i * 91 + 7) % 256 for i in range(5000))), {"close": True})
    raw("a frame of 16 MB announced", preface, settings, data(b"\xff\xff\xff\0\0\0\0\0\1"), {"close": True})
    raw("a frame that is cut", preface, settings, cut([h2(1, 4, 1, headers)], 11), {"close": True})
    raw("settings of a length that there is not", preface, h2(4, 0, 0, bytes(5)), {"close": True})
    raw("settings on a stream", preface, h2(4, 0, 1), {"close": True})
    raw("a window of 2^31", preface, settings, h2(8, 0, 0, struct.pack(">I", 2**31 - 1)), h2(8, 0, 0, struct.pack(">I", 2**31 - 1)), {"close": True})
    raw("a window that grows by nothing", preface, settings, h2(8, 0, 0, bytes(4)), {"close": True})
    raw("data on a stream that is not open", preface, settings, h2(0, 1, 1, b"x"), {"close": True})
    raw("headers on stream 0", preface, settings, h2(1, 4, 0, headers), {"close": True})
    raw("headers on an even stream", preface, settings, h2(1, 4, 2, headers), {"close": True})
    raw("a header of the table that there is not", preface, settings, h2(1, 4, 1, b"\xff\xff\xff\xff\x0f"), {"close": True})
    raw("a name with capitals", preface, settings, h2(1, 5, 1, headers + b"\x00\x01A\x01b"), {"close": True})
    raw("no path", preface, settings, h2(1, 5, 1, headers[:2]), {"close": True})
    raw("a padding longer than the frame", preface, settings, h2(1, 12, 1, b"\xff" + headers), {"close": True})
    raw("100,000 settings", preface, {"repeat": [settings], "times": 100_000}, {"close": True})
    raw("100,000 pings", preface, settings, {"repeat": [h2(6, 0, 0, bytes(8))], "times": 100_000}, {"close": True})
    raw("100,000 priorities", preface, settings, {"repeat": [h2(2, 0, 1, bytes(5))], "times": 100_000}, {"close": True})
    raw("100,000 continuations without an end", preface, settings, h2(1, 0, 1, headers), {"repeat": [h2(9, 0, 1, b"\x00\x01a\x01b")], "times": 100_000}, {"close": True})
    raw("100,000 empty continuations", preface, settings, h2(1, 0, 1, headers), {"repeat": [h2(9, 0, 1)], "times": 100_000}, {"close": True})
    resets = [part for stream in range(1, 4_001, 2) for part in (h2(1, 5, stream, headers), h2(3, 0, stream, struct.pack(">I", 8)))]
    raw("2,000 streams opened and reset", preface, settings, data(b"".join(base64.b64decode(part["base64"]) for part in resets)), {"close": True})
    raw("a megabyte of one header", preface, settings, h2(1, 0, 1, headers + b"\x00\x01a\x7f\x81\xff\x03"), {"repeat": [h2(9, 0, 1, b"b" * 16_000)], "times": 64}, {"close": True})
    raw("a going away first", preface, settings, h2(7, 0, 0, bytes(8)), {"close": True})
