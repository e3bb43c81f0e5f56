"""Connections of HTTP/1.1: slow senders, several requests on one, and what is odd and right."""

import json

from form import repeat, text
from heads import BODY, HOST, INFER, REFUSED, head


def add(lines):
    slow(lines)
    several(lines)
    odd_and_right(lines)


def slow(lines):
    start = head(f"POST {INFER} HTTP/1.1", f"Content-Length: {len(BODY)}", "Connection: close")
    # Some servers close in silence, some answer 408 first.
    status = [408, 400, 0]
    lines.raw("slow: nothing is sent", {"stall": True}, status=status, slow=True, plain=True)
    lines.raw(
        "slow: the head stops in its first line", "POST /v2", {"stall": True}, status=status, slow=True, plain=True
    )
    lines.raw(
        "slow: the head stops before its end",
        *start[:2],
        "\r\nContent-Length: 5\r\n",
        {"stall": True},
        status=status,
        slow=True,
        plain=True,
    )
    lines.raw("slow: the body does not come", *start, {"stall": True}, status=status, slow=True, plain=True)
    lines.raw("slow: the body stops", *start, BODY[:20], {"stall": True}, status=status, slow=True, plain=True)
    lines.raw(
        "slow: chunks stop",
        *head(f"POST {INFER} HTTP/1.1", "Transfer-Encoding: chunked"),
        '5\r\n{"inp\r\n',
        {"stall": True},
        status=status,
        slow=True,
        plain=True,
    )
    lines.raw(
        "slow: the head a byte at a time",
        {"drip": [text("GET /v2/health/live HTTP/1.1\r\nHost: "), HOST, repeat("\r\nA: b", 2000)], "every_ms": 200},
        status=[*status, 431],
        slow=True,
        plain=True,
    )
    lines.raw(
        "slow: the body a byte at a time",
        *head(f"POST {INFER} HTTP/1.1", "Content-Length: 10000"),
        {"drip": [repeat(" ", 10_000)], "every_ms": 200},
        status=status,
        slow=True,
        plain=True,
    )
    lines.raw(
        "slow: empty chunks a byte at a time",
        *head(f"POST {INFER} HTTP/1.1", "Transfer-Encoding: chunked"),
        {"drip": [repeat("1\r\n \r\n", 2_000)], "every_ms": 200},
        status=status,
        slow=True,
        plain=True,
    )


def several(lines):
    def post(body, *headers):
        return [*head(f"POST {INFER} HTTP/1.1", f"Content-Length: {len(body)}", *headers), text(body)]

    right, wrong = post(BODY), post("{")
    last = post(BODY, "Connection: close")
    lines.raw("several: right, wrong, right", *right, *wrong, *last, status=200, then=[[400], [200]])
    lines.raw(
        "several: wrong, unknown, right",
        *wrong,
        *head("GET /v2/nothing HTTP/1.1"),
        *last,
        status=400,
        then=[[404], [200]],
    )
    lines.raw("several: 100 at once", {"repeat": right, "times": 99}, *last, status=200, then=[[200]] * 99)
    lines.raw(
        "several: 100 wrong ones at once",
        {"repeat": wrong, "times": 100},
        *last,
        status=400,
        then=[[400]] * 99 + [[200]],
    )
    lines.raw(
        "several: a request inside of a body is none",
        *post(BODY + " " * 10 + "GET /v2/nothing HTTP/1.1\r\n\r\n"),
        *last,
        status=400,
        then=[[200]],
    )
    lines.raw("several: garbage behind a right one", *right, "garbage\r\n\r\n", status=200, then=[REFUSED], plain=True)
    lines.raw(
        "several: the rest of a body that is too large is no request",
        *head(f"POST {INFER} HTTP/1.1", "Content-Length: 100000000"),
        repeat("GET /v2 HTTP/1.1\r\n\r\n", 100),
        {"close": True},
        status=[413, 400, 0],
        then=[[0]],
        plain=True,
    )
    lines.raw("several: closed while it is computed", *right, {"close": True}, status=[200, 0], plain=True)


def odd_and_right(lines):
    def taken(name, body=BODY, headers=(), **more):
        lines.http(f"taken: {name}", body, 200, headers=headers, **more)

    taken("no content type")
    for kind in [
        "application/json",
        "application/octet-stream",
        "text/html",
        "nonsense",
        "multipart/form-data; boundary=x",
    ]:
        taken(f"content type {kind}", headers=[("Content-Type", kind)])
    taken("unknown fields", json.dumps({**json.loads(BODY), "other": {"a": [1, None]}}))
    taken("unknown parameters", json.dumps({**json.loads(BODY), "parameters": {"a": "b", "c": 1, "d": 0.5, "e": True}}))
    taken("spaces around", "\n \t" + BODY + " \r\n")
    taken("an identity encoding", headers=[("Content-Encoding", "identity")])
    taken(
        "a trace context that is none",
        headers=[("traceparent", "00-zz-zz-99"), ("tracestate", "=,=,="), ("X-Request-Id", "\t" + "x" * 1000)],
    )
    taken(
        "an Accept that nobody has",
        headers=[("Accept", "image/png"), ("Accept-Encoding", "br;q=x, ,,;"), ("Accept-Language", "*")],
    )
    taken("an upgrade", headers=[("Upgrade", "websocket"), ("Sec-WebSocket-Key", "x")])
    taken("a name with escapes", BODY.replace('"x"', '"\\u0078"'))
    taken("a header in every case", headers=[("cOnTeNt-TyPe", "application/json")])
    taken("HTTP/1.1 with a query", path=INFER + "?a=b&c")
    taken("an escaped letter in the path", path="/v2/models/%73ingle/infer")
    taken("a version by name", path="/v2/models/single/versions/1/infer")
    taken("numbers of every form", BODY.replace("[1, 2]", "[1.5E+0, -0]"))
    taken("a small number that is none of 32 bits", BODY.replace("[1, 2]", "[1e-400, 1e-46]"))
    taken(
        "NaN and the infinities as bare tokens",
        '{"inputs": [{"name": "x", "shape": [4], "datatype": "FP32", "data": [NaN, Infinity, -Infinity, null]}]}',
    )
    taken("no rows", '{"inputs": [{"name": "x", "shape": [0], "datatype": "FP32", "data": []}]}')
    taken("an integer as a whole float for FP32", BODY.replace("[1, 2]", "[1.0, 20000000000000000000]"))
    lines.raw("taken: HTTP/1.0", "GET /v2/health/live HTTP/1.0\r\nHost: ", HOST, "\r\n\r\n", status=[200], plain=True)
    lines.raw(
        "taken: it waits for a continue",
        *head(f"POST {INFER} HTTP/1.1", f"Content-Length: {len(BODY)}", "Expect: 100-continue", "Connection: close"),
        BODY,
        status=[100, 200, 417],
        plain=True,
    )
    lines.raw(
        "taken: an expectation of nonsense",
        *head(f"POST {INFER} HTTP/1.1", f"Content-Length: {len(BODY)}", "Expect: nonsense", "Connection: close"),
        BODY,
        status=[200, 400, 417],
        plain=True,
    )
