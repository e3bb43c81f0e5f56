"""Runs `service` in processes that share a port by the kernel: `serve.py PORT PROCESSES`.

`uvicorn --workers` lets all processes accept on one socket, and the first to wake often takes nearly all
connections of a burst, and the other core has little to do.
"""

import multiprocessing
import socket
import sys

import uvicorn


def serve(port):
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    listener.bind(("127.0.0.1", port))
    config = uvicorn.Config("service:app", loop="uvloop", http="httptools", access_log=False, log_level="warning")
    uvicorn.Server(config).run(sockets=[listener])


if __name__ == "__main__":
    port, count = int(sys.argv[1]), int(sys.argv[2])
    processes = [multiprocessing.Process(target=serve, args=[port]) for _ in range(count)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
