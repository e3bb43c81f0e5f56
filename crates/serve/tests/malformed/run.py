"""Sends every line of http.jsonl and grpc.jsonl to a running server and says which it does not answer as it must.

    python3 run.py HTTP_ADDRESS [GRPC_ADDRESS] [--pid PID] [--only PART OF A NAME] [--verbose]

With --pid it prints how much memory the server holds, at most, above what it held before. Calls of gRPC need the package `h2`.
The form of the lines is in form.py. Slow senders run beside each other, last, for up to 120 seconds.
"""

import argparse
import json
import os
import sys
import threading
import time

from http1 import Answers, connect, run_http

FOLDER = os.path.dirname(os.path.abspath(__file__))
RIGHT = b'{"inputs": [{"name": "x", "shape": [2], "datatype": "FP32", "data": [1, 2.5]}]}'


def next_request(host):
    """Whether the server answers a right request rightly."""
    with connect(host) as connection:
        connection.sendall(
            b"POST /v2/models/single/infer HTTP/1.1\r\nHost: %s\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s"
            % (host.encode(), len(RIGHT), RIGHT)
        )
        status, _, body = Answers(connection, time.monotonic() + 30).next()
    assert status == 200 and json.loads(body)["outputs"][0]["data"] == [
        2,
        5,
    ], f"the next request: {status} {body[:300]}"


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
        from http2 import hold_grpc

        for line in lines("grpc.jsonl"):
            count += 1
            one(line, lambda line, patience: hold_grpc(line, given.grpc, patience), 30)
    threads = [
        threading.Thread(target=one, args=(line, lambda line, patience: run_http(line, given.http, patience), 120))
        for line in http
        if line.get("slow")
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    count += len(threads)
    if given.pid:
        print(
            f"memory: {before:.0f} MB before, {memory(given.pid, 'VmHWM'):.0f} MB at most, {memory(given.pid, 'VmRSS'):.0f} MB after"
        )
    print(f"{count} lines, {len(failed)} failed")
    raise SystemExit(1 if failed else 0)


main()
