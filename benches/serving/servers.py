"""The servers that are compared, each started as its makers advise."""

import json
import os
import shutil
from dataclasses import dataclass, field
from pathlib import Path

HERE = Path(__file__).resolve().parent
PEERS = HERE / "peers"
FOLDER = Path(os.environ["SERVING_FOLDER"])
MODEL = FOLDER / "model/mnist_conv_dropout.onnx"
CHECKPOINT = FOLDER / "checkpoint"
GRAPH = HERE.parent.parent / "graphs/mnist_conv_dropout.graph"
NAME = "mnist_conv_dropout"
OURS = "Abeyance"


@dataclass
class Server:
    name: str
    what: str
    command: list
    # The port of each protocol.
    ports: dict
    paths: dict = field(default_factory=dict)
    environment: dict = field(default_factory=dict)
    cwd: Path = FOLDER


def python(name):
    return str(FOLDER / name / "bin/python")


def abeyance(port, options):
    command = [os.environ["ABEYANCE"], "serve", str(GRAPH), "--checkpoint", str(CHECKPOINT)]
    command += ["--http", f"127.0.0.1:{port}", "--grpc", f"127.0.0.1:{port + 1}", *options]
    ports = {"oip-binary": port, "oip-json": port, "oip-grpc": port + 1, "tf-rest": port}
    return Server(OURS, "`abeyance serve`, no options", command, ports)


# The wheel's Python backend wants one stub for one version of Python, beside the backend.
def triton(port):
    packages = next((FOLDER / "triton/lib").glob("python3.*")) / "site-packages"
    wheel = packages / "pytriton/tritonserver"
    version = packages.parent.name.removeprefix("python")
    backends = FOLDER / "triton-backends"
    shutil.rmtree(backends, ignore_errors=True)
    shutil.copytree(wheel / "backends", backends)
    shutil.copy(wheel / f"python_backend_stubs/{version}/triton_python_backend_stub", backends / "python")
    repository = FOLDER / "triton-models"
    shutil.rmtree(repository, ignore_errors=True)
    (repository / NAME / "1").mkdir(parents=True)
    shutil.copy(PEERS / "triton/model.py", repository / NAME / "1")
    config = (PEERS / "triton/config.pbtxt").read_text().replace("MODEL", str(MODEL))
    (repository / NAME / "config.pbtxt").write_text(config)
    command = [str(wheel / "bin/tritonserver"), f"--model-repository={repository}"]
    command += [f"--backend-directory={backends}", f"--http-port={port}", f"--grpc-port={port + 1}"]
    command += ["--http-address=127.0.0.1", "--grpc-address=127.0.0.1", "--allow-metrics=false"]
    command += ["--log-info=false", "--allow-gpu-metrics=false"]
    ports = {"oip-binary": port, "oip-json": port, "oip-grpc": port + 1}
    # The stub takes the packages of the first Python in PATH; PYTHONPATH it leaves aside.
    path = f"{FOLDER / 'triton/bin'}:{os.environ['PATH']}"
    environment = {"PATH": path, "LD_LIBRARY_PATH": str(packages / "nvidia_pytriton.libs")}
    what = "NVIDIA Triton's C++ server; onnxruntime, one thread, in its Python backend (the wheel has no other), one instance, dynamic batching up to 64"
    return Server("Triton", what, command, ports, environment=environment)


def mlserver(port, workers):
    folder = FOLDER / f"mlserver-models-{workers}"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    shutil.copy(PEERS / "mlserver/onnx_model.py", folder)
    model = json.loads((PEERS / "mlserver/model-settings.json").read_text())
    model["parameters"]["uri"] = str(MODEL)
    (folder / "model-settings.json").write_text(json.dumps(model))
    settings = json.loads((PEERS / "mlserver/settings.json").read_text())
    settings |= {"http_port": port, "grpc_port": port + 1, "metrics_port": port + 2, "parallel_workers": workers}
    (folder / "settings.json").write_text(json.dumps(settings))
    command = [str(FOLDER / "mlserver/bin/mlserver"), "start", str(folder)]
    ports = {"oip-json": port, "oip-grpc": port + 1}
    where = "in the server's process" if workers == 0 else f"in {workers} worker processes"
    what = f"MLServer; onnxruntime, one thread, in a runtime of our own {where}, adaptive batching up to 64"
    return Server(named("MLServer", f"{workers} workers", workers == 0), what, command, ports, cwd=folder)


def fastapi(port, processes, is_shared=True, pool=False):
    command = [python("fastapi"), "serve.py", str(port), str(processes)]
    setting = f"{processes} processes"
    what = f"onnxruntime, one thread, behind FastAPI; {processes} processes of uvicorn with uvloop and httptools"
    if not is_shared:
        command = [python("fastapi"), "-m", "uvicorn", "service:app", "--port", str(port), "--workers", str(processes)]
        command += ["--loop", "uvloop", "--http", "httptools", "--no-access-log", "--log-level", "warning"]
        setting = f"uvicorn --workers {processes}"
        what += " that accept on one socket"
    if pool:
        setting = "pool"
        what += ", JSON in its pool of threads"
    environment = {"MODEL": str(MODEL), "POOL": "1" if pool else "0"}
    name = named("FastAPI", setting, (processes, is_shared, pool) == (2, True, False))
    paths = {"json": "/predict", "raw": "/predict_raw"}
    return Server(name, what, command, dict.fromkeys(paths, port), paths, environment, PEERS / "fastapi")


def tract(port, inline):
    command = [os.environ["TRACT_PEER"], str(MODEL), str(port), *(["inline"] if inline else [])]
    where = "on axum's threads" if inline else "on two blocking threads"
    paths = {"json": "/predict", "raw": "/predict_raw"}
    what = f"tract behind axum, a batch of one a request, run {where}"
    return Server(named("tract", "inline", not inline), what, command, dict.fromkeys(paths, port), paths)


def named(name, setting, is_best):
    return name if is_best else f"{name}, {setting}"


def every(first_port, all_settings):
    """The servers at their best setting, or with every setting that was tried."""
    port = iter(range(first_port, first_port + 1000, 10))
    servers = [
        abeyance(next(port), []),
        triton(next(port)),
        mlserver(next(port), 0),
        fastapi(next(port), 2),
        tract(next(port), False),
    ]
    if all_settings:
        servers += [
            mlserver(next(port), 1),
            mlserver(next(port), 2),
            fastapi(next(port), 1),
            fastapi(next(port), 2, is_shared=False),
            fastapi(next(port), 2, pool=True),
            tract(next(port), True),
        ]
    return servers
