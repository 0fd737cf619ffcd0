#!/usr/bin/env python3
"""Call a model with NVIDIA's client of the Open Inference Protocol, which sends tensors in binary.

    GLASSCASE_TOKEN=gct_... examples/quickstart/call_with_tritonclient.py http://127.0.0.1:8000 digits pixels.json

pixels.json holds a list of numbers, one row of the model's only input. Needs: pip install 'tritonclient[http]'
"""

import json
import os
import sys
from pathlib import Path

import numpy
import tritonclient.http
from tritonclient.utils import InferenceServerException, triton_to_np_dtype

server, model, path = sys.argv[1:4]
row = json.loads(Path(path).read_text())
headers = {"Authorization": f"Bearer {os.environ['GLASSCASE_TOKEN']}"}
client = tritonclient.http.InferenceServerClient(server.removeprefix("http://"))

try:
    wanted = client.get_model_metadata(model, headers=headers)["inputs"][0]
    tensor = tritonclient.http.InferInput(wanted["name"], [1, len(row)], wanted["datatype"])
    tensor.set_data_from_numpy(numpy.array([row], dtype=triton_to_np_dtype(wanted["datatype"])))
    answer = client.infer(model, [tensor], headers=headers)
except InferenceServerException as refusal:
    sys.exit(f"refused: {refusal.message()}")
for output in answer.get_response()["outputs"]:
    print(output["name"], answer.as_numpy(output["name"]).tolist())
