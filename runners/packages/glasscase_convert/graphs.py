"""Small changes to ONNX graphs that converters leave to their callers."""

from __future__ import annotations

import onnx


def rename(model: onnx.ModelProto, names: dict[str, str]) -> None:
    """Gives inputs and outputs of the graph other names; a tensor inside that has one of them makes way."""
    names = {old: new for old, new in names.items() if old != new}
    inner = {name for node in model.graph.node for name in (*node.input, *node.output)} | {one.name for one in model.graph.initializer}
    for new in set(names.values()) & (inner - set(names)):
        names[new] = next(other for other in (f"{new}_{n}" for n in range(len(inner) + 1)) if other not in inner)
    for value in (*model.graph.input, *model.graph.output):
        value.name = names.get(value.name, value.name)
    for node in model.graph.node:
        for list_ in (node.input, node.output):
            for place, name in enumerate(list_):
                list_[place] = names.get(name, name)
    for tensor in model.graph.initializer:
        tensor.name = names.get(tensor.name, tensor.name)
    del model.graph.value_info[:]  # derived, and by name


def keep_outputs(model: onnx.ModelProto, count: int) -> None:
    """Drops the outputs beyond the first `count`; what only they needed stays and costs little."""
    del model.graph.output[count:]


def without_zipmap(model: onnx.ModelProto) -> None:
    """Replaces outputs that are lists of maps by the matrix that they were made from."""
    for node in [node for node in model.graph.node if node.op_type == "ZipMap"]:
        for output in model.graph.output:
            if output.name == node.output[0]:
                output.CopyFrom(onnx.helper.make_tensor_value_info(node.input[0], onnx.TensorProto.FLOAT, ["n", None]))
        model.graph.node.remove(node)


def opsets(model: onnx.ModelProto) -> dict[str, int]:
    """The version of each operator set, by domain."""
    return {entry.domain or "ai.onnx": entry.version for entry in model.opset_import}
