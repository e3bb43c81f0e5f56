"""What the figures were measured on and with."""

import datetime
import json
import os
import platform
import re
import subprocess
import tomllib
from pathlib import Path

HERE = Path(__file__).resolve().parent


def output(*command):
    return subprocess.run(command, cwd=HERE, capture_output=True, text=True, check=True).stdout.strip()


def describe(abeyance, threads):
    cpu = Path("/proc/cpuinfo").read_text()
    model = re.search(r"model name\s*: (.*)", cpu)
    lock = tomllib.loads((HERE / "Cargo.lock").read_text())
    versions = {package["name"]: package["version"] for package in lock["package"]}
    peaks = {}
    for count in threads:
        cores = ",".join(str(core) for core in range(count))
        peaks[str(count)] = json.loads(output("taskset", "-c", cores, str(abeyance), "peak", str(count)))
    return {
        "date": datetime.date.today().isoformat(),
        "cpu": model.group(1) if model else platform.processor(),
        "cores": os.cpu_count(),
        "system": f"{platform.system()} {platform.release()}",
        "rustc": output("rustc", "--version"),
        "python": platform.python_version(),
        "versions": {
            "Abeyance": output("git", "describe", "--always", "--dirty"),
            "burn": versions["burn"],
            "candle": versions["candle-core"],
        },
        # GFLOP/s of single precision by instruction set, for each number of threads.
        "peaks": peaks,
    }
