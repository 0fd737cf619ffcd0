"""Train a forest on the wines of one dataset, score it on those of another, and leave it as numbers that become ONNX.

Reads /in/data/train/train.csv and /in/data/test/test.csv (the class last in each row), writes /out/model.json (a dump without
code: the recipe's "translate": "onnx" makes ONNX of it) and /out/metrics.json.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
from glasscase_dump import dump
from sklearn.ensemble import RandomForestClassifier

train, test = (np.loadtxt(f"/in/data/{part}/{part}.csv", delimiter=",", dtype="float32") for part in ("train", "test"))
print("progress 0.1 read", len(train), "and", len(test), "rows", flush=True)
model = RandomForestClassifier(n_estimators=20, random_state=int(os.environ["TRAIN_SEED"]))
model.fit(train[:, :-1], train[:, -1].astype("int64"))
accuracy = float(model.score(test[:, :-1], test[:, -1].astype("int64")))
print("progress 0.9 trained", flush=True)
dump(model, "/out/model.json")
Path("/out/metrics.json").write_text(json.dumps({"accuracy": accuracy}))
