"""The form of http.jsonl and grpc.jsonl, and what writes it. Each line is a request that a server must outlive, and what it must answer.

A line of http.jsonl:

    {"name": TEXT, "method", "path", "headers": [[NAME, VALUE], ..], "body": [PART, ..], EXPECTED..}
    {"name": TEXT, "raw": [PART, ..], EXPECTED..}

A path and a VALUE are texts, or long ones lists of parts. The first form is a request of HTTP/1.1: whoever runs it adds `Host` and `Connection: close`, and `Content-Length` where neither it nor `Transfer-Encoding`
stands among the headers. The second is what is written to the connection, byte for byte. Where the parts end, the connection stays open for reading.

    PART    {"text": TEXT}                                   its UTF-8
            {"base64": TEXT}                                 these bytes
            {"repeat": [PART, ..], "times": N}
            {"gzip": [PART, ..]} {"zlib": [PART, ..]}        compressed, zlib being HTTP's deflate
            {"deflate": [PART, ..]}                          the same without zlib's head and sum
            {"cut": [PART, ..], "to": N}                     the first N bytes of it
            {"frame": [PART, ..], "flag": N}                 a frame of gRPC: the flag, how long the parts are as four bytes, the parts
            {"host": true}                                   the server's address, HOST:PORT
            {"drip": [PART, ..], "every_ms": N}              a byte at a time, until the server answers or closes
            {"stall": true}                                  nothing more: wait until the server answers or closes
            {"close": true}                                  the sending half of the connection is shut

    EXPECTED
            "status": [N, ..]   what the status may be; 0 is a connection that is closed without an answer
            "then": [[N, ..], ..]   the same of the answers that follow on this connection
            "says": [WORDS, ..] what must stand in the text of `error`: a text, or a list of which one will do; "x" is not in "next", since
                                neither letters nor digits may touch it
            "plain": true       the answer may be of the layer of HTTP below the server, and without a JSON body
            "slow": true        it ends by a time limit of the server's

Without "plain" an answer of 400 or more has `Content-Type: application/json`, exactly, and is `{"error": TEXT}` of at most 8,192 bytes: who sends a megabyte
for a name is not sent a megabyte back. An answer of 405 has `Allow`, one of 503 `Retry-After`.

A line of grpc.jsonl:

    {"name": TEXT, "path": "/inference.GRPCInferenceService/ModelInfer", "headers": [[NAME, VALUE], ..], "body": [PART, ..], "code": [TEXT, ..], "says"}
    {"name": TEXT, "raw": [PART, ..]}

The first is a call over HTTP/2 (`:method` is POST, `te: trailers` and `content-type: application/grpc` are added where they are not among the headers) whose body is
these bytes, which calls.py encodes by hand and not by a library that would refuse to. "code" is the code of gRPC that must come, in trailers or in a head
alone; HTTP_415 there is a status of HTTP without one, and CLOSED a stream or connection that is ended. The second is written to the
connection as it is, and must only be outlived: the connection may be closed, answered, or left open.

After each line the server must answer a request for the model `single` rightly, and after all of them hold no more memory than a bounded amount above what it held before.
The models are those of ../data/models.
"""

import base64
import json


def text(value):
    return {"text": value}


def data(value):
    return {"base64": base64.b64encode(bytes(value)).decode()}


def repeat(parts, times):
    return {"repeat": parts if isinstance(parts, list) else [text(parts)], "times": times}


def packed(how, *parts):
    return {how: list(parts)}


def cut(parts, to):
    return {"cut": parts, "to": to}


def frame_of(*parts, flag=0):
    return {"frame": list(parts), "flag": flag}


def as_parts(body):
    if body is None:
        return []
    if isinstance(body, (dict, list)) and not is_parts(body):
        return [text(json.dumps(body))]
    if isinstance(body, str):
        return [text(body)]
    if isinstance(body, bytes):
        return [data(body)]
    return body if isinstance(body, list) else [body]


KINDS = {"text", "base64", "repeat", "gzip", "zlib", "deflate", "cut", "host", "drip", "stall", "close", "frame"}


def is_parts(body):
    """Whether it is a part or a list of parts, and not JSON to be sent."""
    one = (
        lambda part: isinstance(part, dict)
        and bool(KINDS & set(part))
        and set(part) <= KINDS | {"times", "to", "every_ms", "flag"}
    )
    return all(one(part) for part in body) and bool(body) if isinstance(body, list) else one(body)


def words(says):
    """What must be said; an input of one request alone may be called by its place."""
    return [["x", "inputs[0]", "instances[0]", "inputs"] if word == "x" else word for word in says]


class Lines:
    """The lines of a file, whose names are unique."""

    def __init__(self):
        self.lines, self.names = [], set()

    def add(self, name, **fields):
        assert name not in self.names, f"two lines are called {name!r}"
        self.names.add(name)
        self.lines.append(
            json.dumps(
                {"name": name, **{k: v for k, v in fields.items() if v not in (None, False)}}, ensure_ascii=False
            )
        )

    def http(
        self, name, body=None, status=400, says=(), path="/v2/models/single/infer", method="POST", headers=(), **more
    ):
        self.add(
            name,
            method=method,
            path=path,
            headers=[[name, str(value) if isinstance(value, int) else value] for name, value in headers],
            body=as_parts(body),
            status=status if isinstance(status, list) else [status],
            says=words(says),
            **more,
        )

    def raw(self, name, *parts, status=400, says=(), **more):
        parts = [text(part) if isinstance(part, str) else part for part in parts]
        self.add(name, raw=parts, status=status if isinstance(status, list) else [status], says=words(says), **more)

    def write(self, path):
        with open(path, "w", encoding="utf-8") as file:
            file.write("\n".join(self.lines) + "\n")
        return len(self.lines)
