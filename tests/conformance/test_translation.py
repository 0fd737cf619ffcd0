"""`glasscase translate` beside the libraries that wrote the models: the same leaf in every tree, and the same numbers."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy
import onnx
import onnxruntime
import pytest
from onnx import helper, numpy_helper
from onnx.reference import ReferenceEvaluator

from conformance.onnx_leaves import attribute, to_leaf_numbers

ROOT = Path(__file__).resolve().parents[2]
SOURCES = Path(__file__).with_name("translation_sources.py")
RUNNERS = ROOT / ".deps" / "runners"
REFERENCE_ROWS = 150
SEED = 7
FLOAT_DIGITS = 2e-6  # of outputs that passed through an exponential; sums are held to four units in the last place by the evidence

XGBOOST = ["logistic", "holes", "pruned", "forest", "dart", "softmax", "ties", "squared", "targets", "poisson", "gamma", "ranking"]
LIGHTGBM = [
    "binary", "holes", "zeros", "slope", "dart", "bagged", "bagged_classes", "multiclass", "one_against_rest", "ties", "regression",
    "poisson", "root",
]
SKLEARN = [
    "tree", "tree_value", "tree_holes", "forest", "forest_holes", "forest_values", "extra", "extra_value", "boosting", "boosting_classes",
    "boosting_ties", "boosting_value", "histogram", "histogram_classes", "histogram_ties", "histogram_value", "histogram_poisson",
    "forest_ties", "logistic", "logistic_classes", "logistic_ties", "ridge", "counts",
]
MODELS = (
    [("xgboost", f"{name}.json") for name in XGBOOST]
    + [("lightgbm", f"{name}.txt") for name in LIGHTGBM]
    + [("scikit-learn", f"{name}.json") for name in SKLEARN]
)

Array = Any


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A folder of models of each library, trained in its runner."""
    folders = {}
    for runner in ("xgboost", "lightgbm", "scikit-learn"):
        python = RUNNERS / runner / "bin" / "python"
        assert python.exists(), f"there is no runner {runner}: run tools/runners"
        folders[runner] = tmp_path_factory.mktemp(runner)
        subprocess.run([python, SOURCES, runner, folders[runner]], check=True)
    return folders


@dataclass(frozen=True)
class Translated:
    source: Path
    onnx: Path
    said: dict[str, Any]
    evidence: dict[str, Any]

    def array(self, what: str) -> Array | None:
        path = self.source.with_name(f"{self.source.stem}.{what}.npy")
        return numpy.load(path, allow_pickle=False) if path.exists() else None

    @property
    def inputs(self) -> Array:
        found = self.array("inputs")
        assert found is not None
        return found


def translate(programs: Path, source: Path, output: Path) -> Translated:
    evidence = output.with_suffix(".evidence")
    done = subprocess.run(
        [programs / "glasscase", "translate", source, "--output", output, "--evidence", evidence, "--json"], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return Translated(source, output, json.loads(done.stdout), json.loads(evidence.read_text()))


@pytest.fixture(params=MODELS, ids=lambda model: f"{model[0]}-{model[1]}")
def translated(request: pytest.FixtureRequest, programs: Path, trained: dict[str, Path], tmp_path: Path) -> Translated:
    runner, name = request.param
    return translate(programs, trained[runner] / name, tmp_path / "model.onnx")


def run(model: onnx.ModelProto, inputs: Array) -> list[Array]:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return list(session.run(None, {"x": inputs}))


def as_written_by_source(result: Array, outputs: Array) -> Array:
    """Libraries give one column for two classes, and no column for one value."""
    if outputs.ndim == 1 and result.shape[1] == 2:
        return result[:, 1]
    return result.reshape(outputs.shape)


def test_it_gives_the_numbers_and_labels_of_the_source(translated: Translated) -> None:
    results = run(onnx.load(translated.onnx), translated.inputs)
    outputs = translated.array("outputs")
    assert outputs is not None
    result = as_written_by_source(results[-1], outputs)
    largest = float(numpy.abs(outputs).max())
    numpy.testing.assert_allclose(result, outputs, rtol=FLOAT_DIGITS, atol=FLOAT_DIGITS / 10 * max(largest, 1))
    labels = translated.array("labels")
    assert (labels is None) == (len(results) == 1)
    if labels is not None:
        numpy.testing.assert_array_equal(results[0], labels)


def test_every_input_ends_in_the_leaf_of_the_source(translated: Translated) -> None:
    expected = translated.array("leaves")
    if expected is None:
        assert translated.source.stem.startswith(("histogram", "logistic", "ridge", "counts")), "this library says which leaf"
        return
    model, splits = to_leaf_numbers(onnx.load(translated.onnx))
    found = run(model, translated.inputs)[0]
    base = len(splits) - expected.shape[1]  # trees of one leaf that hold the base values
    for tree in range(expected.shape[1]):
        numbers = found[:, base + tree]
        if translated.source.suffix == ".txt":  # LightGBM counts leaves only, and they come after the splits
            numbers = numbers - splits[base + tree]
        elif translated.source.stem == "pruned":  # the numbers of nodes that went are left out: the parting is what must be the same
            numbers = numpy.unique(numbers, return_inverse=True)[1]
            expected[:, tree] = numpy.unique(expected[:, tree], return_inverse=True)[1]
        numpy.testing.assert_array_equal(numbers, expected[:, tree], err_msg=f"tree {tree}")


def for_reference(model: onnx.ModelProto) -> onnx.ModelProto:
    """The ONNX reference evaluator reads no doubles in trees, and answers in the type of the input where float32 is prescribed. So
    its trees get float32. Our thresholds are float32 numbers in any case, which is checked, so every branch is that of the file; the
    leaves of LightGBM and scikit-learn are doubles and are rounded here, within the tolerance of the comparison. The file as it is
    has a second evaluator in the evidence."""
    trees = {name for node in model.graph.node if node.op_type == "TreeEnsembleRegressor" for name in node.input}
    for node in model.graph.node:
        if node.op_type == "Cast" and node.output[0] in trees:
            node.attribute[0].i = onnx.TensorProto.FLOAT
        for name in ("nodes_values", "target_weights"):
            found = attribute(node, f"{name}_as_tensor")
            if found is not None:
                wide = numpy_helper.to_array(found.t)
                narrow = wide.astype(numpy.float32)
                assert name == "target_weights" or (narrow == wide).all(), "a threshold that is no float32 number"
                node.attribute.remove(found)
                node.attribute.append(helper.make_attribute(name, narrow.tolist()))
    return model


def test_the_reference_evaluator_agrees(translated: Translated) -> None:
    # Some of all kinds: of the training data, beside thresholds, special and missing values.
    inputs = translated.inputs[numpy.linspace(0, len(translated.inputs) - 1, REFERENCE_ROWS).astype(int)]
    model = onnx.load(translated.onnx)
    onnx.checker.check_model(model, full_check=True)
    with numpy.errstate(all="ignore"):
        reference: list[Array] = list(ReferenceEvaluator(for_reference(onnx.load(translated.onnx))).run(None, {"x": inputs}))
    results = run(model, inputs)
    result = results[-1]
    numpy.testing.assert_allclose(reference[-1], result, rtol=FLOAT_DIGITS, atol=FLOAT_DIGITS * max(float(numpy.abs(result).max()), 1))
    if len(results) == 2:
        highest = numpy.sort(result, axis=1)
        clear = highest[:, -1] - highest[:, -2] > FLOAT_DIGITS  # the leaves of others were rounded here
        if translated.source.stem.endswith("_ties") or translated.source.stem == "ties":
            clear[:] = True  # those are 0, and stay so
        assert clear.sum() > REFERENCE_ROWS // 2
        numpy.testing.assert_array_equal(numpy.asarray(reference[0])[clear], numpy.asarray(results[0])[clear])


def test_the_evidence_tried_every_threshold(translated: Translated) -> None:
    evidence = translated.evidence
    assert evidence["holds"] is True and evidence["rows_beyond"] == 0
    assert evidence["inputs"]["thresholds"] == evidence["inputs"]["thresholds_tried"]
    assert evidence["result"]["opset"] == 17
    assert evidence["evaluators"]["result"].startswith("ONNX Runtime 1.")
    assert translated.said["inputs"] == evidence["inputs"]["rows"]


def test_the_second_evaluator_agrees_on_the_file_as_it_is(translated: Translated) -> None:
    evidence = translated.evidence
    assert evidence["evaluators"]["second"] == "glasscase, operator by operator"
    assert evidence["second"]["rows_beyond"] == 0 and evidence["second"]["rows"] >= 80, evidence["second"]
    assert "own reader of the source" in evidence["evaluators"]["source"]


def sums_only(model: onnx.ModelProto) -> onnx.ModelProto:
    """The graph up to what its trees add up to."""
    place = next(i for i, node in enumerate(model.graph.node) if node.op_type == "TreeEnsembleRegressor")
    del model.graph.node[place + 1:]
    del model.graph.output[:]
    model.graph.output.append(helper.make_tensor_value_info(model.graph.node[place].output[0], onnx.TensorProto.FLOAT, None))
    return model


@pytest.mark.parametrize("name", XGBOOST)
def test_xgboost_sums_are_the_same_bits(programs: Path, trained: dict[str, Path], tmp_path: Path, name: str) -> None:
    made = translate(programs, trained["xgboost"] / f"{name}.json", tmp_path / "model.onnx")
    margins = made.array("margins")
    assert margins is not None
    numpy.testing.assert_array_equal(run(sums_only(onnx.load(made.onnx)), made.inputs)[0].reshape(margins.shape), margins)


def objectives(runner: str) -> list[str]:
    """All that the reader of its files takes, so that none is taken and not tried."""
    source = (ROOT / "src" / "execution" / "translation" / f"{runner}.cc").read_text()
    found = re.findall(r'^    \{"([a-z0-9_:]+)", Task::', source, re.MULTILINE)
    assert len(found) >= 16
    return found


@pytest.fixture(scope="session")
def of_each_objective(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folders = {}
    for runner in ("xgboost", "lightgbm"):
        folders[runner] = tmp_path_factory.mktemp(f"{runner}-objectives")
        subprocess.run([RUNNERS / runner / "bin" / "python", SOURCES, runner, folders[runner], *objectives(runner)], check=True)
    return folders


@pytest.mark.parametrize("base", ["own", "given"])
@pytest.mark.parametrize("name", objectives("xgboost"))
def test_each_objective_of_xgboost_is_translated(programs: Path, of_each_objective: dict[str, Path], tmp_path: Path, name: str, base: str) -> None:
    """The evidence's source is our own reader of the file, which would be wrong in the same way: this asks the library."""
    made = translate(programs, of_each_objective["xgboost"] / f"{name.replace(':', '_')}_{base}.json", tmp_path / "model.onnx")
    outputs, margins = made.array("outputs"), made.array("margins")
    assert outputs is not None and margins is not None
    numpy.testing.assert_array_equal(run(sums_only(onnx.load(made.onnx)), made.inputs)[0].reshape(margins.shape), margins)
    results = run(onnx.load(made.onnx), made.inputs)
    if name == "multi:softmax":
        return numpy.testing.assert_array_equal(results[0], outputs)
    numpy.testing.assert_allclose(as_written_by_source(results[-1], outputs), outputs, rtol=FLOAT_DIGITS, atol=FLOAT_DIGITS)


@pytest.mark.parametrize("name", objectives("lightgbm"))
def test_each_objective_of_lightgbm_is_translated(programs: Path, of_each_objective: dict[str, Path], tmp_path: Path, name: str) -> None:
    made = translate(programs, of_each_objective["lightgbm"] / f"{name}.txt", tmp_path / "model.onnx")
    outputs = made.array("outputs")
    assert outputs is not None
    result = as_written_by_source(run(onnx.load(made.onnx), made.inputs)[-1], outputs)
    numpy.testing.assert_allclose(result, outputs, rtol=FLOAT_DIGITS, atol=FLOAT_DIGITS)


@pytest.mark.parametrize(
    ("runner", "file", "label"),
    [("xgboost", "ties.json", 0), ("lightgbm", "ties.txt", 0), ("scikit-learn", "boosting_ties.json", 1), ("scikit-learn", "histogram_ties.json", 0),
     ("scikit-learn", "logistic_ties.json", 0), ("scikit-learn", "forest_ties.json", 0)])
def test_an_exact_tie_has_the_label_of_the_library(programs: Path, trained: dict[str, Path], tmp_path: Path, runner: str, file: str, label: int) -> None:
    """`label` is what the library answers: were it to change its mind, this fails, and the dump has to say so."""
    made = translate(programs, trained[runner] / file, tmp_path / "model.onnx")
    labels, outputs = made.array("labels"), made.array("outputs")
    assert labels is not None and outputs is not None
    ties = (outputs if outputs.ndim == 1 else outputs[:, 0]) == 0.5
    assert ties.sum() >= 40 and set(labels[ties]) == {label}
    results = run(onnx.load(made.onnx), made.inputs)
    numpy.testing.assert_array_equal(results[0][ties], labels[ties])
    assert (results[1][ties] == 0.5).all()


@pytest.mark.parametrize("name", XGBOOST)
def test_both_formats_of_xgboost_give_the_same_file(programs: Path, trained: dict[str, Path], tmp_path: Path, name: str) -> None:
    files = [
        translate(programs, trained["xgboost"] / f"{name}.{suffix}", tmp_path / f"{suffix}.onnx").onnx.read_bytes()
        for suffix in ("json", "ubj")
    ]
    assert files[0] == files[1]


def test_what_has_no_place_in_a_dump_is_refused(trained: dict[str, Path]) -> None:
    """The scaler before trees; the logistic models are as scikit-learn up to 1.7 leaves them."""
    refusals = (trained["scikit-learn"] / "refusals.txt").read_text().splitlines()
    assert len(refusals) == 7
    assert "StandardScaler before RandomForestClassifier" in refusals[0] and "take the other branch" in refusals[0]
    assert "AdaBoostClassifier is not supported" in refusals[1]
    assert "multi_class='ovr', solver='lbfgs'), whose probabilities are no softmax" in refusals[2]
    assert "LogisticRegression of each class" in refusals[3] and "'deprecated', solver='liblinear'" in refusals[3]
    assert "'auto', solver='liblinear'" in refusals[4] and "LogisticRegressionCV of each class" in refusals[5]
    assert "of two classes, whose probabilities are others" in refusals[6]
    assert not (trained["scikit-learn"] / "refused.json").exists()


def refusal(programs: Path, folder: Path, source: Path) -> str:
    done = subprocess.run(
        [programs / "glasscase", "translate", source, "--output", folder / "out.onnx"], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 1, done.stdout
    assert sorted(path.name for path in folder.glob("out.onnx*")) == []
    return done.stderr


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda text: text[: len(text) // 2], "cut off"),
        (lambda text: text.replace('"left_children":[1,', '"left_children":[0,', 1), "below itself"),
        (lambda text: text.replace('"split_conditions":[', '"split_conditions":[NaN,', 1), '"split_conditions" holds NaN: no threshold'),
        (lambda text: text.replace('"num_feature":"10"', '"num_feature":"1"'), "splits on feature"),
        (lambda text: text.replace("reg:squarederror", "survival:aft"), '"survival:aft" is not supported'),
        (lambda text: '{"a":' + "[" * 100_000, "nested deeper"),
        (lambda text: "", "the file is empty"),
        (lambda text: '{"v":1,"command":["python"]}', "a JSON file that is neither XGBoost's"),
    ],
)
def test_bad_files_are_refused_with_the_reason(programs: Path, trained: dict[str, Path], tmp_path: Path, damage: Any, words: str) -> None:
    bad = tmp_path / "bad.json"
    bad.write_text(damage((trained["xgboost"] / "squared.json").read_text()))
    assert words in refusal(programs, tmp_path, bad)


def test_pickles_folders_and_missing_files_are_named(programs: Path, tmp_path: Path) -> None:
    (tmp_path / "model.pkl").write_bytes(b"\x80\x04\x95\x00\x00\x00\x00\x00\x00\x00\x00}\x94.")
    assert "this is a pickle" in refusal(programs, tmp_path, tmp_path / "model.pkl")
    assert "not a plain file" in refusal(programs, tmp_path, tmp_path)
    assert "there is no file" in refusal(programs, tmp_path, tmp_path / "none.json")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--output", "model.json"], "--output would overwrite model.json"),
        (["--output", "./model.json"], "--output would overwrite model.json"),
        (["--output", "other-name.json"], "--output would overwrite model.json"),
        (["--output", "out.onnx", "--evidence", "model.json"], "--evidence would overwrite model.json"),
        (["--output", "out.onnx", "--evidence", "data.csv", "--data", "./data.csv"], "--evidence would overwrite ./data.csv"),
        (["--output", "out.onnx", "--evidence", "./out.onnx"], "--output and --evidence are the same file"),
    ],
)
def test_what_is_read_is_never_overwritten(programs: Path, tmp_path: Path, words: list[str], said: str) -> None:
    (tmp_path / "model.json").write_text("{}")
    (tmp_path / "other-name.json").symlink_to("model.json")
    (tmp_path / "data.csv").write_text("a\n1\n")
    before = {path.name: path.read_text() for path in tmp_path.iterdir()}
    done = subprocess.run([programs / "glasscase", "translate", "model.json", *words], capture_output=True, text=True, timeout=60, cwd=tmp_path)
    assert done.returncode == 2 and said in done.stderr, done.stderr
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == before


# x0 <= 0.5 ? exp(1) : exp(88.722839), the last number below the end of float32; as a float32 its exponent is rounded up, beyond it.
AT_THE_END_OF_FLOAT = """tree
version=v4
num_class=1
num_tree_per_iteration=1
label_index=0
max_feature_idx=0
objective=poisson
feature_names=a
feature_infos=[0:1]
tree_sizes=100

Tree=0
num_leaves=2
num_cat=0
split_feature=0
threshold=0.5
decision_type=0
left_child=-1
right_child=-2
leaf_value=1 88.722839

end of trees
"""


def test_a_translation_that_cannot_hold_is_refused_with_its_evidence(programs: Path, tmp_path: Path) -> None:
    (tmp_path / "steep.txt").write_text(AT_THE_END_OF_FLOAT)
    evidence = tmp_path / "evidence.json"
    done = subprocess.run(
        [programs / "glasscase", "translate", tmp_path / "steep.txt", "--output", tmp_path / "out.onnx", "--evidence", evidence],
        capture_output=True, text=True, timeout=60)
    assert done.returncode == 1, done.stdout
    assert "the translation is refused:" in done.stderr and "inputs give numbers beyond the bound; the largest difference is inf" in done.stderr
    assert not (tmp_path / "out.onnx").exists()
    said = json.loads(evidence.read_text())
    assert said["holds"] is False and 100 < said["rows_beyond"] < said["inputs"]["rows"]
    assert said["difference"]["absolute_max"] == "Infinity"
    worst = said["worst"]
    assert worst["input"][0] > 0.5 and worst["result"] == ["Infinity"] and 3.402e38 < worst["source"][0] < 3.4028235e38


LEVELS = 20


# One balanced tree: level k asks whether x[k] is below (or at most) a half, and a leaf is the number made of the answers.
SPLITS = 2**LEVELS - 1
LEAVES = 2**LEVELS


def levels_of_splits() -> list[int]:
    return [level for level in range(LEVELS) for _ in range(2**level)]


def wide_xgboost() -> str:
    nodes = SPLITS + LEAVES
    return json.dumps({
        "learner": {
            "gradient_booster": {"model": {"tree_info": [0], "trees": [{
                "left_children": [2 * i + 1 for i in range(SPLITS)] + [-1] * LEAVES,
                "right_children": [2 * i + 2 for i in range(SPLITS)] + [-1] * LEAVES,
                "split_indices": levels_of_splits() + [0] * LEAVES, "split_conditions": [0.5] * SPLITS + list(range(LEAVES)),
                "default_left": [0] * nodes, "tree_param": {"num_nodes": str(nodes), "size_leaf_vector": "1"},
            }]}, "name": "gbtree"},
            "learner_model_param": {"base_score": "0E0", "num_class": "0", "num_feature": str(LEVELS), "num_target": "1"},
            "objective": {"name": "reg:squarederror"}},
        "version": [3, 2, 0]})


def wide_lightgbm() -> str:
    def words(numbers: Any) -> str:
        return " ".join(map(str, numbers))

    def child(place: int) -> int:
        return place if place < SPLITS else -(place - SPLITS) - 1

    return "\n".join([
        "tree", "version=v4", "num_tree_per_iteration=1", f"max_feature_idx={LEVELS - 1}", "objective=regression", "",
        "Tree=0", f"num_leaves={LEAVES}", "num_cat=0", f"split_feature={words(levels_of_splits())}", f"threshold={words([0.5] * SPLITS)}",
        f"decision_type={words([8] * SPLITS)}", f"left_child={words(child(2 * i + 1) for i in range(SPLITS))}",
        f"right_child={words(child(2 * i + 2) for i in range(SPLITS))}", f"leaf_value={words(range(LEAVES))}", "", "end of trees", ""])


@pytest.mark.timeout(300)
@pytest.mark.parametrize("write", [wide_xgboost, wide_lightgbm])
def test_a_tree_of_a_million_leaves_is_translated(programs: Path, tmp_path: Path, write: Callable[[], str]) -> None:
    source = tmp_path / "wide"
    source.write_text(write())
    made = translate(programs, source, tmp_path / "wide.onnx")
    assert made.evidence["holds"] and made.evidence["inputs"]["thresholds_tried"] == LEVELS
    assert made.said["nodes"] == 2**(LEVELS + 1) - 1
    rows = numpy.random.default_rng(SEED).random((2_000, LEVELS), dtype=numpy.float32)
    leaves = (rows > 0.5) @ 2.0 ** numpy.arange(LEVELS - 1, -1, -1)
    assert len(set(leaves)) > 1_900
    numpy.testing.assert_array_equal(run(onnx.load(made.onnx), rows)[0][:, 0], leaves)
