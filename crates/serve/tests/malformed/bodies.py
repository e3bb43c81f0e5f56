"""Bodies of HTTP/1.1 that are wrong: lengths, chunks, encodings."""

from form import cut, data, packed, repeat, text
from heads import BODY, INFER, REFUSED, head


def add(lines):
    lengths(lines)
    chunks(lines)
    encodings(lines)


def lengths(lines):
    for length in [
        "-1",
        "x",
        "",
        "1.5",
        "0x10",
        "1e3",
        "+70",
        "99999999999999999999999999",
        "18446744073709551616",
        "70, 71",
    ]:
        lines.raw(
            f"length: {length!r}",
            *head(f"POST {INFER} HTTP/1.1", f"Content-Length: {length}"),
            BODY,
            status=[400, 413, 0],
            plain=True,
        )
    lines.raw(
        "length: two that differ",
        *head(f"POST {INFER} HTTP/1.1", "Content-Length: 3", f"Content-Length: {len(BODY)}"),
        BODY,
        status=REFUSED,
        plain=True,
    )
    lines.raw("length: none", *head(f"POST {INFER} HTTP/1.1", "Connection: close"), status=[400, 411])
    lines.raw(
        "length: none, and a body",
        *head(f"POST {INFER} HTTP/1.1", "Connection: close"),
        BODY,
        status=[400, 411],
        plain=True,
    )
    for length in [100_000_000, 10**12, 2**62, 2**63 - 1, 2**64 - 1]:
        lines.raw(
            f"length: {length} announced, nothing sent",
            *head(f"POST {INFER} HTTP/1.1", f"Content-Length: {length}"),
            status=[413, 431, 400, 0],
            plain=length > 10**12,
        )
    lines.http("length: 100 megabytes", [repeat(" ", 100_000_000)], 413)
    lines.http(
        "length: 100 megabytes of a binary tensor",
        [text(BODY), repeat("x", 100_000_000)],
        413,
        headers=[("Inference-Header-Content-Length", str(len(BODY)))],
    )
    lines.http(
        "length: 100 megabytes to a path without a body",
        [repeat(" ", 100_000_000)],
        [404, 405, 413, 400, 0],
        path="/v2/nothing",
        plain=True,
    )
    for at in [0, 1, len(BODY) // 2, len(BODY) - 1]:
        lines.raw(
            f"length: the body is cut after {at} bytes",
            *head(f"POST {INFER} HTTP/1.1", f"Content-Length: {len(BODY)}"),
            BODY[:at],
            {"close": True},
            status=REFUSED,
            plain=True,
        )
    lines.raw(
        "length: a body shorter than it is",
        *head(f"POST {INFER} HTTP/1.1", f"Content-Length: {len(BODY) - 5}", "Connection: close"),
        BODY,
        status=[400],
        says=["JSON"],
    )
    lines.raw(
        "length: with chunks too",
        *head(f"POST {INFER} HTTP/1.1", "Content-Length: 5", "Transfer-Encoding: chunked", "Connection: close"),
        f"{len(BODY):x}\r\n{BODY}\r\n0\r\n\r\n",
        status=[400, 0, 200],
        plain=True,
    )


def chunks(lines):
    def chunked(name, *parts, status=REFUSED, headers=(), **more):
        start = head(f"POST {INFER} HTTP/1.1", "Transfer-Encoding: chunked", "Connection: close", *headers)
        lines.raw(f"chunks: {name}", *start, *parts, status=status, plain=True, **more)

    whole = f"{len(BODY):x}\r\n{BODY}\r\n"
    for name, size in [
        ("no size", ""),
        ("a size that is none", "x"),
        ("a negative size", "-5"),
        ("a size beyond 64 bits", "fffffffffffffffff"),
        ("a size of 0x", "0x46"),
        ("a size with a space", "4 6"),
    ]:
        chunked(name, f"{size}\r\n{BODY}\r\n0\r\n\r\n")
    chunked("a size of 2^64 - 1", f"ffffffffffffffff\r\n{BODY}", {"close": True}, status=[400, 413, 0])
    chunked("a size of 2^62", f"4000000000000000\r\n{BODY}", {"close": True}, status=[400, 413, 0])
    chunked("a chunk shorter than it says", f"{len(BODY) + 5:x}\r\n{BODY}\r\n0\r\n\r\n", {"close": True})
    chunked("a chunk longer than it says", f"{len(BODY) - 5:x}\r\n{BODY}\r\n0\r\n\r\n")
    chunked("no end", whole, {"close": True})
    chunked("an extension of a megabyte", f"{len(BODY):x};", repeat("e", 1_000_000), f"\r\n{BODY}\r\n0\r\n\r\n")
    chunked(
        "a megabyte of extensions",
        repeat("1;eeeeeeeeeeeeeeeeeeeeeeeeeeeeee\r\n \r\n", 30_000),
        whole,
        "0\r\n\r\n",
        status=[400, 0],
    )
    chunked("a trailer of a megabyte", whole, "0\r\nA: ", repeat("x", 1_000_000), "\r\n\r\n", status=[400, 0, 200, 431])
    chunked(
        "a megabyte of the size's zeros",
        repeat("0", 1_000_000),
        f"{len(BODY):x}\r\n{BODY}\r\n0\r\n\r\n",
        status=[400, 0, 413, 200],
    )
    chunked(
        "100 megabytes",
        repeat([text("100000\r\n"), repeat(" ", 0x100000), text("\r\n")], 100),
        "0\r\n\r\n",
        status=[413],
    )
    chunked("nothing", "0\r\n\r\n", status=[400])
    chunked("broken JSON", "1\r\n{\r\n0\r\n\r\n", status=[400], says=["JSON"])
    chunked("cut before the first", {"close": True})
    for encoding in ["gzip", "gzip, chunked", "chunked, gzip", "chunked, chunked", "identity", "x"]:
        lines.raw(
            f"chunks: Transfer-Encoding is {encoding}",
            *head(f"POST {INFER} HTTP/1.1", f"Transfer-Encoding: {encoding}", "Connection: close"),
            whole + "0\r\n\r\n",
            {"close": True},
            status=[400, 411, 415, 501, 0, 200] if encoding.endswith(", chunked") else [400, 411, 415, 501, 0],
            plain=True,
        )


def encodings(lines):
    def encoded(name, encoding, *parts, status=400, **more):
        lines.http(f"encoding: {name}", list(parts), status, headers=[("Content-Encoding", encoding)], **more)

    for encoding in ["br", "zstd", "compress", "x-nothing", "gzip, x", "gzip;q=1", "*", "日本"]:
        encoded(
            f"{encoding}, unknown",
            encoding,
            text(BODY),
            status=[400, 415] if encoding == "日本" else [415],
            says=["Content-Encoding"] if encoding != "日本" else [],
            plain=encoding == "日本",
        )
    gzip, zlib = packed("gzip", text(BODY)), packed("zlib", text(BODY))
    for how, name, part in [("gzip", "gzip", gzip), ("deflate", "zlib", zlib)]:
        encoded(f"{how} that is none", how, text(BODY), says=[[how, "Content-Encoding"]])
        encoded(f"{how} of nothing", how, says=[[how, "Content-Encoding"]])
        for at in [1, 5, 10, 20, 40]:
            encoded(f"{how} cut after {at} bytes", how, cut([part], at), says=[[how, "Content-Encoding"]])
        encoded(f"{how} of broken JSON", how, packed(name, text('{"inputs": [')), says=["JSON"])
        encoded(f"{how} of {how}", how, packed(name, part), says=["JSON"])
        encoded(f"{how} with something behind it", how, part, text("behind"), status=[400, 200])
        encoded(f"{how}: a bomb of 300 MB of spaces", how, packed(name, repeat(" ", 300_000_000)), status=413)
        encoded(f"{how}: a bomb of 300 MB of brackets", how, packed(name, repeat("[", 300_000_000)), status=413)
        encoded(f"{how}: a bomb within a bomb", how, packed(name, packed(name, repeat("\0", 300_000_000))))
        bomb = packed(name, text(BODY), repeat("\0", 300_000_000))
        lines.http(
            f"encoding: {how}: a bomb behind the JSON",
            [bomb],
            413,
            headers=[("Content-Encoding", how), ("Inference-Header-Content-Length", str(len(BODY)))],
        )
        lines.http(
            f"encoding: {how}: a bomb for TensorFlow's form",
            [packed(name, text('{"instances": ['), repeat("1,", 100_000_000), text("1]}"))],
            413,
            headers=[("Content-Encoding", how)],
            path="/v1/models/single:predict",
        )
    encoded("zlib called gzip", "gzip", zlib, says=[["gzip", "Content-Encoding"]])
    encoded("gzip called deflate", "deflate", gzip, says=[["deflate", "Content-Encoding"]])
    encoded("deflate without zlib's head", "deflate", packed("deflate", text(BODY)), status=[400, 200])
    encoded("gzip with a wrong sum", "gzip", cut([gzip], 20), data(bytes(40)), says=[["gzip", "Content-Encoding"]])
    encoded("gzip twice, and said so", "gzip, gzip", packed("gzip", gzip), status=[400, 415, 200])
