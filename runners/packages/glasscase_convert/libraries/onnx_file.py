"""What is ONNX already: checked, and brought to a wanted opset where that changes nothing."""

from __future__ import annotations

from typing import Any

import onnx
from onnx import version_converter

from .. import graphs
from ..evaluators import Runtime
from ..evidence import Bound
from ..refusal import Refusal
from ..rows import Input, Rows
from ..source import Loaded, Source

Array = Any
_TYPES = {
    onnx.TensorProto.FLOAT: "float32", onnx.TensorProto.DOUBLE: "float64", onnx.TensorProto.INT32: "int32", onnx.TensorProto.INT64: "int64",
}
# The same operators in other words: nothing but the order of sums may change.
SAME = Bound("the same graph", 1e-6, 4)


def load(source: Source) -> Loaded:
    model = onnx.load(str(source.file))
    try:
        onnx.checker.check_model(model, full_check=True)
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as error:
        raise Refusal(f"{source.file.name} is no valid ONNX: {' '.join(str(error).split())[:300]}") from error
    engine = Runtime(model)
    declared = {one.name: one for one in source.declared or []}
    held = {one.name for one in model.graph.initializer}
    inputs = [declared.get(value.name) or _input(value) for value in model.graph.input if value.name not in held]

    def run(rows: Rows) -> list[Array]:
        return engine.run(rows)

    def convert(opset: int) -> onnx.ModelProto:
        has = graphs.opsets(model).get("ai.onnx", opset)
        return model if has == opset else version_converter.convert_version(model, opset)

    version = graphs.opsets(model).get("ai.onnx")
    return Loaded(
        f"ONNX, opset {version}", inputs, run, convert, f"onnx.version_converter {onnx.__version__}", SAME, opset=None)


def opset_of(source: Source) -> int | None:
    """The opset that the file has."""
    return graphs.opsets(onnx.load(str(source.file), load_external_data=False)).get("ai.onnx")


def _input(value: Any) -> Input:
    kind = value.type.tensor_type
    if kind.elem_type not in _TYPES:
        raise Refusal(f"the input {value.name} has an element type that is not supported here")
    sizes = [size.dim_value for size in kind.shape.dim]
    if not sizes or sizes[0] > 1 or any(size <= 0 for size in sizes[1:]):
        raise Refusal(f"the input {value.name} has sizes that are not fixed: say them in inputs.json")
    return Input(value.name, tuple(sizes[1:]), _TYPES[kind.elem_type])
