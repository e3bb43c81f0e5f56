#!/usr/bin/env bash
# MLServer, as pip installs it today, ends with 0 where it cannot load a model, and it can load none.
#
# Most would guess that `pip install mlserver` and `mlserver start` serve a model of one class, and that a server that could load no model says so by its exit code. By default
# MLServer runs models in one worker process, whose first call is asyncio.get_event_loop() under uvloop's policy: since uvloop 0.22 that is a RuntimeError. The worker dies, another
# is started and dies, no model loads, and the program ends with code 0, which systemd and others take for wanted. With parallel_workers 0, or with uvloop 0.21.0, the same model
# answers.
#
# Seen on 2026-11-29 with mlserver 1.7.1, uvloop 0.23.0 and 0.21.0, CPython 3.11, Linux x86-64. Nothing of Abeyance runs here, and CI does not run it: it fetches packages. It
# ends with 0 as long as what is said above is still so.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check mlserver==1.7.1 uvloop==0.23.0
mkdir "$folder/model"
cat >"$folder/model/same.py" <<'PYTHON'
from mlserver import MLModel
from mlserver.codecs import NumpyCodec
from mlserver.types import InferenceResponse


class Same(MLModel):
    """Gives back what it is given."""

    async def predict(self, payload):
        given = NumpyCodec.decode_input(payload.inputs[0])
        return InferenceResponse(model_name=self.name, outputs=[NumpyCodec.encode_output("y", given)])
PYTHON
echo '{"name": "same", "implementation": "same.Same"}' >"$folder/model/model-settings.json"
cat >"$folder/ask.py" <<'PYTHON'
import json
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request


def free():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


folder, more = sys.argv[1], json.loads(sys.argv[2])
ports = {"http_port": free(), "grpc_port": free(), "metrics_port": free(), "host": "127.0.0.1"}
with open(f"{folder}/model/settings.json", "w") as file:
    json.dump(ports | more, file)
words = open(f"{folder}/words", "w+")
server = subprocess.Popen([f"{folder}/venv/bin/mlserver", "start", f"{folder}/model"], stdout=words, stderr=words, env=os.environ)
question = {"inputs": [{"name": "x", "shape": [2, 1], "datatype": "FP32", "data": [1.5, 2.5]}]}
request = urllib.request.Request(
    f"http://127.0.0.1:{ports['http_port']}/v2/models/same/infer",
    json.dumps(question).encode(),
    {"Content-Type": "application/json"},
)
end, answer = time.time() + 120, None
while answer is None and server.poll() is None and time.time() < end:
    try:
        with urllib.request.urlopen(request, timeout=30) as found:
            answer = json.loads(found.read())["outputs"][0]["data"]
    except (urllib.error.URLError, OSError):
        time.sleep(0.2)
code = server.poll()
if code is None:
    server.terminate()
    server.wait()
words.seek(0)
errors = {line.strip() for line in words if line.startswith("RuntimeError")}
print(f"answer {answer}, ended by itself with {code}, {' '.join(errors) or 'no error'}")
PYTHON
ask() { "$folder/venv/bin/python" "$folder/ask.py" "$folder" "$1"; }
default=$(ask '{}')
alone=$(ask '{"parallel_workers": 0}')
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check uvloop==0.21.0
older=$(ask '{}')
printf 'by default:          %s\nno worker process:   %s\nwith uvloop 0.21.0:  %s\n' "$default" "$alone" "$older"
served='answer [1.5, 2.5], ended by itself with None, no error'
failed="answer None, ended by itself with 0, RuntimeError: There is no current event loop in thread 'MainThread'."
[ "$default" = "$failed" ] && [ "$alone" = "$served" ] && [ "$older" = "$served" ] || { echo "it is no longer so"; exit 1; }
