"""Runs as their owners begin them: inputs, recipes, `glasscase train`."""

from __future__ import annotations

import json
import textwrap
from pathlib import Path
from typing import Any

from system.installation import Installation


def add(glasscase: Installation, folder: Path, name: str, files: dict[str, str]) -> str:
    """A dataset of these files."""
    for path, text in files.items():
        (folder / path).write_text(textwrap.dedent(text))
    words = [str(folder / path) for path in files]
    glasscase.cli("dataset", "add", words[0], "--name", name)
    return name


def recipe(folder: Path, code: str, data: dict[str, str] | None = None, **more: Any) -> str:
    path = folder / "recipe.json"
    path.write_text(json.dumps({
        "environment": {"runner": "scikit-learn"}, "code": code, "command": ["python", "/in/code/train.py"],
        "data": {name: {"version": version, "role": "train"} for name, version in (data or {}).items()}} | more))
    return str(path)


def train(glasscase: Installation, path: str, name: str, *words: str) -> dict[str, Any]:
    answer = glasscase.cli("train", path, "--name", name, "--json", *words, check=False)
    assert answer.stdout, answer.stderr
    return dict(json.loads(answer.stdout))


def state(glasscase: Installation, run: str) -> str:
    return str(glasscase.cli("runs", "show", run, json=True)["state"])
