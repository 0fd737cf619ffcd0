"""Translations as their owners ask for them, with a converter that does what the tests say."""

from __future__ import annotations

import json
import tempfile
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from system.installation import Installation, running, wait_until
from system.runners import ROOT, readable_programs
from system.training_examples import readable_runners

SAMPLES = ROOT / "fuzz" / "corpus"

# What glasscase_convert of the runner "fake" does: the source is the program.
CONVERTER = """
import argparse, hashlib, json, os, sys, time

words = argparse.ArgumentParser()
for name in ("source", "output", "evidence", "code", "data", "opset"):
    words.add_argument("--" + name)
words.add_argument("--exporter")
words.add_argument("--allow-pickle", action="store_true")
words.add_argument("--imports")
asked = words.parse_args()


def leave(onnx: bytes, **members: object) -> None:
    open(asked.output, "wb").write(onnx)
    json.dump({"format": "glasscase translation evidence", "version": 1, "holds": True, "rows_beyond": 0,
               "source": {"model": "fake", "sha256": "0" * 64}, "result": {"sha256": hashlib.sha256(onnx).hexdigest()},
               "evaluators": {"source": "fake 1", "result": "onnx reference"}, "inputs": {"rows": 10, "seed": 1},
               "difference": {"absolute_max": 0.25, "absolute_p999": 0, "relative_max": 0}} | members,
              open(asked.evidence, "w"))


exec(open(asked.source + "/convert.py").read())
"""


@contextmanager
def fake_runners() -> Iterator[Path]:
    """scikit-learn's and PyTorch's, and one whose converter does what the source says."""
    with readable_runners("scikit-learn", "pytorch") as runners, tempfile.TemporaryDirectory(dir="/var/tmp", prefix="glasscase-runners-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        for real in ("scikit-learn", "pytorch"):
            (folder / real).symlink_to(runners / real)
        packages = folder / "fake" / "lib" / "python3.11" / "site-packages"
        packages.mkdir(parents=True)
        (folder / "fake" / "bin").mkdir()
        (folder / "fake" / "bin" / "python").symlink_to("/usr/bin/python3")
        (folder / "fake" / "pyvenv.cfg").write_text("home = /usr/bin\ninclude-system-site-packages = false\n")
        (folder / "fake" / "requirements.txt").write_text("none\n")
        (packages / "glasscase_convert.py").write_text(CONVERTER)
        yield folder


@contextmanager
def translating_installation(programs: Path, folder: Path) -> Iterator[Installation]:
    """With a worker, which has those runners."""
    with (
        fake_runners() as runners, readable_programs(programs) as readable,
        running(readable, folder, serve_words=("--workers", "1", "--runners", str(runners))) as installation,
    ):
        wait_until("a worker is there", lambda: "worker" in installation.cli("status").stdout, 10)
        yield installation


def keep(glasscase: Installation, path: Path, name: str) -> dict[str, Any]:
    answer: dict[str, Any] = glasscase.cli("publish", str(path), "--name", name, "--kept", json=True)
    return answer


def keep_text(glasscase: Installation, folder: Path, name: str, file: str, text: str | bytes) -> None:
    path = folder / file
    path.write_bytes(text if isinstance(text, bytes) else textwrap.dedent(text).encode())
    keep(glasscase, path, name)


def translate(glasscase: Installation, name: str, *words: str) -> dict[str, Any]:
    answer = glasscase.cli("translate", name, *words, "--json", check=False)
    assert answer.stdout, answer.stderr
    return dict(json.loads(answer.stdout))


def show_run(glasscase: Installation, run: str) -> dict[str, Any]:
    shown: dict[str, Any] = glasscase.cli("runs", "show", run, json=True)
    return shown
