#!/usr/bin/env python3
"""Writes docs/performance.md from the results of `compare.py`. What it says about losses is in `notes.md`.

usage: report.py RESULTS.json
"""

import json
import math
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
PAGE = HERE.parents[1] / "docs/performance.md"
OURS = "Abeyance"
PEERS = ["TensorFlow", "PyTorch", "JAX", "burn", "candle"]
NETWORKS = json.loads((HERE / "networks.json").read_text())
TITLES = {
    "softmax": "softmax 784-10",
    "mlp_sigmoid": "five layers, sigmoid",
    "mlp_relu": "five layers, relu",
    "mlp_dropout": "five layers, dropout",
    "conv": "convolutions",
    "conv_dropout": "convolutions, dropout",
    "wide": "wide 784-2048-2048-10",
}


def flop(network, task, count):
    """Multiplications and additions of products and convolutions, padding counted. Training computes three for each: the value and
    the gradients of both operands, but for the images."""
    described = NETWORKS[network]
    size, channels = 28, 1
    layers = []
    for layer in described["convolutions"]:
        size = -(-size // layer["stride"])
        layers.append(size * size * layer["size"] ** 2 * channels * layer["channels"])
        channels = layer["channels"]
    layers += [inputs * outputs for inputs, outputs in zip(described["dense"], described["dense"][1:])]
    times = 3 * sum(layers) - layers[0] if task == "train" else sum(layers)
    return 2 * count * times


def goal(network, task, fastest, operations, peak):
    """The milliseconds aimed for and how they are said."""
    at_peak = lambda share: operations / (share * peak * 1e6)
    if task == "read":
        return fastest / 2, "1/2"
    if network == "softmax":
        return fastest / 3, "1/3"
    if network.startswith("conv"):
        return fastest / 4, "1/4"
    if network == "wide":
        return at_peak(0.85), "85 % of peak"
    return max(fastest / 2, at_peak(0.8)), "1/2" if fastest / 2 > at_peak(0.8) else "80 % of peak"


class Results:
    def __init__(self, results):
        self.machine = results["machine"]
        self.settings = results["settings"]
        self.rows = results["rows"]
        self.seconds, self.rounds = results["seconds"], results["rounds"]

    def cases(self, task):
        """Network, images and threads of each measurement, in order."""
        return list(
            dict.fromkeys(
                (row["network"], row["count"], row["threads"]) for row in self.rows if row["task"] == task
            )
        )

    def of(self, task, network, count, threads):
        case = (task, network, count, threads)
        return [r for r in self.rows if (r["task"], r["network"], r["count"], r["threads"]) == case]

    def best(self, rows):
        """Each peer's row of its fastest setting."""
        fastest = {}
        for row in sorted(rows, key=lambda row: -row["ms"]):
            fastest[row["peer"]] = row
        return fastest

    def peak(self, threads):
        return max(self.machine["peaks"][str(threads)].values())


def figure(number):
    """Three significant digits."""
    if number >= 100:
        return f"{number:,.0f}"
    return f"{number:.{max(0, 2 - math.floor(math.log10(number)))}f}" if number > 0 else "0"


def table(head, rows):
    lines = ["| " + " | ".join(line) + " |" for line in [head, ["---"] * len(head), *rows]]
    return "\n".join(lines) + "\n"


def speed(results, task):
    head = ["network", "images", "threads", "MFLOP", OURS, *PEERS, "of the fastest", "goal", "met", "GFLOP/s", "of peak"]
    lines = []
    for network, count, threads in results.cases(task):
        best = results.best(results.of(task, network, count, threads))
        ours = best.pop(OURS, None)
        if not ours or not best:
            continue
        fastest = min(row["ms"] for row in best.values())
        cells = []
        for peer in PEERS:
            cell = figure(best[peer]["ms"]) if peer in best else "-"
            cells.append(f"**{cell}**" if peer in best and best[peer]["ms"] == fastest else cell)
        operations = flop(network, task, count)
        peak = results.peak(threads)
        aim, said = goal(network, task, fastest, operations, peak)
        rate = operations / ours["ms"] / 1e6
        lines.append(
            [TITLES[network], f"{count:,}", str(threads), figure(operations / 1e6), figure(ours["ms"]), *cells]
            + [f"{ours['ms'] / fastest:.2f}", f"{figure(aim)} ({said})", "yes" if ours["ms"] <= aim else "no"]
            + [figure(rate), f"{100 * rate / peak:.0f} %"]
        )
    return table(head, lines)


def start(results):
    head = ["network", "threads", *(f"{peer}: ms, MiB" for peer in [OURS, *PEERS])]
    lines = []
    for network, count, threads in results.cases("train"):
        best = results.best(results.of("train", network, count, threads))
        cells = [
            f"{figure(best[peer]['first_ms'])}, {best[peer]['peak_mb']:,}" if peer in best else "-"
            for peer in [OURS, *PEERS]
        ]
        lines.append([TITLES[network], str(threads), *cells])
    return table(head, lines)


def agreement(results):
    head = ["network", "what", OURS, *PEERS]
    lines = []
    for task, what, digits in [("train", "loss", 4), ("read", "accuracy", 4)]:
        for network, count, threads in results.cases(task):
            if threads > 1 or task == "read" and count > 1:
                continue
            best = results.best(results.of(task, network, count, threads))
            cells = [f"{best[peer]['check']:.{digits}f}" if peer in best else "-" for peer in [OURS, *PEERS]]
            lines.append([TITLES[network], what, *cells])
    return table(head, lines)


def settings(results):
    """Every setting of every peer where it has more than one."""
    named = [(s["peer"], s["setting"]) for s in results.settings]
    named = [pair for pair in named if sum(peer == pair[0] for peer, _ in named) > 1]
    named = [pair for pair in named if any((r["peer"], r["setting"]) == pair for r in results.rows)]
    lines = []
    for task in ["train", "read"]:
        for network, count, threads in results.cases(task):
            found = {(r["peer"], r["setting"]): r["ms"] for r in results.of(task, network, count, threads)}
            cells = [figure(found[pair]) if pair in found else "-" for pair in named]
            lines.append([task, TITLES[network], f"{count:,}", str(threads), *cells])
    return table(["task", "network", "images", "threads", *(f"{peer} `{name}`" for peer, name in named)], lines)


def versions(results):
    machine = results.machine
    found = {row["peer"]: row["version"] for row in results.rows if "version" in row}
    found |= machine["versions"]
    lines = [[s["peer"], found.get(s["peer"], "-"), f"`{s['setting']}`", s["what"]] for s in results.settings]
    return table(["", "version", "setting", "what it is"], lines)


def peaks(results):
    lines = []
    for threads, sets in results.machine["peaks"].items():
        lines += [[threads, name, figure(rate)] for name, rate in sets.items()]
    return table(["threads", "instructions", "GFLOP/s"], lines)


def write(results):
    results = Results(results)
    machine = results.machine
    template = (HERE / "performance.template.md").read_text()
    page = template.format(
        date=machine["date"],
        cpu=machine["cpu"],
        cores=machine["cores"],
        system=machine["system"],
        rustc=machine["rustc"],
        python=machine["python"],
        rounds=results.rounds,
        seconds=results.seconds,
        peaks=peaks(results),
        training=speed(results, "train"),
        reading=speed(results, "read"),
        start=start(results),
        agreement=agreement(results),
        settings=settings(results),
        versions=versions(results),
        notes=(HERE / "notes.md").read_text().strip(),
    )
    PAGE.write_text(page)


if __name__ == "__main__":
    write(json.loads(Path(sys.argv[1]).read_text()))
