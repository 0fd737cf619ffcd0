"""scikit-learn: models and pipelines, with XGBoost's and LightGBM's classes where the runner has them. They come as pickles."""

from __future__ import annotations

import importlib.util
from typing import Any

import numpy
import onnx

from .. import graphs
from ..evidence import CONTINUOUS, TREES
from ..refusal import Refusal
from ..rows import Input, Rows
from ..source import Loaded, Source
from . import branches

Array = Any


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
    inside = branches.find(model)
    entry = Input("x", (int(model.n_features_in_),))
    if source.declared:
        entry.range = source.declared[0].range
    entry.thresholds = inside.by_feature(entry.numbers)

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
        found = getattr(model, "best_estimator_", model)  # of a search; skl2onnx knows one kind of them
        result: onnx.ModelProto = skl2onnx.convert_sklearn(
            found, "model", [("x", skl2onnx.common.data_types.FloatTensorType([None, entry.numbers]))],
            target_opset={"": opset, "ai.onnx.ml": 3}, options={id(found): {"zipmap": False}} if with_probabilities else None)
        names = ("value",) if classes is None else ("label", "probabilities")
        if classes is not None and not with_probabilities:
            graphs.keep_outputs(result, 1)
        graphs.rename(result, {output.name: new for output, new in zip(result.graph.output, names, strict=False)})
        return result

    return Loaded(
        f"scikit-learn {sklearn.__version__}, {name}", [entry], run, convert, f"skl2onnx {skl2onnx.__version__}",
        TREES if inside.trees else CONTINUOUS, classes, regressor=classes is None, sums=inside.sums or not inside.trees, unseen=inside.unseen)


def _name(model: Any) -> str:
    steps = getattr(model, "steps", None)
    return " + ".join(type(step).__name__ for _, step in steps) if steps else type(model).__name__


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
