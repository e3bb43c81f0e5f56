#!/usr/bin/env bash
# One of uvicorn's workers often gets nearly all connections that are opened at once.
#
# Most would guess that `uvicorn --workers 2` shares the connections of a client between two processes, about half each, so that two cores work. The processes accept on one
# socket, and the one that wakes first accepts until the queue is empty: of 64 connections that a client opens in a burst and keeps open (as a pool or a load generator does) one
# process has 48 to 64 in a fifth to two thirds of the bursts with uvloop and in most with asyncio's loop, and keeps them while they live. Two processes that each listen on a socket of
# their own with SO_REUSEPORT are given about half each by the kernel; uvicorn has no flag for that, `Server(config).run(sockets=[..])` does it.
#
# Seen on 2026-11-29 with uvicorn 0.54.0, uvloop 0.23.0, httptools 0.9.0, CPython 3.11, Linux 6.18 x86-64, two cores. Nothing of Abeyance runs here, and CI does not run it: it
# fetches packages. It ends with 0 as long as what is said above is still so.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check uvicorn==0.54.0 uvloop==0.23.0 httptools==0.9.0
cat >"$folder/service.py" <<'PYTHON'
import os


async def app(scope, receive, send):
    """Answers with the number of the process."""
    if scope["type"] == "http":
        body = f"{os.getpid():010}".encode()
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"10")]})
        await send({"type": "http.response.body", "body": body})
PYTHON
cat >"$folder/shared.py" <<'PYTHON'
import multiprocessing
import socket
import sys

import uvicorn


def serve(port):
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    listener.bind(("127.0.0.1", port))
    uvicorn.Server(uvicorn.Config("service:app", lifespan="off", log_level="warning")).run(sockets=[listener])


if __name__ == "__main__":
    for _ in range(2):
        multiprocessing.Process(target=serve, args=[int(sys.argv[1])]).start()
PYTHON
cd "$folder" && "$folder/venv/bin/python" - <<'PYTHON'
import collections
import os
import signal
import socket
import subprocess
import sys
import time

CONNECTIONS, BURSTS = 64, 9


def ask(stream):
    stream.sendall(b"GET / HTTP/1.1\r\nHost: here\r\n\r\n")
    answer = b""
    while len(answer.partition(b"\r\n\r\n")[2]) < 10:
        read = stream.recv(4096)
        assert read, "closed"
        answer += read
    return answer[-10:]


def most(port):
    """Connections of the process that has most, after all were opened in a burst and asked one by one."""
    streams = [socket.socket() for _ in range(CONNECTIONS)]
    for stream in streams:
        stream.setblocking(False)
        stream.connect_ex(("127.0.0.1", port))
    for stream in streams:
        stream.setblocking(True)
        stream.settimeout(30)
    owners = collections.Counter(ask(stream) for stream in streams)
    for stream in streams:
        stream.close()
    time.sleep(0.2)
    return max(owners.values())


def seen(name, *arguments):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, *(str(port) if word == "PORT" else word for word in arguments)]
    server = subprocess.Popen(command, start_new_session=True)
    try:
        end = time.time() + 60
        # Both processes answer before anything is counted.
        owners = set()
        while len(owners) < 2:
            assert time.time() < end and server.poll() in (None, 0), "the server does not answer"
            try:
                with socket.create_connection(("127.0.0.1", port)) as stream:
                    owners.add(ask(stream))
            except ConnectionError:
                time.sleep(0.1)
        counts = sorted(most(port) for _ in range(BURSTS))
        print(f"{name:36} of {CONNECTIONS} connections one process has {counts}")
        return counts
    finally:
        os.killpg(server.pid, signal.SIGKILL)
        server.wait()


workers = ["-m", "uvicorn", "service:app", "--port", "PORT", "--workers", "2", "--lifespan", "off", "--log-level", "warning"]
bursts = [count for loop in ("uvloop", "asyncio") for count in seen(f"uvicorn --workers 2, {loop}", *workers, "--loop", loop)]
shared = seen("two processes with SO_REUSEPORT", "shared.py", "PORT")
# By chance one of two fair shares of 64 would be 48 or more once in 13,000 bursts.
sys.exit(0 if sum(count >= 48 for count in bursts) >= 4 and max(shared) < 48 else "it is no longer so")
PYTHON
