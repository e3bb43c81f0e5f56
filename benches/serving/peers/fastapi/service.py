"""onnxruntime behind FastAPI, as one writes it by hand. MODEL is the model's file.

`POST /predict` takes and gives JSON, `POST /predict_raw` the image's and the probabilities' bytes. The
handlers run where requests are read: a run takes a few hundred microseconds, and handing it to
FastAPI's pool of threads is slower (`POOL=1` does it).
"""

import os

import numpy as np
import onnxruntime
from fastapi import FastAPI, HTTPException, Request, Response
from pydantic import BaseModel

options = onnxruntime.SessionOptions()
# One process a core is the parallelism here.
options.intra_op_num_threads = 1
session = onnxruntime.InferenceSession(os.environ["MODEL"], options, providers=["CPUExecutionProvider"])
outputs = ["digit", "probabilities"]
app = FastAPI()


class Question(BaseModel):
    images: list[list[list[list[float]]]]


class Answer(BaseModel):
    digit: list[int]
    probabilities: list[list[float]]


def predict(question: Question) -> Answer:
    try:
        images = np.array(question.images, np.float32)
    except ValueError as error:
        raise HTTPException(400, str(error)) from error
    if images.shape[1:] != (28, 28, 1):
        raise HTTPException(400, f"images of shape {images.shape}")
    digit, probabilities = session.run(outputs, {"images": images})
    return Answer(digit=digit.tolist(), probabilities=probabilities.tolist())


if os.environ.get("POOL") == "1":
    app.post("/predict")(predict)
else:

    @app.post("/predict")
    async def predict_here(question: Question) -> Answer:
        return predict(question)


@app.post("/predict_raw")
async def predict_raw(request: Request) -> Response:
    body = await request.body()
    if len(body) != 4 * 28 * 28:
        raise HTTPException(400, "an image is 3136 bytes")
    image = np.frombuffer(body, "<f4").reshape(1, 28, 28, 1)
    (probabilities,) = session.run(["probabilities"], {"images": image})
    return Response(probabilities.tobytes(), media_type="application/octet-stream")
