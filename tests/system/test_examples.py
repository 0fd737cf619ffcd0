"""The training examples on a real installation: each trains in its runner, and the same recipe gives the same bytes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from system.installation import Installation
from system.training_examples import EXAMPLES, PREDICTING, in_runner, train, train_twice, training
from system.translations import translate

NAMES = ["xgboost", "lightgbm", "pytorch_mlp", "pytorch_cnn"]  # scikit-learn's is in test_runs.py


@pytest.fixture(scope="module")
def glasscase(programs: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    with training(programs, tmp_path_factory.mktemp("examples"), "scikit-learn", "xgboost", "lightgbm", "pytorch") as installation:
        yield installation


@pytest.mark.parametrize("name", NAMES)
def test_an_example_trains_twice_to_the_same_bytes_and_is_class_b(glasscase: Installation, name: str) -> None:
    train_twice(glasscase, name)
    run = glasscase.cli("runs", "list", "--model", name, json=True)[0]["id"]
    again = json.loads(glasscase.cli("runs", "verify", run, "--json").stdout)
    evidence = json.loads(again["evidence"])
    assert (again["repeats"], evidence["class"], evidence["files"]["same_bytes"]) == (run, "B", True), evidence
    if name in PREDICTING:
        assert evidence["predictions"]["class"] == "B", evidence
    if name.startswith("pytorch"):
        assert json.loads(again["record"])["machine"]["libraries"]["libtorch1.13"].startswith("1.13.1")


@pytest.mark.parametrize("name", ["pytorch_mlp", "pytorch_cnn"])
def test_an_example_of_pytorch_is_translated_and_brought_to_another_opset(glasscase: Installation, tmp_path: Path, name: str) -> None:
    glasscase.cli("dataset", "add", str(EXAMPLES / name / "train.py"), "--name", f"{name}-program")
    recipe = json.loads((EXAMPLES / name / "recipe.json").read_text()) | {"code": f"{name}-program"}
    (tmp_path / "recipe.json").write_text(json.dumps(recipe))
    assert train(glasscase, tmp_path / "recipe.json", f"{name}-once")["state"] == "succeeded"
    for words in ((f"{name}-once", "--code", f"{name}-program"), (f"{name}-once-onnx", "--opset", "24")):
        run = translate(glasscase, *words, "--runner", "pytorch")
        assert run["state"] == "succeeded", run["reason"]
        assert json.loads(run["evidence"])["second"]["rows_beyond"] == 0


def test_a_conversion_that_hangs_is_ended_by_the_limit_of_its_run(glasscase: Installation, tmp_path: Path) -> None:
    in_runner("pytorch", f"""
        import numpy
        from glasscase_convert import tensors
        tensors.save({str(tmp_path / "model.safetensors")!r}, {{"weight": numpy.zeros(3, dtype=numpy.float32)}})
    """)
    (tmp_path / "model.py").write_text("import time\n\ndef build_model():\n    print('building', flush=True)\n    time.sleep(600)\n")
    (tmp_path / "inputs.json").write_text('{"x": {"shape": ["n", 3]}}')
    glasscase.cli("dataset", "add", str(tmp_path / "model.safetensors"), "--name", "hanging-tensors")
    glasscase.cli("dataset", "add", str(tmp_path / "model.py"), "--name", "hanging-code")
    glasscase.cli("dataset", "add", str(tmp_path / "inputs.json"), "--name", "hanging-inputs")
    (tmp_path / "recipe.json").write_text(json.dumps({
        "environment": {"runner": "pytorch"}, "code": "hanging-code", "limits": {"wall_s": 6},
        "data": {name: {"version": f"hanging-{name}", "role": "test"} for name in ("tensors", "inputs")},
        "command": ["python", "-m", "glasscase_convert", "--source", "/in/data/tensors", "--code", "/in/code", "--output", "/out/model.onnx",
                    "--inputs", "/in/data/inputs/inputs.json", "--evidence", "/out/evidence.json"]}))
    run = train(glasscase, tmp_path / "recipe.json", "hanging")
    assert (run["state"], "longer than 6 s" in run["reason"]) == ("failed", True), run["reason"]
    assert "building" in glasscase.cli("runs", "logs", run["id"]).stdout
