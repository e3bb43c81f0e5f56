"""What every runner in Python shares: the networks, the data, the protocol of measuring.

The crate `measure` is the same for Rust and says what the protocol is.
"""

import gc
import json
import math
import os
import resource
import statistics
import sys
import time
from pathlib import Path

import numpy as np

PEERS = Path(__file__).resolve().parent.parent
DATA = PEERS / "data"
CHECKED = 5
WARM_UP = 20
WARM_AGAIN = 0.2


class Network:
    """A network of `networks.json`."""

    def __init__(self, name):
        described = json.loads((PEERS / "networks.json").read_text())[name]
        self.schedule = described.pop("rate")
        self.__dict__.update(described)

    def rate(self, index):
        """The learning rate of step `index`."""
        rate = self.schedule
        passed = index / rate["steps"]
        left = {
            "never": lambda: 1.0,
            "exponentially": lambda: math.exp(-passed),
            "linearly": lambda: max(1.0 - passed, 0.0),
        }[rate["falls"]]()
        return rate["floor"] + rate["from"] * left

    def shapes(self):
        """Shapes of weights and biases in turn: filters HWIO, matrices `[inputs, outputs]`."""
        inputs = 1
        for layer in self.convolutions:
            yield (layer["size"], layer["size"], inputs, layer["channels"])
            yield (layer["channels"],)
            inputs = layer["channels"]
        for inputs, outputs in zip(self.dense, self.dense[1:]):
            yield (inputs, outputs)
            yield (outputs,)


def padding(layer, size):
    """SAME padding of one axis of `size`: before and after."""
    outputs = -(-size // layer["stride"])
    total = max((outputs - 1) * layer["stride"] + layer["size"] - size, 0)
    return total // 2, total - total // 2


class Data:
    """A network, the weights it starts from and the images it is fed."""

    def __init__(self, name, is_training):
        self.network = Network(name)
        half, weights = ("train", "first") if is_training else ("test", "trained")
        rest = np.fromfile(DATA / f"{name}-{weights}.f32", np.float32)
        variables = []
        for shape in self.network.shapes():
            size = math.prod(shape)
            variables.append(rest[:size].reshape(shape).copy())
            rest = rest[size:]
        assert not rest.size, f"{name} has more variables than networks.json says"
        layers = list(zip(variables[::2], variables[1::2]))
        count = len(self.network.convolutions)
        self.convolutions, self.dense = layers[:count], layers[count:]
        self.images = np.fromfile(DATA / f"{half}-images.f32", np.float32).reshape(-1, 28, 28, 1)
        self.digits = np.fromfile(DATA / f"{half}-digits.u8", np.uint8)
        self.labels = np.eye(10, dtype=np.float32)[self.digits]

    def batches(self, *arrays):
        """Training batches of some of the arrays, as one list."""
        size = self.network.batch
        starts = range(0, len(self.digits) - size + 1, size)
        return [[array[i : i + size].copy() for array in arrays] for i in starts]


def main(version, trainer, reader):
    """Runs what the arguments ask for.

    `trainer(data, setting, threads)` gives two functions: a step on training batch `index`, and the loss on batch 0 without dropout
    and smoothing. `reader` gives one that reads the first `count` test images and returns their digits as a host array.
    """
    setting, task, name, threads = sys.argv[1:]
    data = Data(name, task == "train")
    begun = time.perf_counter()
    first_ms = lambda: (time.perf_counter() - begun) * 1e3
    if task == "train":
        step, loss = trainer(data, setting, int(threads))
        step(0)
        line = {"first_ms": first_ms()}
        for index in range(1, WARM_UP):
            if index == CHECKED:
                line["check"] = float(loss())
            step(index)
        indices = iter(range(WARM_UP, sys.maxsize))
        work = lambda _: step(next(indices))
    else:
        read = reader(data, setting, int(threads))
        read(1)
        line = {"first_ms": first_ms()}
        line["check"] = float(np.mean(np.asarray(read(len(data.digits))) == data.digits))
        work = read
    say(line | {"version": version})
    gc.collect()
    gc.freeze()
    gc.disable()
    for line in sys.stdin:
        count, seconds = line.split()
        say(measure(lambda: work(int(count)), float(seconds)))
        gc.collect()
    os._exit(0)  # Some thread pools do not end by themselves.


def say(line):
    print(json.dumps(line), flush=True)


def measure(work, seconds):
    """Repeats `work` for some seconds: the median and the fastest, in milliseconds."""
    repeat(work, seconds * WARM_AGAIN)
    times = repeat(work, seconds * (1 - WARM_AGAIN))
    return {
        "ms": statistics.median(times) * 1e3,
        "fastest_ms": min(times) * 1e3,
        "times": len(times),
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
    }


def repeat(work, seconds):
    clock = time.perf_counter
    times = []
    end = clock() + seconds
    while True:
        before = clock()
        work()
        after = clock()
        times.append(after - before)
        if after >= end:
            return times
