"""Where a model of scikit-learn branches: the thresholds of the trees in it, as numbers of its own input.

Pipelines, searches, ensembles and what else wraps a model are opened. Where a threshold cannot be followed to the input, that is said.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy

Array = Any
Split = tuple[int, float]  # feature, threshold
Back = Callable[[list[Split]], list[Split]]  # from a model's features to those of the whole one

# What these do to a column depends on that column alone, so a threshold behind them is one before them.
_BY_COLUMN = ("StandardScaler", "MinMaxScaler", "MaxAbsScaler", "RobustScaler", "SimpleImputer")
# Wrappers of one model, by what they call it. Those of many have `estimators_` besides, and then `estimator_` is how they began.
_ONE = ("best_estimator_", "estimator_", "regressor_")
SPLITS_AT_ONCE = 1 << 12
DEPTH_MAX = 4  # of what is looked through for trees


@dataclass
class Branches:
    """What was found."""

    splits: list[Split] = field(default_factory=list)
    trees: bool = False
    sums: bool = False  # something besides trees
    unseen: list[str] = field(default_factory=list)

    def by_feature(self, width: int) -> list[Array]:
        """For each feature its thresholds as float32, in order; nothing at all when there are none."""
        if not self.splits:
            return []
        lists: list[set[float]] = [set() for _ in range(width)]
        for feature, threshold in self.splits:
            lists[feature].add(float(numpy.float32(threshold)))
        return [numpy.array(sorted(one), dtype=numpy.float32) for one in lists]

    def lose(self, why: str) -> None:
        if why not in self.unseen:
            self.unseen.append(why)


class _Lost(Exception):
    """Why splits cannot be followed to the input, and those that can."""

    def __init__(self, why: str, kept: list[Split] | None = None) -> None:
        super().__init__(why)
        self.kept = kept or []


def find(model: Any) -> Branches:
    found = Branches()
    _walk(model, lambda splits: splits, found)
    return found


def _walk(model: Any, back: Back, found: Branches) -> None:
    name = type(model).__name__
    if model is None or isinstance(model, str) or name in ("DummyClassifier", "DummyRegressor", "_ConstantPredictor"):
        return
    own = _splits_of(model)
    if own is not None:
        found.trees = True
        try:
            found.splits += back(own)
        except _Lost as lost:
            found.splits += lost.kept
            found.lose(f"{name} {lost}")
        return
    inner = list(_inside(model, back, found))
    for one, way in inner:
        _walk(one, way, found)
    if not inner and _holds_trees(model):
        found.trees = found.sums = True
        found.lose(f"the trees of {name}")
    elif not inner:
        found.sums = True


def _inside(model: Any, back: Back, found: Branches) -> Iterator[tuple[Any, Back]]:
    """The models in a wrapper, each with its way to the whole one's input."""
    if hasattr(model, "steps"):
        steps = [step for _, step in model.steps if step is not None and not isinstance(step, str)]
        for step in steps[:-1]:
            _look_at_step(step, found)
        if steps:
            yield steps[-1], lambda splits: back(_before(steps[:-1], splits))
    elif hasattr(model, "calibrated_classifiers_"):
        for one in model.calibrated_classifiers_:
            yield one.estimator, back
    elif hasattr(model, "estimators_features_"):
        for one, features in zip(model.estimators_, model.estimators_features_, strict=True):
            yield one, _chosen(features, back)
    elif hasattr(model, "support_") and hasattr(model, "estimator_"):  # features were eliminated
        yield model.estimator_, _chosen(numpy.flatnonzero(model.support_), back)
    elif hasattr(model, "estimators_"):
        way = _first(int(model.n_features_in_), back) if hasattr(model, "order_") else back  # each of a chain sees what those before it said
        for one in _flat(model.estimators_):
            yield one, way
        if hasattr(model, "final_estimator_"):
            yield model.final_estimator_, _stacked(model, back)
        if hasattr(model, "init_"):
            yield model.init_, back
    else:
        for name in _ONE:
            if hasattr(model, name):
                yield getattr(model, name), back
                return
        if type(model).__name__ == "FrozenEstimator":
            yield model.estimator, back


def _flat(models: Any) -> list[Any]:
    """Not by NumPy: it takes pipelines and forests for lists of what is in them."""
    if isinstance(models, numpy.ndarray):
        return list(models.ravel())
    return [one for part in models for one in (_flat(part) if isinstance(part, (list, numpy.ndarray)) else [part])]


def _look_at_step(step: Any, found: Branches) -> None:
    if hasattr(step, "get_support") or type(step).__name__ in _BY_COLUMN:  # trees that chose columns are not asked again
        return
    found.sums = True
    if _holds_trees(step):
        found.trees = True
        found.lose(f"the trees of {type(step).__name__}")


# ---- trees ----


def _splits_of(model: Any) -> list[Split] | None:
    """Of a library's own trees; None of anything else."""
    if hasattr(model, "tree_"):
        inner = model.tree_
        return [(int(f), float(t)) for f, t in zip(inner.feature, inner.threshold, strict=True) if f >= 0]
    if hasattr(model, "_predictors"):
        splits: list[Split] = []
        for predictor in (one for row in model._predictors for one in row):
            nodes = predictor.nodes[predictor.nodes["is_leaf"] == 0]
            splits += zip(nodes["feature_idx"].tolist(), nodes["num_threshold"].tolist(), strict=True)
        return splits
    if hasattr(model, "get_booster"):
        return _splits_of_xgboost(json.loads(model.get_booster().save_raw("json")))
    if hasattr(model, "booster_"):
        return _splits_of_lightgbm(model.booster_.dump_model())
    return None


def _splits_of_xgboost(model: Any) -> list[Split] | None:
    booster = model["learner"]["gradient_booster"]
    booster = booster.get("gbtree", booster)  # DART holds one
    if "trees" not in booster.get("model", {}):
        return None
    return [
        (feature, threshold) for tree in booster["model"]["trees"]
        for left, feature, threshold in zip(tree["left_children"], tree["split_indices"], tree["split_conditions"], strict=True) if left >= 0]


def _splits_of_lightgbm(model: Any) -> list[Split]:
    splits: list[Split] = []
    stack = [tree["tree_structure"] for tree in model["tree_info"]]
    while stack:
        node = stack.pop()
        if "split_feature" in node:
            splits.append((int(node["split_feature"]), float(node["threshold"])))
            stack += [node["left_child"], node["right_child"]]
    return splits


def _holds_trees(value: Any, depth: int = DEPTH_MAX) -> bool:
    """Whether there are trees somewhere in it, whatever it is."""
    if any(hasattr(value, name) for name in ("tree_", "_predictors", "booster_")):
        return True
    if depth == 0 or isinstance(value, (str, bytes, int, float)):
        return False
    if isinstance(value, numpy.ndarray):
        parts = value.ravel().tolist() if value.dtype == object else []
    elif isinstance(value, (list, tuple, set)):
        parts = list(value)
    else:
        parts = list((value if isinstance(value, dict) else getattr(value, "__dict__", {})).values())
    return any(_holds_trees(part, depth - 1) for part in parts)


# ---- the way back to the input ----


def _chosen(features: Any, back: Back) -> Back:
    """Of a model that sees some of the columns."""
    return lambda splits: back([(int(features[feature]), threshold) for feature, threshold in splits])


def _first(count: int, back: Back, what: str = "on what the models before it say") -> Back:
    """Of a model that sees the columns and others behind them."""
    def way(splits: list[Split]) -> list[Split]:
        return _keep(splits, [split for split in splits if split[0] < count], back, what)

    return way


def _stacked(model: Any, back: Back) -> Back:
    """Of the model on top of a stack: it sees what the others say, and perhaps the columns behind that."""
    others = int(model.final_estimator_.n_features_in_) - (int(model.n_features_in_) if model.passthrough else 0)

    def way(splits: list[Split]) -> list[Split]:
        kept = [(feature - others, threshold) for feature, threshold in splits if feature >= others] if model.passthrough else []
        return _keep(splits, kept, back, "on what the stacked models say")

    return way


def _keep(splits: list[Split], kept: list[Split], back: Back, what: str) -> list[Split]:
    if len(kept) < len(splits):
        raise _Lost(what, back(kept))
    return back(kept)


def _before(steps: list[Any], splits: list[Split]) -> list[Split]:
    for step in reversed(steps):
        splits = _through(step, splits)
    return splits


def _through(step: Any, splits: list[Split]) -> list[Split]:
    """The same thresholds as numbers of the step's input."""
    name = type(step).__name__
    if not splits:
        return splits
    if hasattr(step, "get_support"):
        columns = step.get_support(indices=True)
        return [(int(columns[feature]), threshold) for feature, threshold in splits]
    if name not in _BY_COLUMN:
        raise _Lost(f"behind {name}")
    width = int(step.n_features_in_)
    if step.transform(numpy.zeros((1, width))).shape[1] != width:
        raise _Lost(f"behind {name}, which adds or drops columns")
    if name == "SimpleImputer":
        return splits
    return [split for first in range(0, len(splits), SPLITS_AT_ONCE) for split in _unscaled(step, width, splits[first:first + SPLITS_AT_ONCE])]


def _unscaled(step: Any, width: int, splits: list[Split]) -> Iterator[Split]:
    features = numpy.array([feature for feature, _ in splits])
    inputs = numpy.zeros((len(splits), width))
    rows = numpy.arange(len(splits))
    inputs[rows, features] = [threshold for _, threshold in splits]
    yield from zip(features.tolist(), step.inverse_transform(inputs)[rows, features].tolist(), strict=True)
