#!/usr/bin/env python3
"""Makes the ONNX files that the tests of src/base/onnx read, and the seeds of its fuzz target.

    PYTHONHASHSEED=0 .deps/venv/bin/python tests/vectors/onnx/make_vectors.py     (skl2onnx orders by hashes)

exported/    what skl2onnx writes for scikit-learn models (fixed seeds; iris and digits come with scikit-learn)
external/    a model whose weights lie in a file beside it
rows/apart/  graphs in which each output row depends on its own input row alone
rows/mixed/  graphs in which a row reaches another's answer, or the number of rows does

Every file of rows/ and exported/ is run with ONNX Runtime before it is kept: in a batch and row by row. Those of apart/
and exported/ must agree, those of mixed/ must not.
"""
from __future__ import annotations

import struct
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

HERE = Path(__file__).resolve().parent
CORPUS = HERE.parents[2] / "fuzz" / "corpus" / "onnx_inspect"
ML = "ai.onnx.ml"
RNG = np.random.default_rng(20261120)

Shape = Sequence[int | str | None]


def node(kind: str, inputs: Sequence[str], outputs: Sequence[str], **attributes: Any) -> onnx.NodeProto:
    return helper.make_node(kind, inputs, outputs, **attributes)


def floats(*shape: int) -> np.ndarray:
    return (RNG.normal(size=shape) / 2).astype(np.float32)


def ints(*values: int) -> np.ndarray:
    return np.array(values, np.int64)


def model(
    nodes: Sequence[onnx.NodeProto],
    inputs: dict[str, Shape],
    outputs: dict[str, Shape],
    constants: dict[str, Any] | None = None,
    types: dict[str, int] | None = None,
    opset: int = 17,
    functions: Sequence[onnx.FunctionProto] = (),
) -> onnx.ModelProto:
    def value(name: str, shape: Shape) -> onnx.ValueInfoProto:
        return helper.make_tensor_value_info(name, (types or {}).get(name, TensorProto.FLOAT), shape)

    graph = helper.make_graph(
        nodes,
        "g",
        [value(n, s) for n, s in inputs.items()],
        [value(n, s) for n, s in outputs.items()],
        [numpy_helper.from_array(np.asarray(a), n) for n, a in (constants or {}).items()],
    )
    imports = [helper.make_opsetid("", opset), helper.make_opsetid(ML, 3)]
    imports += [helper.make_opsetid(f.domain, 1) for f in functions]
    return helper.make_model(graph, opset_imports=imports, ir_version=9, functions=functions, producer_name="make_vectors")


# ---- whether rows meet, by running the model ----

NUMPY = {"tensor(float)": np.float32, "tensor(int64)": np.int64, "tensor(bool)": np.bool_}


def same(a: np.ndarray, b: np.ndarray) -> bool:
    if a.dtype.kind not in "fiub":
        return bool((a == b).all())
    return np.allclose(a.astype(np.float64), b.astype(np.float64), rtol=1e-3, atol=1e-3, equal_nan=True)


def rows_meet(bytes_: bytes) -> bool:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(bytes_, options)
    rng = np.random.default_rng(7)
    for count in (2, 3, 4, 5):
        feed = {}
        for port in session.get_inputs():
            shape = [count] + [d if isinstance(d, int) else 3 for d in port.shape[1:]]
            if NUMPY[port.type] is np.float32:
                feed[port.name] = (rng.normal(size=shape) * 3).astype(np.float32)
            else:
                feed[port.name] = rng.integers(0, 2, shape).astype(NUMPY[port.type])
        try:
            singles = [session.run(None, {k: v[i : i + 1] for k, v in feed.items()}) for i in range(count)]
            batch = session.run(None, feed)
        except Exception:  # the runtime's own type; a failure that depends on the batch is a meeting too
            return True
        for i, together in enumerate(batch):
            parts = [single[i] for single in singles]
            if any(p.ndim == 0 or p.shape[1:] != parts[0].shape[1:] for p in parts):
                return True
            apart = np.concatenate(parts)
            if apart.shape != together.shape:
                return True
            if not same(apart, together):
                return True
    return False


# ---- rows/apart ----


def apart() -> dict[str, onnx.ModelProto]:
    first, front = np.array(0, np.int64), ints(0)
    count = [node("Shape", ["x"], ["s"]), node("Gather", ["s", "first"], ["n"]), node("Unsqueeze", ["n", "front"], ["n1"])]
    models = {
        "cnn": model(
            [
                node("Conv", ["x", "w1"], ["a"], pads=[1, 1, 1, 1]),
                node("BatchNormalization", ["a", "c", "c", "c", "v"], ["b"]),
                node("Relu", ["b"], ["r"]),
                node("MaxPool", ["r"], ["p"], kernel_shape=[2, 2], strides=[2, 2]),
                node("Conv", ["p", "w2"], ["d"]),
                node("Reshape", ["d", "flat"], ["f"]),
                node("Gemm", ["f", "w3"], ["g"], transB=1),
                node("Softmax", ["g"], ["y"]),
            ],
            {"x": ["batch", 1, 8, 8]},
            {"y": ["batch", 5]},
            {"w1": floats(3, 1, 3, 3), "c": floats(3), "v": np.ones(3, np.float32), "w2": floats(4, 3, 3, 3),
             "flat": ints(-1, 16), "w3": floats(5, 16)},
        ),
        "attention": model(
            [
                *count,
                node("Gather", ["s", "second"], ["t"]),
                node("Unsqueeze", ["t", "front"], ["t1"]),
                node("Gather", ["table", "x"], ["e"]),
                node("LayerNormalization", ["e", "scale"], ["l"]),
                node("MatMul", ["l", "wq"], ["q"]),
                node("Concat", ["n1", "t1", "heads"], ["to"], axis=0),
                node("Reshape", ["q", "to"], ["qr"]),
                node("Transpose", ["qr"], ["qt"], perm=[0, 2, 1, 3]),
                node("Transpose", ["qr"], ["kt"], perm=[0, 2, 3, 1]),
                node("MatMul", ["qt", "kt"], ["m"]),
                node("Softmax", ["m"], ["p"], axis=-1),
                node("MatMul", ["p", "qt"], ["c"]),
                node("Transpose", ["c"], ["ct"], perm=[0, 2, 1, 3]),
                node("Concat", ["n1", "t1", "width"], ["back"], axis=0),
                node("Reshape", ["ct", "back"], ["cr"]),
                node("Add", ["cr", "e"], ["o"]),
                node("ReduceMean", ["o"], ["y"], axes=[1], keepdims=0),
            ],
            {"x": ["batch", "tokens"]},
            {"y": ["batch", 4]},
            {"first": first, "second": np.array(1, np.int64), "front": front, "table": floats(6, 4), "scale": floats(4),
             "wq": floats(4, 4), "heads": ints(2, 2), "width": ints(4)},
            {"x": TensorProto.INT64},
        ),
        "lstm": model(
            [
                node("Transpose", ["x"], ["xt"], perm=[1, 0, 2]),
                *count,
                node("Concat", ["one", "n1", "units"], ["hs"], axis=0),
                node("ConstantOfShape", ["hs"], ["h"]),
                node("LSTM", ["xt", "w", "r", "", "", "h", "h"], ["steps", "last"], hidden_size=3),
                node("Squeeze", ["last", "front"], ["y"]),
            ],
            {"x": ["batch", 4, 2]},
            {"y": ["batch", 3]},
            {"first": first, "front": front, "one": ints(1), "units": ints(3), "w": floats(1, 12, 2), "r": floats(1, 12, 3)},
        ),
        "tokens_and_back": model(
            [node("Reshape", ["x", "tokens"], ["a"]), node("MatMul", ["a", "w"], ["b"]), node("Reshape", ["b", "back"], ["y"])],
            {"x": ["n", 6, 4]},
            {"y": ["n", 6, 3]},
            {"tokens": ints(-1, 4), "w": floats(4, 3), "back": ints(-1, 6, 3)},
        ),
        "cosine_of_two_inputs": model(
            [node("ReduceL2", ["a"], ["l"], axes=[1]), node("Div", ["a", "l"], ["u"]), node("Mul", ["u", "b"], ["p"]),
             node("ReduceSum", ["p", "last"], ["y"], keepdims=0)],
            {"a": ["n", 4], "b": ["m", 4]},
            {"y": ["n"]},
            {"last": ints(1)},
        ),
        "function_along_columns": with_function(-1),
    }
    return models


def with_function(axis: int) -> onnx.ModelProto:
    softmax = node("Softmax", ["t"], ["b"])
    reference = softmax.attribute.add()
    reference.name, reference.ref_attr_name, reference.type = "axis", "along", onnx.AttributeProto.INT
    function = helper.make_function(
        "test", "F", ["a"], ["b"], [node("Relu", ["a"], ["t"]), softmax], [helper.make_opsetid("", 17)], ["along"]
    )
    return model([node("F", ["x"], ["y"], domain="test", along=axis)], {"x": ["n", 4]}, {"y": ["n", 4]}, functions=[function])


# ---- rows/mixed ----


def mixed() -> dict[str, onnx.ModelProto]:
    def small(nodes: Sequence[onnx.NodeProto], constants: dict[str, Any] | None = None, **more: Any) -> onnx.ModelProto:
        return model(nodes, {"x": ["n", 4]}, {"y": ["n", None]}, constants, **more)

    shift = [node("ReduceMean", ["x"], ["m"], axes=[0]), node("Sub", ["x", "m"], ["y"])]
    return {
        "mean_of_the_batch": small(shift),
        "softmax_over_rows": small([node("Softmax", ["x"], ["y"], axis=0)]),
        "softmax_before_opset_13": model(
            [node("Transpose", ["x"], ["t"], perm=[1, 0, 2]), node("Softmax", ["t"], ["s"], axis=1),
             node("Transpose", ["s"], ["y"], perm=[1, 0, 2])],
            {"x": ["n", 4, 2]}, {"y": ["n", 4, 2]}, opset=11),
        "cumsum_over_rows": small([node("CumSum", ["x", "i"], ["y"])], {"i": np.array(0, np.int64)}),
        "sorted_rows": small([node("Shape", ["x"], ["s"]), node("Gather", ["s", "i"], ["k"]),
                              node("TopK", ["x", "k"], ["y", "j"], axis=0)], {"i": ints(0)}),
        "reversed_rows": small([node("Slice", ["x", "a", "b", "i", "a"], ["y"])],
                               {"a": ints(-1), "b": ints(-(2**31)), "i": ints(0)}),
        "gram_matrix": small([node("Transpose", ["x"], ["t"]), node("MatMul", ["x", "t"], ["y"])]),
        "dynamic_quantisation": small([node("DynamicQuantizeLinear", ["x"], ["q", "s", "z"]),
                                       node("DequantizeLinear", ["q", "s", "z"], ["y"])]),
        "transpose_then_reshape": small([node("Transpose", ["x"], ["t"]), node("Reshape", ["t", "to"], ["y"])],
                                        {"to": ints(-1, 4)}),
        "divided_by_the_number_of_rows": small(
            [node("Shape", ["x"], ["s"]), node("Cast", ["s"], ["f"], to=1), node("Gather", ["f", "i"], ["n"]),
             node("Div", ["x", "n"], ["y"])], {"i": ints(0)}),
        "numbered_rows": small(
            [node("Shape", ["x"], ["s"]), node("Gather", ["s", "i"], ["n"]), node("Range", ["i", "n", "one"], ["r"]),
             node("Unsqueeze", ["r", "last"], ["c"]), node("Cast", ["c"], ["f"], to=1), node("Add", ["x", "f"], ["y"])],
            {"i": np.array(0, np.int64), "one": np.array(1, np.int64), "last": ints(1)}),
        "constant_per_row": small([node("Shape", ["x"], ["s"]), node("Slice", ["s", "a", "b"], ["n"]),
                                   node("Slice", ["c", "a", "n", "a"], ["d"]), node("Add", ["x", "d"], ["y"])],
                                  {"c": floats(9, 4), "a": ints(0), "b": ints(1)}),
        "vector_normalised_as_one_sample": model(
            [node("Reshape", ["x", "flat"], ["f"]), node("Normalizer", ["f"], ["g"], domain=ML, norm="L1"),
             node("Reshape", ["g", "back"], ["y"])],
            {"x": ["n", 4]}, {"y": ["n", 4]}, {"flat": ints(-1), "back": ints(-1, 4)}),
        "batch_norm_in_training": small(
            [node("BatchNormalization", ["x", "c", "c", "c", "v"], ["y", "a", "b"], training_mode=1)],
            {"c": floats(4), "v": np.ones(4, np.float32)}),
        "function_along_rows": with_function(0),
        "branch_on_the_batch": small(
            [node("ReduceMax", ["x"], ["m"], keepdims=0), node("Greater", ["m", "five"], ["c"]),
             node("If", ["c"], ["y"], then_branch=branch("Neg"), else_branch=branch("Abs"))], {"five": np.float32(5)}),
        "scan_from_row_to_row": small([node("Scan", ["zero", "x"], ["end", "y"], body=running_sum(), num_scan_inputs=1)],
                                      {"zero": np.zeros(4, np.float32)}),
        "indices_through_the_batch": model(
            [node("MaxPool", ["x"], ["v", "y"], kernel_shape=[2], strides=[2])], {"x": ["n", 1, 4]}, {"y": ["n", 1, 2]},
            types={"y": TensorProto.INT64}),
    }


def branch(kind: str) -> onnx.GraphProto:
    out = helper.make_tensor_value_info("out_" + kind, TensorProto.FLOAT, None)
    return helper.make_graph([node(kind, ["x"], ["out_" + kind])], kind, [], [out])


def running_sum() -> onnx.GraphProto:
    ports = {n: helper.make_tensor_value_info(n, TensorProto.FLOAT, [4]) for n in ("sum", "row", "next", "out")}
    nodes = [node("Add", ["sum", "row"], ["next"]), node("Identity", ["next"], ["out"])]
    return helper.make_graph(nodes, "step", [ports["sum"], ports["row"]], [ports["next"], ports["out"]])


# ---- exported ----


def exported() -> dict[str, onnx.ModelProto]:
    from skl2onnx import to_onnx
    from sklearn.cluster import KMeans
    from sklearn.datasets import load_digits, load_iris
    from sklearn.ensemble import AdaBoostClassifier, GradientBoostingClassifier, RandomForestClassifier
    from sklearn.linear_model import LinearRegression, LogisticRegression
    from sklearn.naive_bayes import GaussianNB
    from sklearn.neighbors import KNeighborsClassifier
    from sklearn.neural_network import MLPClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    from sklearn.svm import SVC

    iris, kinds = load_iris(return_X_y=True)
    images, digits = load_digits(return_X_y=True)
    iris, images = iris.astype(np.float32), images.astype(np.float32)
    names = np.array(["setosa", "versicolor", "virginica"])[kinds]

    def fitted(estimator: Any, x: np.ndarray, y: np.ndarray, zipmap: bool | None = False) -> onnx.ModelProto:
        estimator.fit(x, y)
        options = None if zipmap is None else {id(estimator): {"zipmap": zipmap}}
        made: onnx.ModelProto = to_onnx(estimator, x[:1], options=options, target_opset={"": 21, ML: 3})
        return made

    makers: dict[str, Callable[[], onnx.ModelProto]] = {
        "logistic_regression": lambda: fitted(LogisticRegression(max_iter=500), iris, kinds),
        "logistic_regression_zipmap": lambda: fitted(LogisticRegression(max_iter=500), iris, kinds, True),
        "logistic_regression_names": lambda: fitted(LogisticRegression(max_iter=500), iris, names),
        "mlp": lambda: fitted(MLPClassifier((8,), max_iter=50, random_state=0), iris, kinds),
        "mlp_zipmap": lambda: fitted(MLPClassifier((8,), max_iter=50, random_state=0), iris, kinds, True),
        "mlp_digits": lambda: fitted(MLPClassifier((16,), max_iter=20, random_state=0), images, digits),
        "forest": lambda: fitted(RandomForestClassifier(3, max_depth=4, random_state=0), iris, kinds),
        "boosted_trees": lambda: fitted(GradientBoostingClassifier(n_estimators=3, random_state=0), iris, kinds),
        "ada_boost": lambda: fitted(AdaBoostClassifier(n_estimators=3, random_state=0), iris, kinds),
        "pipeline": lambda: fitted(make_pipeline(StandardScaler(), LogisticRegression()), iris, kinds),
        "support_vectors": lambda: fitted(SVC(), iris, kinds),
        "naive_bayes": lambda: fitted(GaussianNB(), iris, kinds),
        "neighbours": lambda: fitted(KNeighborsClassifier(3), iris[::3], kinds[::3]),
        "k_means": lambda: fitted(KMeans(3, n_init=2, random_state=0), iris, kinds, None),
        "linear_regression": lambda: fitted(LinearRegression(), iris, kinds, None),
    }
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return {name: make() for name, make in makers.items()}


# ---- external, corpus ----


def external() -> tuple[onnx.ModelProto, bytes]:
    made = model([node("MatMul", ["x", "w"], ["h"]), node("Add", ["h", "b"], ["y"])], {"x": ["n", 4]}, {"y": ["n", 3]},
                 {"w": floats(4, 3), "b": floats(3)})
    data = b""
    for tensor in made.graph.initializer:
        entries = {"location": "weights.bin", "offset": str(len(data)), "length": str(len(tensor.raw_data))}
        data += tensor.raw_data
        tensor.ClearField("raw_data")
        tensor.data_location = TensorProto.EXTERNAL
        for key, value in entries.items():
            tensor.external_data.add(key=key, value=value)
    return made, data


def seed(name: str, model_bytes: bytes, data: bytes = b"") -> None:
    (CORPUS / name).write_bytes(struct.pack("<I", len(model_bytes)) + model_bytes + data)


def save(folder: str, models: dict[str, onnx.ModelProto], meet: bool) -> None:
    (HERE / folder).mkdir(parents=True, exist_ok=True)
    for name, made in models.items():
        made.doc_string = ""
        content = made.SerializeToString(deterministic=True)
        if not name.endswith("_zipmap") and rows_meet(content) != meet:
            raise SystemExit(f"{folder}/{name}: rows {'do not meet' if meet else 'meet'}")
        (HERE / folder / f"{name}.onnx").write_bytes(content)


def main() -> None:
    CORPUS.mkdir(parents=True, exist_ok=True)
    (HERE / "external").mkdir(exist_ok=True)
    rows_apart, rows_mixed, from_sklearn = apart(), mixed(), exported()
    save("rows/apart", rows_apart, meet=False)
    save("rows/mixed", rows_mixed, meet=True)
    save("exported", from_sklearn, meet=False)
    made, data = external()
    (HERE / "external" / "model.onnx").write_bytes(made.SerializeToString(deterministic=True))
    (HERE / "external" / "weights.bin").write_bytes(data)

    seed("external", made.SerializeToString(deterministic=True), data)
    for name in ("attention", "lstm", "function_along_columns"):
        seed(name, rows_apart[name].SerializeToString(deterministic=True))
    for name in ("scan_from_row_to_row", "branch_on_the_batch"):
        seed(name, rows_mixed[name].SerializeToString(deterministic=True))
    for name in ("logistic_regression_zipmap", "mlp", "forest", "ada_boost"):
        seed(name, from_sklearn[name].SerializeToString(deterministic=True))


if __name__ == "__main__":
    main()
