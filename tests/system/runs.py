"""Runs of small programs: a runner without libraries, recipes for it, and what became of them."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from system.installation import Installation

ENDED = {"succeeded", "failed", "cancelled"}


@contextmanager
def plain_runners() -> Iterator[Path]:
    """A folder with the runner "plain", the system's Python, where every user may read it."""
    with tempfile.TemporaryDirectory(dir="/var/tmp", prefix="glasscase-plain-") as name:
        folder = Path(name)
        (folder / "plain" / "bin").mkdir(parents=True)
        (folder / "plain" / "bin" / "python").symlink_to("/usr/bin/python3")
        (folder / "plain" / "requirements.txt").write_text("# none\n")
        folder.chmod(0o755)
        yield folder


def plain_recipe(code: str, program: str, **more: Any) -> str:
    """The text of a recipe that runs a file of the code."""
    return json.dumps({"environment": {"runner": "plain"}, "code": code, "data": {}, "command": ["python", f"/in/code/{program}"]} | more)


def submit(glasscase: Installation, submissions: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Queues them by one request."""
    answer = glasscase.request("POST", "/glasscase/v1/runs/batch", control=True, json={"runs": submissions})
    assert answer.status_code == 202, answer.text
    runs: list[dict[str, Any]] = answer.json()["runs"]
    return runs


def show(glasscase: Installation, run: str) -> dict[str, Any]:
    answer: dict[str, Any] = glasscase.request("GET", f"/glasscase/v1/runs/{run}", control=True).json()
    return answer


def printed(glasscase: Installation, run: str) -> str:
    """All that a run has printed."""
    text, at = "", 0
    while piece := glasscase.request("GET", f"/glasscase/v1/runs/{run}/log?from={at}", control=True).json():
        if not piece["text"]:
            break
        text, at = text + piece["text"], piece["next"]
    return text
