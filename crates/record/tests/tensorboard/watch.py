"""Looks at a folder of runs with TensorBoard's default server: `watch.py FOLDER`. For each line of its input, a step, it waits until `train/loss` of the run `small` has a point there, and
prints all its points as JSON; after two minutes those that there are."""

import json
import re
import subprocess
import sys
import time
import urllib.error
import urllib.request

folder = sys.argv[1]
arguments = ["--logdir", folder, "--host", "127.0.0.1", "--port", "0", "--load_fast=true", "--reload_interval", "1"]
with open(f"{folder}/watch.txt", "w") as words:
    process = subprocess.Popen([sys.executable, "-m", "tensorboard.main", *arguments], stdout=words, stderr=words, stdin=subprocess.DEVNULL)
try:
    end = time.time() + 120
    while not (found := re.search(r"at (http://127\.0\.0\.1:\d+)/", open(f"{folder}/watch.txt").read())):
        if time.time() > end or process.poll() is not None:
            sys.exit("tensorboard does not start: " + open(f"{folder}/watch.txt").read())
        time.sleep(0.1)

    def points():
        try:
            with urllib.request.urlopen(f"{found[1]}/data/plugin/scalars/scalars?run=small&tag=train/loss") as answer:
                return [[step, value] for _, step, value in json.loads(answer.read())]
        except urllib.error.HTTPError:
            return []

    for line in sys.stdin:
        end = time.time() + 120
        while int(line) not in [step for step, _ in points()] and time.time() < end:
            time.sleep(0.2)
        print(json.dumps(points()), flush=True)
finally:
    process.terminate()
    process.wait()
