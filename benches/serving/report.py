#!/usr/bin/env python3
"""Writes the tables of a comparison in Markdown: `report.py results/full.json`."""

import json
import struct
import sys
from pathlib import Path

OURS = "Abeyance"

# What is put side by side: one way to carry an image, in each server's own protocol for it.
FORMS = {
    "Bytes over HTTP": ["oip-binary", "raw"],
    "JSON over HTTP": ["oip-json", "json"],
    "gRPC": ["oip-grpc"],
    "TensorFlow Serving's REST": ["tf-rest"],
}


def number(bits):
    """The f32 of these bits."""
    return struct.unpack("<f", struct.pack("<I", bits))[0]


def table(head, rows):
    lines = ["| " + " | ".join(line) + " |" for line in [head, ["---"] * len(head), *rows]]
    return "\n".join(lines) + "\n"


def figure(value):
    """Three significant digits, from microseconds or requests."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}"


def speed(results, protocols):
    head = ["connections", "server", "requests/s", "Abeyance's", "p50 us", "p99 us", "p99.9 us", "max us"]
    head += ["server CPU us/request", "MiB", "failed"]
    rows = [row for row in results["rows"] if row["protocol"] in protocols]
    lines = []
    for connections in sorted({row["connections"] for row in rows}):
        here = [row for row in rows if row["connections"] == connections]
        ours = next((row["per_second"] for row in here if row["server"] == OURS and "per_second" in row), None)
        for row in sorted(here, key=lambda row: -row.get("per_second", 0)):
            name = f"**{row['server']}**" if row["server"] == OURS else row["server"]
            if "per_second" not in row:
                lines.append([str(connections), name, "-", *["-"] * 7, f"{row['failed']:,}"])
                continue
            ratio = f"{ours / row['per_second']:.2f} times" if ours and row["server"] != OURS else ""
            cells = [figure(row[column]) for column in ["p50", "p99", "p999", "max", "server_cpu_us", "resident_mb"]]
            lines.append([str(connections), name, figure(row["per_second"]), ratio, *cells, f"{row['failed']:,}"])
    return table(head, lines)


def checks(results):
    head = ["server", "protocol", "answers compared", "not the bits of the image alone", "failed", "the first"]
    lines = []
    for check in results["checks"]:
        count = lambda name: "-" if check[name] is None else f"{check[name]:,}"
        cells = [check["server"], check["protocol"], count("checked"), count("wrong"), count("failed")]
        lines.append([*cells, check["first_wrong"] or ""])
    return table(head, lines)


def page(results):
    machine = results["machine"]
    parts = [
        f"{machine['date']}, {machine['cpu']}, {machine['cores']} cores shared by server and client, "
        f"{machine['memory_gb']} GB, {machine['system']}, {machine['rustc']}, Python {machine['python']}, "
        f"Abeyance {machine['commit']}, load average before {machine['load_before']:.2f}. "
        f"Medians of {results['rounds']} rounds of {results['seconds']:g} seconds.\n"
    ]
    for title, protocols in FORMS.items():
        if any(row["protocol"] in protocols for row in results["rows"]):
            parts += [f"### {title}\n", speed(results, protocols)]
    parts += ["### Answers under load, 64 connections\n", checks(results)]
    parts += ["### What ran\n", table(["server", "what it is"], [list(pair) for pair in results["what"].items()])]
    if results["absent"]:
        why = [[name, f"`{' '.join(words.split())[:300]}`"] for name, words in results["absent"].items()]
        parts += ["### Left out\n", table(["server", "why"], why)]
    return "\n".join(parts)


if __name__ == "__main__":
    print(page(json.loads(Path(sys.argv[1]).read_text())))
