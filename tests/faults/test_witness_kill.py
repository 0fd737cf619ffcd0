"""A witness that is killed at any moment never goes back behind what it has answered."""

from __future__ import annotations

import base64
import hashlib
import random
import signal
import subprocess
import threading
import time
from pathlib import Path

import requests

from system.witnesses import init_witness, witnessing

ORIGIN = "log.example/conformance"
SIZES = list(range(1, 400, 3))
KILLS = 15


def tree_hash(leaves: list[bytes]) -> bytes:
    """RFC 6962 section 2.1."""
    if len(leaves) == 1:
        return leaves[0]
    split = 1 << (len(leaves) - 1).bit_length() - 1
    return hashlib.sha256(b"\x01" + tree_hash(leaves[:split]) + tree_hash(leaves[split:])).digest()


def consistency(old: int, leaves: list[bytes], whole: bool = True) -> list[bytes]:
    """RFC 6962 section 2.1.2."""
    if old == len(leaves):
        return [] if whole else [tree_hash(leaves)]
    split = 1 << (len(leaves) - 1).bit_length() - 1
    if old <= split:
        return [*consistency(old, leaves[:split], whole), tree_hash(leaves[split:])]
    return [*consistency(old - split, leaves[split:], False), tree_hash(leaves[:split])]


def read_leaves(log: Path) -> list[bytes]:
    leaves = []
    for bundle in sorted((log / "tile" / "entries").glob("[0-9]*")):
        data = (max(bundle.iterdir(), key=lambda part: int(part.name)) if bundle.is_dir() else bundle).read_bytes()
        while data:
            length = int.from_bytes(data[:2], "big")
            leaves.append(hashlib.sha256(b"\x00" + data[2 : 2 + length]).digest())
            data = data[2 + length :]
    return leaves


def body(made: Path, leaves: list[bytes], old: int, size: int) -> bytes:
    proof = consistency(old, leaves[:size]) if 0 < old < size else []
    lines = [f"old {old}", *(base64.b64encode(part).decode() for part in proof)]
    return "\n".join(lines).encode() + b"\n\n" + (made / "checkpoints" / str(size)).read_bytes()


def test_nothing_answered_is_forgotten(programs: Path, tmp_path: Path) -> None:
    made, data = tmp_path / "made", tmp_path / "w"
    subprocess.run([programs / "make_log", made, "sizes", ",".join(map(str, SIZES))], check=True, timeout=60)
    leaves, vkey = read_leaves(made / "log"), (made / "vkey").read_text()
    assert len(leaves) == SIZES[-1]
    init_witness(programs, data)
    seed = random.randrange(1 << 30)
    print(f"seed {seed}")
    delays = random.Random(seed)
    answered = 0
    for _ in range(KILLS):
        with witnessing(programs, data, vkey, killed=True) as witness:
            shown = witness.latest(ORIGIN)
            known = int(shown.text.split("\n")[1]) if shown.status_code == 200 else 0
            assert known >= answered, (known, answered)
            threading.Timer(delays.uniform(0.0, 0.05), witness.process.send_signal, [signal.SIGKILL]).start()
            try:
                for size in (size for size in SIZES if size > known):
                    answer = witness.add(body(made, leaves, known, size))
                    assert answer.status_code == 200, answer.text
                    known = answered = size
                break
            except requests.ConnectionError:
                pass
            time.sleep(0.01)
    assert answered > 0
    assert not (data / "evidence").exists()
