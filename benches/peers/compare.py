#!/usr/bin/env python3
"""Runs every network on every peer and on Abeyance in turn, keeps the results, and writes docs/performance.md.

All runners of a network and a number of threads are started and warmed one after the other, then stopped (SIGSTOP) except the one
whose turn it is; every round gives each of them a turn, so that what disturbs the machine disturbs all alike. A figure is the median
of the rounds, each of which is a median of steps.
"""

import argparse
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
from dataclasses import dataclass, field
from pathlib import Path

import machine
import report

HERE = Path(__file__).resolve().parent
PYTHON = Path(os.environ.get("PEERS_VENV", ".venv")) / "bin" / "python"
ABEYANCE = HERE / "target/release/abeyance-peer"

TRAINED = ["softmax", "mlp_sigmoid", "mlp_relu", "mlp_dropout", "conv", "conv_dropout", "wide"]
READ = ["softmax", "mlp_relu", "conv_dropout"]
COUNTS = [1, 100, 10_000]
THREADS = [1, 2]


@dataclass
class Setting:
    peer: str
    name: str
    command: list
    what: str
    # The tasks at which it is the peer's best, or near it: what the quick mode measures.
    best_at: str = "train read"
    only_convolutions: bool = False

    def suits(self, task, network, is_quick):
        is_wanted = task in self.best_at or not is_quick
        return is_wanted and (network.startswith("conv") or not self.only_convolutions)


def python(peer):
    return [str(PYTHON), str(HERE / f"python/{peer}_peer.py")]


def native(peer):
    return [str(HERE / f"target/native/best/{peer}-peer")]


SETTINGS = [
    Setting("Abeyance", "release", [str(ABEYANCE)], "`cargo build --release`"),
    Setting("TensorFlow", "graph", python("tensorflow"), "`compat.v1` graph, `make_callable`, oneDNN on"),
    Setting("TensorFlow", "xla", python("tensorflow"), "the same with automatic clustering by XLA", ""),
    Setting("PyTorch", "eager", python("torch"), "eager, fused optimizer", "train"),
    Setting("PyTorch", "eager_last", python("torch"), "the same, channels last", "train", True),
    Setting("PyTorch", "compiled", python("torch"), "`torch.compile`, fused optimizer; weights frozen to read", "read"),
    Setting("PyTorch", "compiled_last", python("torch"), "the same, channels last", "", True),
    Setting("JAX", "jit", python("jax"), "`jax.jit` of the whole step, state donated, `unsafe_rbg` random numbers"),
    Setting("JAX", "jit_nchw", python("jax"), "the same, channels first", "", True),
    Setting("burn", "flex", native("burn"), "the `flex` backend with AVX-512, `target-cpu=native`"),
    Setting("candle", "gemm", native("candle"), "`gemm` with AVX-512, `target-cpu=native`"),
]


class Runner:
    """A process that measures when asked."""

    def __init__(self, setting, task, network, threads):
        self.setting = setting
        self.name = f"{setting.peer} {setting.name}"
        self.rounds = []
        self.errors = tempfile.TemporaryFile("w+")
        cores = ",".join(str(core) for core in range(threads))
        arguments = [setting.name, task, network, str(threads)]
        self.process = subprocess.Popen(
            ["taskset", "-c", cores, *setting.command, *arguments],
            cwd=HERE,
            env=os.environ | environment(threads),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.errors,
            text=True,
            start_new_session=True,
        )
        self.first = self.listen(timeout=600)

    def listen(self, timeout=120):
        """The next line; then the process is stopped."""
        alarm = threading.Timer(timeout, self.signal, [signal.SIGKILL])
        alarm.start()
        line = self.process.stdout.readline()
        alarm.cancel()
        if line:
            self.signal(signal.SIGSTOP)
            return json.loads(line)
        self.errors.seek(0)
        print(f"{self.name} failed: {self.errors.read()[-500:]}", file=sys.stderr)
        return None

    def round(self, count, seconds):
        self.signal(signal.SIGCONT)
        self.process.stdin.write(f"{count} {seconds}\n")
        self.process.stdin.flush()
        self.rounds.append(self.listen())

    def is_slow(self, seconds):
        """Whether one step took so long that there is no need of many."""
        return self.rounds and self.rounds[-1]["ms"] > 4_000 * seconds

    def signal(self, number):
        try:
            os.killpg(self.process.pid, number)
        except ProcessLookupError:
            pass

    def end(self):
        self.signal(signal.SIGKILL)
        self.process.wait()


def environment(threads):
    flags = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
    return {
        "OMP_NUM_THREADS": str(threads),
        "MKL_NUM_THREADS": str(threads),
        "RAYON_NUM_THREADS": str(threads),
        "XLA_FLAGS": flags if threads == 1 else "",
        "TORCHINDUCTOR_COMPILE_THREADS": "1",
        "TORCHINDUCTOR_CACHE_DIR": str(HERE / "results/inductor"),
        "CUDA_VISIBLE_DEVICES": "",
        # Freed memory is kept: without this PyTorch reads 10,000 images in three times the time.
        "MALLOC_MMAP_MAX_": "0",
        "MALLOC_TRIM_THRESHOLD_": str(1 << 40),
    }


def measure(task, network, threads, counts, options):
    """The rows of the results for one network and number of threads."""
    settings = [setting for setting in SETTINGS if setting.suits(task, network, options.quick)]
    settings = [setting for setting in settings if options.peers is None or setting.peer in options.peers]
    runners = [Runner(setting, task, network, threads) for setting in settings]
    rows = []
    for count in counts:
        ready = [runner for runner in runners if runner.first]
        for runner in ready:
            runner.rounds = []
        for turn in range(options.rounds):
            for runner in ready[turn % len(ready) :] + ready[: turn % len(ready)]:
                if runner.first and not runner.is_slow(options.seconds):
                    runner.round(count, options.seconds)
                    if runner.rounds[-1] is None:
                        runner.first = None
        rows += [row(runner, task, network, threads, count) for runner in ready if runner.first]
    for runner in runners:
        runner.end()
    return rows


def row(runner, task, network, threads, count):
    rounds = [turn["ms"] for turn in runner.rounds]
    figures = {
        "peer": runner.setting.peer,
        "setting": runner.setting.name,
        "task": task,
        "network": network,
        "threads": threads,
        "count": count,
        "ms": statistics.median(rounds),
        "rounds": rounds,
        "fastest_ms": min(turn["fastest_ms"] for turn in runner.rounds),
        "peak_mb": runner.rounds[-1]["peak_mb"],
    }
    print(f"{task:5} {network:12} {count:6} {threads} {runner.name:24} {figures['ms']:10.4f} ms", flush=True)
    return figures | runner.first


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="each peer at its best setting, shorter rounds")
    parser.add_argument("--rounds", type=int, help="turns that each peer gets")
    parser.add_argument("--seconds", type=float, help="seconds of a turn")
    parser.add_argument("--networks", nargs="*", default=TRAINED)
    parser.add_argument("--peers", nargs="*", help="some of the peers; the page is not written")
    options = parser.parse_args()
    options.rounds = options.rounds or (5 if options.quick else 7)
    options.seconds = options.seconds or (0.4 if options.quick else 1.0)

    networks = json.loads((HERE / "networks.json").read_text())
    results = {"machine": machine.describe(ABEYANCE, THREADS), "rows": []}
    results |= {"rounds": options.rounds, "seconds": options.seconds}
    results["settings"] = [
        {"peer": setting.peer, "setting": setting.name, "what": setting.what} for setting in SETTINGS
    ]
    for network in options.networks:
        for threads in THREADS:
            batch = networks[network]["batch"]
            results["rows"] += measure("train", network, threads, [batch], options)
            if network in READ:
                results["rows"] += measure("read", network, threads, COUNTS, options)
    path = HERE / "results" / ("quick.json" if options.quick else "full.json")
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(results, indent=1))
    if options.peers is None and options.networks == TRAINED:
        report.write(results)


if __name__ == "__main__":
    main()
