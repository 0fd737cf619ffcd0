"""CatBoost: its own file format (.cbm) and its own exporter."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import catboost
import numpy
import onnx

from .. import graphs
from ..evidence import TREES
from ..refusal import Refusal
from ..rows import Input, Rows
from ..source import Loaded, Source

Array = Any


def load(source: Source) -> Loaded:
    model = catboost.CatBoost().load_model(str(source.file))
    if model.get_cat_feature_indices() or model.get_text_feature_indices():
        raise Refusal("categories and texts cannot be converted: train on numbers, such as one column for each category")
    labels = [label.item() if hasattr(label, "item") else label for label in model.classes_]
    entry = Input("x", (len(model.feature_names_),))
    if source.declared:
        entry.range = source.declared[0].range
    borders = model.get_borders()
    entry.thresholds = [numpy.array(sorted(set(borders.get(place, []))), dtype=numpy.float32) for place in range(entry.numbers)]

    def run(rows: Rows) -> list[Array]:
        pool = catboost.Pool(rows["x"])
        if not labels:
            return [numpy.asarray(model.predict(pool)).reshape(len(rows["x"]), -1).astype(numpy.float32)]
        probabilities = numpy.asarray(model.predict(pool, prediction_type="Probability")).astype(numpy.float32)
        classes = numpy.asarray(model.predict(pool, prediction_type="Class")).reshape(-1)
        return [classes.astype(numpy.int64) if isinstance(labels[0], int) else classes, probabilities]

    def convert(opset: int) -> onnx.ModelProto:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "model.onnx"
            model.save_model(str(path), format="onnx", export_parameters={"onnx_domain": "glasscase", "onnx_graph_name": "model"})
            result = onnx.load(str(path))
        graphs.without_zipmap(result)
        if "ai.onnx" not in graphs.opsets(result):
            result.opset_import.append(onnx.helper.make_opsetid("", opset))
        names = ("label", "probabilities") if labels else ("value",)
        graphs.rename(result, {result.graph.input[0].name: "x"} | {
            output.name: new for output, new in zip(result.graph.output, names, strict=True)})
        return result

    return Loaded(f"CatBoost {catboost.__version__}", [entry], run, convert, f"CatBoost {catboost.__version__}", TREES, labels or None,
                  regressor=not labels, sums=False)
