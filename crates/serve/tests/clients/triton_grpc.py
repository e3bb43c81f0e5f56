"""tritonclient's clients for gRPC, synchronous and asynchronous."""

import queue

import numpy as np
import tritonclient.grpc as triton
import tritonclient.grpc.aio as triton_aio
from tritonclient.grpc import service_pb2
from tritonclient.utils import InferenceServerException

import cases
from checks import ALL, GRPC, check, each, refused, refused_later, run

CLIENT = triton.InferenceServerClient(GRPC)
CONTENTS = {
    "BOOL": "bool_contents",
    "UINT8": "uint_contents",
    "INT32": "int_contents",
    "INT64": "int64_contents",
    "FP32": "fp32_contents",
    "FP64": "fp64_contents",
}
# An input of a request alone may be called by its place.
X = ("x", "inputs[0]")
THREE = np.array([1, 2, 3], np.float32)


def inputs_of(case):
    inputs = []
    for tensor in case.inputs:
        given = triton.InferInput(tensor.name, tensor.shape, tensor.datatype)
        given.set_data_from_numpy(tensor.array)
        inputs.append(given)
    return inputs


def options_of(case):
    return {"model_version": case.version, "parameters": {"signature": case.signature} if case.signature else None}


def infer(case, **options):
    return CLIENT.infer(case.model, inputs_of(case), **options_of(case), **options)


def hold(case, result):
    response = result.get_response()
    assert response.model_name == case.model, response.model_name
    assert (
        response.model_version if not case.version else response.model_version == case.version
    ), response.model_version
    for tensor in case.outputs:
        cases.compare(tensor, result.as_numpy(tensor.name))


def one(name):
    return next(case for case in ALL if case.name == name)


def code(error):
    return error.status().removeprefix("StatusCode.")


@each("raw contents, the default")
def _(case):
    result = infer(case)
    hold(case, result)
    response = result.get_response()
    assert [output.name for output in response.outputs] == [tensor.name for tensor in case.outputs]
    assert len(response.raw_output_contents) == len(response.outputs), "not every output is raw"


@each("typed contents")
def _(case):
    # The client's own inputs are always raw; other clients send numbers in typed fields.
    request = service_pb2.ModelInferRequest(model_name=case.model, model_version=case.version)
    if case.signature:
        request.parameters["signature"].string_param = case.signature
    for tensor in case.inputs:
        given = request.inputs.add(name=tensor.name, datatype=tensor.datatype, shape=tensor.shape)
        getattr(given.contents, CONTENTS[tensor.datatype]).extend(tensor.array.reshape(-1).tolist())
    hold(case, triton.InferResult(CLIENT._client_stub.ModelInfer(request)))


@each("compressed", lambda case: case.rows() in (None, 0, 300))
def _(case):
    for algorithm in ("gzip", "deflate"):
        hold(case, infer(case, compression_algorithm=algorithm))


@check
def chosen_outputs_come_in_the_order_asked_for():
    case = one("types, 17 rows")
    chosen = [case.outputs[3], case.outputs[0]]
    result = infer(case, outputs=[triton.InferRequestedOutput(tensor.name) for tensor in chosen])
    assert [output.name for output in result.get_response().outputs] == ["y_i64", "y_f32"]
    for tensor in chosen:
        cases.compare(tensor, result.as_numpy(tensor.name))


@check
def inputs_in_another_order():
    case = one("types, 17 rows")
    hold(case, CLIENT.infer(case.model, inputs_of(case)[::-1]))


@check
def the_request_id_comes_back():
    case = one("single, 2 rows")
    for identity in ["7", "größe-日本", "x" * 1000]:
        assert infer(case, request_id=identity).get_response().id == identity
    assert infer(case).get_response().id == ""


@check
def a_priority_a_timeout_and_other_parameters_are_taken():
    case = one("single, 2 rows")
    parameters = {"note": "x", "number": 3, "flag": True, "real": 0.5}
    hold(case, CLIENT.infer(case.model, inputs_of(case), priority=1, timeout=30_000_000, parameters=parameters))


@check
def a_deadline_that_is_long_enough_is_none_that_matters():
    hold(one("types, 300 rows"), infer(one("types, 300 rows"), client_timeout=30))


@check
def a_time_that_may_have_passed_gives_the_answer_or_says_so():
    # Whether the run is over in a microsecond is not said; that it is one or the other is.
    for options in [{"timeout": 1}, {"client_timeout": 0.000001}]:
        try:
            hold(one("types, 300 rows"), infer(one("types, 300 rows"), **options))
        except InferenceServerException as error:
            assert code(error) == "DEADLINE_EXCEEDED", error


@check
def asynchronous_calls():
    answers = queue.Queue()
    chosen = ALL * 3
    for at, case in enumerate(chosen):
        callback = lambda result, error, at=at: answers.put((at, result, error))
        CLIENT.async_infer(case.model, inputs_of(case), callback, **options_of(case))
    for _ in chosen:
        at, result, error = answers.get(timeout=60)
        if error:
            raise error
        hold(chosen[at], result)


@check
def a_stream_answers_every_request_or_says_that_there_is_none():
    answers = queue.Queue()
    client = triton.InferenceServerClient(GRPC)
    client.start_stream(lambda result, error: answers.put((result, error)))
    chosen = {str(at): case for at, case in enumerate(ALL)}
    for identity, case in chosen.items():
        client.async_stream_infer(case.model, inputs_of(case), request_id=identity, **options_of(case))
    while chosen:
        result, error = answers.get(timeout=60)
        if error and "UNIMPLEMENTED" in str(error):
            client.stop_stream(cancel_requests=True)
            return
        if error:
            raise error
        hold(chosen.pop(result.get_response().id), result)
    # A wrong request on a stream is an answer on it, and the stream goes on.
    client.async_stream_infer("nothing", inputs_of(one("single, 2 rows")))
    client.async_stream_infer("single", inputs_of(one("single, 2 rows")), request_id="after")
    seen = [answers.get(timeout=60) for _ in range(2)]
    assert sum(error is not None and "nothing" in str(error) for _, error in seen) == 1, seen
    client.stop_stream()


@check
def live_and_ready():
    assert CLIENT.is_server_live() and CLIENT.is_server_ready()
    for case in ALL:
        assert CLIENT.is_model_ready(case.model) and CLIENT.is_model_ready(case.model, case.version)
    for name, version in [("nothing", ""), ("single", "77")]:
        try:
            assert not CLIENT.is_model_ready(name, version)
        except InferenceServerException as error:
            assert code(error) == "NOT_FOUND", error


@check
def server_metadata():
    metadata = CLIENT.get_server_metadata()
    assert metadata.name and metadata.version, metadata


@check
def model_metadata():
    metadata = CLIENT.get_model_metadata("types")
    assert metadata.name == "types" and list(metadata.versions) == ["1"] and metadata.platform, metadata
    assert [(port.name, port.datatype, list(port.shape)) for port in metadata.inputs] == [
        ("x_f32", "FP32", [-1, 3]),
        ("x_f64", "FP64", [-1, 2]),
        ("x_i32", "INT32", [-1]),
        ("x_i64", "INT64", [-1, 2]),
        ("x_u8", "UINT8", [-1, 2, 2]),
        ("x_bool", "BOOL", [-1]),
    ], metadata
    assert CLIENT.get_model_metadata("types", as_json=True)["name"] == "types"
    assert list(CLIENT.get_model_metadata("multiple").versions) == ["2", "3"]
    for words, name, version in [(["nothing"], "nothing", ""), (["single", "77"], "single", "77")]:
        error = refused(InferenceServerException, words, lambda: CLIENT.get_model_metadata(name, version))
        assert code(error) == "NOT_FOUND", error


@check
def the_repository_lists_every_version():
    index = {(entry.name, entry.version): entry.state for entry in CLIENT.get_model_repository_index().models}
    for key in [("types", "1"), ("multiple", "2"), ("multiple", "3")]:
        assert index.get(key) == "READY", index


@check
def statistics_count_requests_and_rows():
    case = one("single, 17 rows")
    counts = lambda: CLIENT.get_inference_statistics("single").model_stats[0]
    before = counts()
    for _ in range(3):
        infer(case)
    after = counts()
    assert after.name == "single" and after.version == "1", after
    assert after.inference_count - before.inference_count == 51, (before, after)
    assert after.inference_stats.success.count - before.inference_stats.success.count == 3, (before, after)
    everything = CLIENT.get_inference_statistics(as_json=True)
    assert {entry["name"] for entry in everything["model_stats"]} >= {case.model for case in ALL}, everything
    error = refused(InferenceServerException, ["nothing"], lambda: CLIENT.get_inference_statistics("nothing"))
    assert code(error) == "NOT_FOUND", error


def given(name, shape, datatype, array):
    tensor = triton.InferInput(name, list(array.shape), datatype)
    tensor.set_data_from_numpy(array)
    tensor.set_shape(shape)
    return tensor


@check
def what_is_wrong_with_a_request_is_named():
    right = given("x", [3], "FP32", THREE)
    for words, status, model, inputs, options in [
        (["nothing"], "NOT_FOUND", "nothing", [right], {}),
        (["single", "9"], "NOT_FOUND", "single", [right], {"model_version": "9"}),
        (["single"], "NOT_FOUND", "single", [right], {"model_version": "latest"}),
        (["model"], "NOT_FOUND", "", [right], {}),
        (["backwards"], "NOT_FOUND", "single", [right], {"parameters": {"signature": "backwards"}}),
        (["signature"], "INVALID_ARGUMENT", "single", [right], {"parameters": {"signature": 3}}),
        ([X], "INVALID_ARGUMENT", "single", [], {}),
        (["z", "x"], "INVALID_ARGUMENT", "single", [given("z", [3], "FP32", THREE)], {}),
        ([X, "FP64", "FP32"], "INVALID_ARGUMENT", "single", [given("x", [3], "FP64", THREE.astype(np.float64))], {}),
        ([X, "FP16"], "INVALID_ARGUMENT", "single", [given("x", [3], "FP16", THREE.astype(np.float16))], {}),
        ([X, "BYTES"], "INVALID_ARGUMENT", "single", [given("x", [1], "BYTES", np.array([b"a"], np.object_))], {}),
        ([X, "[3, 1]"], "INVALID_ARGUMENT", "single", [given("x", [3, 1], "FP32", THREE)], {}),
        ([X, "[4]"], "INVALID_ARGUMENT", "single", [given("x", [4], "FP32", THREE)], {}),
        ([X, "-3"], "INVALID_ARGUMENT", "single", [given("x", [-3], "FP32", THREE)], {}),
        ([X], "INVALID_ARGUMENT", "single", [right, right], {}),
        (["w"], "INVALID_ARGUMENT", "single", [right], {"outputs": [triton.InferRequestedOutput("w")]}),
    ]:
        error = refused(InferenceServerException, words, lambda: CLIENT.infer(model, inputs, **options))
        assert code(error) == status, f"{code(error)}, not {status}: {error}"
    hold(one("single, 2 rows"), infer(one("single, 2 rows")))


@check
def a_row_that_fails_is_one_requests_failure():
    array = lambda *values: np.array(values, np.int32)
    wrong = [given("a", [2], "INT32", array(1, 2)), given("b", [2], "INT32", array(1, 0))]
    right = one("quotient, 2 rows")
    answers = queue.Queue()
    for at in range(200):
        inputs = wrong if at % 5 == 0 else inputs_of(right)
        CLIENT.async_infer("quotient", inputs, lambda result, error, at=at: answers.put((at, result, error)))
    for _ in range(200):
        at, result, error = answers.get(timeout=60)
        if at % 5 == 0:
            assert error and "division" in str(error) and "zero" in str(error), error
            assert code(error) in ("INVALID_ARGUMENT", "INTERNAL"), error
        elif error:
            raise error
        else:
            hold(right, result)


@check
async def the_asynchronous_client():
    async with triton_aio.InferenceServerClient(GRPC) as client:
        assert await client.is_server_live() and await client.is_server_ready() and await client.is_model_ready("types")
        for case in ALL:
            for algorithm in (None, "gzip"):
                result = await client.infer(
                    case.model, inputs_of(case), compression_algorithm=algorithm, **options_of(case)
                )
                hold(case, result)
        call = client.infer("nothing", inputs_of(one("single, 2 rows")))
        await refused_later(InferenceServerException, ["nothing"], call)


@check
def the_standard_health_service():
    # grpc.health.v1.Health/Check by its bytes: field 1 of the request is the service, of the answer the status (1: serving).
    check_call = CLIENT._channel.unary_unary("/grpc.health.v1.Health/Check")
    assert check_call(b"") == b"\x08\x01"
    name = b"inference.GRPCInferenceService"
    assert check_call(b"\x0a" + bytes([len(name)]) + name) == b"\x08\x01"
    try:
        check_call(b"\x0a\x03abc")
    except Exception as error:
        assert error.code().name == "NOT_FOUND", error
    else:
        raise AssertionError("a service that there is not has a health")


run()
