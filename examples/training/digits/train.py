"""Train a small classifier on the digits of the dataset, as a recorded run does it.

Reads /in/data/digits/digits.npz (X: float32 [n, 64], y: int64 [n]), writes /out/model.json (weights as JSON of its own, without
code: `glasscase translate` does not know it, but a dump as in ../wine-trees), /out/metrics.json and /out/predictions.npy: what the
model answers on the rows that it was not trained with, which are compared when the run is verified. Every choice comes from the
recipe: TRAIN_SEED is its seed.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split

rows = np.load("/in/data/digits/digits.npz")
train_x, test_x, train_y, test_y = train_test_split(rows["X"], rows["y"], random_state=int(os.environ["TRAIN_SEED"]))
print("progress 0.1 read", len(rows["y"]), "rows", flush=True)
model = LogisticRegression(max_iter=200).fit(train_x, train_y)
accuracy = float(model.score(test_x, test_y))
print("progress 0.9 trained", flush=True)
weights = {"coef": model.coef_.tolist(), "intercept": model.intercept_.tolist(), "classes": model.classes_.tolist()}
Path("/out/model.json").write_text(json.dumps(weights, sort_keys=True))
np.save("/out/predictions.npy", model.predict_proba(test_x))
Path("/out/metrics.json").write_text(json.dumps({"accuracy": accuracy, "rows": len(rows["y"])}))
