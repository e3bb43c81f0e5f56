"""Calls of gRPC that cannot be read: messages and frames that are cut or none, and bytes that are no HTTP/2."""

import base64
import struct

from calls import BAD, LARGE, RIGHT, UNREADABLE, caller
from form import cut, data, frame_of, packed, repeat, text
from protobuf import FIXED32, LENGTH, VARINT, field, string, tensor, varint


def add(lines):
    call = caller(lines)
    unreadable(call)
    frames(call)
    http(call)
    connections(lines)


def frame(message, compressed=0, length=None):
    return bytes([compressed]) + struct.pack(">I", len(message) if length is None else length) + message


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
        (
            "floats that are no whole number of them",
            string(1, "single") + field(5, LENGTH, tensor() + field(5, LENGTH, field(6, LENGTH, b"123"))),
        ),
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
    call(
        "a message with unknown fields",
        RIGHT + field(99, VARINT, 1) + string(98, "x") + field(97, FIXED32, bytes(4)),
        ["OK"],
    )
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
    call(
        "a message of 100 megabytes",
        [data(b"\0" + struct.pack(">I", 100_000_000)), repeat([data(bytes(1000))], 100_000)],
        LARGE,
    )
    call("two messages", [data(frame(RIGHT) * 2)], ["OK", "INTERNAL", "INVALID_ARGUMENT", "UNIMPLEMENTED"])
    call("a right message and a cut one", [data(frame(RIGHT) + frame(RIGHT)[:9])], ["OK", *UNREADABLE])
    call("a flag that there is not", [data(frame(RIGHT, compressed=7))], UNREADABLE)
    call("compressed without an encoding", [data(frame(RIGHT, compressed=1))], UNREADABLE)
    for encoding in ["x", "zstd", "br", "gzip,x"]:
        call(
            f"grpc-encoding {encoding}",
            [data(frame(RIGHT, compressed=1))],
            ["UNIMPLEMENTED", *UNREADABLE],
            headers=[("grpc-encoding", encoding)],
        )
    for encoding in ["gzip", "deflate"]:
        call(
            f"{encoding} that is none",
            [data(frame(RIGHT, compressed=1))],
            UNREADABLE,
            headers=[("grpc-encoding", encoding)],
        )
        call(
            f"{encoding} of nothing",
            [data(frame(b"", compressed=1))],
            UNREADABLE + BAD,
            headers=[("grpc-encoding", encoding)],
        )
    for encoding, kind in [("gzip", "gzip"), ("deflate", "zlib")]:
        headers = [("grpc-encoding", encoding)]
        call(
            f"a bomb of 300 MB of {encoding}",
            [frame_of(packed(kind, repeat("\0", 300_000_000)), flag=1)],
            LARGE + UNREADABLE,
            headers=headers,
        )
        raw = [text("single"), data(field(7, LENGTH, b"")[:1] + varint(300_000_000)), repeat("\0", 300_000_000)]
        call(
            f"a bomb of 300 MB of {encoding} within a right message",
            [frame_of(packed(kind, data(b"\x0a\x06"), *raw), flag=1)],
            LARGE + UNREADABLE,
            headers=headers,
        )
        call(
            f"{encoding} that is cut",
            [frame_of(cut([packed(kind, data(RIGHT))], 25), flag=1)],
            UNREADABLE,
            headers=headers,
        )
        call(f"{encoding} that is right", [frame_of(packed(kind, data(RIGHT)), flag=1)], ["OK"], headers=headers)


def http(call):
    right = [data(frame(RIGHT))]
    for kind in ["application/json", "text/plain", "application/grpcx", ""]:
        call(
            f"content-type {kind!r}",
            right,
            ["HTTP_415", "INVALID_ARGUMENT", "UNIMPLEMENTED", "INTERNAL", "OK"],
            headers=[("content-type", kind)],
        )
    call("content-type application/grpc+proto", right, ["OK"], headers=[("content-type", "application/grpc+proto")])
    # A client such as tonic's keeps the time itself, and gives the stream up.
    for value in ["1n", "1u", "0S"]:
        call(
            f"grpc-timeout {value}",
            right,
            ["DEADLINE_EXCEEDED", "CANCELLED", "CLOSED"] + (["OK"] if value != "1n" else []),
            headers=[("grpc-timeout", value)],
        )
    for value in ["", "1", "S", "-1S", "1.5S", "123456789S", "1x", "1 S", "99999999H"]:
        call(
            f"grpc-timeout {value!r}", right, ["OK", "INVALID_ARGUMENT", "INTERNAL"], headers=[("grpc-timeout", value)]
        )
    call(
        "a header of a megabyte",
        right,
        ["OK", "RESOURCE_EXHAUSTED", "INTERNAL", "CLOSED", "HTTP_431"],
        headers=[("x-long", [repeat("x", 1_000_000)])],
    )
    call("a binary header that is no base64", right, ["OK", *UNREADABLE], headers=[("x-bin", "***")])
    call(
        "a trace context that is none", right, ["OK"], headers=[("traceparent", "00-zz-1"), ("grpc-trace-bin", "AAAA")]
    )


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
    raw(
        "a right request of HTTP/1.1 for inference",
        "POST /v2/models/single/infer HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}",
        {"close": True},
    )
    raw("noise", data(bytes((i * 167 + 13) % 256 for i in range(5000))), {"close": True})
    raw("a greeting of TLS", data(bytes.fromhex("16030100c8010000c40303") + bytes(200)), {"close": True})
    raw("the preface, cut", preface[:10], {"close": True})
    raw("the preface and noise", preface, data(bytes((i * 91 + 7) % 256 for i in range(5000))), {"close": True})
    raw("a frame of 16 MB announced", preface, settings, data(b"\xff\xff\xff\0\0\0\0\0\1"), {"close": True})
    raw("a frame that is cut", preface, settings, cut([h2(1, 4, 1, headers)], 11), {"close": True})
    raw("settings of a length that there is not", preface, h2(4, 0, 0, bytes(5)), {"close": True})
    raw("settings on a stream", preface, h2(4, 0, 1), {"close": True})
    raw(
        "a window of 2^31",
        preface,
        settings,
        h2(8, 0, 0, struct.pack(">I", 2**31 - 1)),
        h2(8, 0, 0, struct.pack(">I", 2**31 - 1)),
        {"close": True},
    )
    raw("a window that grows by nothing", preface, settings, h2(8, 0, 0, bytes(4)), {"close": True})
    raw("data on a stream that is not open", preface, settings, h2(0, 1, 1, b"x"), {"close": True})
    raw("headers on stream 0", preface, settings, h2(1, 4, 0, headers), {"close": True})
    raw("headers on an even stream", preface, settings, h2(1, 4, 2, headers), {"close": True})
    raw(
        "a header of the table that there is not",
        preface,
        settings,
        h2(1, 4, 1, b"\xff\xff\xff\xff\x0f"),
        {"close": True},
    )
    raw("a name with capitals", preface, settings, h2(1, 5, 1, headers + b"\x00\x01A\x01b"), {"close": True})
    raw("no path", preface, settings, h2(1, 5, 1, headers[:2]), {"close": True})
    raw("a padding longer than the frame", preface, settings, h2(1, 12, 1, b"\xff" + headers), {"close": True})
    raw("100,000 settings", preface, {"repeat": [settings], "times": 100_000}, {"close": True})
    raw("100,000 pings", preface, settings, {"repeat": [h2(6, 0, 0, bytes(8))], "times": 100_000}, {"close": True})
    raw("100,000 priorities", preface, settings, {"repeat": [h2(2, 0, 1, bytes(5))], "times": 100_000}, {"close": True})
    raw(
        "100,000 continuations without an end",
        preface,
        settings,
        h2(1, 0, 1, headers),
        {"repeat": [h2(9, 0, 1, b"\x00\x01a\x01b")], "times": 100_000},
        {"close": True},
    )
    raw(
        "100,000 empty continuations",
        preface,
        settings,
        h2(1, 0, 1, headers),
        {"repeat": [h2(9, 0, 1)], "times": 100_000},
        {"close": True},
    )
    resets = [
        part
        for stream in range(1, 4_001, 2)
        for part in (h2(1, 5, stream, headers), h2(3, 0, stream, struct.pack(">I", 8)))
    ]
    raw(
        "2,000 streams opened and reset",
        preface,
        settings,
        data(b"".join(base64.b64decode(part["base64"]) for part in resets)),
        {"close": True},
    )
    raw(
        "a megabyte of one header",
        preface,
        settings,
        h2(1, 0, 1, headers + b"\x00\x01a\x7f\x81\xff\x03"),
        {"repeat": [h2(9, 0, 1, b"b" * 16_000)], "times": 64},
        {"close": True},
    )
    raw("a going away first", preface, settings, h2(7, 0, 0, bytes(8)), {"close": True})
