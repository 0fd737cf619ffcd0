"""Keras 3 on TensorFlow: .keras files, opened in Keras' safe mode always: a file with code of its own is refused."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")

import keras  # noqa: E402
import numpy  # noqa: E402
import onnx  # noqa: E402

from .. import graphs  # noqa: E402
from ..evidence import CONTINUOUS  # noqa: E402
from ..refusal import Refusal  # noqa: E402
from ..rows import Input, Rows  # noqa: E402
from ..source import Loaded, Source  # noqa: E402

Array = Any


def load(source: Source) -> Loaded:
    model = keras.saving.load_model(source.file, safe_mode=True, compile=False)
    inputs = source.declared or [_input(tensor) for tensor in model.inputs]

    def run(rows: Rows) -> list[Array]:
        answer = model([rows[one.name] for one in inputs] if len(inputs) > 1 else rows[inputs[0].name], training=False)
        return [numpy.asarray(part) for part in (answer if isinstance(answer, (list, tuple)) else (answer,))]

    def convert(opset: int) -> onnx.ModelProto:
        run({one.name: numpy.zeros((1, *one.shape), one.datatype) for one in inputs})  # Keras exports what was called once
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "model.onnx"
            model.export(path, format="onnx", verbose=False, opset_version=opset)
            result = onnx.load(str(path))
        graphs.rename(result, {value.name: one.name for value, one in zip(result.graph.input, inputs, strict=True)})
        return result

    described = f"Keras {keras.__version__} on {keras.backend.backend()}, {type(model).__name__}"
    return Loaded(described, inputs, run, convert, f"tf2onnx through Keras {keras.__version__}", CONTINUOUS)


def _input(tensor: Any) -> Input:
    shape = tuple(tensor.shape)[1:]
    if any(size is None for size in shape):
        raise Refusal(f"the input {tensor.name} has sizes that are not fixed: say them in inputs.json")
    return Input(tensor.name, shape, str(tensor.dtype))
