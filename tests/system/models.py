"""Models to publish: one trained on real data, the others drawn by hand with onnx.helper."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy
import onnx
from onnx import TensorProto, helper, numpy_helper

Array = numpy.ndarray[Any, Any]
OPSET = 17

# OIP name -> ONNX element type.
DATATYPES = {
    "BOOL": TensorProto.BOOL, "UINT8": TensorProto.UINT8, "UINT16": TensorProto.UINT16, "UINT32": TensorProto.UINT32,
    "UINT64": TensorProto.UINT64, "INT8": TensorProto.INT8, "INT16": TensorProto.INT16, "INT32": TensorProto.INT32,
    "INT64": TensorProto.INT64, "FP16": TensorProto.FLOAT16, "FP32": TensorProto.FLOAT, "FP64": TensorProto.DOUBLE,
    "BYTES": TensorProto.STRING,
}


@dataclass(frozen=True)
class Models:
    """Paths of the models, and what the digits model answers."""

    folder: Path
    digits: Path         # 64-96-48-10, pixels FP32 [n,64] -> label INT64 [n], probabilities FP32 [n,10]
    pixels: Array        # held-out images, [n,64]
    labels: Array        # what onnxruntime itself answers for them
    probabilities: Array
    add: Path            # a, b INT32 [1,16] -> sum, difference: a fixed first dimension
    echo: Path           # one input and output per datatype, x_NAME -> y_NAME, [n]
    external: Path       # a folder: model.onnx and weights.bin, x FP32 [n,4] -> y = x * weights
    spin: Path           # turns INT64 [] -> count INT64 []: loops that many times
    scale: Path          # x FP32 [n,4] -> y = 2x; a second version of it is scale_more
    scale_more: Path     # y = 3x

    def digit_body(self, row: int = 0) -> dict[str, Any]:
        data = [float(p) for p in self.pixels[row]]
        return {"inputs": [{"name": "pixels", "shape": [1, 64], "datatype": "FP32", "data": data}]}


def save(graph: onnx.GraphProto, path: Path, **arguments: Any) -> Path:
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], producer_name="glasscase tests", **arguments)
    model.ir_version = 8
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(model.SerializeToString())
    return path


def value(name: str, kind: int, shape: list[Any]) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, kind, shape)


def make_scale(path: Path, factor: float) -> Path:
    constant = numpy_helper.from_array(numpy.full(4, factor, dtype=numpy.float32), "factor")
    node = helper.make_node("Mul", ["x", "factor"], ["y"])
    return save(
        helper.make_graph([node], "scale", [value("x", TensorProto.FLOAT, ["n", 4])],
                          [value("y", TensorProto.FLOAT, ["n", 4])], [constant]), path)


def make_add(path: Path) -> Path:
    nodes = [helper.make_node("Add", ["a", "b"], ["sum"]), helper.make_node("Sub", ["a", "b"], ["difference"])]
    inputs = [value(n, TensorProto.INT32, [1, 16]) for n in ("a", "b")]
    outputs = [value(n, TensorProto.INT32, [1, 16]) for n in ("sum", "difference")]
    return save(helper.make_graph(nodes, "add", inputs, outputs), path)


def make_echo(path: Path) -> Path:
    nodes = [helper.make_node("Identity", [f"x_{name}"], [f"y_{name}"]) for name in DATATYPES]
    inputs = [value(f"x_{name}", kind, ["n"]) for name, kind in DATATYPES.items()]
    outputs = [value(f"y_{name}", kind, ["n"]) for name, kind in DATATYPES.items()]
    return save(helper.make_graph(nodes, "echo", inputs, outputs), path)


def make_external(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    weights = numpy.array([1, 2, 3, 4], dtype=numpy.float32)
    (folder / "weights.bin").write_bytes(weights.tobytes())
    save(external_graph("weights.bin"), folder / "model.onnx")
    return folder


def external_graph(location: str, length: int = 16, dims: tuple[int, ...] = (4,)) -> onnx.GraphProto:
    """A graph whose weights are said to lie in the file `location`."""
    tensor = TensorProto(name="weights", data_type=TensorProto.FLOAT, dims=dims, data_location=TensorProto.EXTERNAL)
    for key, text in (("location", location), ("offset", "0"), ("length", str(length))):
        tensor.external_data.add(key=key, value=text)
    node = helper.make_node("Mul", ["x", "weights"], ["y"])
    return helper.make_graph([node], "external", [value("x", TensorProto.FLOAT, ["n", 4])],
                             [value("y", TensorProto.FLOAT, ["n", 4])], [tensor])


def make_spin(path: Path, turns: int | None = None) -> Path:
    """Counts to its input; with `turns`, to that number whatever the input is."""
    one = numpy_helper.from_array(numpy.array(1, dtype=numpy.int64), "one")
    body = helper.make_graph(
        [helper.make_node("Identity", ["go_in"], ["go_out"]), helper.make_node("Add", ["count_in", "one"], ["count_out"])],
        "body",
        [value("i", TensorProto.INT64, []), value("go_in", TensorProto.BOOL, []), value("count_in", TensorProto.INT64, [])],
        [value("go_out", TensorProto.BOOL, []), value("count_out", TensorProto.INT64, [])],
        [one],
    )
    constants = [numpy_helper.from_array(numpy.array(True), "go"), numpy_helper.from_array(numpy.array(0, dtype=numpy.int64), "zero")]
    trips = "turns"
    nodes = []
    if turns is not None:
        constants.append(numpy_helper.from_array(numpy.array(turns, dtype=numpy.int64), "fixed"))
        trips = "fixed"
        nodes.append(helper.make_node("Identity", ["turns"], ["unused"]))
    nodes.append(helper.make_node("Loop", [trips, "go", "zero"], ["count"], body=body))
    return save(helper.make_graph(nodes, "spin", [value("turns", TensorProto.INT64, [])],
                                  [value("count", TensorProto.INT64, [])], constants), path)


def train_digits(folder: Path) -> None:
    import onnxruntime
    import skl2onnx
    import threadpoolctl  # type: ignore[import-untyped]
    from skl2onnx.common.data_types import FloatTensorType
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split
    from sklearn.neural_network import MLPClassifier

    images, labels = load_digits(return_X_y=True)
    images = (images / 16).astype(numpy.float32)
    train_x, test_x, train_y, _ = train_test_split(images, labels, test_size=0.25, random_state=7)
    classifier = MLPClassifier((96, 48), max_iter=25, random_state=7)
    # So small a network is trained faster by one thread than by several that wait for each other.
    with warnings.catch_warnings(), threadpoolctl.threadpool_limits(1):
        warnings.simplefilter("ignore")
        classifier.fit(train_x, train_y)
    model = skl2onnx.convert_sklearn(
        classifier, initial_types=[("pixels", FloatTensorType([None, 64]))], options={"zipmap": False})
    (folder / "digits.onnx").write_bytes(model.SerializeToString())
    with_maps = skl2onnx.convert_sklearn(classifier, initial_types=[("pixels", FloatTensorType([None, 64]))])
    (folder / "digits-zipmap.onnx").write_bytes(with_maps.SerializeToString())
    session = onnxruntime.InferenceSession(str(folder / "digits.onnx"), providers=["CPUExecutionProvider"])
    rows = test_x[:64]
    label, probabilities = session.run(None, {"pixels": rows})
    numpy.savez(folder / "digits.npz", pixels=rows, labels=label, probabilities=probabilities)


def make_models() -> Models:
    """Trains and draws them all, once per version of this file; later runs find them in the temporary directory."""
    key = hashlib.sha256(Path(__file__).read_bytes()).hexdigest()[:16]
    folder = Path(tempfile.gettempdir()) / f"glasscase-test-models-{os.getuid()}-{key}"
    if not (folder / "complete.json").exists():
        fresh = Path(tempfile.mkdtemp(prefix="glasscase-test-models-"))
        train_digits(fresh)
        make_scale(fresh / "scale.onnx", 2)
        make_scale(fresh / "scale_more.onnx", 3)
        make_add(fresh / "add.onnx")
        make_echo(fresh / "echo.onnx")
        make_external(fresh / "external")
        make_spin(fresh / "spin.onnx")
        (fresh / "complete.json").write_text(json.dumps({"from": str(Path(__file__))}))
        try:
            fresh.rename(folder)
        except OSError:  # another run was faster
            pass
    known = numpy.load(folder / "digits.npz")
    return Models(
        folder=folder, digits=folder / "digits.onnx", pixels=known["pixels"], labels=known["labels"],
        probabilities=known["probabilities"], add=folder / "add.onnx", echo=folder / "echo.onnx",
        external=folder / "external", spin=folder / "spin.onnx", scale=folder / "scale.onnx",
        scale_more=folder / "scale_more.onnx",
    )
