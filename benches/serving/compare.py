#!/usr/bin/env python3
"""Loads every server in turn by the same client on the same two cores and keeps the results.

All servers are started one after the other, asked about every image alone until they answer, and stopped
(SIGSTOP) except the one whose turn it is. Every round gives each of them a turn with every protocol and number
of connections, so that what disturbs the machine disturbs all alike. A figure is the median of the rounds.
"""

import argparse
import datetime
import json
import os
import platform
import re
import signal
import statistics
import subprocess
import sys
import time
from pathlib import Path

import report
import servers

HERE = Path(__file__).resolve().parent
LOAD = os.environ["SERVING_LOAD"]
CORES = "0,1"
CONNECTIONS = [1, 16, 64]
# What servers compute differs in the last bits, by the order of sums.
TOLERANCE = 1e-4
IMAGES = 64


class Running:
    """A server with its processes."""

    def __init__(self, server):
        self.server = server
        self.failed = None
        log = servers.FOLDER / f"{server.name.replace(' ', '_').replace(',', '')}.log"
        self.log = log.open("w+")
        try:
            self.process = subprocess.Popen(
                ["taskset", "-c", CORES, *server.command],
                cwd=server.cwd,
                env=os.environ | {"CUDA_VISIBLE_DEVICES": ""} | server.environment,
                stdin=subprocess.DEVNULL,
                stdout=self.log,
                stderr=self.log,
                start_new_session=True,
            )
        except OSError as error:
            self.process = None
            self.fail(str(error))

    def fail(self, why):
        self.log.seek(0)
        self.failed = f"{why}: {self.log.read()[-800:].strip()}"
        print(f"{self.server.name} left out: {self.failed}", file=sys.stderr, flush=True)
        self.end()

    def signal(self, number):
        if self.process:
            try:
                os.killpg(self.process.pid, number)
            except ProcessLookupError:
                pass

    def end(self):
        self.signal(signal.SIGCONT)
        self.signal(signal.SIGKILL)
        if self.process:
            self.process.wait()

    def load(self, protocol, *options):
        """What the client saw; a failed request is in the record, not an error."""
        port, path = self.server.ports[protocol], self.server.paths.get(protocol, "/predict")
        command = ["taskset", "-c", CORES, LOAD, "--server", f"127.0.0.1:{port}", "--protocol", protocol]
        command += ["--path", path, "--model", servers.NAME, "--images", str(IMAGES), "--json", *options]
        done = subprocess.run(command, capture_output=True, text=True)
        return json.loads(done.stdout) if done.stdout else {"error": done.stderr.strip()}

    def await_answers(self, protocol, patience=120):
        """The answers to every image asked alone, as soon as the server gives them."""
        path = servers.FOLDER / "answers.json"
        path.unlink(missing_ok=True)
        end = time.monotonic() + patience
        while True:
            record = self.load(protocol, "-s", "0", "--warmup", "0", "--write-reference", str(path))
            if path.exists():
                return json.loads(path.read_text())["answers"]
            if self.process.poll() is not None:
                return self.fail(f"ended with {self.process.returncode}")
            if time.monotonic() > end:
                return self.fail(f"no answer in {protocol} ({record.get('error', record)})")
            time.sleep(0.5)

    def processes(self):
        """The fields of `stat` of every process of the server's session."""
        for path in Path("/proc").glob("[0-9]*/stat"):
            try:
                fields = path.read_text().rpartition(")")[2].split()
            except (FileNotFoundError, ProcessLookupError):
                continue
            if int(fields[3]) == self.process.pid:
                yield fields

    def used(self):
        """Seconds of processor, and MiB resident."""
        found = list(self.processes())
        ticks = sum(int(fields[11]) + int(fields[12]) for fields in found)
        pages = sum(int(fields[21]) for fields in found)
        return ticks / os.sysconf("SC_CLK_TCK"), pages * os.sysconf("SC_PAGE_SIZE") / 2**20

    def turn(self, protocol, connections, options):
        self.signal(signal.SIGCONT)
        before, _ = self.used()
        arguments = ["-c", str(connections), "-s", str(options.seconds), "--warmup", str(options.warmup)]
        record = self.load(protocol, *arguments)
        after, resident = self.used()
        self.signal(signal.SIGSTOP)
        if record.get("answered"):
            record["server_cpu_us"] = (after - before) * 1e6 / record["answered"]
        record["resident_mb"] = resident
        return record

    def check(self, protocol, connections, seconds):
        """How many answers under load differ from the image's alone by a bit."""
        self.signal(signal.SIGCONT)
        record = self.load(protocol, "-c", str(connections), "-s", str(seconds), "--check")
        self.signal(signal.SIGSTOP)
        return {name: record.get(name) for name in ["checked", "wrong", "first_wrong", "failed"]}


def numbers(answer):
    """The probabilities, which every protocol carries."""
    bits = [int(word, 16) for word in answer["probabilities"]]
    return [report.number(word) for word in bits]


def start(options):
    """The servers that answer, and what is wrong with the others."""
    ready, absent, expected = [], {}, None
    for server in servers.every(options.first_port, options.all):
        if options.servers and server.name.partition(",")[0] not in options.servers:
            continue
        running = Running(server)
        for protocol in server.ports:
            answers = None if running.failed else running.await_answers(protocol)
            if running.failed:
                break
            found = [numbers(answer) for answer in answers]
            expected = expected or found
            pairs = (pair for one, other in zip(found, expected) for pair in zip(one, other, strict=True))
            if max(abs(one - other) for one, other in pairs) > TOLERANCE:
                running.fail(f"another model's answers in {protocol}")
                break
        if running.failed:
            absent[server.name] = running.failed
        else:
            running.signal(signal.SIGSTOP)
            ready.append(running)
            print(f"{server.name} answers", flush=True)
    return ready, absent


def measure(ready, options):
    """A row for every server, protocol and number of connections."""
    rows = {}
    for turn in range(options.rounds):
        for running in ready[turn % len(ready) :] + ready[: turn % len(ready)]:
            for protocol in running.server.ports:
                for connections in options.connections:
                    record = running.turn(protocol, connections, options)
                    rows.setdefault((running.server.name, protocol, connections), []).append(record)
                    print(shown(running.server.name, protocol, connections, record), flush=True)
    return [row(*case, records) for case, records in rows.items()]


def shown(name, protocol, connections, record):
    latency = record.get("latency_us") or {}
    p50, p99 = latency.get("p50", 0), latency.get("p99", 0)
    figures = f"{record.get('per_second', 0):9.0f}/s  p50 {p50:9.0f} us  p99 {p99:9.0f} us"
    return f"{name:26} {protocol:10} {connections:3}  {figures}  failed {record.get('failed', record.get('error'))}"


def row(server, protocol, connections, records):
    good = [record for record in records if record.get("latency_us")]
    figures = {"server": server, "protocol": protocol, "connections": connections, "rounds": records}
    figures["failed"] = sum(record.get("failed", 0) for record in records)
    if len(good) == len(records):
        middle = statistics.median
        figures["per_second"] = middle(record["per_second"] for record in good)
        for name in ["p50", "p99", "p999"]:
            figures[name] = middle(record["latency_us"][name] for record in good)
        figures["max"] = max(record["latency_us"]["max"] for record in good)
        figures["server_cpu_us"] = middle(record["server_cpu_us"] for record in good)
        figures["resident_mb"] = middle(record["resident_mb"] for record in good)
    return figures


def output(*command):
    return subprocess.run(command, cwd=HERE, capture_output=True, text=True).stdout.strip()


def machine():
    cpu = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
    return {
        "date": datetime.date.today().isoformat(),
        "cpu": cpu.group(1) if cpu else platform.processor(),
        "cores": os.cpu_count(),
        "memory_gb": round(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30),
        "system": f"{platform.system()} {platform.release()}",
        "rustc": output("rustc", "--version"),
        "python": platform.python_version(),
        "commit": output("git", "describe", "--always", "--dirty"),
        # Programs that ran beside the comparison make it worthless.
        "load_before": os.getloadavg()[0],
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="3 rounds of 3 seconds instead of 3 of 10")
    parser.add_argument("--all", action="store_true", help="every setting that was tried, not only each server's best")
    parser.add_argument("--servers", nargs="*", help="some of them: Abeyance Triton MLServer FastAPI tract")
    parser.add_argument("--connections", nargs="*", type=int, default=CONNECTIONS)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float)
    parser.add_argument("--warmup", type=float, default=1.5)
    parser.add_argument("--first-port", type=int, default=18300)
    options = parser.parse_args()
    options.seconds = options.seconds or (3 if options.quick else 10)

    results = {"machine": machine(), "seconds": options.seconds, "rounds": options.rounds}
    ready, absent = start(options)
    try:
        if not ready:
            sys.exit("no server answers")
        results["what"] = {running.server.name: running.server.what for running in ready}
        results["absent"] = absent
        results["rows"] = measure(ready, options)
        results["checks"] = [
            {"server": running.server.name, "protocol": protocol, **running.check(protocol, 64, options.seconds)}
            for running in ready
            for protocol in running.server.ports
        ]
    finally:
        for running in ready:
            running.end()
    folder = HERE / "results"
    folder.mkdir(exist_ok=True)
    kind = "quick" if options.quick else "full"
    (folder / f"{kind}.json").write_text(json.dumps(results, indent=1))
    (folder / f"{kind}.md").write_text(report.page(results))
    print(f"wrote {folder / kind}.json and .md")


if __name__ == "__main__":
    main()
