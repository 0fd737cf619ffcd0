"""Train boosted trees on the digits with XGBoost, as a recorded run does it.

Reads /in/data/digits/digits.npz (X: float32 [n, 64], y: int64 [n]), writes /out/model.json, XGBoost's own format without code, which
`glasscase translate` reads, and /out/metrics.json. The file holds no time and no path: the same training gives the same bytes.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import xgboost
from sklearn.model_selection import train_test_split

seed = int(os.environ["TRAIN_SEED"])
rows = np.load("/in/data/digits/digits.npz")
train_x, test_x, train_y, test_y = train_test_split(rows["X"], rows["y"], random_state=seed)
print("progress 0.1 read", len(rows["y"]), "rows", flush=True)
threads = int(os.environ["OMP_NUM_THREADS"])
model = xgboost.XGBClassifier(n_estimators=30, max_depth=4, subsample=0.8, random_state=seed, n_jobs=threads)
model.fit(train_x, train_y)
print("progress 0.9 trained", flush=True)
model.save_model("/out/model.json")
accuracy = float((model.predict(test_x) == test_y).mean())
Path("/out/metrics.json").write_text(json.dumps({"accuracy": accuracy, "rows": len(rows["y"])}))
