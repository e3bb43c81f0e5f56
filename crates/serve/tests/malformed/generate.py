"""Writes http.jsonl and grpc.jsonl, whose form form.py says. The same files every time.

python3 generate.py
"""

import os

import bodies
import calls
import connections
import frames
import heads
import inference
import tensorflow
import tensors
from form import Lines

FOLDER = os.path.dirname(os.path.abspath(__file__))


def main():
    http, grpc = Lines(), Lines()
    for part in (inference, tensors, tensorflow, heads, bodies, connections):
        part.add(http)
    for part in (calls, frames):
        part.add(grpc)
    print(http.write(os.path.join(FOLDER, "http.jsonl")), "requests of HTTP")
    print(grpc.write(os.path.join(FOLDER, "grpc.jsonl")), "calls of gRPC")


main()
