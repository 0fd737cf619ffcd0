"""What bench/translation.py runs in the runners.

    translation_models.py train OUT TREES DEPTH [LIBRARY]  a model of that size in OUT/model.json and OUT/model.ubj (LightGBM: model.txt)
    translation_models.py leaves OUT [LIBRARY]             OUT/inputs.npy -> OUT/leaves.npy and OUT/margins.npy, by the library
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

FEATURES = 50
ROWS = 20_000
CHUNK = 20_000


def train(out: Path, trees: int, depth: int, library: str) -> None:
    random = numpy.random.default_rng(1)
    inputs = random.normal(size=(ROWS, FEATURES)).astype(numpy.float32)
    if library == "lightgbm":
        import lightgbm

        lightgbm.LGBMRegressor(n_estimators=trees, num_leaves=1_000, min_child_samples=1, n_jobs=1, verbosity=-1).fit(
            inputs, random.normal(size=ROWS)).booster_.save_model(out / "model.txt")
        return
    if library == "scikit-learn":
        import joblib
        from glasscase_dump import dump
        from sklearn.ensemble import RandomForestRegressor

        forest = RandomForestRegressor(n_estimators=trees, max_leaf_nodes=1_000, random_state=1).fit(inputs, random.normal(size=ROWS))
        joblib.dump(forest, out / "model.joblib")
        dump(forest, out / "model.json")
        return
    import xgboost

    # Noise, so that every tree grows to its full size.
    matrix = xgboost.QuantileDMatrix(inputs, random.normal(size=ROWS), max_bin=256)
    settings: dict[str, Any] = {
        "tree_method": "hist", "max_depth": depth, "min_child_weight": 0, "max_bin": 256, "eta": 0.02, "lambda": 0, "nthread": 1,
        "colsample_bytree": 0.5, "seed": 1,
    }
    booster = xgboost.train(settings, matrix, trees)
    booster.save_model(out / "model.json")
    booster.save_model(out / "model.ubj")


def leaves(out: Path, library: str) -> None:
    inputs = numpy.load(out / "inputs.npy", mmap_mode="r")
    found, margins = [], []
    for first in range(0, len(inputs), CHUNK):
        leaf, margin = _answers(out, library, inputs[first:first + CHUNK])
        found.append(leaf.astype(numpy.uint16))
        margins.append(margin)
    numpy.save(out / "leaves.npy", numpy.concatenate(found))
    numpy.save(out / "margins.npy", numpy.concatenate(margins))


def _answers(out: Path, library: str, inputs: Any) -> tuple[Any, Any]:
    """(leaves, sums) of the rows."""
    if library == "lightgbm":
        import lightgbm

        trees = lightgbm.Booster(model_file=out / "model.txt")
        return trees.predict(inputs, pred_leaf=True, num_threads=1), trees.predict(inputs, raw_score=True, num_threads=1)
    if library == "scikit-learn":
        import joblib

        forest = joblib.load(out / "model.joblib")
        return forest.apply(inputs), forest.predict(inputs)
    import xgboost

    booster = xgboost.Booster(model_file=out / "model.json")
    booster.set_param({"nthread": 1})
    matrix = xgboost.DMatrix(inputs)
    return booster.predict(matrix, pred_leaf=True), booster.predict(matrix, output_margin=True)


def with_onnxmltools(out: Path) -> None:
    import xgboost
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
        train(Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]), (sys.argv[5:] or ["xgboost"])[0])
    elif sys.argv[1] == "leaves":
        leaves(Path(sys.argv[2]), (sys.argv[3:] or ["xgboost"])[0])
    else:
        with_onnxmltools(Path(sys.argv[2]))
