"""A running witness: `glasscase witness` with a folder and a port of its own."""

from __future__ import annotations

import hashlib
import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import requests

READY_SECONDS_MAX = 20


@dataclass
class RunningWitness:
    """`url` takes add-checkpoint; `data` is its folder."""

    url: str
    vkey: str
    data: Path
    process: subprocess.Popen[str]

    def add(self, body: bytes) -> requests.Response:
        return requests.post(f"{self.url}/add-checkpoint", data=body, timeout=10)

    def latest(self, origin: str) -> requests.Response:
        return requests.get(f"{self.url}/{hashlib.sha256(origin.encode()).hexdigest()}/checkpoint", timeout=10)

    def evidence(self) -> list[Path]:
        return sorted((self.data / "evidence").glob("*/*/other"))


def init_witness(programs: Path, data: Path, name: str = "witness.example") -> str:
    """Makes the key and gives the verifier key."""
    made = subprocess.run(
        [programs / "glasscase", "witness", "init", "--data", data, "--name", name, "--json"],
        capture_output=True, text=True, timeout=20, check=True)
    return str(json.loads(made.stdout)["vkey"])


@contextmanager
def witnessing(programs: Path, data: Path, *log_vkeys: str, killed: bool = False) -> Iterator[RunningWitness]:
    """Serves until the block ends, which has killed it when `killed`."""
    words = [word for vkey in log_vkeys for word in ("--log", vkey)]
    process = subprocess.Popen(
        [programs / "glasscase", "witness", "serve", "--data", data, "--listen", "127.0.0.1:0", "--json", *words],
        stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        ready = json.loads(process.stdout.readline())
        yield RunningWitness(ready["url"], ready["vkey"], data, process)
    finally:
        process.terminate()
        ended = process.wait(READY_SECONDS_MAX)
        assert ended == 0 or killed
        process.stdout.close()
