"""Verifiers of others over our log's files: Go's golang.org/x/mod/sumdb packages and Tessera's fsck.

The log is made by make_log with the code that the custodian runs; the Go programs are pinned in go/go.mod and built by
tools/bootstrap.
"""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

SIZES = (1, 2, 255, 256, 257, 65_535, 65_536, 65_537)
GO_TOOLS = Path(__file__).resolve().parents[2] / ".deps" / "go" / "bin"


def go_tool(name: str) -> Path:
    path = GO_TOOLS / name
    if not path.exists():
        pytest.fail(f"there is no {path}: run tools/bootstrap, with Go 1.24 or newer in PATH")
    return path


def run(*command: str | Path, seconds: float = 120) -> subprocess.CompletedProcess[str]:
    return subprocess.run([str(word) for word in command], capture_output=True, text=True, timeout=seconds, check=False)


def verify(made: Path, *checkpoints: Path) -> subprocess.CompletedProcess[str]:
    return run(go_tool("verify_log"), made / "log", made / "vkey", *checkpoints)


def fsck_is_content(made: Path, seconds: float = 60) -> bool:
    """Reads the words: version 1.0.4 exits with 0 whatever it finds, and for some findings it never ends."""
    words = ("--storage_url", f"file://{made}/log/", "--public_key", str(made / "vkey"), "--ui=false")
    with subprocess.Popen([go_tool("fsck"), *words], stderr=subprocess.PIPE, text=True) as process:
        try:
            return "Successfully fsck'd" in process.communicate(timeout=seconds)[1]
        except subprocess.TimeoutExpired:
            process.kill()
            return False


@pytest.fixture(scope="module")
def sizes_log(programs: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One log that had each of the sizes, with the checkpoint of each."""
    made = tmp_path_factory.mktemp("sizes")
    assert run(programs / "make_log", made, "sizes", ",".join(map(str, SIZES))).returncode == 0
    return made


@pytest.fixture(scope="module")
def acts_log(programs: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A log of 1,000 acts in batches that each end in a map entry."""
    made = tmp_path_factory.mktemp("acts")
    (made / "model.onnx").write_bytes(b"not looked at here")
    assert run(programs / "make_log", made, "acts", "1000", "64", made / "model.onnx").returncode == 0
    return made


def test_sizes_are_included_and_consistent(sizes_log: Path) -> None:
    done = verify(sizes_log, *(sizes_log / "checkpoints" / str(size) for size in SIZES))
    assert done.returncode == 0, done.stderr
    words = done.stdout.split()
    assert words[:2] == ["checkpoints", str(len(SIZES))]
    assert words[4:] == ["consistencies", str(len(SIZES) * (len(SIZES) + 1) // 2)]
    assert int(words[3]) > 50


def test_batches_are_included(acts_log: Path) -> None:
    done = verify(acts_log, acts_log / "log" / "checkpoint")
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("log", ["sizes_log", "acts_log"])
def test_tessera_fsck_is_content(log: str, request: pytest.FixtureRequest) -> None:
    assert fsck_is_content(request.getfixturevalue(log))


@pytest.fixture
def altered_log(acts_log: Path, tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    """The log with one byte of one file altered."""
    made = tmp_path / "made"
    shutil.copytree(acts_log, made)
    path = made / "log" / request.param
    altered = bytearray(path.read_bytes())
    altered[len(altered) // 2] ^= 1
    path.write_bytes(altered)
    return made


@pytest.mark.parametrize("altered_log", ["tile/0/001", "checkpoint"], indirect=True)
def test_go_sees_one_altered_byte(altered_log: Path) -> None:
    assert verify(altered_log, altered_log / "log" / "checkpoint").returncode != 0


@pytest.mark.parametrize("altered_log", ["tile/entries/002", "checkpoint"], indirect=True)
def test_tessera_sees_one_altered_byte(altered_log: Path) -> None:
    assert not fsck_is_content(altered_log, seconds=5)
