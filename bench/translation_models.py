"""What bench/translation.py runs in the XGBoost runner.

    translation_models.py train OUT TREES DEPTH      a model of that size in OUT/model.json and OUT/model.ubj
    translation_models.py leaves OUT                  OUT/inputs.npy -> OUT/leaves.npy and OUT/margins.npy, by XGBoost
    translation_models.py onnxmltools OUT             the same translation by onnxmltools; prints JSON
"""

from __future__ import annotations

import json
import resource
import sys
import time
from pathlib import Path
from typing import Any

import numpy
import xgboost

FEATURES = 50
ROWS = 20_000
CHUNK = 20_000


def train(out: Path, trees: int, depth: int) -> None:
    random = numpy.random.default_rng(1)
    inputs = random.normal(size=(ROWS, FEATURES)).astype(numpy.float32)
    # Noise, so that every tree grows to its full size.
    matrix = xgboost.QuantileDMatrix(inputs, random.normal(size=ROWS), max_bin=256)
    settings: dict[str, Any] = {
        "tree_method": "hist", "max_depth": depth, "min_child_weight": 0, "max_bin": 256, "eta": 0.02, "lambda": 0, "nthread": 1,
        "colsample_bytree": 0.5, "seed": 1,
    }
    booster = xgboost.train(settings, matrix, trees)
    booster.save_model(out / "model.json")
    booster.save_model(out / "model.ubj")


def leaves(out: Path) -> None:
    booster = xgboost.Booster(model_file=out / "model.json")
    booster.set_param({"nthread": 1})
    inputs = numpy.load(out / "inputs.npy", mmap_mode="r")
    found, margins = [], []
    for first in range(0, len(inputs), CHUNK):
        matrix = xgboost.DMatrix(inputs[first:first + CHUNK])
        found.append(booster.predict(matrix, pred_leaf=True).astype(numpy.uint16))
        margins.append(booster.predict(matrix, output_margin=True))
    numpy.save(out / "leaves.npy", numpy.concatenate(found))
    numpy.save(out / "margins.npy", numpy.concatenate(margins))


def with_onnxmltools(out: Path) -> None:
    from onnxmltools import convert_xgboost
    from onnxmltools.convert.common.data_types import FloatTensorType

    begin = time.monotonic()
    model = xgboost.XGBRegressor()
    model.load_model(out / "model.json")
    made = convert_xgboost(model, initial_types=[("x", FloatTensorType([None, FEATURES]))]).SerializeToString()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(json.dumps({"seconds": time.monotonic() - begin, "peak_bytes": peak, "onnx_bytes": len(made)}))


if __name__ == "__main__":
    if sys.argv[1] == "train":
        train(Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]))
    elif sys.argv[1] == "leaves":
        leaves(Path(sys.argv[2]))
    else:
        with_onnxmltools(Path(sys.argv[2]))
