"""Heads of HTTP/1.1 that are wrong: methods, paths, headers, versions; and what no head is."""

import json

from form import data, repeat, text

BODY = json.dumps({"inputs": [{"name": "x", "shape": [2], "datatype": "FP32", "data": [1, 2]}]})
INFER = "/v2/models/single/infer"
HOST = {"host": True}
# What a layer below the server does with a head that is no head.
REFUSED = [400, 0]


def add(lines):
    methods(lines)
    paths(lines)
    heads(lines)


def head(line, *headers):
    """The parts of a head with the server's address."""
    return [text(line + "\r\nHost: "), HOST, text("\r\n" + "".join(f"{header}\r\n" for header in headers) + "\r\n")]


def methods(lines):
    for path, wrong in [
        (INFER, ["GET", "PUT", "DELETE", "PATCH", "OPTIONS"]),
        ("/v1/models/single:predict", ["GET", "PUT", "DELETE", "OPTIONS"]),
        ("/v2", ["POST", "DELETE"]),
        ("/v2/health/live", ["POST", "PUT"]),
        ("/v2/models/single", ["POST", "PUT", "DELETE"]),
        ("/v2/models/single/ready", ["POST"]),
        ("/v2/models/single/stats", ["POST", "DELETE"]),
        ("/v1/models/single", ["POST", "DELETE"]),
        ("/v1/models/single/metadata", ["POST"]),
        ("/v2/repository/index", ["DELETE"]),
        ("/metrics", ["POST"]),
        ("/openapi.json", ["POST", "DELETE"]),
        ("/api/status", ["POST"]),
        ("/", ["POST", "DELETE"]),
    ]:
        for method in wrong:
            lines.http(f"method: {method} {path}", None, 405, method=method, path=path)
    for method in ["BREW", "get", "TRACE", "PROPFIND", "X" * 100]:
        lines.http(
            f"method: {method if len(method) < 99 else 'of 100 letters'}",
            None,
            [400, 405, 501],
            method=method,
            path=INFER,
            plain=True,
        )
    lines.http("method: CONNECT", None, [400, 404, 405, 0], method="CONNECT", path="single:80", plain=True)
    lines.raw(
        "method: of a megabyte", repeat("X", 1_000_000), " / HTTP/1.1\r\n\r\n", status=[400, 414, 431, 0], plain=True
    )


def paths(lines):
    for path in [
        "/v3",
        "/v2/",
        "/v2/models/",
        "/v2/nothing",
        "/v2/health",
        "/v2/health/dead",
        "/V2/health/live",
        "//v2/health/live",
        "/v2//health/live",
        "/v2/health/live/",
        INFER + "/",
        INFER + "/x",
        "/v2/models//infer",
        "/v2/models/single/versions//infer",
        "/v2/models/single/versions",
        "/v2/models/single/infer%20",
        "/v2/models/single%2finfer",
        "/v2/models/single/inferx",
        "/page/nothing",
        "/page/../lib.rs",
        "/page/%2e%2e%2fsession.rs",
        "/page//etc/passwd",
        "/page/..%5c..%5cx",
        "/.git/config",
        "/api/nothing",
        "/favicon.ico/x",
        "/metrics/x",
    ]:
        lines.http(f"path: {path}", None, [400, 404, 405], method="GET", path=path)
    lines.http(
        "path: of 100,000 letters",
        None,
        [404, 414, 431, 400],
        method="GET",
        path=[text("/v2/models/"), repeat("x", 100_000)],
        plain=True,
    )
    lines.http(
        "path: 50,000 segments", None, [404, 414, 431, 400], method="GET", path=[repeat("/a", 50_000)], plain=True
    )
    lines.http(
        "path: a query of 100,000 letters",
        None,
        [200, 400, 414, 431],
        method="GET",
        path=[text("/v2/health/live?"), repeat("q", 100_000)],
        plain=True,
    )
    lines.raw(
        "path: of a megabyte",
        "GET /",
        repeat("x", 1_000_000),
        " HTTP/1.1\r\nHost: ",
        HOST,
        "\r\n\r\n",
        status=[404, 414, 431, 400, 0],
        plain=True,
    )
    for name, line in [
        ("with a space", "GET /v2/health /live HTTP/1.1"),
        ("without a slash", "GET v2/health/live HTTP/1.1"),
        ("empty", "GET  HTTP/1.1"),
        ("with a zero byte", "GET /v2/\0 HTTP/1.1"),
        ("with a control character", "GET /v2/\x07 HTTP/1.1"),
        ("with a quotation mark and braces", 'GET /v2/"{}|\\^` HTTP/1.1'),
        ("a star", "GET * HTTP/1.1"),
    ]:
        lines.raw(f"path: {name}", *head(line), status=[400, 404, 0], plain=True)
    lines.raw(
        "path: of another server",
        "GET http://example.com/v2/health/live HTTP/1.1\r\nHost: example.com\r\n\r\n",
        status=[400, 403, 404, 421],
        plain=True,
    )
    lines.raw(
        "path: letters beyond ASCII",
        *[data(b"GET /v2/models/\xe6\x97\xa5 HTTP/1.1\r\nHost: "), HOST, text("\r\n\r\n")],
        status=[400, 404, 0],
        plain=True,
    )
    lines.raw(
        "path: bytes that are no UTF-8",
        *[data(b"GET /v2/models/\xff\xfe HTTP/1.1\r\nHost: "), HOST, text("\r\n\r\n")],
        status=[400, 404, 0],
        plain=True,
    )


def heads(lines):
    start = "GET /v2/health/live HTTP/1.1"
    lines.raw("head: no host", f"{start}\r\n\r\n", status=[400, 403, 421], plain=True)
    lines.raw("head: another host", f"{start}\r\nHost: evil.example\r\n\r\n", status=[400, 403, 421], plain=True)
    lines.raw(
        "head: another host behind the right one",
        *head(start, "Host: evil.example"),
        status=[400, 403, 421],
        plain=True,
    )
    lines.raw("head: a host that is none", f"{start}\r\nHost: a b\r\n\r\n", status=[400, 403, 421], plain=True)
    for name, header in [
        ("without a colon", "Nonsense"),
        ("without a name", ": x"),
        ("with a space in its name", "A B: x"),
        ("with a space before the colon", "Accept : x"),
        ("with a zero byte in its name", "A\0: x"),
        ("with a zero byte in its value", "A: \0"),
        ("folded over two lines", "A: b\r\n c"),
        ("with a bracket in its name", "A(b): c"),
    ]:
        lines.raw(f"head: a header {name}", *head(start, header), status=REFUSED, plain=True)
    lines.raw(
        "head: a header of a megabyte",
        f"{start}\r\nHost: ",
        HOST,
        "\r\nA: ",
        repeat("x", 1_000_000),
        "\r\n\r\n",
        status=[431, 400, 0],
        plain=True,
    )
    lines.raw(
        "head: a header's name of a megabyte",
        f"{start}\r\nHost: ",
        HOST,
        "\r\n",
        repeat("x", 1_000_000),
        ": a\r\n\r\n",
        status=[431, 400, 0],
        plain=True,
    )
    lines.raw(
        "head: a megabyte of headers",
        f"{start}\r\nHost: ",
        HOST,
        "\r\n",
        repeat("Abcdef: ghijklm\r\n", 60_000),
        "\r\n",
        status=[431, 400, 0],
        plain=True,
    )
    lines.raw(
        "head: 200 headers",
        f"{start}\r\nHost: ",
        HOST,
        "\r\n",
        repeat("A: b\r\n", 200),
        "\r\n",
        status=[431, 400, 0, 200],
        plain=True,
    )
    lines.raw(
        "head: 100 megabytes of headers",
        f"{start}\r\nHost: ",
        HOST,
        "\r\n",
        repeat("Abcdef: ghijklm\r\n", 6_000_000),
        "\r\n",
        status=[431, 400, 0],
        plain=True,
    )
    lines.raw(
        "head: a megabyte without an end",
        f"{start}\r\nHost: ",
        HOST,
        "\r\n",
        repeat("A", 1_000_000),
        status=[431, 400, 0],
        plain=True,
    )
    lines.http(
        "head: an encoding of 10,000 letters",
        BODY,
        [400, 415, 431],
        headers=[("Content-Encoding", [repeat("x", 10_000)])],
        path=INFER,
        plain=True,
    )
    for name, line in [
        ("no version", "GET /v2/health/live"),
        ("version 2.0", "GET /v2/health/live HTTP/2.0"),
        ("version 1.2", "GET /v2/health/live HTTP/1.2"),
        ("version 9.9", "GET /v2/health/live HTTP/9.9"),
        ("a version that is none", "GET /v2/health/live HTTX/1.1"),
        ("a version in lower case", "GET /v2/health/live http/1.1"),
    ]:
        lines.raw(f"head: {name}", *head(line), status=[400, 505, 0], plain=True)
    lines.raw(
        "head: noise",
        data(bytes((i * 167 + 13) % 256 for i in range(5000))),
        {"close": True},
        status=REFUSED,
        plain=True,
    )
    lines.raw(
        "head: a greeting of TLS",
        data(bytes.fromhex("16030100c8010000c40303") + bytes(200)),
        {"close": True},
        status=REFUSED,
        plain=True,
    )
    lines.raw(
        "head: HTTP/2 without TLS",
        data(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0"),
        {"close": True},
        status=[400, 505, 0],
        plain=True,
    )
    lines.raw("head: zero bytes", data(bytes(10_000)), {"close": True}, status=REFUSED, plain=True)
    lines.raw("head: 100,000 empty lines", repeat("\r\n", 100_000), {"close": True}, status=[400, 431, 0], plain=True)
    lines.raw("head: cut in the first line", "GET /v2/hea", {"close": True}, status=REFUSED, plain=True)
    lines.raw(
        "head: cut in a header", f"{start}\r\nHost: ", HOST, "\r\nAcc", {"close": True}, status=REFUSED, plain=True
    )
    lines.raw("head: nothing", {"close": True}, status=[0], plain=True)
