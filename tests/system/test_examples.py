"""The training examples on a real installation: each trains in its runner, and the same recipe gives the same bytes."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from system.installation import Installation, running, wait_until

ROOT = Path(__file__).resolve().parents[2]
RUNNERS = ROOT / ".deps" / "runners"
EXAMPLES = ROOT / "examples" / "training"
NAMES = ["xgboost", "lightgbm", "pytorch-mlp", "pytorch-cnn"]  # scikit-learn's is in test_runs.py


@pytest.fixture(scope="module")
def runners() -> Iterator[Path]:
    """The runners, where the worker's user may read them: a clone may lie in a folder of root's alone."""
    for name in ("scikit-learn", "xgboost", "lightgbm", "pytorch"):
        assert (RUNNERS / name / "bin" / "python").exists(), f"there is no runner {name}: run tools/runners"
    if all(parent.stat().st_mode & 0o001 for parent in (RUNNERS.resolve(), *RUNNERS.resolve().parents)):
        yield RUNNERS
        return

    def link(source: str, target: str) -> None:
        try:
            os.link(source, target)
        except OSError:
            shutil.copy2(source, target)

    with tempfile.TemporaryDirectory(dir="/var/tmp", prefix="glasscase-runners-") as folder:
        Path(folder).chmod(0o755)
        for name in ("xgboost", "lightgbm", "pytorch"):
            shutil.copytree(RUNNERS / name, Path(folder) / name, symlinks=True, copy_function=link)
        yield Path(folder)


@pytest.fixture(scope="module")
def glasscase(programs: Path, runners: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    folder = tmp_path_factory.mktemp("examples")
    with running(programs, folder, serve_words=("--workers", "1", "--runners", str(runners))) as installation:
        wait_until("a worker is there", lambda: "worker" in installation.cli("status").stdout, 10)
        write_digits(folder / "digits.npz")
        installation.cli("dataset", "add", str(folder / "digits.npz"), "--name", "digits-data")
        yield installation


def write_digits(path: Path) -> None:
    in_runner("scikit-learn", f"""
        import numpy
        from sklearn.datasets import load_digits
        x, y = load_digits(return_X_y=True)
        numpy.savez({str(path)!r}, X=x.astype("float32"), y=y)
    """)


def in_runner(name: str, program: str) -> None:
    subprocess.run([RUNNERS / name / "bin" / "python", "-c", textwrap.dedent(program)], check=True)


def train(glasscase: Installation, recipe: Path, name: str) -> dict[str, Any]:
    answer = glasscase.cli("train", str(recipe), "--name", name, "--json", check=False)
    assert answer.stdout, answer.stderr
    return dict(json.loads(answer.stdout))


@pytest.mark.parametrize("name", NAMES)
def test_an_example_trains_twice_to_the_same_bytes(glasscase: Installation, name: str) -> None:
    glasscase.cli("dataset", "add", str(EXAMPLES / name / "train.py"), "--name", f"{name}-code")
    runs = [train(glasscase, EXAMPLES / name / "recipe.json", name) for _ in range(2)]
    assert [run["state"] for run in runs] == ["succeeded", "succeeded"], runs
    assert json.loads(runs[0]["record"])["metrics"]["accuracy"] > 0.9
    versions = glasscase.cli("show", name, json=True)["versions"]
    assert len(versions) == 2 and len({version["sha256"] for version in versions}) == 1


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
