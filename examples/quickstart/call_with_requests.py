#!/usr/bin/env python3
"""Call a model with plain requests.

    GLASSCASE_TOKEN=gct_... examples/quickstart/call_with_requests.py http://127.0.0.1:8000 ada/digits pixels.json

pixels.json holds a list of numbers, one row of the model's only input. Needs: pip install requests
"""

import json
import os
import sys
from pathlib import Path
from urllib.parse import quote

import requests

server, model, path = sys.argv[1:4]
row = json.loads(Path(path).read_text())
session = requests.Session()
session.headers["Authorization"] = f"Bearer {os.environ['GLASSCASE_TOKEN']}"
address = f"{server}/v2/models/{quote(model, safe='')}"

metadata = session.get(address, timeout=10).json()
wanted = metadata["inputs"][0]
body = {"inputs": [{"name": wanted["name"], "datatype": wanted["datatype"], "shape": [1, len(row)], "data": row}]}

answer = session.post(f"{address}/infer", json=body, timeout=10)
if answer.status_code != 200:
    sys.exit(f"refused: {answer.json()['error']}")
for output in answer.json()["outputs"]:
    print(output["name"], output["data"])
