"""glasscase_convert, in the sandbox and in each runner: what it converts gives the same, and what does not is refused."""

from __future__ import annotations

import hashlib
import subprocess
from pathlib import Path

import numpy
import onnx
import onnxruntime
import pytest

from conformance.converting import RUNNERS, Outcome, convert

SOURCES = Path(__file__).with_name("converter_sources.py")


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    for runner in ("scikit-learn", "xgboost", "lightgbm", "pytorch"):
        assert (RUNNERS / runner / "bin" / "python").exists(), f"there is no runner {runner}: run tools/runners"
        subprocess.run([RUNNERS / runner / "bin" / "python", SOURCES, runner, folder], check=True)
    return folder


@pytest.fixture(scope="module")
def wrapped(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Trees inside of other models of scikit-learn, and what takes categories alone."""
    folder = tmp_path_factory.mktemp("wrapped")
    subprocess.run([RUNNERS / "scikit-learn" / "bin" / "python", SOURCES, "wrapped", folder], check=True)
    return folder


@pytest.mark.parametrize(("name", "words", "output"), [
    ("logistic", (), "probabilities"), ("network", (), "probabilities"), ("ridge", (), "value"), ("vectors", (), "probabilities"),
    ("forest", ("--no-missing",), "probabilities"),
])
def test_models_of_scikit_learn_give_the_same(models: Path, tmp_path: Path, name: str, words: tuple[str, ...], output: str) -> None:
    made = convert("scikit-learn", models / f"{name}.joblib", tmp_path / "out", "--allow-pickle", *words)
    assert made.code == 0, made.last
    assert made.said.splitlines()[-1].startswith("progress 1.00 the same within the bound")
    evidence = made.evidence
    assert evidence["holds"] is True and evidence["evaluated_in"] == "sandbox" and evidence["rows_beyond"] == 0
    assert evidence["result"]["sha256"] == hashlib.sha256(made.onnx.read_bytes()).hexdigest()
    assert 0 < evidence["result"]["opset"] <= 17, "skl2onnx takes the oldest that will do"
    assert evidence["source"]["sha256"] == hashlib.sha256((models / f"{name}.joblib").read_bytes()).hexdigest()
    assert evidence["second"]["rows"] > 0 and evidence["evaluators"]["second"].startswith("ONNX reference evaluator")
    kinds = evidence["inputs"]["kinds"]
    assert kinds["missing"] + evidence["source_refused"] >= (0 if name == "forest" else 100), "most libraries refuse missing values"
    graph = onnx.load(made.onnx).graph
    assert [value.name for value in graph.input] == ["x"]
    assert [value.name for value in graph.output] == (["value"] if output == "value" else ["label", "probabilities"])


@pytest.mark.parametrize(("runner", "file"), [("scikit-learn", "trap.joblib"), ("xgboost", "xgboost-trap.pkl"), ("lightgbm", "lightgbm-trap.pkl")])
def test_a_scaler_before_trees_is_caught(models: Path, tmp_path: Path, runner: str, file: str) -> None:
    """Scaled in float32, inputs beside a threshold take the other branch."""
    refused = convert(runner, models / file, tmp_path / "out", "--allow-pickle")
    assert refused.code == 1 and "beyond the bound" in refused.last, refused.last
    assert not refused.onnx.exists()
    evidence = refused.evidence
    assert evidence["holds"] is False and evidence["rows_beyond"] > 100
    assert evidence["difference"]["absolute_max"] > 0.2
    assert evidence["top_class"]["same"] + evidence["top_class"]["ties"] < evidence["inputs"]["rows"], "labels flip"
    worst = evidence["worst"]
    assert len(worst["input"]) == 30 and worst["source"] != worst["result"]


@pytest.mark.parametrize("name", ["search", "random-search", "calibrated", "stack", "stack-end", "vote", "bag", "bag-of-some", "adaptive"])
def test_a_scaler_before_trees_is_caught_in_what_wraps_them(wrapped: Path, tmp_path: Path, name: str) -> None:
    refused = convert("scikit-learn", wrapped / f"trap-{name}.joblib", tmp_path / "out", "--allow-pickle", "--no-missing")
    assert refused.code == 1 and "beyond the bound" in refused.last, refused.last
    assert not refused.onnx.exists()
    evidence = refused.evidence
    assert evidence["bound"]["class"] == "trees" and evidence["rows_beyond"] > 100
    assert evidence["inputs"]["thresholds"] == evidence["inputs"]["thresholds_tried"] > 20
    unseen = ["DecisionTreeClassifier on what the stacked models say"] if name == "stack-end" else None
    assert evidence["inputs"].get("thresholds_unseen") == unseen


@pytest.mark.parametrize("name", ["bag-of-some", "stack", "vote"])
def test_trees_that_are_wrapped_rightly_give_the_same(wrapped: Path, tmp_path: Path, name: str) -> None:
    made = convert("scikit-learn", wrapped / f"right-{name}.joblib", tmp_path / "out", "--allow-pickle", "--no-missing")
    assert made.code == 0, made.last
    inputs = made.evidence["inputs"]
    assert inputs["thresholds"] == inputs["thresholds_tried"] > 50 and "thresholds_unseen" not in inputs
    assert made.evidence["bound"]["class"] == "trees"


def test_thresholds_that_cannot_be_followed_to_the_input_are_said(wrapped: Path, tmp_path: Path) -> None:
    made = convert("scikit-learn", wrapped / "right-behind.joblib", tmp_path / "out", "--allow-pickle", "--no-missing")
    assert made.code == 0, made.last
    assert made.evidence["inputs"]["thresholds_unseen"] == ["DecisionTreeClassifier behind PCA"]
    assert made.evidence["inputs"]["thresholds"] == 0 and made.evidence["bound"]["class"] == "trees"
    assert made.said.splitlines()[-1].endswith("thresholds that are not known were not tried: DecisionTreeClassifier behind PCA")


def test_a_regressor_is_held_to_what_is_usual_in_each_of_its_columns(wrapped: Path, tmp_path: Path) -> None:
    made = convert("scikit-learn", wrapped / "right-small.joblib", tmp_path / "out", "--allow-pickle", "--no-missing")
    assert made.code == 0, made.last
    evidence = made.evidence
    small, large = evidence["bound"]["sizes"]
    assert 1e-8 < small < 1e-6 and 10 < large < 1000
    assert "top_class" not in evidence, "its columns are no classes"


def test_what_the_source_takes_nothing_of_is_compared_with_values_of_the_data(wrapped: Path, tmp_path: Path) -> None:
    file = wrapped / "categories.joblib"
    without = convert("scikit-learn", file, tmp_path / "without", "--allow-pickle")
    assert without.code == 1 and "finite numbers for 0 of 4000 random inputs (and refuses 4000)" in without.last, without.last
    inputs = without.evidence["inputs"]
    assert inputs["drawn"]["random"] == 4000 and inputs["kinds"]["random"] == 0 and "data" not in inputs["kinds"]
    assert without.evidence["source_refused"] == sum(inputs["drawn"].values()) - inputs["rows"]
    made = convert("scikit-learn", file, tmp_path / "out", "--allow-pickle", data=wrapped / "categories")
    assert made.code == 0, made.last
    inputs = made.evidence["inputs"]
    assert inputs["kinds"]["data"] == inputs["data_finite"] == 2000 and inputs["kinds"]["random"] == 0
    assert made.evidence["holds"] is True and made.evidence["difference"]["absolute_max"] < 1e-5


def test_whole_numbers_of_any_size_are_not_guessed(models: Path, tmp_path: Path) -> None:
    refused = convert("pytorch", models / "index" / "source", tmp_path / "out", code=models / "index" / "code")
    assert refused.code == 1 and "from which range the whole numbers of the input x are is not said" in refused.last, refused.last
    assert '"range": [0, 99]' in refused.last and not (refused.out / "evidence.json").exists()
    made = convert("pytorch", models / "index-range" / "source", tmp_path / "said", code=models / "index-range" / "code")
    assert made.code == 0 and made.evidence["inputs"]["ranges"] == {"inputs.json": 4}, made.last
    assert max(made.evidence["worst"]["input"]) <= 6
    (tmp_path / "data").mkdir()
    numpy.save(tmp_path / "data" / "rows.npy", numpy.arange(28).reshape(7, 4) % 7)
    made = convert("pytorch", models / "index" / "source", tmp_path / "data-out", code=models / "index" / "code", data=tmp_path / "data")
    assert made.code == 0 and made.evidence["inputs"]["ranges"] == {"dataset": 4}, made.last


def test_xgboost_itself_gives_the_same_at_every_threshold(models: Path, tmp_path: Path) -> None:
    made = convert("xgboost", models / "xgboost-plain.pkl", tmp_path / "out", "--allow-pickle")
    assert made.code == 0, made.last
    inputs = made.evidence["inputs"]
    assert inputs["thresholds"] == inputs["thresholds_tried"] > 100


def test_what_converters_get_wrong_is_refused_and_said(models: Path, tmp_path: Path) -> None:
    rounded = convert("lightgbm", models / "lightgbm-plain.pkl", tmp_path / "rounded", "--allow-pickle")
    assert rounded.code == 1 and "beyond the bound" in rounded.last, "its thresholds are doubles; glasscase translate has them right"
    missing = convert("scikit-learn", models / "forest.joblib", tmp_path / "forest", "--allow-pickle")
    assert missing.code == 1 and "--no-missing" in missing.last and missing.evidence["worst"]["kind"] == "missing"
    histogram = convert("scikit-learn", models / "histogram.joblib", tmp_path / "histogram", "--allow-pickle")
    assert histogram.code == 1 and "cannot convert" in histogram.last and "HistGradientBoosting" in histogram.last
    dart = convert("xgboost", models / "xgboost-dart.pkl", tmp_path / "dart", "--allow-pickle")
    assert dart.code == 1 and "cannot convert" in dart.last, "onnxmltools knows gbtree; glasscase translate takes the model file"


def test_pickles_are_not_opened_unless_allowed(models: Path, tmp_path: Path) -> None:
    refused = convert("scikit-learn", models / "harmful.joblib", tmp_path / "out")
    assert refused.code == 1 and "a pickle, which runs code" in refused.last
    assert "it would import what is not told here. " in refused.last, "a worker tells it: test_converting.py"
    assert not (refused.out / "opened").exists()
    allowed = convert("scikit-learn", models / "harmful.joblib", tmp_path / "out", "--allow-pickle")
    assert allowed.code == 1 and (allowed.out / "opened").exists(), "this is what the permission means"
    for name in ("state", "module"):
        refused = convert("pytorch", models / name / "source", tmp_path / "out", code=models / name / "code")
        assert refused.code == 1 and "a pickle, which runs code" in refused.last


def test_a_state_dict_is_converted_with_its_code_where_it_may_be_opened(models: Path, tmp_path: Path) -> None:
    made = convert("pytorch", models / "state" / "source", tmp_path / "out", "--allow-pickle", code=models / "state" / "code")
    assert made.code == 0 and made.evidence["holds"] is True, made.last
    without = convert("pytorch", models / "state" / "source", tmp_path / "out", "--allow-pickle")
    assert without.code == 1 and not without.onnx.exists()


def data_of(folder: Path) -> Path:
    (folder / "rain").mkdir(parents=True)
    return folder / "rain"


def test_inputs_are_drawn_from_the_range_of_the_data(models: Path, tmp_path: Path) -> None:
    rain = data_of(tmp_path / "data")
    rows = numpy.random.default_rng(1).uniform(1e5, 2e5, (50, 10))
    numpy.savetxt(rain / "table.csv", numpy.column_stack([rows, numpy.arange(50)]), delimiter=",", header="a,b,c,d,e,f,g,h,i,j,target", comments="")
    numpy.savez(rain / "archive.npz", X=rows * 2, y=numpy.arange(50))
    numpy.save(rain / "narrow.npy", numpy.zeros((5, 3)))
    made = convert("scikit-learn", models / "ridge.joblib", tmp_path / "out", "--allow-pickle", data=tmp_path / "data")
    inputs = made.evidence["inputs"]
    assert made.code == 0 and inputs["ranges"] == {"dataset": 10}, made.last
    assert inputs["datasets"] == [
        {"name": "rain/archive.npz"}, {"name": "rain/narrow.npy", "unread": "nothing in it has as many numbers a row as the model takes (10)"},
        {"name": "rain/table.csv"}]
    assert made.evidence["worst"]["kind"] == "large" or max(made.evidence["worst"]["input"]) > 1e5
    without = convert("scikit-learn", models / "ridge.joblib", tmp_path / "guessed", "--allow-pickle")
    assert without.evidence["inputs"]["ranges"] == {"guessed": 10} and without.evidence["inputs"]["datasets"] == []


def test_what_the_owner_says_of_the_range_comes_first(models: Path, tmp_path: Path) -> None:
    rain = data_of(tmp_path / "data")
    numpy.save(rain / "rows.npy", numpy.full((5, 64), 1e5))
    made = convert("pytorch", models / "tensors" / "source", tmp_path / "out", code=models / "tensors" / "code", data=tmp_path / "data")
    assert made.evidence["inputs"]["ranges"] == {"inputs.json": 64}


@pytest.mark.parametrize("name", ["nowhere", "sometimes"])
def test_a_model_without_finite_numbers_does_not_hold(models: Path, tmp_path: Path, name: str) -> None:
    made = convert("pytorch", models / name / "source", tmp_path / "out", code=models / name / "code")
    assert made.evidence["inputs"]["random_finite"] == (0 if name == "nowhere" else made.evidence["inputs"]["kinds"]["random"])
    if name == "nowhere":
        assert made.code == 1 and "finite numbers for 0 of 4000 random inputs" in made.last, made.last
    else:  # an infinity where the source has one is the same
        assert made.code == 0, made.last


@pytest.fixture(scope="module")
def converted(models: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Outcome]:
    """Of each way to keep a model of PyTorch, what became of it."""
    return {
        name: convert("pytorch", models / name / "source", tmp_path_factory.mktemp(name), *words, code=models / name / "code")
        for name, words in {"tensors": (), "module": ("--allow-pickle",), "script": ()}.items()}


@pytest.mark.parametrize("name", ["tensors", "module", "script"])
def test_models_of_pytorch_give_the_same(converted: dict[str, Outcome], name: str) -> None:
    made = converted[name]
    assert made.code == 0, made.last
    evidence = made.evidence
    assert evidence["difference"]["ordinary_max"] < 1e-4 and evidence["source"]["model"].startswith("PyTorch 1.13.1, ")
    assert evidence["source_not_finite"]["rows"] == evidence["inputs"]["kinds"]["missing"], "a network has no answer to what is missing"
    session = onnxruntime.InferenceSession(made.onnx, providers=["CPUExecutionProvider"])
    for rows in (1, 5):
        (answer,) = session.run(None, {"x": numpy.zeros((rows, 1, 8, 8), dtype=numpy.float32)})
        assert answer.shape == (rows, 10)


def test_the_same_conversion_gives_the_same_bytes_and_evidence(models: Path, converted: dict[str, Outcome], tmp_path: Path) -> None:
    made = [converted["tensors"], convert("pytorch", models / "tensors" / "source", tmp_path / "out", code=models / "tensors" / "code")]
    assert made[0].onnx.read_bytes() == made[1].onnx.read_bytes()
    assert (made[0].out / "evidence.json").read_bytes() == (made[1].out / "evidence.json").read_bytes()


def test_onnx_is_brought_to_another_opset_and_gives_the_same(converted: dict[str, Outcome], tmp_path: Path) -> None:
    made = converted["script"]
    newer = convert("pytorch", made.onnx, tmp_path / "second", "--opset", "21")
    assert newer.code == 0, newer.last
    assert newer.evidence["result"]["opset"] == 21 and newer.evidence["difference"]["absolute_max"] == 0
    assert newer.evidence["source"]["model"] == "ONNX, opset 17"
    (tmp_path / "cut.onnx").write_bytes(made.onnx.read_bytes()[:-100])
    refused = convert("pytorch", tmp_path / "cut.onnx", tmp_path / "third")
    assert refused.code == 1 and not refused.onnx.exists()


def test_an_exporter_that_is_not_there_is_refused_by_name(models: Path, tmp_path: Path) -> None:
    older = convert("pytorch", models / "tensors" / "source", tmp_path / "out", "--exporter", "dynamo", code=models / "tensors" / "code")
    assert older.code == 1 and "dynamo needs a runner of PyTorch 2" in older.last
    other = convert("scikit-learn", models / "logistic.joblib", tmp_path / "out", "--exporter", "torchscript", "--allow-pickle")
    assert other.code == 1 and "are PyTorch's" in other.last


@pytest.mark.parametrize(("name", "words"), [
    ("other-code", "does not fit the model that the code builds"), ("no-inputs", "put a file inputs.json"), ("no-function", "no function build_model"),
    ("unusual", "cannot convert"), ("cut", "lies outside of the file"),
])
def test_what_cannot_be_converted_is_refused_with_the_reason(models: Path, tmp_path: Path, name: str, words: str) -> None:
    refused = convert("pytorch", models / name / "source", tmp_path / "out", code=models / name / "code")
    assert (refused.code, words in refused.last) == (1, True), refused.last
    assert not refused.onnx.exists()


def test_a_runner_without_the_library_says_so(models: Path, tmp_path: Path) -> None:
    refused = convert("pytorch", models / "logistic.joblib", tmp_path / "out", "--allow-pickle")
    assert refused.code == 1 and "this runner has no library" in refused.last
