"""Wrong requests of HTTP/1.1: heads, lengths, encodings, methods, paths; slow senders; several requests on one connection."""

import json

from form import cut, data, packed, repeat, text

BODY = json.dumps({"inputs": [{"name": "x", "shape": [2], "datatype": "FP32", "data": [1, 2]}]})
INFER = "/v2/models/single/infer"
HOST = {"host": True}
# What a layer below the server does with a head that is no head.
REFUSED = [400, 0]


def add(lines):
    methods(lines)
    paths(lines)
    heads(lines)
    lengths(lines)
    chunks(lines)
    encodings(lines)
    slow(lines)
    several(lines)
    odd_and_right(lines)


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
        lines.http(f"method: {method if len(method) < 99 else 'of 100 letters'}", None, [400, 405, 501], method=method, path=INFER, plain=True)
    lines.http("method: CONNECT", None, [400, 404, 405, 0], method="CONNECT", path="single:80", plain=True)
    lines.raw("method: of a megabyte", repeat("X", 1_000_000), " / HTTP/1.1\r\n\r\n", status=[400, 414, 431, 0], plain=True)


def paths(lines):
    for path in ["/v3", "/v2/", "/v2/models/", "/v2/nothing", "/v2/health", "/v2/health/dead", "/V2/health/live", "//v2/health/live", "/v2//health/live", "/v2/health/live/", INFER + "/", INFER + "/x", "/v2/models//infer", "/v2/models/single/versions//infer", "/v2/models/single/versions", "/v2/models/single/infer%20", "/v2/models/single%2finfer", "/v2/models/single/inferx", "/page/nothing", "/page/../lib.rs", "/page/%2e%2e%2fsession.rs", "/page//etc/passwd", "/page/..%5c..%5cx", "/.git/config", "/api/nothing", "/favicon.ico/x", "/metrics/x"]:
        lines.http(f"path: {path}", None, [400, 404, 405], method="GET", path=path)
    lines.http("path: of 100,000 letters", None, [404, 414, 431, 400], method="GET", path=[text("/v2/models/"), repeat("x", 100_000)], plain=True)
    lines.http("path: 50,000 segments", None, [404, 414, 431, 400], method="GET", path=[repeat("/a", 50_000)], plain=True)
    lines.http("path: a query of 100,000 letters", None, [200, 400, 414, 431], method="GET", path=[text("/v2/health/live?"), repeat("q", 100_000)], plain=True)
    lines.raw("path: of a megabyte", "GET /", repeat("x", 1_000_000), " HTTP/1.1\r\nHost: ", HOST, "\r\n\r\n", status=[404, 414, 431, 400, 0], plain=True)
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
    lines.raw("path: of another server", "GET http://example.com/v2/health/live HTTP/1.1\r\nHost: example.com\r\n\r\n", status=[400, 403, 404, 421], plain=True)
    lines.raw("path: letters beyond ASCII", *[data(b"GET /v2/models/\xe6\x97\xa5 HTTP/1.1\r\nHost: "), HOST, text("\r\n\r\n")], status=[400, 404, 0], plain=True)
    lines.raw("path: bytes that are no UTF-8", *[data(b"GET /v2/models/\xff\xfe HTTP/1.1\r\nHost: "), HOST, text("\r\n\r\n")], status=[400, 404, 0], plain=True)


def heads(lines):
    start = "GET /v2/health/live HTTP/1.1"
    lines.raw("head: no host", f"{start}\r\n\r\n", status=[400, 403, 421], plain=True)
    lines.raw("head: another host", f"{start}\r\nHost: evil.example\r\n\r\n", status=[400, 403, 421], plain=True)
    lines.raw("head: another host behind the right one", *head(start, "Host: evil.example"), status=[400, 403, 421], plain=True)
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
    lines.raw("head: a header of a megabyte", f"{start}\r\nHost: ", HOST, "\r\nA: ", repeat("x", 1_000_000), "\r\n\r\n", status=[431, 400, 0], plain=True)
    lines.raw("head: a header's name of a megabyte", f"{start}\r\nHost: ", HOST, "\r\n", repeat("x", 1_000_000), ": a\r\n\r\n", status=[431, 400, 0], plain=True)
    lines.raw("head: a megabyte of headers", f"{start}\r\nHost: ", HOST, "\r\n", repeat("Abcdef: ghijklm\r\n", 60_000), "\r\n", status=[431, 400, 0], plain=True)
    lines.raw("head: 200 headers", f"{start}\r\nHost: ", HOST, "\r\n", repeat("A: b\r\n", 200), "\r\n", status=[431, 400, 0, 200], plain=True)
    lines.raw("head: 100 megabytes of headers", f"{start}\r\nHost: ", HOST, "\r\n", repeat("Abcdef: ghijklm\r\n", 6_000_000), "\r\n", status=[431, 400, 0], plain=True)
    lines.raw("head: a megabyte without an end", f"{start}\r\nHost: ", HOST, "\r\n", repeat("A", 1_000_000), status=[431, 400, 0], plain=True)
    lines.http("head: an encoding of 10,000 letters", BODY, [400, 415, 431], headers=[("Content-Encoding", [repeat("x", 10_000)])], path=INFER, plain=True)
    for name, line in [
        ("no version", "GET /v2/health/live"),
        ("version 2.0", "GET /v2/health/live HTTP/2.0"),
        ("version 1.2", "GET /v2/health/live HTTP/1.2"),
        ("version 9.9", "GET /v2/health/live HTTP/9.9"),
        ("a version that is none", "GET /v2/health/live HTTX/1.1"),
        ("a version in lower case", "GET /v2/health/live http/1.1"),
    ]:
        lines.raw(f"head: {name}", *head(line), status=[400, 505, 0], plain=True)
    lines.raw("head: noise", data(bytes((i * 167 + 13) % 256 for i in range(5000))), {"close": True}, status=REFUSED, plain=True)
    lines.raw("head: a greeting of TLS", data(bytes.fromhex("16030100c8010000c40303") + bytes(200)), {"close": True}, status=REFUSED, plain=True)
    lines.raw("head: HTTP/2 without TLS", data(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0"), {"close": True}, status=[400, 505, 0], plain=True)
    lines.raw("head: zero bytes", data(bytes(10_000)), {"close": True}, status=REFUSED, plain=True)
    lines.raw("head: 100,000 empty lines", repeat("\r\n", 100_000), {"close": True}, status=REFUSED, plain=True)
    lines.raw("head: cut in the first line", "GET /v2/hea", {"close": True}, status=REFUSED, plain=True)
    lines.raw("head: cut in a header", f"{start}\r\nHost: ", HOST, "\r\nAcc", {"close": True}, status=REFUSED, plain=True)
    lines.raw("head: nothing", {"close": True}, status=[0], plain=True)


def lengths(lines):
    for length in ["-1", "x", "", "1.5", "0x10", "1e3", "+70", "99999999999999999999999999", "18446744073709551616", "70, 71"]:
        lines.raw(f"length: {length!r}", *head(f"POST {INFER} HTTP/1.1", f"Content-Length: {length}"), BODY, status=[400, 413, 0], plain=True)
    lines.raw("length: two that differ", *head(f"POST {INFER} HTTP/1.1", "Content-Length: 3", f"Content-Length: {len(BODY)}"), BODY, status=REFUSED, plain=True)
    lines.raw("length: none", *head(f"POST {INFER} HTTP/1.1", "Connection: close"), status=[400, 411])
    lines.raw("length: none, and a body", *head(f"POST {INFER} HTTP/1.1", "Connection: close"), BODY, status=[400, 411], plain=True)
    for length in [100_000_000, 10**12, 2**62, 2**63 - 1, 2**64 - 1]:
        lines.raw(f"length: {length} announced, nothing sent", *head(f"POST {INFER} HTTP/1.1", f"Content-Length: {length}"), status=[413, 400, 0], plain=length > 10**12)
    lines.http("length: 100 megabytes", [repeat(" ", 100_000_000)], 413)
    lines.http("length: 100 megabytes of a binary tensor", [text(BODY), repeat("x", 100_000_000)], 413, headers=[("Inference-Header-Content-Length", str(len(BODY)))])
    lines.http("length: 100 megabytes to a path without a body", [repeat(" ", 100_000_000)], [404, 405, 413, 400, 0], path="/v2/nothing", plain=True)
    for at in [0, 1, len(BODY) // 2, len(BODY) - 1]:
        lines.raw(f"length: the body is cut after {at} bytes", *head(f"POST {INFER} HTTP/1.1", f"Content-Length: {len(BODY)}"), BODY[:at], {"close": True}, status=REFUSED, plain=True)
    lines.raw("length: a body shorter than it is", *head(f"POST {INFER} HTTP/1.1", f"Content-Length: {len(BODY) - 5}", "Connection: close"), BODY, status=[400], says=["JSON"])
    lines.raw("length: with chunks too", *head(f"POST {INFER} HTTP/1.1", "Content-Length: 5", "Transfer-Encoding: chunked", "Connection: close"), f"{len(BODY):x}\r\n{BODY}\r\n0\r\n\r\n", status=[400, 0, 200], plain=True)


def chunks(lines):
    def chunked(name, *parts, status=REFUSED, headers=(), **more):
        start = head(f"POST {INFER} HTTP/1.1", "Transfer-Encoding: chunked", "Connection: close", *headers)
        lines.raw(f"chunks: {name}", *start, *parts, status=status, plain=True, **more)

    whole = f"{len(BODY):x}\r\n{BODY}\r\n"
    for name, size in [("no size", ""), ("a size that is none", "x"), ("a negative size", "-5"), ("a size beyond 64 bits", "fffffffffffffffff"), ("a size of 0x", "0x46"), ("a size with a space", "4 6")]:
        chunked(name, f"{size}\r\n{BODY}\r\n0\r\n\r\n")
    chunked("a size of 2^64 - 1", f"ffffffffffffffff\r\n{BODY}", {"close": True}, status=[400, 413, 0])
    chunked("a size of 2^62", f"4000000000000000\r\n{BODY}", {"close": True}, status=[400, 413, 0])
    chunked("a chunk shorter than it says", f"{len(BODY) + 5:x}\r\n{BODY}\r\n0\r\n\r\n", {"close": True})
    chunked("a chunk longer than it says", f"{len(BODY) - 5:x}\r\n{BODY}\r\n0\r\n\r\n")
    chunked("no end", whole, {"close": True})
    chunked("an extension of a megabyte", f"{len(BODY):x};", repeat("e", 1_000_000), f"\r\n{BODY}\r\n0\r\n\r\n")
    chunked("a megabyte of extensions", repeat("1;eeeeeeeeeeeeeeeeeeeeeeeeeeeeee\r\n \r\n", 30_000), whole, "0\r\n\r\n", status=[400, 0])
    chunked("a trailer of a megabyte", whole, "0\r\nA: ", repeat("x", 1_000_000), "\r\n\r\n", status=[400, 0, 200, 431])
    chunked("a megabyte of the size's zeros", repeat("0", 1_000_000), f"{len(BODY):x}\r\n{BODY}\r\n0\r\n\r\n", status=[400, 0, 413])
    chunked("100 megabytes", repeat([text("100000\r\n"), repeat(" ", 0x100000), text("\r\n")], 100), "0\r\n\r\n", status=[413])
    chunked("nothing", "0\r\n\r\n", status=[400])
    chunked("broken JSON", "1\r\n{\r\n0\r\n\r\n", status=[400], says=["JSON"])
    chunked("cut before the first", {"close": True})
    for encoding in ["gzip", "gzip, chunked", "chunked, gzip", "chunked, chunked", "identity", "x"]:
        lines.raw(f"chunks: Transfer-Encoding is {encoding}", *head(f"POST {INFER} HTTP/1.1", f"Transfer-Encoding: {encoding}", "Connection: close"), whole + "0\r\n\r\n", {"close": True}, status=[400, 411, 415, 501, 0], plain=True)


def encodings(lines):
    def encoded(name, encoding, *parts, status=400, **more):
        lines.http(f"encoding: {name}", list(parts), status, headers=[("Content-Encoding", encoding)], **more)

    for encoding in ["br", "zstd", "compress", "x-nothing", "gzip, x", "gzip;q=1", "*", "日本"]:
        encoded(f"{encoding}, unknown", encoding, text(BODY), status=[400, 415] if encoding == "日本" else [415], says=["Content-Encoding"] if encoding != "日本" else [], plain=encoding == "日本")
    gzip, zlib = packed("gzip", text(BODY)), packed("zlib", text(BODY))
    for how, name, part in [("gzip", "gzip", gzip), ("deflate", "zlib", zlib)]:
        encoded(f"{how} that is none", how, text(BODY), says=[how])
        encoded(f"{how} of nothing", how, says=[how])
        for at in [1, 5, 10, 20, 40]:
            encoded(f"{how} cut after {at} bytes", how, cut([part], at), says=[how])
        encoded(f"{how} of broken JSON", how, packed(name, text('{"inputs": [')), says=["JSON"])
        encoded(f"{how} of {how}", how, packed(name, part), says=["JSON"])
        encoded(f"{how} with something behind it", how, part, text("behind"), status=[400, 200])
        encoded(f"{how}: a bomb of 300 MB of spaces", how, packed(name, repeat(" ", 300_000_000)), status=413)
        encoded(f"{how}: a bomb of 300 MB of brackets", how, packed(name, repeat("[", 300_000_000)), status=413)
        encoded(f"{how}: a bomb within a bomb", how, packed(name, packed(name, repeat("\0", 300_000_000))))
        bomb = packed(name, text(BODY), repeat("\0", 300_000_000))
        lines.http(f"encoding: {how}: a bomb behind the JSON", [bomb], 413, headers=[("Content-Encoding", how), ("Inference-Header-Content-Length", str(len(BODY)))])
        lines.http(f"encoding: {how}: a bomb for TensorFlow's form", [packed(name, text('{"instances": ['), repeat("1,", 100_000_000), text("1]}"))], 413, headers=[("Content-Encoding", how)], path="/v1/models/single:predict")
    encoded("zlib called gzip", "gzip", zlib, says=["gzip"])
    encoded("gzip called deflate", "deflate", gzip, says=["deflate"])
    encoded("deflate without zlib's head", "deflate", packed("deflate", text(BODY)), status=[400, 200])
    encoded("gzip with a wrong sum", "gzip", cut([gzip], 20), data(bytes(40)), says=["gzip"])
    encoded("gzip twice, and said so", "gzip, gzip", packed("gzip", gzip), status=[400, 415, 200])


def slow(lines):
    start = head(f"POST {INFER} HTTP/1.1", f"Content-Length: {len(BODY)}", "Connection: close")
    # Some servers close in silence, some answer 408 first.
    status = [408, 400, 0]
    lines.raw("slow: nothing is sent", {"stall": True}, status=status, slow=True, plain=True)
    lines.raw("slow: the head stops in its first line", "POST /v2", {"stall": True}, status=status, slow=True, plain=True)
    lines.raw("slow: the head stops before its end", *start[:2], "\r\nContent-Length: 5\r\n", {"stall": True}, status=status, slow=True, plain=True)
    lines.raw("slow: the body does not come", *start, {"stall": True}, status=status, slow=True, plain=True)
    lines.raw("slow: the body stops", *start, BODY[:20], {"stall": True}, status=status, slow=True, plain=True)
    lines.raw("slow: chunks stop", *head(f"POST {INFER} HTTP/1.1", "Transfer-Encoding: chunked"), "5\r\n{\"inp\r\n", {"stall": True}, status=status, slow=True, plain=True)
    lines.raw("slow: the head a byte at a time", {"drip": [text("GET /v2/health/live HTTP/1.1\r\nHost: "), HOST, repeat("\r\nA: b", 2000)], "every_ms": 200}, status=[*status, 431], slow=True, plain=True)
    lines.raw("slow: the body a byte at a time", *head(f"POST {INFER} HTTP/1.1", "Content-Length: 10000"), {"drip": [repeat(" ", 10_000)], "every_ms": 200}, status=status, slow=True, plain=True)
    lines.raw("slow: empty chunks a byte at a time", *head(f"POST {INFER} HTTP/1.1", "Transfer-Encoding: chunked"), {"drip": [repeat("1\r\n \r\n", 2_000)], "every_ms": 200}, status=status, slow=True, plain=True)


def several(lines):
    def post(body, *headers):
        return [*head(f"POST {INFER} HTTP/1.1", f"Content-Length: {len(body)}", *headers), text(body)]

    right, wrong = post(BODY), post("{")
    last = post(BODY, "Connection: close")
    lines.raw("several: right, wrong, right", *right, *wrong, *last, status=200, then=[[400], [200]])
    lines.raw("several: wrong, unknown, right", *wrong, *head("GET /v2/nothing HTTP/1.1"), *last, status=400, then=[[404], [200]])
    lines.raw("several: 100 at once", {"repeat": right, "times": 99}, *last, status=200, then=[[200]] * 99)
    lines.raw("several: 100 wrong ones at once", {"repeat": wrong, "times": 100}, *last, status=400, then=[[400]] * 99 + [[200]])
    lines.raw("several: a request inside of a body is none", *post(BODY + " " * 10 + "GET /v2/nothing HTTP/1.1\r\n\r\n"), *last, status=400, then=[[200]])
    lines.raw("several: garbage behind a right one", *right, "garbage\r\n\r\n", status=200, then=[REFUSED], plain=True)
    lines.raw("several: the rest of a body that is too large is no request", *head(f"POST {INFER} HTTP/1.1", "Content-Length: 100000000"), repeat("GET /v2 HTTP/1.1\r\n\r\n", 100), {"close": True}, status=[413, 400, 0], then=[[0]], plain=True)
    lines.raw("several: closed while it is computed", *right, {"close": True}, status=[200, 0], plain=True)


def odd_and_right(lines):
    def taken(name, body=BODY, headers=(), **more):
        lines.http(f"taken: {name}", body, 200, headers=headers, **more)

    taken("no content type")
    for kind in ["application/json", "application/octet-stream", "text/html", "nonsense", "multipart/form-data; boundary=x"]:
        taken(f"content type {kind}", headers=[("Content-Type", kind)])
    taken("unknown fields", json.dumps({**json.loads(BODY), "other": {"a": [1, None]}}))
    taken("unknown parameters", json.dumps({**json.loads(BODY), "parameters": {"a": "b", "c": 1, "d": 0.5, "e": True}}))
    taken("spaces around", "\n \t" + BODY + " \r\n")
    taken("an identity encoding", headers=[("Content-Encoding", "identity")])
    taken("a trace context that is none", headers=[("traceparent", "00-zz-zz-99"), ("tracestate", "=,=,="), ("X-Request-Id", "\t" + "x" * 1000)])
    taken("an Accept that nobody has", headers=[("Accept", "image/png"), ("Accept-Encoding", "br;q=x, ,,;"), ("Accept-Language", "*")])
    taken("an upgrade", headers=[("Upgrade", "websocket"), ("Sec-WebSocket-Key", "x")])
    taken("a name with escapes", BODY.replace('"x"', '"\\u0078"'))
    taken("a header in every case", headers=[("cOnTeNt-TyPe", "application/json")])
    taken("HTTP/1.1 with a query", path=INFER + "?a=b&c")
    taken("an escaped letter in the path", path="/v2/models/%73ingle/infer")
    taken("a version by name", path="/v2/models/single/versions/1/infer")
    taken("numbers of every form", BODY.replace("[1, 2]", "[1.5E+0, -0]"))
    taken("a small number that is none of 32 bits", BODY.replace("[1, 2]", "[1e-400, 1e-46]"))
    taken("NaN and the infinities as bare tokens", '{"inputs": [{"name": "x", "shape": [4], "datatype": "FP32", "data": [NaN, Infinity, -Infinity, null]}]}')
    taken("no rows", '{"inputs": [{"name": "x", "shape": [0], "datatype": "FP32", "data": []}]}')
    taken("an integer as a whole float for FP32", BODY.replace("[1, 2]", "[1.0, 20000000000000000000]"))
    lines.raw("taken: HTTP/1.0", "GET /v2/health/live HTTP/1.0\r\nHost: ", HOST, "\r\n\r\n", status=[200], plain=True)
    lines.raw("taken: it waits for a continue", *head(f"POST {INFER} HTTP/1.1", f"Content-Length: {len(BODY)}", "Expect: 100-continue", "Connection: close"), BODY, status=[100, 200, 417], plain=True)
    lines.raw("taken: an expectation of nonsense", *head(f"POST {INFER} HTTP/1.1", f"Content-Length: {len(BODY)}", "Expect: nonsense", "Connection: close"), BODY, status=[200, 400, 417], plain=True)
