"""Writes a fitted scikit-learn model as numbers and names, without code, for `glasscase translate`.

    from glasscase_dump import dump
    dump(model, "model.json")

The format is api/formats/sklearn-dump.md of Glasscase. Runs where the model was trained: opening a pickle from elsewhere runs
its code.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import sklearn

FORMAT = "glasscase sklearn dump"
VERSION = 1

Described = dict[str, Any]


class NotDumpable(ValueError):
    """This model, or this setting of it, has no place in the format; the message says which and what to do."""


def dump(model: Any, path: str | Path) -> None:
    """Writes `model` to `path`. Raises NotDumpable, and then writes nothing."""
    text = dumps(model)
    Path(path).write_text(text, encoding="utf-8")


def dumps(model: Any) -> str:
    """The dump of `model` as text."""
    head: Described = {"format": FORMAT, "version": VERSION, "scikit_learn": sklearn.__version__}
    return _json({**head, **describe(model)}) + "\n"


def describe(model: Any) -> Described:
    """What the dump says of the model, as plain values."""
    scaler, estimator = _split_pipeline(model)
    name = type(estimator).__name__
    if name in _LINEAR_CLASSIFIERS or name in _LINEAR_REGRESSORS:
        described = _linear(estimator, scaler)
    elif name in _TREES:
        if scaler is not None:
            raise NotDumpable(
                f"{type(scaler).__name__} before {name}: scikit-learn rounds what it scales, so inputs beside a threshold would take "
                "the other branch. Fit the trees on the inputs as they are; scaling does not change what they can learn"
            )
        described = _TREES[name](estimator)
    else:
        raise NotDumpable(f"{name} is not supported: translate it in a run, with skl2onnx")
    return {"estimator": name, "features": int(estimator.n_features_in_), **described}


# ---- JSON ----


def _number(value: Any) -> str:
    number = float(value)
    if math.isnan(number):
        raise NotDumpable("the model holds a number that is NaN")
    if math.isinf(number):
        return "1e999" if number > 0 else "-1e999"
    return str(int(number)) if number.is_integer() and abs(number) < 2**53 and not _is_negative_zero(number) else repr(number)


def _is_negative_zero(number: float) -> bool:
    return number == 0 and math.copysign(1, number) < 0


def _json(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ",".join(f"{json.dumps(key)}:{_json(member)}" for key, member in value.items()) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ",".join(_json(item) for item in value) + "]"
    if isinstance(value, (bool, str)):
        return json.dumps(value)
    return _number(value)


def _numbers(values: Any) -> list[float]:
    return [float(value) for value in values]


# ---- parts ----

_SCALERS = ("StandardScaler", "MinMaxScaler")


def _split_pipeline(model: Any) -> tuple[Any | None, Any]:
    if type(model).__name__ != "Pipeline":
        return None, model
    steps = [step for _, step in model.steps if step is not None and step != "passthrough"]
    if len(steps) == 1:
        return None, steps[0]
    if len(steps) != 2 or type(steps[0]).__name__ not in _SCALERS:
        raise NotDumpable(f"a pipeline of more than one of {', '.join(_SCALERS)} and a model: translate it in a run, with skl2onnx")
    return steps[0], steps[1]


def _scaling(scaler: Any | None) -> tuple[list[float], list[float]]:
    """Mean and scale of (x - mean) * scale."""
    if scaler is None:
        return [], []
    if type(scaler).__name__ == "StandardScaler":
        mean = [] if scaler.mean_ is None or not scaler.with_mean else _numbers(scaler.mean_)
        scale = [] if scaler.scale_ is None or not scaler.with_std else [1.0 / float(s) for s in scaler.scale_]
        return mean, scale
    if scaler.clip:
        raise NotDumpable("MinMaxScaler(clip=True): translate it in a run, with skl2onnx")
    return [-float(m) / float(s) for m, s in zip(scaler.min_, scaler.scale_, strict=True)], _numbers(scaler.scale_)


def _labels(classes: Iterable[Any]) -> list[Any]:
    labels: list[Any] = []
    for label in classes:
        plain = label.item() if hasattr(label, "item") else label
        if isinstance(plain, bool) or not isinstance(plain, (int, float, str)) or (isinstance(plain, float) and not plain.is_integer()):
            raise NotDumpable(f"the class {plain!r}: only whole numbers and texts can be labels")
        labels.append(plain if isinstance(plain, str) else int(plain))
    return labels


def _classifier(estimator: Any, transform: str, zero_is_second: bool = False) -> Described:
    if getattr(estimator, "n_outputs_", 1) != 1:
        raise NotDumpable("a classifier of several outputs")
    described = {"task": "classifier", "classes": _labels(estimator.classes_), "transform": transform}
    return {**described, "zero_is_second": zero_is_second} if transform == "logistic" else described


def _regressor(transform: str = "identity") -> Described:
    return {"task": "regressor", "transform": transform}


# ---- linear models ----

_LINEAR_CLASSIFIERS = ("LogisticRegression", "LogisticRegressionCV")
_LINEAR_REGRESSORS = {
    "LinearRegression": "identity", "Ridge": "identity", "RidgeCV": "identity", "Lasso": "identity", "LassoCV": "identity",
    "ElasticNet": "identity", "ElasticNetCV": "identity", "BayesianRidge": "identity", "HuberRegressor": "identity",
    "SGDRegressor": "identity", "LinearSVR": "identity", "PoissonRegressor": "exp", "GammaRegressor": "exp",
}


def _linear(estimator: Any, scaler: Any | None) -> Described:
    name = type(estimator).__name__
    rows = estimator.coef_ if getattr(estimator.coef_, "ndim", 1) == 2 else [estimator.coef_]
    intercepts = estimator.intercept_ if getattr(estimator.intercept_, "ndim", 0) == 1 else [estimator.intercept_]
    intercepts = _numbers(intercepts)
    if len(intercepts) == 1:
        intercepts *= len(rows)
    mean, scale = _scaling(scaler)
    if name in _LINEAR_CLASSIFIERS:
        _need_usual_probabilities(estimator)
        described = _classifier(estimator, "logistic" if len(rows) == 1 else "softmax")  # one row for two classes
    else:
        described = _regressor(_LINEAR_REGRESSORS[name])
    return {
        **described, "kind": "linear", "mean": mean, "scale": scale,
        "coefficients": [float(c) for row in rows for c in row], "intercepts": intercepts,
    }


def _need_usual_probabilities(estimator: Any) -> None:
    """Refuses what scikit-learn up to 1.7 can do besides: `multi_class` and the solver decide how scores become probabilities."""
    name, chosen = type(estimator).__name__, getattr(estimator, "multi_class", "auto")
    older = tuple(int(part) for part in sklearn.__version__.split(".")[:2]) < (1, 6)
    apart = ("liblinear", "newton-cholesky") if older else ("liblinear",)
    if len(estimator.classes_) <= 2:
        if chosen == "multinomial":
            raise NotDumpable(f"{name}(multi_class='multinomial') of two classes, whose probabilities are others: fit it without multi_class")
    elif chosen in ("ovr", "warn") or (chosen in ("auto", "deprecated") and estimator.solver in apart):
        raise NotDumpable(
            f"{name} of each class against the rest (by multi_class={chosen!r}, solver={estimator.solver!r}), whose probabilities are no softmax: fit it "
            "with multi_class='multinomial' and solver='lbfgs', or translate it in a run, with skl2onnx"
        )


# ---- trees ----


def _ensemble(outputs: int, leaf_width: int, average: bool, base: list[float], trees: list[Described]) -> Described:
    return {"kind": "trees", "outputs": outputs, "leaf_width": leaf_width, "average": average, "base": base, "trees": trees}


def _tree(tree: Any, values: list[float], target: int = 0) -> Described:
    """A tree_ of scikit-learn with the given values of its nodes."""
    missing = getattr(tree, "missing_go_to_left", None)
    leaf = tree.children_left == -1
    return {
        "target": target, "left": tree.children_left.tolist(), "right": tree.children_right.tolist(),
        "feature": [0 if is_leaf else f for is_leaf, f in zip(leaf, tree.feature.tolist(), strict=True)],
        "threshold": [0.0 if is_leaf else t for is_leaf, t in zip(leaf, tree.threshold.tolist(), strict=True)],
        "missing_left": [0] * len(leaf) if missing is None else [int(m) for m in missing],
        "value": values,
    }


def _probabilities(tree: Any) -> list[float]:
    """Of each node its classes' shares, divided as predict_proba does it."""
    values = tree.value[:, 0, :]
    sums = values.sum(axis=1)[:, None]
    sums[sums == 0] = 1
    return [float(v) for v in (values / sums).ravel()]


def _one_tree(estimator: Any) -> Described:
    if hasattr(estimator, "classes_"):
        classes = len(estimator.classes_)
        described = _classifier(estimator, "identity")
        return {**described, **_ensemble(classes, classes, False, [], [_tree(estimator.tree_, _probabilities(estimator.tree_))])}
    outputs = int(estimator.n_outputs_)
    values = [float(v) for v in estimator.tree_.value[:, :, 0].ravel()]
    return {**_regressor(), **_ensemble(outputs, outputs, False, [], [_tree(estimator.tree_, values)])}


def _forest(estimator: Any) -> Described:
    trees = [member.tree_ for member in estimator.estimators_]
    if hasattr(estimator, "classes_"):
        classes = len(estimator.classes_)
        described = _classifier(estimator, "identity")
        return {**described, **_ensemble(classes, classes, True, [], [_tree(tree, _probabilities(tree)) for tree in trees])}
    outputs = int(estimator.n_outputs_)
    values = [[float(v) for v in tree.value[:, :, 0].ravel()] for tree in trees]
    return {**_regressor(), **_ensemble(outputs, outputs, True, [], [_tree(t, v) for t, v in zip(trees, values, strict=True)])}


def _gradient_boosting(estimator: Any) -> Described:
    if estimator.init_ == "zero":
        base = [0.0] * estimator.estimators_.shape[1]
    elif type(estimator.init_).__name__ in ("DummyClassifier", "DummyRegressor"):
        # The prior does not look at the inputs, so any row tells it.
        import numpy

        base = _numbers(estimator._raw_predict_init(numpy.zeros((1, estimator.n_features_in_), dtype=numpy.float32))[0])
    else:
        raise NotDumpable(f"init={type(estimator.init_).__name__}: only the default start and 'zero' are supported")
    rate = float(estimator.learning_rate)
    trees = [
        _tree(member.tree_, [rate * float(v) for v in member.tree_.value[:, 0, 0]], target)
        for stage in estimator.estimators_
        for target, member in enumerate(stage)
    ]
    outputs = int(estimator.estimators_.shape[1])
    if not hasattr(estimator, "classes_"):
        return {**_regressor(), **_ensemble(outputs, 1, False, base, trees)}
    transform = "softmax" if outputs > 1 else "logistic"
    if estimator.loss == "exponential":
        raise NotDumpable("loss='exponential': use the default loss, or translate it in a run, with skl2onnx")
    # Its predict() asks raw >= 0, that of the other classifiers raw > 0.
    return {**_classifier(estimator, transform, zero_is_second=True), **_ensemble(outputs, 1, False, base, trees)}


def _histogram_tree(nodes: Any, target: int) -> Described:
    if nodes["is_categorical"].any():
        raise NotDumpable("categorical splits: fit on numbers, such as one column a category")
    leaf = nodes["is_leaf"].astype(bool)
    return {
        "target": target,
        "left": [-1 if is_leaf else int(child) for is_leaf, child in zip(leaf, nodes["left"], strict=True)],
        "right": [-1 if is_leaf else int(child) for is_leaf, child in zip(leaf, nodes["right"], strict=True)],
        "feature": [0 if is_leaf else int(f) for is_leaf, f in zip(leaf, nodes["feature_idx"], strict=True)],
        "threshold": [0.0 if is_leaf else float(t) for is_leaf, t in zip(leaf, nodes["num_threshold"], strict=True)],
        "missing_left": [int(m) for m in nodes["missing_go_to_left"]],
        "value": _numbers(nodes["value"]),
    }


def _histogram(estimator: Any) -> Described:
    if getattr(estimator, "_preprocessor", None) is not None:
        raise NotDumpable("categorical features: fit on numbers, such as one column a category")
    trees = [
        _histogram_tree(predictor.nodes, target)
        for stage in estimator._predictors
        for target, predictor in enumerate(stage)
    ]
    outputs = int(estimator.n_trees_per_iteration_)
    base = _numbers(estimator._baseline_prediction.ravel())
    ensemble = _ensemble(outputs, 1, False, base, trees)
    if hasattr(estimator, "classes_"):
        return {**_classifier(estimator, "softmax" if outputs > 1 else "logistic"), **ensemble}
    return {**_regressor("exp" if estimator.loss in ("poisson", "gamma") else "identity"), **ensemble}


_TREES: dict[str, Callable[[Any], Described]] = {
    "DecisionTreeClassifier": _one_tree, "DecisionTreeRegressor": _one_tree,
    "ExtraTreeClassifier": _one_tree, "ExtraTreeRegressor": _one_tree,
    "RandomForestClassifier": _forest, "RandomForestRegressor": _forest,
    "ExtraTreesClassifier": _forest, "ExtraTreesRegressor": _forest,
    "GradientBoostingClassifier": _gradient_boosting, "GradientBoostingRegressor": _gradient_boosting,
    "HistGradientBoostingClassifier": _histogram, "HistGradientBoostingRegressor": _histogram,
}
