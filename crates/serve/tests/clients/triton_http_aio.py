"""tritonclient's asynchronous client for HTTP, which is another implementation: aiohttp, and application/octet-stream as its content type."""

import asyncio

import numpy as np
import tritonclient.http.aio as triton
from tritonclient.utils import InferenceServerException

import cases
from checks import ALL, HTTP, check, each, refused_later, run


def inputs_of(case, binary=True):
    inputs = []
    for tensor in case.inputs:
        given = triton.InferInput(tensor.name, tensor.shape, tensor.datatype)
        given.set_data_from_numpy(tensor.array, binary_data=binary)
        inputs.append(given)
    return inputs


async def infer(client, case, binary=True, **options):
    parameters = {"signature": case.signature} if case.signature else None
    return await client.infer(
        case.model, inputs_of(case, binary), model_version=case.version, parameters=parameters, **options
    )


def hold(case, result, any_nan=False):
    for tensor in case.outputs:
        cases.compare(tensor, result.as_numpy(tensor.name), any_nan)


@each("binary and JSON, plain and compressed")
async def _(case):
    async with triton.InferenceServerClient(HTTP) as client:
        for binary in (True, False):
            for request, response in [(None, None), ("gzip", "gzip"), ("deflate", "deflate")]:
                result = await infer(
                    client,
                    case,
                    binary,
                    request_compression_algorithm=request,
                    response_compression_algorithm=response,
                )
                hold(case, result, any_nan=not binary)


@check
async def hundreds_of_requests_at_once_each_get_their_own_answer():
    async with triton.InferenceServerClient(HTTP, conn_limit=32) as client:
        chosen = ALL * 6
        results = await asyncio.gather(*[infer(client, case) for case in chosen])
        for case, result in zip(chosen, results):
            hold(case, result)


@check
async def a_request_given_up_by_its_client_hinders_no_other():
    async with triton.InferenceServerClient(HTTP) as client:
        calls = [asyncio.ensure_future(infer(client, case)) for case in ALL * 2]
        await asyncio.sleep(0.002)
        for call in calls[::2]:
            call.cancel()
        results = await asyncio.gather(*calls, return_exceptions=True)
        for case, result in list(zip(ALL * 2, results))[1::2]:
            if isinstance(result, BaseException):
                raise result
            hold(case, result)


@check
async def health_metadata_statistics_and_repository():
    async with triton.InferenceServerClient(HTTP) as client:
        assert await client.is_server_live() and await client.is_server_ready()
        assert await client.is_model_ready("types") and not await client.is_model_ready("nothing")
        assert (await client.get_model_metadata("types"))["name"] == "types"
        assert "binary_tensor_data" in (await client.get_server_metadata())["extensions"]
        assert (await client.get_inference_statistics("single"))["model_stats"][0]["name"] == "single"
        assert any(entry["name"] == "types" for entry in await client.get_model_repository_index())


@check
async def an_error_is_readable_whatever_compression_was_asked_for():
    async with triton.InferenceServerClient(HTTP) as client:
        tensor = triton.InferInput("z-" * 1500, [1], "FP32")
        tensor.set_data_from_numpy(np.zeros(1, np.float32))
        for algorithm in (None, "gzip", "deflate"):
            call = client.infer("single", [tensor], response_compression_algorithm=algorithm)
            error = await refused_later(InferenceServerException, ["z"], call)
            assert error.status() == "400", error.status()


run()
