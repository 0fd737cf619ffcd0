"""What is ONNX already: checked, and brought to a wanted opset where that changes nothing."""

from __future__ import annotations

import re
from collections.abc import Iterator
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
# Trees, and what hands them the numbers of the input as they are.
_TREES = ("TreeEnsemble", "TreeEnsembleClassifier", "TreeEnsembleRegressor")
_MOVES = ("Cast", "Concat", "Flatten", "Gather", "Identity", "Reshape", "Slice", "Split", "Squeeze", "Transpose", "Unsqueeze")


def load(source: Source) -> Loaded:
    model = onnx.load(str(source.file))
    try:
        onnx.checker.check_model(model, full_check=True)
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as error:
        raise Refusal(f"{source.file.name} is no valid ONNX: {' '.join(str(error).split())[:300]}") from error
    engine = Runtime(model)
    declared = {one.name: one for one in source.declared or []}
    held = {one.name for one in model.graph.initializer}
    taken = [value for value in model.graph.input if value.name not in held]
    _need_free_rows(taken)
    inputs = [declared.get(value.name) or _input(value) for value in taken]

    def run(rows: Rows) -> list[Array]:
        return engine.run(rows)

    def convert(opset: int) -> onnx.ModelProto:
        has = graphs.opsets(model).get("ai.onnx", opset)
        if has == opset:
            return model
        _need_operators(model, opset)
        try:
            return version_converter.convert_version(model, opset)
        except RuntimeError as error:
            raise Refusal(f"it cannot be brought from opset {has} to {opset}: {why_not(str(error), has, opset)}") from error

    version = graphs.opsets(model).get("ai.onnx")
    return Loaded(
        f"ONNX, opset {version}", inputs, run, convert, f"onnx.version_converter {onnx.__version__}", SAME, opset=None,
        sums=_sums(model, [value.name for value in taken]))


def opset_of(source: Source) -> int | None:
    """The opset that the file has."""
    return graphs.opsets(onnx.load(str(source.file), load_external_data=False)).get("ai.onnx")


def _sums(model: onnx.ModelProto, inputs: list[str]) -> bool:
    """Whether anything but trees takes the numbers of the input: it may add them up."""
    numbers = set(inputs)
    for node in model.graph.node:
        has_graph = any(attribute.type in (attribute.GRAPH, attribute.GRAPHS) for attribute in node.attribute)  # which may take them too
        if node.op_type in _TREES or not (has_graph or numbers.intersection(node.input)):
            continue
        if node.op_type not in _MOVES:
            return True
        numbers.update(node.output)
    return False


def _need_free_rows(inputs: list[Any]) -> None:
    for value in inputs:
        sizes = value.type.tensor_type.shape.dim
        if sizes and sizes[0].dim_value > 0:
            raise Refusal(
                f"the input {value.name} takes exactly {sizes[0].dim_value} row{'s' if sizes[0].dim_value > 1 else ''} at a time: export the model with a "
                "first size that is free, such as n")


def _need_operators(model: onnx.ModelProto, opset: int) -> None:
    """Refuses an opset that lacks an operator of the model: the converter of versions may let it stand as it is."""
    newest = onnx.defs.onnx_opset_version()
    if not 1 <= opset <= newest:
        raise Refusal(f"there is no opset {opset} in onnx {onnx.__version__}: it has 1 to {newest}")
    own = {(function.domain, function.name) for function in model.functions}
    names = {node.op_type for node in _nodes(model) if node.domain in ("", "ai.onnx") and (node.domain, node.op_type) not in own}
    for name in sorted(names):
        try:
            if not onnx.defs.get_schema(name, opset, "").deprecated:
                continue
        except onnx.defs.SchemaError:
            pass
        raise Refusal(f"opset {opset} has no operator {name}, which the model uses: it cannot be brought there without loss")


def why_not(said: str, has: int, opset: int) -> str:
    """What the converter of versions says, without the place in its source. It goes version by version, and names the step."""
    found = re.search(r"No Adapter (?:(From|To) Version \$(\d+) )?[Ff]or (\w+)", said)
    if found is None:
        return re.sub(r".*Assertion `.*` failed: ", "", " ".join(said.split()))
    end, version, name = found.groups()
    if end is None:
        return f"there is no conversion of {name}"
    down = has > opset
    last = int(version) + (0 if end == "From" else 1 if down else -1)
    return f"there is no conversion of {name} {'below' if down else 'above'} {last}; ask for {last} or {'newer' if down else 'older'}"


def _nodes(model: onnx.ModelProto) -> Iterator[Any]:
    """Of the graph, of the functions and of all graphs inside."""
    left = [*model.graph.node, *(node for function in model.functions for node in function.node)]
    while left:
        node = left.pop()
        yield node
        for attribute in node.attribute:
            for graph in (attribute.g, *attribute.graphs):
                left += graph.node


def _input(value: Any) -> Input:
    kind = value.type.tensor_type
    if kind.elem_type not in _TYPES:
        raise Refusal(f"the input {value.name} has an element type that is not supported here")
    sizes = [size.dim_value for size in kind.shape.dim]
    if not sizes or any(size <= 0 for size in sizes[1:]):
        raise Refusal(f"the input {value.name} has sizes that are not fixed: say them in inputs.json")
    return Input(value.name, tuple(sizes[1:]), _TYPES[kind.elem_type])
