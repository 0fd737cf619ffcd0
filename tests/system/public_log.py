"""What anybody can read of a log, and whether all checkpoints that were ever seen are of one log."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests

from system.installation import Installation

ED25519_DER = bytes.fromhex("302a300506032b6570032100")  # RFC 8410: what stands before the key's 32 bytes


@dataclass(frozen=True)
class Checkpoint:
    origin: str
    size: int
    root: bytes
    signed: str  # the lines before the signatures
    signatures: tuple[str, ...]

    @staticmethod
    def parse(note: str) -> Checkpoint:
        text, signatures = note.split("\n\n", 1)
        origin, size, root = text.split("\n")
        return Checkpoint(origin, int(size), base64.b64decode(root), text + "\n", tuple(signatures.splitlines()))

    def check_signature(self, policy: str) -> None:
        """By the log that the policy names."""
        name, key = re.findall(r"^log (\S+)\+[0-9a-f]{8}\+(\S+)$", policy, re.MULTILINE)[0]
        mine = [line.rsplit(" ", 1)[1] for line in self.signatures if line.startswith(f"— {name} ")]
        with tempfile.TemporaryDirectory() as folder:
            parts = {"key": ED25519_DER + base64.b64decode(key)[1:], "text": self.signed.encode(), "signature": base64.b64decode(mine[0])[4:]}
            for part, data in parts.items():
                (Path(folder) / part).write_bytes(data)
            subprocess.run(["openssl", "pkeyutl", "-verify", "-rawin", "-pubin", "-inkey", "key", "-keyform", "DER",
                            "-in", "text", "-sigfile", "signature"], cwd=folder, check=True, capture_output=True)


def checkpoint_of(url: str) -> Checkpoint | None:
    """None when none is to be had at the moment."""
    try:
        answer = requests.get(f"{url}/log/checkpoint", timeout=0.5)
    except requests.RequestException:
        return None
    return Checkpoint.parse(answer.text) if answer.ok else None


def leaf(entry: bytes) -> bytes:
    return hashlib.sha256(b"\0" + entry).digest()


def entries_of(url: str, size: int) -> list[bytes]:
    """The first `size` entries, as they were hashed."""
    entries: list[bytes] = []
    for first in range(0, size, 256):
        width = min(256, size - first)
        number = first // 256
        name = f"{number:03}" if number < 1000 else f"x{number // 1000:03}/{number % 1000:03}"
        path = f"tile/entries/{name}" + (f".p/{width}" if width < 256 else "")
        answer = requests.get(f"{url}/log/{path}", timeout=10)
        answer.raise_for_status()
        bundle = answer.content
        while bundle:
            length = int.from_bytes(bundle[:2], "big")
            entries.append(bundle[2 : 2 + length])
            bundle = bundle[2 + length :]
    return entries


def roots_of(entries: list[bytes]) -> list[bytes]:
    """The root at each size from 0 on: RFC 6962, section 2.1, kept as the roots of whole subtrees."""
    roots = [hashlib.sha256(b"").digest()]
    whole: list[tuple[int, bytes]] = []  # subtrees of falling size
    for entry in entries:
        width, node = 1, leaf(entry)
        while whole and whole[-1][0] == width:
            node = hashlib.sha256(b"\1" + whole.pop()[1] + node).digest()
            width *= 2
        whole.append((width, node))
        root = whole[-1][1]
        for _, left in reversed(whole[:-1]):
            root = hashlib.sha256(b"\1" + left + root).digest()
        roots.append(root)
    return roots


def check_one_log(glasscase: Installation, seen: list[Checkpoint]) -> list[dict[str, Any]]:
    """Each checkpoint is signed by the log and is a beginning of what it shows now. Gives its entries."""
    last = checkpoint_of(glasscase.url)
    assert last is not None
    entries = entries_of(glasscase.url, last.size)
    assert len(entries) == last.size
    roots = roots_of(entries)
    policy = (glasscase.data / "ledger-policy").read_text()
    for checkpoint in {*seen, last}:
        checkpoint.check_signature(policy)
        assert checkpoint.origin == last.origin
        assert checkpoint.size <= last.size, f"{checkpoint.size} entries were shown, now there are {last.size}"
        assert roots[checkpoint.size] == checkpoint.root, f"another history of the first {checkpoint.size} entries"
    return [json.loads(entry) for entry in entries]
