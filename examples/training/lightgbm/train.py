"""Train boosted trees on the digits with LightGBM, as a recorded run does it.

Reads /in/data/digits/digits.npz (X: float32 [n, 64], y: int64 [n]), writes /out/model.txt, LightGBM's own format without code, which
`glasscase translate` reads, and /out/metrics.json. `deterministic` and one way to build histograms: without them LightGBM times
two ways and takes the faster.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import lightgbm
import numpy as np
from sklearn.model_selection import train_test_split

seed = int(os.environ["TRAIN_SEED"])
rows = np.load("/in/data/digits/digits.npz")
train_x, test_x, train_y, test_y = train_test_split(rows["X"], rows["y"], random_state=seed)
print("progress 0.1 read", len(rows["y"]), "rows", flush=True)
model = lightgbm.LGBMClassifier(
    n_estimators=20, num_leaves=15, subsample=0.8, subsample_freq=1, random_state=seed, n_jobs=int(os.environ["OMP_NUM_THREADS"]),
    deterministic=True, force_row_wise=True, verbosity=-1)
model.fit(train_x, train_y)
print("progress 0.9 trained", flush=True)
model.booster_.save_model("/out/model.txt")
accuracy = float((model.predict(test_x) == test_y).mean())
Path("/out/metrics.json").write_text(json.dumps({"accuracy": accuracy, "rows": len(rows["y"])}))
