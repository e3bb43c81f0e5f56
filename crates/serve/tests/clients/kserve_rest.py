"""kserve's client for HTTP with the Open Inference Protocol, and with TensorFlow's."""

import httpx
import numpy as np
from kserve import InferenceRESTClient, InferInput, InferRequest, RESTConfig
from kserve.protocol.infer_type import RequestedOutput

import cases
from checks import ALL, HTTP, check, each, refused_later, run

BASE = f"http://{HTTP}"


def client(protocol="v2"):
    # Without verify=False it reads the certificates of the system for each client.
    return InferenceRESTClient(RESTConfig(protocol=protocol, timeout=60, verify=False))


def request(case, binary=True, outputs=None, **options):
    inputs = []
    for tensor in case.inputs:
        given = InferInput(tensor.name, tensor.shape, tensor.datatype)
        given.set_data_from_numpy(tensor.array, binary_data=binary)
        inputs.append(given)
    parameters = {"signature": case.signature} if case.signature else None
    return InferRequest(
        model_name=case.model, infer_inputs=inputs, parameters=parameters, request_outputs=outputs, **options
    )


def hold(case, response):
    assert response.model_name == case.model, response.model_name
    outputs = {output.name: output for output in response.outputs}
    for tensor in case.outputs:
        assert tensor.name in outputs, f"{tensor.name} is not in {list(outputs)}"
        assert outputs[tensor.name].datatype == tensor.datatype, outputs[tensor.name].datatype
        cases.compare(tensor, outputs[tensor.name].as_numpy(), any_nan=True)


def one(name):
    return next(case for case in ALL if case.name == name)


# It has no way to name a version in the address.
@each("the default input, which is binary", lambda case: not case.version)
async def _(case):
    call = await client().infer(BASE, request(case), model_name=case.model)
    hold(case, call)


# In JSON it writes both infinities as null, and reads null as NaN.
@each("JSON", lambda case: not case.version and case.nans())
async def _(case):
    call = await client().infer(BASE, request(case, binary=False), model_name=case.model)
    hold(case, call)


@each("binary outputs", lambda case: not case.version)
async def _(case):
    outputs = [RequestedOutput(tensor.name, {"binary_data": True}) for tensor in case.outputs]
    call = await client().infer(BASE, request(case, outputs=outputs), model_name=case.model)
    hold(case, call)


@check
async def chosen_outputs_and_an_id():
    case = one("types, 17 rows")
    outputs = [RequestedOutput("y_i64"), RequestedOutput("y_f32")]
    response = await client().infer(BASE, request(case, outputs=outputs, request_id="größe 7"), model_name=case.model)
    assert [output.name for output in response.outputs] == ["y_i64", "y_f32"]
    assert response.id == "größe 7", response.id


@check
async def live_ready_and_model_ready():
    assert await client().is_server_live(BASE) is True
    assert await client().is_server_ready(BASE) is True
    assert await client().is_model_ready(BASE, "types") is True
    assert await client().is_model_ready(BASE, "nothing") is False


@check
async def an_error_has_its_message():
    three = InferInput("z", [3], "FP32")
    three.set_data_from_numpy(np.zeros(3, np.float32))
    for model, words in [("nothing", ["nothing", "404"]), ("single", ["z", "400"])]:
        call = client().infer(BASE, InferRequest(model, [three]), model_name=model)
        error = await refused_later(httpx.HTTPStatusError, words, call)
        assert not str(error).startswith(","), f"no message was read: {error}"


@check
async def TensorFlows_protocol():
    response = await client("v1").infer(BASE, {"instances": [1.0, 2.5]}, model_name="single")
    assert response == {"predictions": [2.0, 5.0]}, response
    call = client("v1").infer(BASE, {"instances": "x"}, model_name="single")
    await refused_later(httpx.HTTPStatusError, ["instances", "400"], call)


run()
