"""TensorFlow Serving's REST, as `requests` and curl send it. There is no client of its own."""

import json
import math

import numpy as np
import requests

import cases
from checks import HTTP, check, each, run, said

BASE = f"http://{HTTP}/v1/models"
SPECIAL = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf, None: math.nan}


def address(case):
    return f"{BASE}/{case.model}" + (f"/versions/{case.version}" if case.version else "")


def post(url, body, status=200, **options):
    # json.dumps writes NaN and Infinity as bare tokens, as TensorFlow Serving reads and writes them.
    data = body if isinstance(body, (str, bytes)) else json.dumps(body)
    response = requests.post(url, data=data, timeout=60, **options)
    assert response.status_code == status, f"{response.status_code} {response.text[:500]}"
    assert response.headers["content-type"].startswith("application/json"), response.headers
    answer = response.json()
    if status != 200:
        assert isinstance(answer["error"], str) and answer["error"], answer
    return answer


def array(tensor, value):
    def plain(value):
        if isinstance(value, list):
            return [plain(item) for item in value]
        return SPECIAL.get(value, value) if value is None or isinstance(value, str) else value

    return np.array(plain(value), dtype=tensor.array.dtype).reshape(tensor.shape)


def of_all_rows(case, predictions):
    """Each output as a list over rows: of one output a row is its value, of several an object by name."""
    if len(case.outputs) == 1:
        return {case.outputs[0].name: predictions}
    return {tensor.name: [row[tensor.name] for row in predictions] for tensor in case.outputs}


def hold(case, values):
    for tensor in case.outputs:
        cases.compare(tensor, array(tensor, values[tensor.name]), any_nan=True)


def with_signature(case, body):
    return {**body, "signature_name": case.signature} if case.signature else body


@each("columns by name")
def _(case):
    body = with_signature(case, {"inputs": {tensor.name: tensor.array.tolist() for tensor in case.inputs}})
    outputs = post(address(case) + ":predict", body)["outputs"]
    hold(case, {case.outputs[0].name: outputs} if len(case.outputs) == 1 else outputs)


@each("a column without a name, where there is one input", lambda case: len(case.inputs) == 1)
def _(case):
    outputs = post(address(case) + ":predict", with_signature(case, {"inputs": case.inputs[0].array.tolist()}))[
        "outputs"
    ]
    hold(case, {case.outputs[0].name: outputs} if len(case.outputs) == 1 else outputs)


@each("rows by name", lambda case: case.rows())
def _(case):
    rows = [{tensor.name: tensor.array[i].tolist() for tensor in case.inputs} for i in range(case.rows())]
    hold(
        case,
        of_all_rows(case, post(address(case) + ":predict", with_signature(case, {"instances": rows}))["predictions"]),
    )


@each("rows without names, where there is one input", lambda case: case.rows() and len(case.inputs) == 1)
def _(case):
    rows = case.inputs[0].array.tolist()
    hold(
        case,
        of_all_rows(case, post(address(case) + ":predict", with_signature(case, {"instances": rows}))["predictions"]),
    )


@check
def the_content_type_does_not_matter():
    for headers in [
        {},
        {"Content-Type": "application/json"},
        {"Content-Type": "application/x-www-form-urlencoded"},
        {"Content-Type": "text/plain"},
    ]:
        answer = post(f"{BASE}/single:predict", '{"instances": [1, 2]}', headers=headers)
        assert answer == {"predictions": [2, 4]}, answer


@check
def status_of_a_model_and_of_a_version():
    answer = requests.get(f"{BASE}/multiple", timeout=60).json()
    states = {entry["version"]: entry["state"] for entry in answer["model_version_status"]}
    assert states == {"2": "AVAILABLE", "3": "AVAILABLE"}, answer
    for entry in answer["model_version_status"]:
        assert entry["status"] == {"error_code": "OK", "error_message": ""}, entry
    answer = requests.get(f"{BASE}/multiple/versions/2", timeout=60).json()
    assert [entry["version"] for entry in answer["model_version_status"]] == ["2"], answer
    for url in [f"{BASE}/nothing", f"{BASE}/multiple/versions/9"]:
        response = requests.get(url, timeout=60)
        assert response.status_code == 404 and isinstance(response.json()["error"], str), response.text


@check
def metadata_has_signatures_with_types_and_shapes():
    for url, version in [
        (f"{BASE}/types/metadata", "1"),
        (f"{BASE}/types/versions/1/metadata", "1"),
        (f"{BASE}/multiple/metadata", "3"),
    ]:
        answer = requests.get(url, timeout=60).json()
        assert answer["model_spec"]["version"] == version, answer["model_spec"]
    answer = requests.get(f"{BASE}/types/metadata", timeout=60).json()
    assert answer["model_spec"]["name"] == "types", answer["model_spec"]
    signatures = answer["metadata"]["signature_def"]["signature_def"]
    assert {"predict", "echo"} <= set(signatures), list(signatures)
    inputs = signatures["predict"]["inputs"]
    assert {name: port["dtype"] for name, port in inputs.items()} == {
        "x_f32": "DT_FLOAT",
        "x_f64": "DT_DOUBLE",
        "x_i32": "DT_INT32",
        "x_i64": "DT_INT64",
        "x_u8": "DT_UINT8",
        "x_bool": "DT_BOOL",
    }, inputs
    assert [size["size"] for size in inputs["x_u8"]["tensor_shape"]["dim"]] == ["-1", "2", "2"], inputs["x_u8"]
    assert requests.get(f"{BASE}/nothing/metadata", timeout=60).status_code == 404


@check
def what_is_wrong_is_named():
    single, types, quotient = f"{BASE}/single:predict", f"{BASE}/types:predict", f"{BASE}/quotient:predict"
    for words, status, url, body in [
        (["nothing"], 404, f"{BASE}/nothing:predict", {"instances": [1]}),
        (["single", "9"], 404, f"{BASE}/single/versions/9:predict", {"instances": [1]}),
        (["classify"], 400, f"{BASE}/single:classify", {"instances": [1]}),
        (["instances", "inputs"], 400, single, {}),
        (["instances", "inputs"], 400, single, {"instances": [1], "inputs": [1]}),
        (["instances"], 400, single, {"instances": 1}),
        (["instances"], 400, single, {"instances": {"x": [1]}}),
        ([("x", "instances[0]", "instances[1]")], 400, single, {"instances": ["a"]}),
        ([("x", "instances[0]", "instances[1]")], 400, single, {"instances": [[1]]}),
        ([("instances", "instances[1]")], 400, single, {"instances": [1, [2]]}),
        ([("x", "instances[0]", "instances[1]")], 400, single, {"instances": [True]}),
        (["z"], 400, single, {"instances": [{"z": 1}]}),
        (["z"], 400, single, {"instances": [{"x": 1, "z": 1}]}),
        (["x"], 400, single, {"inputs": {}}),
        (["z"], 400, single, {"inputs": {"z": [1]}}),
        (["x"], 400, single, {"inputs": 1}),
        (["backwards"], 404, single, {"instances": [1], "signature_name": "backwards"}),
        (["signature_name"], 400, single, {"instances": [1], "signature_name": 7}),
        (["b"], 400, quotient, {"instances": [{"a": 1}]}),
        (["b"], 400, quotient, {"instances": [{"a": 1, "b": 1}, {"a": 1}]}),
        (["b"], 400, quotient, {"inputs": {"a": [1, 2], "b": [1]}}),
        (["a"], 400, quotient, {"instances": [{"a": 1.5, "b": 1}]}),
        (["a"], 400, quotient, {"instances": [{"a": 3000000000, "b": 1}]}),
        (["x_u8"], 400, types, {"inputs": {"x_u8": [[[256, 0], [0, 0]]]}}),
        (["JSON"], 400, single, "{"),
        (["JSON"], 400, single, ""),
    ]:
        answer = post(url, body, status)
        said(words, answer["error"])


@check
def a_row_that_fails_is_the_requests_failure():
    response = requests.post(
        f"{BASE}/quotient:predict", json={"instances": [{"a": 1, "b": 1}, {"a": 1, "b": 0}]}, timeout=60
    )
    assert response.status_code in (400, 500) and "zero" in response.json()["error"], response.text
    assert post(f"{BASE}/quotient:predict", {"instances": [{"a": 7, "b": 2}]}) == {"predictions": [3]}


@check
def wrong_methods_are_told_which_are_right():
    for method, url, allowed in [
        ("GET", f"{BASE}/single:predict", "POST"),
        ("POST", f"{BASE}/single", "GET"),
        ("DELETE", f"{BASE}/single", "GET"),
    ]:
        response = requests.request(method, url, timeout=60)
        assert response.status_code == 405 and allowed in response.headers["allow"], (
            method,
            url,
            response.status_code,
            response.headers,
        )


@check
def the_answer_is_compressed_where_it_is_asked_for():
    rows = {"instances": [0.5] * 1000}
    for encoding in ("gzip", "deflate"):
        response = requests.post(f"{BASE}/single:predict", json=rows, headers={"Accept-Encoding": encoding}, timeout=60)
        assert response.json() == {"predictions": [1.0] * 1000}, response.text[:200]
        assert response.headers.get("content-encoding") == encoding, response.headers


run()
