"""What a pickle would import when it is opened, read from its opcodes: nothing of it is executed."""

from __future__ import annotations

import pickletools
import zipfile
from collections.abc import Iterator
from pathlib import Path

BYTES_MAX = 1 << 28  # of one stream; a longer one is not looked through
NAMES_MAX = 12


def imports(path: Path) -> list[str]:
    """The names, sorted: "builtins.eval". As many as can be read: a stream that is broken or packed some other way gives what it showed."""
    names: set[str] = set()
    for stream in _streams(path):
        try:
            names.update(_names_in(stream))
        except Exception:  # pickletools raises what it likes over broken bytes; it opens nothing
            continue
    return sorted(names)


def _streams(path: Path) -> Iterator[bytes]:
    try:
        if not zipfile.is_zipfile(path):
            with path.open("rb") as file:
                yield file.read(BYTES_MAX)
            return
        with zipfile.ZipFile(path) as archive:  # as torch.save packs it
            for name in archive.namelist():
                if name.endswith((".pkl", ".pickle")):
                    with archive.open(name) as member:
                        yield member.read(BYTES_MAX)
    except (OSError, zipfile.BadZipFile, RuntimeError, NotImplementedError, ValueError):
        return


def _names_in(stream: bytes) -> Iterator[str]:
    """Texts are followed through the memo, as the machine of the pickle does it: STACK_GLOBAL takes the last two."""
    texts: list[str] = []
    memo: dict[int, str] = {}
    last: str | None = None
    for opcode, argument, _ in pickletools.genops(stream):
        if opcode.name in ("GLOBAL", "INST"):
            yield ".".join(str(argument).split(" ", 1))
        elif opcode.name == "STACK_GLOBAL" and len(texts) >= 2:
            yield f"{texts[-2]}.{texts[-1]}"
        elif opcode.name == "MEMOIZE" and last is not None:
            memo[len(memo)] = last
        elif opcode.name == "MEMOIZE":
            memo[len(memo)] = ""
        elif opcode.name in ("BINPUT", "LONG_BINPUT", "PUT"):
            memo[int(str(argument))] = last or ""
        if "UNICODE" in opcode.name or opcode.name in ("STRING", "BINSTRING", "SHORT_BINSTRING"):
            last = str(argument)
            texts.append(last)
        elif opcode.name in ("BINGET", "LONG_BINGET", "GET"):
            last = memo.get(int(str(argument)), "")
            texts.append(last)
        elif opcode.name not in ("MEMOIZE", "BINPUT", "LONG_BINPUT", "PUT", "FRAME", "PROTO"):
            last = None
