"""Runners and programs as a worker's user may read them: a clone may lie in a folder of root's alone."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
RUNNERS = ROOT / ".deps" / "runners"
LIBRARIES = ROOT / ".deps" / "onnxruntime" / "lib"


def everybody_may_enter(folder: Path) -> bool:
    return all(parent.stat().st_mode & 0o001 for parent in (folder.resolve(), *folder.resolve().parents))


def link_or_copy(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError:  # another file system
        shutil.copy2(source, target)


@contextmanager
def outside() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(dir="/var/tmp", prefix="glasscase-readable-") as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


@contextmanager
def readable_runners(*names: str) -> Iterator[Path]:
    """The folder of the runners."""
    if everybody_may_enter(RUNNERS):
        yield RUNNERS
        return
    with outside() as folder:
        for name in names:
            shutil.copytree(RUNNERS / name, folder / name, symlinks=True, copy_function=link_or_copy)
        yield folder


@contextmanager
def readable_programs(programs: Path) -> Iterator[Path]:
    """The folder of the programs, installed elsewhere where need be: a worker starts some as its own user."""
    if everybody_may_enter(programs) and everybody_may_enter(LIBRARIES):
        yield programs
        return
    with outside() as folder:
        subprocess.run(["cmake", "--install", programs.parent, "--prefix", folder], check=True, capture_output=True)
        yield folder / "bin"
