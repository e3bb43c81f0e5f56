"""Messages of the inference service, encoded by hand: a library would refuse most of what is wanted here."""

import struct

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
    return b"".join(
        field(number, LENGTH, string(1, key) + field(2, LENGTH, parameter(value))) for key, value in values.items()
    )


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
