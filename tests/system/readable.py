"""Programs as a worker's user may start them: a clone may lie in a folder of root's alone."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LIBRARIES = ROOT / ".deps" / "onnxruntime" / "lib"


def everybody_may_enter(folder: Path) -> bool:
    return all(parent.stat().st_mode & 0o001 for parent in (folder.resolve(), *folder.resolve().parents))


@contextmanager
def readable_programs(programs: Path) -> Iterator[Path]:
    """The folder of the programs: a worker starts the translator as its own user."""
    if everybody_may_enter(programs) and everybody_may_enter(LIBRARIES):
        yield programs
        return
    with tempfile.TemporaryDirectory(dir="/var/tmp", prefix="glasscase-readable-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        shutil.copytree(programs, folder / "bin")
        shutil.copytree(LIBRARIES, folder / "lib")
        before = os.environ.get("LD_LIBRARY_PATH")
        os.environ["LD_LIBRARY_PATH"] = str(folder / "lib")
        yield folder / "bin"
        os.environ.pop("LD_LIBRARY_PATH")
        if before is not None:
            os.environ["LD_LIBRARY_PATH"] = before
