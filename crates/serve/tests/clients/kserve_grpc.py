"""kserve's client for gRPC."""

import logging

import grpc
import numpy as np
from kserve import InferenceGRPCClient, InferInput, InferRequest
from kserve.protocol.infer_type import RequestedOutput

import cases
from checks import ALL, GRPC, check, each, refused_later, run

# It logs each error that it raises with its trace.
logging.disable(logging.CRITICAL)


def request(case, binary=True, outputs=None, **options):
    inputs = []
    for tensor in case.inputs:
        given = InferInput(tensor.name, tensor.shape, tensor.datatype)
        given.set_data_from_numpy(tensor.array, binary_data=binary)
        inputs.append(given)
    parameters = {"signature": case.signature} if case.signature else None
    return InferRequest(
        model_name=case.model,
        infer_inputs=inputs,
        parameters=parameters,
        request_outputs=outputs,
        model_version=case.version,
        **options,
    )


async def infer(infer_request):
    async with InferenceGRPCClient(GRPC, timeout=60) as client:
        return await client.infer(infer_request)


def hold(case, response):
    assert response.model_name == case.model, response.model_name
    outputs = {output.name: output for output in response.outputs}
    for tensor in case.outputs:
        assert tensor.name in outputs, f"{tensor.name} is not in {list(outputs)}"
        cases.compare(tensor, outputs[tensor.name].as_numpy())


def one(name):
    return next(case for case in ALL if case.name == name)


@each("the default input, which is raw")
async def _(case):
    hold(case, await infer(request(case)))


@each("typed contents")
async def _(case):
    hold(case, await infer(request(case, binary=False)))


@check
async def chosen_outputs_and_an_id():
    case = one("types, 17 rows")
    response = await infer(
        request(case, outputs=[RequestedOutput("y_i64"), RequestedOutput("y_f32")], request_id="größe 7")
    )
    assert [output.name for output in response.outputs] == ["y_i64", "y_f32"]
    assert response.id == "größe 7", response.id


@check
async def live_ready_and_model_ready():
    async with InferenceGRPCClient(GRPC, timeout=60) as client:
        assert await client.is_server_live() is True
        assert await client.is_server_ready() is True
        assert await client.is_model_ready("types") is True
        try:
            assert await client.is_model_ready("nothing") is False
        except grpc.RpcError as error:
            assert error.code() == grpc.StatusCode.NOT_FOUND, error


@check
async def an_error_has_its_code_and_message():
    given = InferInput("z", [3], "FP32")
    given.set_data_from_numpy(np.zeros(3, np.float32))
    for model, code, words in [
        ("nothing", grpc.StatusCode.NOT_FOUND, ["nothing"]),
        ("single", grpc.StatusCode.INVALID_ARGUMENT, ["z"]),
    ]:
        error = await refused_later(grpc.RpcError, words, infer(InferRequest(model, [given])))
        assert error.code() == code, error


run()
