"""Sends calls of gRPC whose bodies are any bytes. Needs the package `h2`."""

import threading
import time
from urllib.parse import unquote

import h2.config
import h2.connection
import h2.events
import h2.exceptions

from http1 import Closed, connect, join, says, send, value_of

CODES = [
    "OK",
    "CANCELLED",
    "UNKNOWN",
    "INVALID_ARGUMENT",
    "DEADLINE_EXCEEDED",
    "NOT_FOUND",
    "ALREADY_EXISTS",
    "PERMISSION_DENIED",
    "RESOURCE_EXHAUSTED",
    "FAILED_PRECONDITION",
    "ABORTED",
    "OUT_OF_RANGE",
    "UNIMPLEMENTED",
    "INTERNAL",
    "UNAVAILABLE",
    "DATA_LOSS",
    "UNAUTHENTICATED",
]


def run_grpc(line, address, patience):
    """Sends a call, and gives its code and message."""
    config = h2.config.H2Configuration(
        client_side=True,
        header_encoding="utf-8",
        validate_outbound_headers=False,
        normalize_outbound_headers=False,
        validate_inbound_headers=False,
    )
    http2 = h2.connection.H2Connection(config)
    deadline = time.monotonic() + patience
    with connect(address) as connection:
        http2.initiate_connection()
        connection.sendall(http2.data_to_send())
        headers = [(name, value_of(value, address)) for name, value in line["headers"]]
        names = {name for name, _ in headers}
        head = [(":method", "POST"), (":scheme", "http"), (":path", line["path"]), (":authority", address)]
        head += [
            (name, value)
            for name, value in [("te", "trailers"), ("content-type", "application/grpc")]
            if name not in names
        ]
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
