"""The demo: its transcript, its end, and that nothing is left of it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

DEMO = Path(__file__).resolve().parents[2] / "examples" / "demo" / "demo.py"


def start(programs: Path, temporary: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, DEMO, "--bin", programs], env=os.environ | {"TMPDIR": str(temporary)},
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def programs_of(folder: Path) -> list[int]:
    """Processes that speak of the folder in their words."""
    found = []
    for process in psutil.process_iter(["cmdline"]):
        if any(str(folder) in word for word in process.info["cmdline"] or []) and process.pid != os.getpid():
            found.append(process.pid)
    return found


@pytest.mark.timeout(180)
def test_the_demo_does_the_main_job(programs: Path, tmp_path: Path) -> None:
    begin = time.monotonic()
    out, err = start(programs, tmp_path).communicate(timeout=150)
    assert err == ""
    for word in ("trained on ada/digits-data@1", "valid: entry", "one byte of the file was altered", "proved: these",
                 "not protected against the operator", "probability", "tritonclient", "refused", "revoked", "What to try next", "curl says: 3", "ready:"):
        assert word in out, out
    assert out.count("   refused:") == 2
    assert time.monotonic() - begin < 120
    assert list(tmp_path.iterdir()) == []
    assert programs_of(tmp_path) == []


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
