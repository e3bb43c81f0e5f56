"""Sends every line of http.jsonl and grpc.jsonl to a running server and says which it does not answer as it must.

    python3 run.py HTTP_ADDRESS [GRPC_ADDRESS] [--pid PID] [--only PART OF A NAME] [--verbose]

With --pid it prints how much memory the server holds, at most, above what it held before. Calls of gRPC need the package `h2`.
The form of the lines is in form.py. Slow senders run beside each other, last, for up to 120 seconds.
"""

import argparse
import base64
import gzip
import json
import os
import re
import socket
import struct
import sys
import threading
import time
import zlib

FOLDER = os.path.dirname(os.path.abspath(__file__))
RIGHT = b'{"inputs": [{"name": "x", "shape": [2], "datatype": "FP32", "data": [1, 2.5]}]}'


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
    if not any(name.lower() in ("content-length", "transfer-encoding") for name, _ in headers) and (body or line["method"] != "GET"):
        headers.append(("Content-Length", str(len(body)).encode()))
    head = line["method"].encode() + b" " + value_of(line["path"], host) + b" HTTP/1.1\r\nHost: " + host.encode() + b"\r\nConnection: close\r\n"
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
            assert headers.get("content-type") == "application/json", f"content type {headers.get('content-type')}: {shown}"
            assert len(body) <= 8192, f"an error of {len(body)} bytes: {shown}"
            error = json.loads(body)["error"]
            assert isinstance(error, str) and error, shown
            if at == 0 and (status == allowed[0] or status >= 400):
                says(error, line["says"])
            assert status != 405 or headers.get("allow"), "405 without Allow"
            assert status != 503 or headers.get("retry-after"), "503 without Retry-After"


CODES = ["OK", "CANCELLED", "UNKNOWN", "INVALID_ARGUMENT", "DEADLINE_EXCEEDED", "NOT_FOUND", "ALREADY_EXISTS", "PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION", "ABORTED", "OUT_OF_RANGE", "UNIMPLEMENTED", "INTERNAL", "UNAVAILABLE", "DATA_LOSS", "UNAUTHENTICATED"]


def run_grpc(line, address, patience):
    """Sends a call, and gives its code and message."""
    from urllib.parse import unquote

    import h2.config
    import h2.connection
    import h2.events
    import h2.exceptions

    config = h2.config.H2Configuration(client_side=True, header_encoding="utf-8", validate_outbound_headers=False, normalize_outbound_headers=False, validate_inbound_headers=False)
    http2 = h2.connection.H2Connection(config)
    deadline = time.monotonic() + patience
    with connect(address) as connection:
        http2.initiate_connection()
        connection.sendall(http2.data_to_send())
        headers = [(name, value_of(value, address)) for name, value in line["headers"]]
        names = {name for name, _ in headers}
        head = [(":method", "POST"), (":scheme", "http"), (":path", line["path"]), (":authority", address)]
        head += [(name, value) for name, value in [("te", "trailers"), ("content-type", "application/grpc")] if name not in names]
        body = join(line["body"], address)
        seen = {}

        def take():
            connection.settimeout(max(0.01, deadline - time.monotonic()))
            try:
                data = connection.recv(1 << 16)
            except ConnectionError as error:
                raise Closed from error
            if not data:
                raise Closed
            for event in http2.receive_data(data):
                if isinstance(event, (h2.events.ResponseReceived, h2.events.TrailersReceived)):
                    seen.update(event.headers)
                elif isinstance(event, h2.events.DataReceived):
                    http2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
                elif isinstance(event, (h2.events.StreamEnded, h2.events.StreamReset, h2.events.ConnectionTerminated)):
                    seen["ended"] = type(event).__name__
            connection.sendall(http2.data_to_send())

        try:
            http2.send_headers(1, head + headers, end_stream=not body)
            connection.sendall(http2.data_to_send())
            while body and "ended" not in seen:
                room = min(http2.local_flow_control_window(1), http2.max_outbound_frame_size, len(body))
                if not room:
                    take()
                    continue
                http2.send_data(1, body[:room], end_stream=room == len(body))
                body = body[room:]
                connection.sendall(http2.data_to_send())
            while "ended" not in seen:
                take()
        except (Closed, ConnectionError, h2.exceptions.ProtocolError):
            # An answer may have come before the connection was closed.
            try:
                while "ended" not in seen:
                    take()
            except (Closed, ConnectionError, TimeoutError, h2.exceptions.ProtocolError):
                pass
        except TimeoutError as error:
            raise TimeoutError(f"no answer in time: {seen}") from error
    if "grpc-status" in seen:
        return CODES[int(seen["grpc-status"])], unquote(seen.get("grpc-message", ""))
    status = seen.get(":status")
    return (f"HTTP_{status}", "") if status and status != "200" else ("CLOSED", str(seen))


def hold_grpc(line, address, patience):
    if "raw" in line:
        with connect(address) as connection:
            sender = threading.Thread(target=send, args=(connection, line["raw"], address), daemon=True)
            sender.start()
            # Whatever comes is read, until it closes or nothing comes for a second.
            connection.settimeout(1)
            try:
                while connection.recv(1 << 16):
                    pass
            except (TimeoutError, ConnectionError):
                pass
        return
    code, message = run_grpc(line, address, patience)
    assert code in line["code"], f"{code}, not {line['code']}: {message[:300]}"
    assert len(message) <= 8192, f"a message of {len(message)} bytes"
    if code != "OK":
        says(message, line["says"])


def next_request(host):
    """Whether the server answers a right request rightly."""
    with connect(host) as connection:
        connection.sendall(b"POST /v2/models/single/infer HTTP/1.1\r\nHost: %s\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s" % (host.encode(), len(RIGHT), RIGHT))
        status, _, body = Answers(connection, time.monotonic() + 30).next()
    assert status == 200 and json.loads(body)["outputs"][0]["data"] == [2, 5], f"the next request: {status} {body[:300]}"


def memory(pid, key):
    with open(f"/proc/{pid}/status", encoding="ascii") as file:
        return next(int(line.split()[1]) for line in file if line.startswith(key)) / 1024


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("http")
    arguments.add_argument("grpc", nargs="?")
    arguments.add_argument("--pid", type=int)
    arguments.add_argument("--only", default="")
    arguments.add_argument("--verbose", action="store_true")
    given = arguments.parse_args()
    # What a server says of half a character is printed too.
    sys.stdout.reconfigure(errors="backslashreplace")

    def lines(file):
        with open(os.path.join(FOLDER, file), encoding="utf-8") as opened:
            return [line for line in map(json.loads, opened) if given.only in line["name"]]

    failed, count = [], 0

    def one(line, run, patience):
        started = time.monotonic()
        try:
            run(line, patience)
            next_request(given.http)
            said = "ok"
        except Exception as error:
            said = f"failed: {type(error).__name__}: {error}"
            failed.append(f"{line['name']}: {said}")
        if given.verbose or said != "ok":
            print(f"{line['name']}: {said} ({time.monotonic() - started:.2f} s)", flush=True)

    before = memory(given.pid, "VmRSS") if given.pid else 0
    http = lines("http.jsonl")
    for line in http:
        if not line.get("slow"):
            count += 1
            one(line, lambda line, patience: run_http(line, given.http, patience), 30)
    if given.grpc:
        for line in lines("grpc.jsonl"):
            count += 1
            one(line, lambda line, patience: hold_grpc(line, given.grpc, patience), 30)
    threads = [threading.Thread(target=one, args=(line, lambda line, patience: run_http(line, given.http, patience), 120)) for line in http if line.get("slow")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    count += len(threads)
    if given.pid:
        print(f"memory: {before:.0f} MB before, {memory(given.pid, 'VmHWM'):.0f} MB at most, {memory(given.pid, 'VmRSS'):.0f} MB after")
    print(f"{count} lines, {len(failed)} failed")
    raise SystemExit(1 if failed else 0)


main()
