"""A real installation that trains the examples, for tests of several folders."""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from system.installation import Installation, running, wait_until
from system.runners import link_or_copy, readable_programs

ROOT = Path(__file__).resolve().parents[2]
RUNNERS = ROOT / ".deps" / "runners"
EXAMPLES = ROOT / "examples" / "training"
PREDICTING = ("digits", "pytorch_mlp", "pytorch_cnn")  # leave what they answer on held-out rows


@contextmanager
def readable_runners(*names: str) -> Iterator[Path]:
    """A folder with these runners, where the worker's user may read them: a clone may lie in a folder of root's alone."""
    for name in names:
        assert (RUNNERS / name / "bin" / "python").exists(), f"there is no runner {name}: run tools/runners {name}"
    if all(parent.stat().st_mode & 0o001 for parent in (RUNNERS.resolve(), *RUNNERS.resolve().parents)):
        yield RUNNERS
        return
    with tempfile.TemporaryDirectory(dir="/var/tmp", prefix="glasscase-runners-") as folder:
        Path(folder).chmod(0o755)
        for name in names:
            shutil.copytree(RUNNERS / name, Path(folder) / name, symlinks=True, copy_function=link_or_copy)
        yield Path(folder)


@contextmanager
def training(programs: Path, folder: Path, *names: str) -> Iterator[Installation]:
    """An installation with a worker, these runners, and the digits as the dataset digits-data."""
    with readable_runners(*names) as runners, readable_programs(programs) as readable, running(
            readable, folder, serve_words=("--workers", "1", "--runners", str(runners))) as installation:
        wait_until("a worker is there", lambda: "worker" in installation.cli("status").stdout, 10)
        add_digits(installation, folder)
        yield installation


def add_digits(glasscase: Installation, folder: Path) -> None:
    """scikit-learn's digits as the dataset digits-data."""
    make_data(folder)
    glasscase.cli("dataset", "add", str(folder / "digits.npz"), "--name", "digits-data")


def make_data(folder: Path) -> None:
    """What the examples train on: digits.npz, train.csv and test.csv, and wine.json to call with."""
    subprocess.run([RUNNERS / "scikit-learn" / "bin" / "python", EXAMPLES / "make_data.py", folder], check=True)


def in_runner(name: str, program: str) -> None:
    subprocess.run([RUNNERS / name / "bin" / "python", "-c", textwrap.dedent(program)], check=True)


def train(glasscase: Installation, recipe: Path, name: str) -> dict[str, Any]:
    """The run's end, as `glasscase train --json` gives it."""
    answer = glasscase.cli("train", str(recipe), "--name", name, "--json", check=False)
    assert answer.stdout, answer.stderr
    return dict(json.loads(answer.stdout))


def train_twice(glasscase: Installation, name: str, recipe: Path | None = None, model: str = "") -> None:
    """Trains the example twice. Asserts that both runs succeed, that the model is any good, and that its bytes are the same."""
    model = model or name
    glasscase.cli("dataset", "add", str(EXAMPLES / name / "train.py"), "--name", f"{name}-code")
    runs = [train(glasscase, recipe or EXAMPLES / name / "recipe.json", model) for _ in range(2)]
    assert [run["state"] for run in runs] == ["succeeded", "succeeded"], runs
    assert json.loads(runs[0]["record"])["metrics"]["accuracy"] > 0.9
    versions = glasscase.cli("show", model, json=True)["versions"]
    assert len(versions) == 2 and len({version["sha256"] for version in versions}) == 1
    predictions = [json.loads(run["record"]).get("predictions") for run in runs]
    assert predictions[0] == predictions[1] and (predictions[0] is not None or name not in PREDICTING), predictions
