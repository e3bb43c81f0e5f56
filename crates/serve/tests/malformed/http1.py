"""Sends lines over HTTP/1.1 byte for byte, and reads what comes back."""

import base64
import gzip
import json
import re
import socket
import struct
import threading
import time
import zlib


class Closed(Exception):
    """The other side closed the connection, or reset it."""


def join(parts, host):
    return b"".join(encode(part, host) for part in parts)


def encode(part, host):
    """The bytes of a part that is no waiting."""
    if "text" in part:
        return part["text"].encode()
    if "base64" in part:
        return base64.b64decode(part["base64"])
    if "repeat" in part:
        return join(part["repeat"], host) * part["times"]
    if "gzip" in part:
        return gzip.compress(join(part["gzip"], host), compresslevel=6, mtime=0)
    if "zlib" in part:
        return zlib.compress(join(part["zlib"], host))
    if "deflate" in part:
        return zlib.compress(join(part["deflate"], host), wbits=-15)
    if "cut" in part:
        return join(part["cut"], host)[: part["to"]]
    if "frame" in part:
        inner = join(part["frame"], host)
        return bytes([part["flag"]]) + struct.pack(">I", len(inner)) + inner
    if "host" in part:
        return host.encode()
    raise ValueError(f"no such part: {part}")


def value_of(value, host):
    return value.encode() if isinstance(value, str) else join(value, host)


def request_parts(line, host):
    if "raw" in line:
        return line["raw"]
    body = join(line["body"], host)
    headers = [(name, value_of(value, host)) for name, value in line["headers"]]
    if not any(name.lower() in ("content-length", "transfer-encoding") for name, _ in headers) and (
        body or line["method"] != "GET"
    ):
        headers.append(("Content-Length", str(len(body)).encode()))
    head = (
        line["method"].encode()
        + b" "
        + value_of(line["path"], host)
        + b" HTTP/1.1\r\nHost: "
        + host.encode()
        + b"\r\nConnection: close\r\n"
    )
    head += b"".join(name.encode() + b": " + value + b"\r\n" for name, value in headers) + b"\r\n"
    return [{"bytes": head + body}]


def says(message, words):
    """Fails unless one of each of the words stands in the message, not touched by letters or digits."""
    for word in words:
        ways = word if isinstance(word, list) else [word]
        found = any(re.search(rf"(?<![A-Za-z0-9]){re.escape(way)}(?![A-Za-z0-9])", message) for way in ways)
        assert found, f"{word!r} is not in: {message[:400]}"


class Answers:
    """Reads answers of HTTP/1.1 from a connection."""

    def __init__(self, connection, deadline):
        self.connection, self.deadline, self.buffer = connection, deadline, b""

    def more(self):
        self.connection.settimeout(max(0.01, self.deadline - time.monotonic()))
        try:
            data = self.connection.recv(1 << 16)
        except (ConnectionError, BrokenPipeError) as error:
            raise Closed from error
        except TimeoutError as error:
            raise TimeoutError("no answer in time") from error
        if not data:
            raise Closed
        self.buffer += data

    def until(self, mark):
        while mark not in self.buffer:
            self.more()
        head, self.buffer = self.buffer.split(mark, 1)
        return head

    def exactly(self, count):
        while len(self.buffer) < count:
            self.more()
        data, self.buffer = self.buffer[:count], self.buffer[count:]
        return data

    def next(self, head_only=False):
        head = self.until(b"\r\n\r\n").decode("latin-1").split("\r\n")
        status = int(head[0].split(" ")[1])
        headers = {}
        for line in head[1:]:
            name, _, value = line.partition(":")
            headers[name.lower()] = value.strip()
        if status == 100:
            return self.next(head_only)
        if head_only or status in (204, 304):
            return status, headers, b""
        if headers.get("transfer-encoding") == "chunked":
            body = b""
            while size := int(self.until(b"\r\n"), 16):
                body += self.exactly(size)
                self.exactly(2)
            self.until(b"\r\n")
            return status, headers, body
        if "content-length" in headers:
            return status, headers, self.exactly(int(headers["content-length"]))
        body = b""
        try:
            while True:
                self.more()
        except Closed:
            body, self.buffer = self.buffer, b""
        return status, headers, body


def send(connection, parts, host):
    """Writes the parts; whoever closes in the middle has perhaps answered before."""
    try:
        for part in parts:
            if "bytes" in part:
                connection.sendall(part["bytes"])
            elif "drip" in part:
                for byte in join(part["drip"], host):
                    connection.sendall(bytes([byte]))
                    time.sleep(part["every_ms"] / 1000)
            elif "close" in part:
                connection.shutdown(socket.SHUT_WR)
            elif "stall" in part:
                return
            elif "repeat" in part and part["times"] > 100_000:
                block, left = join(part["repeat"], host), part["times"]
                while left:
                    count = min(left, max(1, (1 << 20) // max(1, len(block))))
                    connection.sendall(block * count)
                    left -= count
            else:
                connection.sendall(encode(part, host))
    except OSError:
        pass


def connect(address):
    host, _, port = address.rpartition(":")
    return socket.create_connection((host.strip("[]"), int(port)), timeout=30)


def run_http(line, host, patience):
    with connect(host) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sender = threading.Thread(target=send, args=(connection, request_parts(line, host), host), daemon=True)
        sender.start()
        answers = Answers(connection, time.monotonic() + patience)
        for at, allowed in enumerate([line["status"], *line.get("then", [])]):
            try:
                status, headers, body = answers.next(head_only=line.get("method") == "HEAD")
            except Closed:
                status, headers, body = 0, {}, b""
            shown = body[:300].decode("utf-8", "replace")
            assert status in allowed, f"answer {at}: status {status}, not {allowed}: {shown}"
            if status < 400 or status == 0:
                continue
            if line.get("plain") and not body:
                continue
            assert (
                headers.get("content-type") == "application/json"
            ), f"content type {headers.get('content-type')}: {shown}"
            assert len(body) <= 8192, f"an error of {len(body)} bytes: {shown}"
            error = json.loads(body)["error"]
            assert isinstance(error, str) and error, shown
            if at == 0 and (status == allowed[0] or status >= 400):
                says(error, line["says"])
            assert status != 405 or headers.get("allow"), "405 without Allow"
            assert status != 503 or headers.get("retry-after"), "503 without Retry-After"
