"""scikit-learn: models and pipelines, with XGBoost's and LightGBM's classes where the runner has them. They come as pickles."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Iterable
from typing import Any

import numpy
import onnx

from .. import graphs
from ..evidence import CONTINUOUS, TREES
from ..refusal import Refusal
from ..rows import Input, Rows
from ..source import Loaded, Source

Array = Any
Split = tuple[int, float]

# What these do to a column depends on that column alone, so a threshold behind them is one before them.
_BY_COLUMN = ("StandardScaler", "MinMaxScaler", "MaxAbsScaler", "RobustScaler", "SimpleImputer")


def load(source: Source) -> Loaded:
    import joblib
    import skl2onnx
    import sklearn

    model = joblib.load(source.file)
    name = _name(model)
    if not hasattr(model, "predict") or not hasattr(model, "n_features_in_"):
        raise Refusal(f"{source.file.name} holds a {name}, which is no fitted model")
    classes = [label.item() if hasattr(label, "item") else label for label in model.classes_] if hasattr(model, "classes_") else None
    with_probabilities = classes is not None and hasattr(model, "predict_proba")
    found = list(_splits(model))
    entry = Input("x", (int(model.n_features_in_),))
    if source.declared:
        entry.range = source.declared[0].range
    entry.thresholds = _by_feature(_before_scaling(model, found), entry.numbers)

    def run(rows: Rows) -> list[Array]:
        # Trained on doubles, as scikit-learn does when nobody says otherwise. Widening is exact.
        inputs = rows["x"].astype(numpy.float64)
        with numpy.errstate(all="ignore"):
            outputs = [model.predict(inputs)]
            if with_probabilities:
                outputs.append(model.predict_proba(inputs).astype(numpy.float32))
        if classes is None:
            return [outputs[0].reshape(len(inputs), -1).astype(numpy.float32)]
        return outputs

    def convert(opset: int) -> onnx.ModelProto:
        _register_boosting()
        result: onnx.ModelProto = skl2onnx.convert_sklearn(
            model, "model", [("x", skl2onnx.common.data_types.FloatTensorType([None, entry.numbers]))],
            target_opset={"": opset, "ai.onnx.ml": 3}, options={id(model): {"zipmap": False}} if with_probabilities else None)
        names = ("value",) if classes is None else ("label", "probabilities")
        if classes is not None and not with_probabilities:
            graphs.keep_outputs(result, 1)
        graphs.rename(result, {output.name: new for output, new in zip(result.graph.output, names, strict=False)})
        return result

    return Loaded(
        f"scikit-learn {sklearn.__version__}, {name}", [entry], run, convert, f"skl2onnx {skl2onnx.__version__}",
        TREES if found else CONTINUOUS, classes)


def _name(model: Any) -> str:
    steps = getattr(model, "steps", None)
    return " + ".join(type(step).__name__ for _, step in steps) if steps else type(model).__name__


def _last(model: Any) -> Any:
    return model.steps[-1][1] if hasattr(model, "steps") else model


def _register_boosting() -> None:
    """Tells skl2onnx how XGBoost's and LightGBM's classes are converted, where they are installed."""
    from skl2onnx import update_registered_converter
    from skl2onnx.common.shape_calculator import calculate_linear_classifier_output_shapes, calculate_linear_regressor_output_shapes

    options = {"nocl": [True, False], "zipmap": [True, False, "columns"]}
    if importlib.util.find_spec("xgboost"):
        import xgboost
        from onnxmltools.convert.xgboost.operator_converters.XGBoost import convert_xgboost

        update_registered_converter(xgboost.XGBClassifier, "XGBoostXGBClassifier", calculate_linear_classifier_output_shapes, convert_xgboost, options=options)
        update_registered_converter(xgboost.XGBRegressor, "XGBoostXGBRegressor", calculate_linear_regressor_output_shapes, convert_xgboost)
    if importlib.util.find_spec("lightgbm"):
        import lightgbm
        from onnxmltools.convert.lightgbm.operator_converters.LightGbm import convert_lightgbm

        update_registered_converter(lightgbm.LGBMClassifier, "LightGbmLGBMClassifier", calculate_linear_classifier_output_shapes, convert_lightgbm, options=options)
        update_registered_converter(lightgbm.LGBMRegressor, "LightGbmLGBMRegressor", calculate_linear_regressor_output_shapes, convert_lightgbm)


# ---- where it branches ----


def _splits(model: Any) -> Iterable[Split]:
    """Every (feature, threshold) of the trees in a model, as far as the library shows them."""
    model = _last(model)
    if hasattr(model, "tree_"):
        inner = model.tree_
        yield from ((int(f), float(t)) for f, t in zip(inner.feature, inner.threshold, strict=True) if f >= 0)
    elif hasattr(model, "_predictors"):
        for predictor in (one for row in model._predictors for one in row):
            nodes = predictor.nodes[predictor.nodes["is_leaf"] == 0]
            yield from zip(nodes["feature_idx"].tolist(), nodes["num_threshold"].tolist(), strict=True)
    elif hasattr(model, "get_booster"):
        learner = json.loads(model.get_booster().save_raw("json"))["learner"]
        for tree in learner["gradient_booster"].get("model", {"trees": []})["trees"]:
            for left, feature, threshold in zip(tree["left_children"], tree["split_indices"], tree["split_conditions"], strict=True):
                if left >= 0:
                    yield feature, threshold
    elif hasattr(model, "booster_"):
        stack = [tree["tree_structure"] for tree in model.booster_.dump_model()["tree_info"]]
        while stack:
            node = stack.pop()
            if "split_feature" in node:
                yield int(node["split_feature"]), float(node["threshold"])
                stack += [node["left_child"], node["right_child"]]
    elif hasattr(model, "estimators_"):
        for one in numpy.asarray(model.estimators_, dtype=object).ravel():
            yield from _splits(one)


def _before_scaling(model: Any, splits: list[Split]) -> list[Split]:
    """The same thresholds as numbers of the pipeline's input; none where that is more than one number."""
    steps = [step for _, step in getattr(model, "steps", [])[:-1] if step not in (None, "passthrough")]
    if not splits or not steps:
        return splits
    if any(type(step).__name__ not in _BY_COLUMN for step in steps):
        return []
    width = int(model.n_features_in_)
    inputs = numpy.zeros((len(splits), width))
    features = numpy.array([feature for feature, _ in splits])
    inputs[numpy.arange(len(splits)), features] = [threshold for _, threshold in splits]
    for step in reversed(steps):
        if type(step).__name__ != "SimpleImputer":
            inputs = step.inverse_transform(inputs)
    return list(zip(features.tolist(), inputs[numpy.arange(len(splits)), features].tolist(), strict=True))


def _by_feature(splits: list[Split], width: int) -> list[Array]:
    if not splits:
        return []
    lists: list[set[float]] = [set() for _ in range(width)]
    for feature, threshold in splits:
        lists[feature].add(float(numpy.float32(threshold)))
    return [numpy.array(sorted(one), dtype=numpy.float32) for one in lists]
