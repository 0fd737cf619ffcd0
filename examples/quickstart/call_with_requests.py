#!/usr/bin/env python3
"""Call a model with plain requests.

    GLASSCASE_TOKEN=gct_... examples/quickstart/call_with_requests.py http://127.0.0.1:8000 ada/digits pixels.json

pixels.json holds a list of numbers, one row of the model's only input. Needs: pip install requests
"""

import json
import os
import sys
from pathlib import Path
from typing import Any
from urllib.parse import quote

import requests

server, model, path = sys.argv[1:4]
row = json.loads(Path(path).read_text())
session = requests.Session()
session.headers["Authorization"] = f"Bearer {os.environ['GLASSCASE_TOKEN']}"
address = f"{server}/v2/models/{quote(model, safe='')}"


def read(response: requests.Response) -> Any:
    """Gives the answer's JSON, or ends with the sentence of the refusal."""
    if response.status_code != 200:
        sys.exit(f"refused: {response.json()['error']}")
    return response.json()


wanted = read(session.get(address, timeout=10))["inputs"][0]
body = {"inputs": [{"name": wanted["name"], "datatype": wanted["datatype"], "shape": [1, len(row)], "data": row}]}

answer = read(session.post(f"{address}/infer", json=body, timeout=10))
for output in answer["outputs"]:
    print(output["name"], output["data"])
