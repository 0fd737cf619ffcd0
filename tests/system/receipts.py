"""A reader of receipts in Python, made from api/formats/receipt.md alone."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import uuid
from dataclasses import dataclass
from pathlib import Path

SPEC = Path(__file__).resolve().parents[2] / "api" / "formats" / "receipt.md"
PHRASES = {int(code, 16): json.loads(text) for code, text in re.findall(r'^    ([01][0-9a-f]) (".*")$', SPEC.read_text(), re.MULTILINE)}


@dataclass(frozen=True)
class Extra:
    """What a receipt says beside its proof."""

    entry: str
    values: dict[str, str]
    salts: dict[str, bytes]


def commitment(salt: bytes, name: str, value: str) -> str:
    """Base64 of the commitment to a field."""
    return base64.b64encode(hashlib.sha256(b"glasscase commitment v1\n" + salt + name.encode() + b"\0" + value.encode()).digest()).decode()


def read_extra(receipt: str) -> Extra:
    """The extra data of a receipt in form 2."""
    extra = base64.b64decode(receipt.split("\n")[1].removeprefix("extra "))
    assert extra[0] == 2
    text, data = extra[1:].split(b"\0", 1)
    phrased = "".join(PHRASES.get(ord(c), c) if c != "\n" else c for c in text.decode())
    first, second = phrased.split("\n", 1)
    salts: dict[str, bytes] = {}

    def take(count: int) -> bytes:
        nonlocal data
        taken, data = data[:count], data[count:]
        assert len(taken) == count
        return taken

    def filled(part: str, opened: list[tuple[str, str]]) -> str:
        out = ""
        for c in part:
            if c == "\1":
                out += str(uuid.UUID(bytes=take(16)))
            elif c == "\2":
                out += base64.b64encode(take(32)).decode()
            elif c == "\3":
                name, value = opened.pop(0)
                salts[name] = take(16)
                out += commitment(salts[name], name, value)
            elif c == "\4":
                out += take(32).hex()
            else:
                out += c
        assert not opened
        return out

    values = json.loads(filled(first, []))
    entry = filled(second, list(values.items()))
    assert data == b""
    return Extra(entry, values, salts)
