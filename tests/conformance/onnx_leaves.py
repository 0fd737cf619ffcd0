"""Trees of an ONNX file that say in which leaf an input ends: for tests and bench."""

from __future__ import annotations

import numpy
import onnx
from onnx import helper, numpy_helper


def attribute(node: onnx.NodeProto, name: str) -> onnx.AttributeProto | None:
    return next((found for found in node.attribute if found.name == name), None)


def ints(node: onnx.NodeProto, name: str) -> list[int]:
    found = attribute(node, name)
    assert found is not None, name
    return list(found.ints)


def to_leaf_numbers(model: onnx.ModelProto) -> tuple[onnx.ModelProto, dict[int, int]]:
    """The same trees with a target for each, whose leaves say their own number; and how many splits each tree has."""
    trees = next(node for node in model.graph.node if node.op_type == "TreeEnsembleRegressor")
    leaves = sorted(set(zip(ints(trees, "target_treeids"), ints(trees, "target_nodeids"), strict=True)))
    splits: dict[int, int] = dict.fromkeys(ints(trees, "nodes_treeids"), 0)
    modes = attribute(trees, "nodes_modes")
    assert modes is not None
    for tree, mode in zip(ints(trees, "nodes_treeids"), modes.strings, strict=True):
        splits[tree] += mode != b"LEAF"
    as_tensor = attribute(trees, "target_weights_as_tensor") is not None
    numbers = [float(node) for _, node in leaves]
    replaced = {
        "n_targets": len(splits), "aggregate_function": "SUM", "target_treeids": [t for t, _ in leaves],
        "target_nodeids": [n for _, n in leaves], "target_ids": [t for t, _ in leaves],
        "target_weights_as_tensor" if as_tensor else "target_weights":
            numpy_helper.from_array(numpy.array(numbers)) if as_tensor else numbers,
    }
    kept = [found for found in trees.attribute if found.name not in replaced]
    del trees.attribute[:]
    trees.attribute.extend(kept + [helper.make_attribute(name, value) for name, value in replaced.items()])
    del model.graph.output[:]
    model.graph.output.append(helper.make_tensor_value_info(trees.output[0], onnx.TensorProto.FLOAT, None))
    # What follows the trees goes: other targets do not fit it.
    first = next(i for i, node in enumerate(model.graph.node) if node.op_type == "TreeEnsembleRegressor")
    del model.graph.node[first + 1:]
    return model, splits
