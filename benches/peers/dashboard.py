"""Times opening a log folder: `abeyance dashboard` beside TensorBoard, on the same folder of 20 runs of 50,000 scalars.

    cargo build --release -p abeyance-cli
    python3 -m venv /tmp/venv && /tmp/venv/bin/pip install tensorboard==2.21.0
    /tmp/venv/bin/python benches/peers/dashboard.py [ROUNDS]

The log is written by TensorBoard's own writer. Three times are told, from the start of the process: until the server gives a first curve, until it
gives the curves of all runs whole (every tag to its last step), and, where chromium and chromedriver are there, until a page that was opened at once
shows a curve with pixels in it. Memory is the resident memory of the process and its children at the end, TensorBoard's data server among them; the
browser's is not counted. The two take turns.
"""

import json
import math
import os
import re
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.parse
import urllib.request

RUNS, TAGS, STEPS = 20, 5, 10_000
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def write_logs(folder):
    from tensorboard.compat.proto.event_pb2 import Event
    from tensorboard.compat.proto.summary_pb2 import Summary
    from tensorboard.summary.writer.event_file_writer import EventFileWriter

    for run in range(RUNS):
        writer = EventFileWriter(os.path.join(folder, f"run{run:02}"), max_queue_size=10_000)
        for step in range(STEPS):
            for tag in range(TAGS):
                value = math.exp(-step / (1000 + 100 * run)) + 0.01 * tag + 0.001 * math.sin(step)
                summary = Summary(value=[Summary.Value(tag=f"train/value{tag}", simple_value=value)])
                writer.add_event(Event(wall_time=1.7e9 + step, step=step, summary=summary))
        writer.close()


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def get(url):
    with urllib.request.urlopen(url, timeout=30) as answer:
        return json.load(answer)


def wait(what, limit=180):
    begin = time.time()
    while time.time() - begin < limit:
        try:
            if (found := what()) is not None:
                return found
        except (OSError, ValueError, KeyError):
            pass
        time.sleep(0.02)
    sys.exit("nothing came within three minutes")


def memory(pid):
    """Resident megabytes of a process and what it started."""
    children, total = {}, 0
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                with open(f"/proc/{entry}/stat") as f:
                    children.setdefault(int(f.read().rsplit(")", 1)[1].split()[1]), []).append(int(entry))
            except OSError:
                pass
    waiting = [pid]
    while waiting:
        one = waiting.pop()
        waiting += children.get(one, [])
        try:
            with open(f"/proc/{one}/status") as f:
                total += int(re.search(r"VmRSS:\s+(\d+)", f.read())[1])
        except (OSError, TypeError):
            pass
    return total / 1000


class Ours:
    name = "abeyance"
    drawn = """const p = document.querySelector('.panel[data-points]');
        return !!p && Number(p.dataset.points) > 0 && [...document.querySelectorAll('.panel canvas')].some(hasInk);"""

    def command(self, folder, port):
        return [os.path.join(ROOT, "target/release/abeyance"), "dashboard", folder, "--addr", f"127.0.0.1:{port}"]

    def first(self, base):
        for run in get(f"{base}/api/runs")["runs"]:
            curves = get(f"{base}/api/runs/{run['id']}/curves?points=1000")["tags"]
            return True if any(curve["step"] for curve in curves.values()) else None

    def whole(self, base):
        runs = get(f"{base}/api/runs")["runs"]
        if len(runs) < RUNS:
            return None
        for run in runs:
            curves = get(f"{base}/api/runs/{run['id']}/curves?points=1000")["tags"]
            if len(curves) < TAGS or any(curve["step"][-1] < STEPS - 1 for curve in curves.values()):
                return None
        return True


class TensorBoard:
    name = "tensorboard"
    drawn = """const all = []; const walk = (n) => { for (const e of n.querySelectorAll('*')) { if (e.tagName === 'CANVAS') all.push(e);
        if (e.shadowRoot) walk(e.shadowRoot); } }; walk(document);
        return all.some(hasInk) || !!document.querySelector('line-chart svg path, line-chart path');"""

    def command(self, folder, port):
        program = os.path.join(os.path.dirname(sys.executable), "tensorboard")
        return [program, "--logdir", folder, "--host", "127.0.0.1", "--port", str(port), "--samples_per_plugin", "scalars=1000"]

    def curve(self, base, run, tag):
        query = urllib.parse.urlencode({"run": run, "tag": tag})
        return get(f"{base}/data/plugin/scalars/scalars?{query}")

    def first(self, base):
        for run, tags in get(f"{base}/data/plugin/scalars/tags").items():
            for tag in tags:
                return True if self.curve(base, run, tag) else None

    def whole(self, base):
        runs = get(f"{base}/data/plugin/scalars/tags")
        if len(runs) < RUNS:
            return None
        for run, tags in runs.items():
            if len(tags) < TAGS or any(self.curve(base, run, tag)[-1][1] < STEPS - 1 for tag in tags):
                return None
        return True


class Browser:
    """A headless Chromium by WebDriver."""

    def __init__(self):
        self.folder = tempfile.mkdtemp()
        port = free_port()
        self.driver = subprocess.Popen(["chromedriver", f"--port={port}"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.base = f"http://127.0.0.1:{port}"
        flags = "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking --disable-component-update --disable-sync --window-size=1400,900"
        options = {"binary": shutil.which("chromium"), "args": flags.split() + [f"--user-data-dir={self.folder}"]}
        wanted = {"capabilities": {"alwaysMatch": {"browserName": "chrome", "goog:chromeOptions": options}}}
        session = wait(lambda: self.post("/session", wanted))
        self.base += "/session/" + session["sessionId"]

    def post(self, path, body):
        request = urllib.request.Request(self.base + path, json.dumps(body).encode(), {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=120) as answer:
            return json.load(answer)["value"]

    def is_drawn(self, script):
        ink = """const hasInk = (canvas) => { const c = canvas.getContext('2d'); if (!c || !canvas.width || !canvas.height) return false;
            const d = c.getImageData(0, 0, canvas.width, canvas.height).data; for (let i = 3; i < d.length; i += 4) if (d[i]) return true; return false; };"""
        return self.post("/execute/sync", {"script": ink + script, "args": []}) or None

    def close(self):
        self.driver.terminate()
        self.driver.wait()
        subprocess.run(["pkill", "-f", self.folder], check=False)
        shutil.rmtree(self.folder, ignore_errors=True)


def measure(program, folder, browser):
    port = free_port()
    base = f"http://127.0.0.1:{port}"
    begin = time.time()
    process = subprocess.Popen(program.command(folder, port), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        drawn = math.nan
        wait(lambda: program.first(base))
        first = time.time() - begin
        if browser:
            browser.post("/url", {"url": base + "/"})
            wait(lambda: browser.is_drawn(program.drawn))
            drawn = time.time() - begin
            browser.post("/url", {"url": "about:blank"})
        wait(lambda: program.whole(base))
        whole = time.time() - begin
        return first, drawn, whole, memory(process.pid)
    finally:
        process.terminate()
        process.wait()


def main():
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 3
    folder = tempfile.mkdtemp()
    browser = Browser() if shutil.which("chromium") and shutil.which("chromedriver") else None
    try:
        write_logs(folder)
        rows = {program: [] for program in (Ours(), TensorBoard())}
        for _ in range(rounds):
            for program, row in rows.items():
                row.append(measure(program, folder, browser))
        print(f"{RUNS} runs of {TAGS} x {STEPS} scalars, medians of {rounds} rounds")
        print(f"{'':12}{'first curve s':>15}{'drawn s':>10}{'all read s':>12}{'memory MB':>11}")
        medians = {}
        for program, row in rows.items():
            medians[program.name] = [statistics.median(column) for column in zip(*row)]
            first, drawn, whole, megabytes = medians[program.name]
            print(f"{program.name:12}{first:15.2f}{drawn:10.2f}{whole:12.2f}{megabytes:11.0f}")
        ratios = [a / b for a, b in zip(medians["abeyance"], medians["tensorboard"])]
        print(f"{'ratio':12}{ratios[0]:15.3f}{ratios[1]:10.3f}{ratios[2]:12.3f}{ratios[3]:11.3f}")
    finally:
        if browser:
            browser.close()
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
