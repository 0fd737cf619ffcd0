"""The tool of the attacks itself: what it makes a process do is done by that process, which then goes on unharmed."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest

from attacks.inject import AT_FDCWD, SUPPORTED, Attacker

pytestmark = [
    pytest.mark.skipif(not SUPPORTED, reason="x86-64 Linux only"),
    pytest.mark.skipif(os.geteuid() != 0, reason="tracing needs root"),
]

ECHO = "import sys\nfor line in sys.stdin: print('echo', line.strip(), flush=True)"
BUSY = "print('busy', flush=True)\nwhile True: pass"


@pytest.fixture
def echo() -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(
        [sys.executable, "-c", ECHO], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert ask(process, "start") == "echo start"
        yield process
        assert process.stdin is not None
        process.stdin.close()


def ask(process: subprocess.Popen[str], word: str) -> str:
    assert process.stdin is not None and process.stdout is not None
    process.stdin.write(word + "\n")
    process.stdin.flush()
    return process.stdout.readline().strip()


def test_calls_are_made_by_the_process_itself(echo: subprocess.Popen[str]) -> None:
    with Attacker(echo.pid) as attacker:
        assert attacker.call("getpid") == echo.pid
        fd = attacker.call("openat", AT_FDCWD, b"/etc/passwd", os.O_RDONLY)
        assert fd >= 0
        assert os.readlink(f"/proc/{echo.pid}/fd/{fd}") == "/etc/passwd"
        assert attacker.call("close", fd) == 0
        assert attacker.call("openat", AT_FDCWD, b"/does/not/exist", os.O_RDONLY) == -errno.ENOENT


def test_process_goes_on_unharmed(echo: subprocess.Popen[str]) -> None:
    for round_ in range(20):
        with Attacker(echo.pid) as attacker:
            attacker.call("getuid")
        assert ask(echo, str(round_)) == f"echo {round_}"


def test_running_process_is_stopped_too() -> None:
    with subprocess.Popen([sys.executable, "-c", BUSY], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None and process.stdout.readline() == "busy\n"
        with Attacker(process.pid) as attacker:
            assert attacker.call("getpid") == process.pid
        assert process.poll() is None
        process.send_signal(signal.SIGKILL)
