"""tritonclient's client for HTTP, as people call it: binary tensors by default, JSON, compression, errors, the calls about server and models."""

import gzip
import threading
import zlib

import numpy as np
import tritonclient.http as triton
from tritonclient.utils import InferenceServerException

import cases
from checks import ALL, HTTP, check, each, refused, run

CLIENT = triton.InferenceServerClient(HTTP, concurrency=8)
# What is seen of NaNs and infinities in JSON depends on how the client writes and reads them, and it does both.
WAYS = [
    (None, None),
    ("gzip", None),
    ("deflate", None),
    (None, "gzip"),
    (None, "deflate"),
    ("gzip", "deflate"),
    ("deflate", "gzip"),
]


def inputs_of(case, binary=True):
    inputs = []
    for tensor in case.inputs:
        given = triton.InferInput(tensor.name, tensor.shape, tensor.datatype)
        given.set_data_from_numpy(tensor.array, binary_data=binary)
        inputs.append(given)
    return inputs


def parameters_of(case):
    return {"signature": case.signature} if case.signature else None


def infer(case, binary=True, **options):
    return CLIENT.infer(
        case.model, inputs_of(case, binary), model_version=case.version, parameters=parameters_of(case), **options
    )


def hold(case, result, any_nan=False):
    response = result.get_response()
    assert response["model_name"] == case.model, response
    assert isinstance(response["model_version"], str), response
    assert not case.version or response["model_version"] == case.version, response
    for tensor in case.outputs:
        cases.compare(tensor, result.as_numpy(tensor.name), any_nan)


def one(name):
    return next(case for case in ALL if case.name == name)


@each("binary both ways, the default")
def _(case):
    result = infer(case)
    hold(case, result)
    names = [output["name"] for output in result.get_response()["outputs"]]
    assert names == [tensor.name for tensor in case.outputs], f"the outputs come as {names}"
    for output in result.get_response()["outputs"]:
        assert "binary_data_size" in output.get("parameters", {}) and "data" not in output, f"not binary: {output}"


@each("JSON inputs, outputs asked for by default")
def _(case):
    hold(case, infer(case, binary=False), any_nan=True)


@each("JSON both ways")
def _(case):
    outputs = [triton.InferRequestedOutput(tensor.name, binary_data=False) for tensor in case.outputs]
    result = infer(case, binary=False, outputs=outputs)
    assert result.get_response()["outputs"][0].get("data") is not None, "the outputs are not JSON"
    hold(case, result, any_nan=True)


@each("binary inputs, JSON outputs")
def _(case):
    outputs = [triton.InferRequestedOutput(tensor.name, binary_data=False) for tensor in case.outputs]
    hold(case, infer(case, outputs=outputs), any_nan=True)


@each("compressed", lambda case: case.rows() in (None, 0, 300))
def _(case):
    for binary in (True, False):
        for request, response in WAYS:
            result = infer(
                case, binary=binary, request_compression_algorithm=request, response_compression_algorithm=response
            )
            hold(case, result, any_nan=not binary)


@check
def an_output_asked_for_in_binary_and_one_in_JSON_come_in_the_order_asked_for():
    case = one("types, 17 rows")
    for first_is_binary in (True, False):
        chosen = [case.outputs[3], case.outputs[0], case.outputs[5]]
        outputs = [
            triton.InferRequestedOutput(t.name, binary_data=(i % 2 == 0) == first_is_binary)
            for i, t in enumerate(chosen)
        ]
        result = infer(case, outputs=outputs)
        names = [output["name"] for output in result.get_response()["outputs"]]
        assert names == [tensor.name for tensor in chosen], names
        for tensor in chosen:
            cases.compare(tensor, result.as_numpy(tensor.name))
        assert result.as_numpy("y_f64") is None


@check
def inputs_in_another_order_and_half_of_them_binary():
    case = one("types, 17 rows")
    given = []
    for i, tensor in enumerate(reversed(case.inputs)):
        part = triton.InferInput(tensor.name, tensor.shape, tensor.datatype)
        part.set_data_from_numpy(tensor.array, binary_data=i % 2 == 0)
        given.append(part)
    hold(case, CLIENT.infer(case.model, given))


@check
def the_request_id_comes_back():
    case = one("single, 2 rows")
    for identity in ["7", "a b", "größe-日本", "x" * 1000]:
        for binary in (True, False):
            assert infer(case, binary=binary, request_id=identity).get_response()["id"] == identity
    assert "id" not in infer(case).get_response() or infer(case).get_response()["id"] == ""


@check
def a_sequence_a_priority_and_other_parameters_are_taken():
    case = one("single, 2 rows")
    result = CLIENT.infer(
        case.model, inputs_of(case), priority=1, timeout=30_000_000, parameters={"note": "x", "number": 3, "flag": True}
    )
    hold(case, result)
    result = CLIENT.infer(case.model, inputs_of(case), sequence_id=5, sequence_start=True, sequence_end=True)
    hold(case, result)


@check
def requests_of_many_threads_at_once_each_get_their_own_answer():
    wrong = []

    def call(chosen):
        try:
            client = triton.InferenceServerClient(HTTP)
            for case in chosen:
                given = inputs_of(case)
                result = client.infer(case.model, given, model_version=case.version, parameters=parameters_of(case))
                hold(case, result)
        except Exception as error:
            wrong.append(f"{type(error).__name__}: {error}")

    threads = [threading.Thread(target=call, args=(ALL[i:] + ALL[:i],)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong, wrong[0]


@check
def asynchronous_calls():
    pending = [
        (
            case,
            CLIENT.async_infer(case.model, inputs_of(case), model_version=case.version, parameters=parameters_of(case)),
        )
        for case in ALL
    ]
    for case, call in pending:
        hold(case, call.get_result())
    failing = CLIENT.async_infer("nothing", inputs_of(one("single, 2 rows")))
    refused(InferenceServerException, ["nothing"], failing.get_result)


@check
def live_and_ready():
    assert CLIENT.is_server_live() and CLIENT.is_server_ready()
    for case in ALL:
        assert CLIENT.is_model_ready(case.model) and CLIENT.is_model_ready(case.model, case.version)
    assert not CLIENT.is_model_ready("nothing")
    assert not CLIENT.is_model_ready("single", "77")
    assert not CLIENT.is_model_ready("a model/with ?#% in it")


@check
def server_metadata():
    metadata = CLIENT.get_server_metadata()
    assert isinstance(metadata["name"], str) and isinstance(metadata["version"], str), metadata
    assert "binary_tensor_data" in metadata["extensions"], metadata


@check
def model_metadata():
    metadata = CLIENT.get_model_metadata("types")
    assert (
        metadata["name"] == "types" and metadata["versions"] == ["1"] and isinstance(metadata["platform"], str)
    ), metadata
    inputs = {port["name"]: (port["datatype"], port["shape"]) for port in metadata["inputs"]}
    assert inputs == {
        "x_f32": ("FP32", [-1, 3]),
        "x_f64": ("FP64", [-1, 2]),
        "x_i32": ("INT32", [-1]),
        "x_i64": ("INT64", [-1, 2]),
        "x_u8": ("UINT8", [-1, 2, 2]),
        "x_bool": ("BOOL", [-1]),
    }, inputs
    outputs = {port["name"]: (port["datatype"], port["shape"]) for port in metadata["outputs"]}
    assert outputs == {name.replace("x_", "y_"): port for name, port in inputs.items()}, outputs
    assert CLIENT.get_model_metadata("types", "1") == metadata
    assert [port["shape"] for port in CLIENT.get_model_metadata("scalar")["inputs"]] == [[], []]
    assert CLIENT.get_model_metadata("multiple")["versions"] == ["2", "3"]
    for words, name, version in [
        (["nothing"], "nothing", ""),
        (["single", "77"], "single", "77"),
        (["single"], "single", "x"),
    ]:
        refused(InferenceServerException, words, lambda: CLIENT.get_model_metadata(name, version))


@check
def the_repository_lists_every_version():
    index = CLIENT.get_model_repository_index()
    seen = {(entry["name"], entry.get("version")): entry.get("state") for entry in index}
    for key in [("types", "1"), ("multiple", "2"), ("multiple", "3")]:
        assert seen.get(key) == "READY", f"{key}: {index}"


@check
def statistics_count_requests_and_rows():
    case = one("single, 17 rows")

    def counts(name="single"):
        entry = CLIENT.get_inference_statistics(name)["model_stats"]
        assert len(entry) == 1 and entry[0]["name"] == name and isinstance(entry[0]["version"], str), entry
        return entry[0]

    before = counts()
    for _ in range(3):
        infer(case)
    refused(InferenceServerException, ["x"], lambda: CLIENT.infer("single", []))
    after = counts()
    assert after["inference_count"] - before["inference_count"] == 51, (before, after)
    assert 1 <= after["execution_count"] - before["execution_count"] <= 3, (before, after)
    success = lambda stats: stats["inference_stats"]["success"]
    assert success(after)["count"] - success(before)["count"] == 3, (before, after)
    assert success(after)["ns"] > success(before)["ns"], (before, after)
    for part in ["queue", "compute_input", "compute_infer", "compute_output"]:
        assert {"count", "ns"} <= set(after["inference_stats"][part]), after
    assert {entry["name"] for entry in CLIENT.get_inference_statistics()["model_stats"]} >= {case.model for case in ALL}
    assert len(CLIENT.get_inference_statistics("multiple")["model_stats"]) == 2
    assert len(CLIENT.get_inference_statistics("multiple", "2")["model_stats"]) == 1
    refused(InferenceServerException, ["nothing"], lambda: CLIENT.get_inference_statistics("nothing"))


def given(name, shape, datatype, array, binary=True):
    tensor = triton.InferInput(name, list(array.shape), datatype)
    tensor.set_data_from_numpy(array, binary_data=binary)
    tensor.set_shape(shape)
    return tensor


# An input of a request alone may be called by its place.
X = ("x", "inputs[0]")
THREE = np.array([1, 2, 3], np.float32)


@check
def what_is_wrong_with_a_request_is_named():
    for binary in (True, False):
        right = given("x", [3], "FP32", THREE, binary)
        for words, status, model, inputs, options in [
            (["nothing"], "404", "nothing", [right], {}),
            (["single", "9"], "404", "single", [right], {"model_version": "9"}),
            (["single"], "404", "single", [right], {"model_version": "latest"}),
            (["backwards"], "404", "single", [right], {"parameters": {"signature": "backwards"}}),
            (["signature"], "400", "single", [right], {"parameters": {"signature": 3}}),
            ([X], "400", "single", [], {}),
            (["z", "x"], "400", "single", [given("z", [3], "FP32", THREE, binary)], {}),
            ([X, "FP64", "FP32"], "400", "single", [given("x", [3], "FP64", THREE.astype(np.float64), binary)], {}),
            ([X, "FP16"], "400", "single", [given("x", [3], "FP16", THREE.astype(np.float16))], {}),
            ([X, "BYTES"], "400", "single", [given("x", [1], "BYTES", np.array([b"a"], np.object_))], {}),
            ([X, "[3, 1]"], "400", "single", [given("x", [3, 1], "FP32", THREE, binary)], {}),
            ([X, "[4]"], "400", "single", [given("x", [4], "FP32", THREE, binary)], {}),
            ([X, "[]"], "400", "single", [given("x", [], "FP32", THREE[:1], binary)], {}),
            ([X, "-3"], "400", "single", [given("x", [-3], "FP32", THREE, binary)], {}),
            ([X], "400", "single", [right, right], {}),
            (["image"], "400", "single", [right], {"parameters": {"signature": "negative"}}),
            (["w"], "400", "single", [right], {"outputs": [triton.InferRequestedOutput("w", binary_data=binary)]}),
            (
                ["y"],
                "400",
                "single",
                [right],
                {"outputs": [triton.InferRequestedOutput("y"), triton.InferRequestedOutput("y")]},
            ),
            (["x_f64"], "400", "types", [given("x_f32", [1, 3], "FP32", THREE.reshape(1, 3), binary)], {}),
        ]:
            error = refused(InferenceServerException, words, lambda: CLIENT.infer(model, inputs, **options))
            assert error.status() == status, f"status {error.status()}, not {status}: {error}"
        hold(one("single, 2 rows"), infer(one("single, 2 rows")))


@check
def inputs_that_disagree_about_the_number_of_rows():
    case = one("types, 17 rows")
    inputs = inputs_of(case)
    inputs[2] = given("x_i32", [16], "INT32", np.zeros(16, np.int32))
    error = refused(InferenceServerException, ["x_i32"], lambda: CLIENT.infer("types", inputs))
    assert error.status() == "400", error


@check
def an_error_is_readable_whatever_compression_was_asked_for():
    # The client reads the body of an error as it is, and never decompresses it.
    for algorithm in ("gzip", "deflate"):
        call = lambda: CLIENT.infer(
            "single", [given("z-" * 1500, [3], "FP32", THREE)], response_compression_algorithm=algorithm
        )
        refused(InferenceServerException, ["z"], call)


@check
def a_row_that_fails_is_one_requests_failure():
    array = lambda *values: np.array(values, np.int32)
    wrong = [given("a", [2], "INT32", array(1, 2)), given("b", [2], "INT32", array(1, 0))]
    right = one("quotient, 2 rows")
    pending = [(i, CLIENT.async_infer("quotient", wrong if i % 5 == 0 else inputs_of(right))) for i in range(200)]
    for i, call in pending:
        if i % 5 == 0:
            error = refused(InferenceServerException, ["division", "zero"], call.get_result)
            assert error.status() in ("400", "500"), error.status()
        else:
            hold(right, call.get_result())


@check
def calls_that_change_the_repository_are_refused_with_a_message():
    for call in [lambda: CLIENT.load_model("single"), lambda: CLIENT.unload_model("single")]:
        refused(InferenceServerException, [], call)
    assert CLIENT.is_model_ready("single")


@check
def a_model_named_with_an_escaped_character_is_not_found_and_no_other():
    # The client leaves a slash in a name as it is.
    for name in ["../single", "single/", "single/x", "single%2f", "sin gle", "größe"]:
        error = refused(InferenceServerException, [], lambda: CLIENT.infer(name, [given("x", [3], "FP32", THREE)]))
        assert error.status() in ("400", "404"), error


@check
def a_body_made_by_the_clients_own_builder():
    case = one("types, NaN and infinities")
    body, length = triton.InferenceServerClient.generate_request_body(inputs_of(case))
    for encoding, packed in [(None, body), ("gzip", gzip.compress(body)), ("deflate", zlib.compress(body))]:
        headers = {"Inference-Header-Content-Length": length}
        if encoding:
            headers["Content-Encoding"] = encoding
        response = CLIENT._post("v2/models/types/infer", packed, headers, None)
        assert response.status_code == 200, response.read()
        answer = response.read()
        length_of_answer = int(response.get("Inference-Header-Content-Length"))
        result = triton.InferenceServerClient.parse_response_body(answer, header_length=length_of_answer)
        hold(case, result)


run()
