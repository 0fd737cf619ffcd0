"""Train boosted trees on the digits with CatBoost, as a recorded run does it.

Reads /in/data/digits/digits.npz (X: float32 [n, 64], y: int64 [n]), writes /out/model.cbm, CatBoost's own format, and
/out/metrics.json. The format notes when it was trained and a random identifier: both are given fixed values, so that the same
training gives the same bytes.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import catboost
import numpy as np

seed = int(os.environ["TRAIN_SEED"])
rows = np.load("/in/data/digits/digits.npz")
order = np.random.default_rng(seed).permutation(len(rows["y"]))
train, test = order[len(order) // 4:], order[:len(order) // 4]
print("progress 0.1 read", len(order), "rows", flush=True)
model = catboost.CatBoostClassifier(
    iterations=40, depth=4, random_seed=seed, thread_count=int(os.environ["OMP_NUM_THREADS"]), allow_writing_files=False, verbose=False)
model.fit(rows["X"][train], rows["y"][train])
print("progress 0.9 trained", flush=True)
model.get_metadata()["train_finish_time"] = os.environ["SOURCE_DATE_EPOCH"]
model.get_metadata()["model_guid"] = "0"
model.save_model("/out/model.cbm")
accuracy = float((model.predict(rows["X"][test]).ravel() == rows["y"][test]).mean())
Path("/out/metrics.json").write_text(json.dumps({"accuracy": accuracy, "rows": len(order)}))
