"""The two programs that run the result: ONNX Runtime, and the reference evaluator of ONNX itself."""

from __future__ import annotations

from typing import Any, Protocol

import numpy
import onnx

from .rows import Rows

Array = Any


class Evaluator(Protocol):
    name: str

    def run(self, rows: Rows) -> list[Array]:
        """Gives the outputs in the order of the graph."""


class Runtime:
    """ONNX Runtime, one thread."""

    def __init__(self, model: onnx.ModelProto) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 3
        self.name = f"ONNX Runtime {onnxruntime.__version__}"
        self._session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])

    def run(self, rows: Rows) -> list[Array]:
        return [numpy.asarray(output) for output in self._session.run(None, rows)]


class Reference:
    """Slow and plain: it shows that the file means what one engine makes of it."""

    def __init__(self, model: onnx.ModelProto) -> None:
        from onnx.reference import ReferenceEvaluator

        self.name = f"ONNX reference evaluator {onnx.__version__}"
        self._evaluator = ReferenceEvaluator(model)

    def run(self, rows: Rows) -> list[Array]:
        with numpy.errstate(all="ignore"):
            return [numpy.asarray(output) for output in self._evaluator.run(None, rows)]
