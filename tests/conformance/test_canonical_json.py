"""Canonical JSON (RFC 8785) is what two independent writers make of the same values: the Python package rfc8785, and, for
numbers, an ECMAScript engine (tests/vectors/json, read by the unit test)."""

from __future__ import annotations

import json
import math
import os
import random
import struct
import subprocess
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
TOOL = Path(os.environ.get("GLASSCASE_BIN", ROOT / "build" / "release" / "bin")).resolve().parent / "test_tools" / "provenance_tool"
# rfc8785 is one of model-signing's requirements.
PEER = ROOT / ".deps" / "model-signing" / "bin" / "python"
PEER_PROGRAM = "import json, sys, rfc8785\nfor line in sys.stdin.buffer: sys.stdout.buffer.write(rfc8785.dumps(json.loads(line)) + b'\\n')"
SEED = 8785

# Where escapes, the length of UTF-8 and the order of UTF-16 change.
CHARACTERS = [*range(0x30), 0x5C, 0x7F, 0x80, 0x7FF, 0x800, 0x20AC, 0xE000, 0xFB33, 0xFFFD, 0xFFFF, 0x10000, 0x1F600, 0x10FFFF]
NUMBERS = [0.0, -0.0, 1e21, 9.999999999999999e20, 1e-6, 1e-7, 5e-324, 1e20, 100.0, 2.5, 333333333.33333329]


def draw_text(source: random.Random) -> str:
    return "".join(chr(source.choice(CHARACTERS)) for _ in range(source.randrange(5)))


def draw_double(source: random.Random) -> float:
    while True:
        number = float(struct.unpack(">d", source.randbytes(8))[0])
        if math.isfinite(number):
            return number


def draw_value(source: random.Random, depth: int) -> Any:
    kind = source.randrange(8 if depth else 6)
    if kind == 0:
        return source.choice([None, True, False])
    if kind == 1:
        return source.randrange(-(2**53) + 1, 2**53)
    if kind == 2:
        return draw_double(source)
    if kind == 3:
        return source.choice(NUMBERS)
    if kind in (4, 5):
        return draw_text(source)
    if kind == 6:
        return [draw_value(source, depth - 1) for _ in range(source.randrange(4))]
    return {draw_text(source): draw_value(source, depth - 1) for _ in range(source.randrange(6))}


def lines_of(command: list[str | Path], lines: list[str]) -> list[bytes]:
    text = "".join(line + "\n" for line in lines).encode()
    done = subprocess.run(command, input=text, capture_output=True, timeout=100, check=True)
    # Not splitlines(): other characters that end lines stand in strings unescaped.
    return done.stdout.split(b"\n")[:-1]


def test_ours_and_rfc8785_write_the_same_text() -> None:
    assert TOOL.is_file(), f"{TOOL} is not built: run `make build`, or set GLASSCASE_BIN"
    source = random.Random(SEED)
    # Half of them with escapes for all beyond ASCII, half without: the reader must not care.
    values = [json.dumps(draw_value(source, 4), ensure_ascii=source.random() < 0.5) for _ in range(5000)]
    ours = lines_of([TOOL, "canonical"], values)
    theirs = lines_of([PEER, "-c", PEER_PROGRAM], values)
    assert len(ours) == len(theirs) == len(values)
    for value, our_text, their_text in zip(values, ours, theirs, strict=True):
        assert our_text == their_text, value
