"""A log of Tessera, unmodified, cosigned by our witness: its posix-oneshot example with a witness policy."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from conformance.test_log_go import go_tool, run
from system.witnesses import RunningWitness, init_witness, witnessing

ORIGIN = "log.example/conformance"


@pytest.fixture
def keys(programs: Path, tmp_path: Path) -> Path:
    """A folder with the log's skey and vkey."""
    assert run(programs / "make_log", tmp_path / "keys", "sizes", "1").returncode == 0
    return tmp_path / "keys"


@pytest.fixture
def witness(programs: Path, tmp_path: Path, keys: Path) -> Iterator[RunningWitness]:
    data = tmp_path / "witness"
    init_witness(programs, data)
    with witnessing(programs, data, (keys / "vkey").read_text()) as running:
        yield running


def grow(folder: Path, keys: Path, witness: RunningWitness, *entries: str) -> subprocess.CompletedProcess[str]:
    """Adds the entries to the Tessera log in the folder; it publishes only what the witness has signed."""
    shutil.rmtree(folder / "new", ignore_errors=True)
    (folder / "new").mkdir(parents=True)
    for number, entry in enumerate(entries):
        (folder / "new" / str(number)).write_text(entry)
    (folder / "policy").write_text(f"witness w {witness.vkey} {witness.url}\nquorum w\n")
    return run(
        "timeout", "10", go_tool("posix-oneshot"), "--storage_dir", folder / "log", "--entries", f"{folder}/new/*",
        "--private_key", keys / "skey", "--witness_policy_file", folder / "policy", "--witness_timeout", "3s")


def published_size(folder: Path) -> int:
    checkpoint = folder / "log" / "checkpoint"
    return int(checkpoint.read_text().split("\n")[1]) if checkpoint.exists() else 0


def test_a_tessera_log_is_cosigned_as_it_grows(tmp_path: Path, keys: Path, witness: RunningWitness) -> None:
    for size in (3, 5, 300):
        begin = published_size(tmp_path / "t")
        grown = grow(tmp_path / "t", keys, witness, *(f"entry {i}" for i in range(begin, size)))
        assert grown.returncode == 0, grown.stderr
        checkpoint = (tmp_path / "t" / "log" / "checkpoint").read_text()
        assert checkpoint.split("\n")[:2] == [ORIGIN, str(size)]
        assert "\u2014 witness.example " in checkpoint
        assert witness.latest(ORIGIN).text.split("\n\n")[0] == checkpoint.split("\n\n")[0]
    assert witness.evidence() == []


def test_another_history_is_not_cosigned(tmp_path: Path, keys: Path, witness: RunningWitness) -> None:
    assert grow(tmp_path / "one", keys, witness, "a", "b", "c").returncode == 0
    # The same key, the same number of entries, other ones; then more of them.
    for entries in (("a", "b", "x"), ("a", "b", "x", "d")):
        grow(tmp_path / "two", keys, witness, *entries)
        checkpoint = tmp_path / "two" / "log" / "checkpoint"
        assert not checkpoint.exists() or "witness.example" not in checkpoint.read_text()
    assert witness.latest(ORIGIN).text == (tmp_path / "one" / "log" / "checkpoint").read_text()
    assert len(witness.evidence()) >= 1
