"""Runs glasscase_convert of a runner in a sandbox like a job's."""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
RUNNERS = ROOT / ".deps" / "runners"


@dataclass(frozen=True)
class Outcome:
    code: int
    said: str
    last: str
    out: Path

    @property
    def evidence(self) -> dict[str, Any]:
        return dict(json.loads((self.out / "evidence.json").read_text()))

    @property
    def onnx(self) -> Path:
        return self.out / "model.onnx"


def convert(runner: str, source: Path, out: Path, *words: str, code: Path | None = None, data: Path | None = None, timeout_s: float = 100) -> Outcome:
    """As a job does it: no network, nothing of this machine but the runner and the model, which are read-only."""
    out.mkdir(exist_ok=True)
    box = ["bwrap", "--unshare-all", "--die-with-parent", "--cap-drop", "ALL", "--clearenv", "--ro-bind", "/usr", "/usr", "--symlink", "usr/bin", "/bin",
           "--symlink", "usr/lib", "/lib", "--symlink", "usr/lib64", "/lib64", "--proc", "/proc", "--dev", "/dev", "--tmpfs", "/tmp",
           "--ro-bind", str(RUNNERS / runner), "/runner", "--ro-bind", str(source), f"/in/{source.name}", "--bind", str(out), "/out"]
    if code is not None:
        box += ["--ro-bind", str(code), "/in/code"]
        words = ("--code", "/in/code", *words)
    if data is not None:
        box += ["--ro-bind", str(data), "/in/data"]
        words = ("--data", "/in/data", *words)
    box += ["--setenv", "HOME", "/tmp", "--setenv", "LC_ALL", "C.UTF-8", "--setenv", "OMP_NUM_THREADS", "1", "--setenv", "PYTHONDONTWRITEBYTECODE", "1"]
    done = subprocess.run(
        [*box, "/runner/bin/python", "-m", "glasscase_convert", "--source", f"/in/{source.name}", "--output", "/out/model.onnx",
         "--evidence", "/out/evidence.json", *words], capture_output=True, text=True, timeout=timeout_s)
    lines = done.stderr.splitlines()
    return Outcome(done.returncode, done.stdout, lines[-1] if lines else "", out)
