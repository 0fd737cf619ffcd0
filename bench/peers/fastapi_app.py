"""The same model behind FastAPI, uvicorn and onnxruntime, with a token check: how people serve it without Glasscase.

    BENCH_MODEL=digits.onnx BENCH_TOKENS=tokens.txt uvicorn --app-dir bench/peers fastapi_app:app --no-access-log
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Annotated, Any

import numpy
import onnxruntime
from fastapi import FastAPI, Header, HTTPException
from pydantic import BaseModel

options = onnxruntime.SessionOptions()
options.intra_op_num_threads = 1
session = onnxruntime.InferenceSession(os.environ["BENCH_MODEL"], options, providers=["CPUExecutionProvider"])
digests = {hashlib.sha256(token.encode()).digest() for token in Path(os.environ["BENCH_TOKENS"]).read_text().split()}
app = FastAPI()


class Tensor(BaseModel):
    name: str
    shape: list[int]
    datatype: str
    data: list[float]


class InferRequest(BaseModel):
    inputs: list[Tensor]


@app.post("/v2/models/digits/infer")
async def infer(request: InferRequest, authorization: Annotated[str, Header()]) -> dict[str, Any]:
    if hashlib.sha256(authorization.removeprefix("Bearer ").encode()).digest() not in digests:
        raise HTTPException(401)
    tensor = request.inputs[0]
    pixels = numpy.array(tensor.data, numpy.float32).reshape(tensor.shape)
    label, probabilities = session.run(None, {tensor.name: pixels})
    return {
        "model_name": "digits",
        "outputs": [
            {"name": "label", "datatype": "INT64", "shape": list(label.shape), "data": label.tolist()},
            {"name": "probabilities", "datatype": "FP32", "shape": list(probabilities.shape), "data": probabilities.ravel().tolist()},
        ],
    }
