"""Named tensors in one file, without code, the same bytes for the same tensors: the safetensors format.

    save("model.safetensors", {"weight": array})
    tensors = load("model.safetensors")
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy

Array = Any

HEADER_BYTES_MAX = 100_000_000
_TYPES = {
    "BOOL": "bool", "U8": "uint8", "I8": "int8", "U16": "uint16", "I16": "int16", "U32": "uint32", "I32": "int32", "U64": "uint64",
    "I64": "int64", "F16": "float16", "F32": "float32", "F64": "float64",
}
_NAMES = {name: short for short, name in _TYPES.items()}


class BadFile(ValueError):
    """The file is not what it says."""


def save(path: str | Path, tensors: dict[str, Array]) -> None:
    """Writes the tensors, sorted by name: nothing else decides the bytes."""
    header: dict[str, Any] = {}
    blocks: list[bytes] = []
    offset = 0
    for name in sorted(tensors):
        array = numpy.asarray(tensors[name])
        if array.dtype.name not in _NAMES:
            raise TypeError(f"{name}: tensors of {array.dtype} cannot be saved")
        block = numpy.ascontiguousarray(array).astype(array.dtype.newbyteorder("<"), copy=False).tobytes()
        header[name] = {"dtype": _NAMES[array.dtype.name], "shape": list(array.shape), "data_offsets": [offset, offset + len(block)]}
        blocks.append(block)
        offset += len(block)
    text = json.dumps(header, sort_keys=True, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with Path(path).open("wb") as file:
        file.write(len(text).to_bytes(8, "little"))
        file.write(text)
        for block in blocks:
            file.write(block)


def load(path: str | Path) -> dict[str, Array]:
    """Gives the tensors by name. Raises BadFile."""
    data = Path(path).read_bytes()
    size = int.from_bytes(data[:8], "little")
    if len(data) < 8 or size > min(HEADER_BYTES_MAX, len(data) - 8):
        raise BadFile(f"{Path(path).name} is cut off or no safetensors file")
    try:
        header = json.loads(data[8:8 + size])
        header.pop("__metadata__", None)
        return {name: _tensor(data, 8 + size, name, entry) for name, entry in header.items()}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise BadFile(f"{Path(path).name}: {error}") from error


def _tensor(data: bytes, start: int, name: str, entry: dict[str, Any]) -> Array:
    kind = numpy.dtype(_TYPES[entry["dtype"]]).newbyteorder("<")
    begin, end = entry["data_offsets"]
    shape = entry["shape"]
    count = int(numpy.prod(shape, dtype=object)) if shape else 1
    if not 0 <= begin <= end <= len(data) - start or end - begin != count * kind.itemsize:
        raise BadFile(f"the tensor {name} lies outside of the file or has another size than its shape")
    return numpy.frombuffer(data, dtype=kind, count=count, offset=start + begin).reshape(shape).astype(kind.newbyteorder("="))
