"""JAX: named tensors, and the code that makes a function of them."""

from __future__ import annotations

from typing import Any

import jax
import jax2onnx
import numpy
import onnx

from .. import graphs, tensors
from ..evidence import CONTINUOUS
from ..rows import Rows
from ..source import Loaded, Source

Array = Any
OPSET = 23  # what jax2onnx writes


def load(source: Source) -> Loaded:
    jax.config.update("jax_platforms", "cpu")
    inputs = source.need_inputs()
    read = tensors.load(source.file) if source.file.suffix == ".safetensors" else dict(numpy.load(source.file, allow_pickle=False))
    function = source.load_code("build_model").build_model(read)

    def run(rows: Rows) -> list[Array]:
        answer = function(*(rows[one.name] for one in inputs))
        return [numpy.asarray(part) for part in (answer if isinstance(answer, (tuple, list)) else (answer,))]

    def convert(opset: int) -> onnx.ModelProto:
        result: onnx.ModelProto = jax2onnx.to_onnx(function, inputs=[("n", *one.shape) for one in inputs], opset=opset, model_name="model")
        graphs.rename(result, {value.name: one.name for value, one in zip(result.graph.input, inputs, strict=True)})
        return result

    return Loaded(f"JAX {jax.__version__}", inputs, run, convert, "jax2onnx", CONTINUOUS, opset=OPSET)
