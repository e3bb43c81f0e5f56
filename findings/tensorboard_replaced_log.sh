#!/usr/bin/env bash
# A running TensorBoard does not see that an event file was replaced under its name.
#
# Most would guess that a log which is written anew up to a checkpoint's step and put in the old one's place by a rename, the careful way to resume a training, is what TensorBoard shows from
# then on. Its default loader keeps the old file open: it shows the old points for ever and none of the new ones. The other loader (--load_fast=false) opens the name again, but
# reads on at the byte where it was in the old file: the steps up to there keep their old values, and what follows is read only because all records here are of one length. If the new
# file has another name, which sorts behind the old one, and the old one is removed, the default loader shows the new one's points and nothing else.
#
# Seen on 2026-11-29 with tensorboard 2.21.0, tensorboard-data-server 0.7.2, CPython 3.11, Linux x86-64. Nothing of Abeyance runs here, and CI does not run it: it
# fetches packages. It ends with 0 as long as what is said above is still so.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check tensorboard==2.21.0 tensorboard-data-server==0.7.2
"$folder/venv/bin/python" - "$folder" <<'PYTHON'
import json
import os
import re
import subprocess
import sys
import time
import urllib.error
import urllib.request

from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.summary.writer.record_writer import RecordWriter


def add(path, mode, steps, value):
    """Adds the scalar `loss` at some steps, or begins the file with it."""
    with open(path, mode) as file:
        records = RecordWriter(file)
        if mode == "wb":
            records.write(Event(wall_time=1e9, file_version="brain.Event:2").SerializeToString())
        for step in steps:
            summary = Summary(value=[Summary.Value(tag="loss", simple_value=value)])
            records.write(Event(wall_time=1e9 + step, step=step, summary=summary).SerializeToString())


def serve(logs, fast):
    words = open(f"{logs}.txt", "w")
    arguments = ["--logdir", logs, "--host", "127.0.0.1", "--port", "0", f"--load_fast={fast}", "--reload_interval", "1"]
    process = subprocess.Popen([sys.executable, "-m", "tensorboard.main", *arguments], stdout=words, stderr=words)
    end = time.time() + 120
    while not (found := re.search(r"at (http://127\.0\.0\.1:\d+)/", open(words.name).read())):
        assert time.time() < end and process.poll() is None, open(words.name).read()
        time.sleep(0.1)
    return process, found[1]


def points(address):
    try:
        with urllib.request.urlopen(f"{address}/data/plugin/scalars/scalars?run=.&tag=loss") as answer:
            return [(step, value) for _, step, value in json.loads(answer.read())]
    except urllib.error.HTTPError:
        return []


def shown(number, fast, new_name):
    """What is shown after steps 0 to 9 of value 1 became steps 0 to 4 of value 1 and 5 to 19 of value 2."""
    logs = f"{sys.argv[1]}/logs{number}"
    os.mkdir(logs)
    old = f"{logs}/events.out.tfevents.1000000001.host.1.0"
    add(old, "wb", range(1, 11), 1.0)
    process, address = serve(logs, fast)
    try:
        end = time.time() + 60
        while len(points(address)) < 10 and time.time() < end:
            time.sleep(0.2)
        new = old.replace("1000000001", "1000000002") if new_name else old
        add(f"{logs}/unfinished", "wb", range(1, 6), 1.0)
        os.rename(f"{logs}/unfinished", new)
        if new_name:
            os.remove(old)
        add(new, "ab", range(6, 21), 2.0)
        # Several times what it takes where something is seen at all.
        time.sleep(10)
        return points(address)
    finally:
        process.terminate()
        process.wait()


old = [(step, 1.0) for step in range(1, 11)]
new = [(step, 1.0 if step < 6 else 2.0) for step in range(1, 21)]
mixed = [(step, 1.0 if step < 11 else 2.0) for step in range(1, 21)]
cases = [("true", False, old), ("false", False, mixed), ("true", True, new)]
holds = True
for number, (fast, new_name, expected) in enumerate(cases):
    found = shown(number, fast, new_name)
    name = "new name " if new_name else "same name"
    print(f"--load_fast={fast}, {name}: steps {[step for step, value in found if value == 1]} are 1, {[step for step, value in found if value == 2]} are 2")
    holds &= found == expected
sys.exit(0 if holds else "it is no longer so")
PYTHON
