"""The demo: its transcript, its end, and that nothing is left of it."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from system.runners import LIBRARIES, ROOT, RUNNERS, link_or_copy

DEMO = ROOT / "examples" / "demo" / "demo.py"


def start(programs: Path, temporary: Path, demo: Path = DEMO) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, demo, "--bin", programs], env=os.environ | {"TMPDIR": str(temporary)},
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def programs_of(folder: Path) -> list[int]:
    """Processes that speak of the folder in their words."""
    found = []
    for process in psutil.process_iter(["cmdline"]):
        if any(str(folder) in word for word in process.info["cmdline"] or []) and process.pid != os.getpid():
            found.append(process.pid)
    return found


def assert_trained_in_a_run(out: str) -> None:
    """Its ninth step: a run that succeeds, the same bits once more, and a translation with its evidence."""
    step = out.partition("\n9. ")[2].partition("\n10. ")[0]
    assert re.search(r"   run [0-9a-f-]{36}: succeeded, \{'accuracy': (1|0\.[89]\d*)\}", step), out
    for words in ("class B", "translated from ada/wine@1 (witnessed)", "same as its source on"):
        assert words in step, out
    assert "left out" not in out


@pytest.mark.timeout(180)
def test_the_demo_does_the_main_job(programs: Path, tmp_path: Path) -> None:
    begin = time.monotonic()
    demo = start(programs, tmp_path)
    out, err = demo.communicate(timeout=150)
    assert (demo.returncode, err) == (0, "")
    assert_trained_in_a_run(out)
    for word in ("trained on ada/digits-data@1", "valid: entry", "one byte of the file was altered", "proved: these",
                 "not protected against the operator", "probability", "tritonclient", "refused", "revoked", "What to try next", "curl says: 3", "ready:"):
        assert word in out, out
    assert out.count("   refused:") == 2
    assert time.monotonic() - begin < 120
    assert list(tmp_path.iterdir()) == []
    assert programs_of(tmp_path) == []


@pytest.fixture
def closed_clone(programs: Path, tmp_path: Path) -> Path:
    """As below /root: programs, runner and examples in a folder of its owner alone."""
    clone = tmp_path / "clone"
    shutil.copytree(ROOT / "examples", clone / "examples")
    subprocess.run(["cmake", "--install", programs.parent, "--prefix", clone], check=True, capture_output=True)
    (clone / ".deps" / "onnxruntime").mkdir(parents=True)
    (clone / ".deps" / "onnxruntime" / "lib").symlink_to(LIBRARIES)
    shutil.copytree(RUNNERS / "scikit-learn", clone / ".deps" / "runners" / "scikit-learn", symlinks=True, copy_function=link_or_copy)
    clone.chmod(0o700)
    return clone


@pytest.mark.timeout(180)
def test_the_demo_does_it_in_a_folder_of_root_alone(closed_clone: Path, tmp_path: Path) -> None:
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    before = set(Path("/var/tmp").iterdir())
    demo = start(closed_clone / "bin", temporary, closed_clone / "examples" / "demo" / "demo.py")
    out, err = demo.communicate(timeout=150)
    assert (demo.returncode, err) == (0, "")
    assert_trained_in_a_run(out)
    assert ("root's alone" in out) == (os.geteuid() == 0)
    assert list(temporary.iterdir()) == []
    assert not [path for path in set(Path("/var/tmp").iterdir()) - before if path.name.startswith("glasscase-demo-")]


def test_the_demo_says_that_a_runner_is_missing(programs: Path, tmp_path: Path) -> None:
    shutil.copytree(ROOT / "examples", tmp_path / "examples")
    demo = start(programs, tmp_path, tmp_path / "examples" / "demo" / "demo.py")
    out, err = demo.communicate(timeout=60)
    assert (demo.returncode, out) == (2, "")
    assert "there is no runner scikit-learn" in err and "`make runners`" in err


@pytest.mark.timeout(120)
def test_the_demo_leaves_nothing_when_it_is_ended(programs: Path, tmp_path: Path) -> None:
    demo = start(programs, tmp_path)
    assert demo.stdout is not None
    for line in demo.stdout:
        if "ready:" in line:
            break
    demo.send_signal(signal.SIGTERM)
    out, err = demo.communicate(timeout=60)
    assert demo.returncode == 128 + signal.SIGTERM, out + err
    assert list(tmp_path.iterdir()) == []
    assert programs_of(tmp_path) == []


@pytest.mark.timeout(180)
def test_the_demo_notices_when_a_step_does_not_do_what_it_says(programs: Path, tmp_path: Path) -> None:
    pretender = tmp_path / "bin" / "glasscase"
    pretender.parent.mkdir()
    pretender.write_text(
        f"""#!/bin/sh
if [ "$1" = revoke ]; then echo '{{"acknowledged_ms": 0.1}}'; exit 0; fi
exec "{programs / 'glasscase'}" "$@"
""")
    pretender.chmod(0o755)
    folder = tmp_path / "tmp"
    folder.mkdir()
    demo = start(pretender.parent, folder)
    out, err = demo.communicate(timeout=150)
    assert demo.returncode == 1
    assert "grace should have been refused" in err, out + err
    assert list(folder.iterdir()) == []
    assert programs_of(folder) == []
