"""Reads a folder of runs with TensorBoard: `read.py FOLDER` prints as JSON what its EventAccumulator and its server, with both loaders, say of the run `small`."""

import json
import re
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.util import tensor_util

folder = sys.argv[1]
RUN = "small"


def accumulator():
    events = EventAccumulator(f"{folder}/{RUN}", size_guidance={"tensors": 0})
    events.Reload()
    tags = events.Tags()
    tensors = {tag: events.Tensors(tag) for tag in tags["tensors"]}
    plugin = {tag: events.SummaryMetadata(tag).plugin_data.plugin_name for tag in tensors}
    array = lambda event: tensor_util.make_ndarray(event.tensor_proto)
    graph = events.Graph()
    metadata = {tag: events.RunMetadata(tag) for tag in tags["run_metadata"]}
    return {
        "plugins": plugin,
        "scalars": {
            tag: [[event.step, float(array(event))] for event in tensors[tag]]
            for tag in tensors
            if plugin[tag] == "scalars"
        },
        "histograms": {
            tag: [[event.step, array(event).tolist()] for event in tensors[tag]]
            for tag in tensors
            if plugin[tag] == "histograms"
        },
        "sizes": {
            tag: [[event.step, list(array(event).shape)] for event in tensors[tag]]
            for tag in tensors
            if plugin[tag] not in ("scalars", "histograms")
        },
        "nodes": [[node.name, node.op, list(node.input)] for node in graph.node],
        "run_metadata": {
            tag: [stats.node_name for device in data.step_stats.dev_stats for stats in device.node_stats]
            for tag, data in metadata.items()
        },
    }


def server(load_fast):
    arguments = [
        *(sys.executable, "-m", "tensorboard.main", "--logdir", folder, "--host", "127.0.0.1", "--port", "0"),
        f"--load_fast={load_fast}",
    ]
    # Its words go to a file: a pipe that nobody empties would stop it.
    with open(f"{folder}/server-{load_fast}.txt", "w+") as words:
        process = subprocess.Popen(arguments, stdout=words, stderr=words, stdin=subprocess.DEVNULL)
        try:
            return ask(process, words.name)
        finally:
            process.terminate()
            process.wait()


def ask(process, words):
    end = time.time() + 120
    while not (found := re.search(r"at (http://127\.0\.0\.1:\d+)/", open(words).read())):
        if time.time() > end or process.poll() is not None:
            sys.exit("tensorboard does not start: " + open(words).read())
        time.sleep(0.1)

    def get(path, parse=json.loads, **query):
        query = f"?{urllib.parse.urlencode(query)}" if query else ""
        with urllib.request.urlopen(f"{found[1]}/data/plugin/{path}{query}", timeout=60) as answer:
            return parse(answer.read())

    text = lambda data: data.decode()

    def everything():
        images = get("images/images", run=RUN, tag="digits")
        first = get("images/individualImage?" + images[0]["query"], parse=bytes)
        return {
            "scalar_tags": sorted(get("scalars/tags")[RUN]),
            "loss": get("scalars/scalars", run=RUN, tag="train/loss"),
            "weights": get("histograms/histograms", run=RUN, tag="weights"),
            "histogram_tags": sorted(get("histograms/tags")[RUN]),
            "images": [image["step"] for image in images],
            "image": first[:8].hex(),
            "texts": [entry["text"] for entry in get("text/text", run=RUN, tag="graph")],
            "graph": get("graphs/graph", parse=text, run=RUN),
            "graph_info": get("graphs/info")[RUN],
            "run_metadata": get("graphs/run_metadata", parse=text, run=RUN, tag="step 3"),
        }

    # It answers before it has read the files.
    while True:
        try:
            return everything()
        except (KeyError, IndexError, urllib.error.HTTPError):
            if time.time() > end:
                raise
            time.sleep(0.5)


print(json.dumps({"accumulator": accumulator(), "fast": server("true"), "slow": server("false")}))
