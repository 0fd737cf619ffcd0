"""The range of the data that a model was trained on: CSV, NPY and NPZ, as `glasscase translate` itself reads them.

Taken are arrays [rows, ...] with as many numbers a row as the input has. One column more is the target and left out: in a table the one
that is called target, label, class or y, else the one without numbers, else the last; in arrays the last.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy

from .rows import Input

Array = Any
Range = tuple[Array, Array]

TARGETS = ("target", "label", "class", "y")
FILES_MAX = 16


def use(folder: Path, inputs: list[Input]) -> list[dict[str, str]]:
    """Gives each input the range of the data that fit it, and a line of the evidence for each file."""
    said = []
    for path in sorted(path for path in folder.rglob("*") if path.suffix in (".csv", ".npy", ".npz") and path.is_file())[:FILES_MAX]:
        name = path.relative_to(folder).as_posix()
        try:
            _use_file(path, inputs)
            said.append({"name": name})
        except (ValueError, OSError, csv.Error) as error:  # of data, not of the model: the evidence says that they were not used
            said.append({"name": name, "unread": " ".join(str(error).split())[:200]})
    return said


def _use_file(path: Path, inputs: list[Input]) -> None:
    fits = False
    arrays = list(_arrays(path))
    for one in inputs:
        found = _fitting(arrays, one.numbers)
        if found is not None:
            one.data_range = found if one.data_range is None else _widened(one.data_range, found)
            fits = True
    if not fits:
        raise ValueError(f"nothing in it has as many numbers a row as the model takes ({', '.join(str(one.numbers) for one in inputs)})")


def _fitting(arrays: list[tuple[Array, int]], numbers: int) -> Range | None:
    """The range of those with that many numbers a row; with one more, the target, only where there are none."""
    for extra in (0, 1):
        found: Range | None = None
        for array, target in arrays:
            if array.shape[1] == numbers + extra:
                one = _range_of(numpy.delete(array, target, axis=1) if extra else array)
                found = one if found is None else _widened(found, one)
        if found is not None and not numpy.isnan(found[0]).all():
            return found
    return None


def _arrays(path: Path) -> Iterator[tuple[Array, int]]:
    """(rows as numbers, which column is the target if there is one)."""
    if path.suffix == ".csv":
        yield _table(path)
        return
    loaded = numpy.load(path, allow_pickle=False)
    for array in [loaded] if isinstance(loaded, numpy.ndarray) else [loaded[name] for name in loaded.files]:
        if array.ndim >= 2 and len(array) and array.dtype.kind in "fiub":
            flat = array.reshape(len(array), -1)
            yield flat, flat.shape[1] - 1


def _table(path: Path) -> tuple[Array, int]:
    text = path.read_text(encoding="utf-8-sig", errors="replace")
    first = text.partition("\n")[0]
    lines = [line for line in csv.reader(text.splitlines(), delimiter=max(",;\t", key=first.count)) if line]
    if not lines:
        raise ValueError("it has no lines")
    width = len(lines[0])
    for number, line in enumerate(lines, 1):
        if len(line) != width:
            raise ValueError(f"its line {number} has {len(line)} fields, and the first {width}")
    words = [field for field in lines[0] if field.strip() and _number(field) is None]
    head = lines[0] if len(words) > 1 or (words and width == 1) else None
    rows = numpy.array([[_number(field) for field in line] for line in lines[1 if head else 0:]], dtype=numpy.float64).reshape(-1, width)
    named = [place for place, name in enumerate(head or []) if name.strip().lower() in TARGETS]
    textual = numpy.flatnonzero(~numpy.isfinite(rows).any(axis=0))
    return rows, [*named, *textual.tolist(), width - 1][0]


def _number(field: str) -> float | None:
    try:
        return float(field)
    except ValueError:
        return None


def _range_of(array: Array) -> Range:
    with numpy.errstate(all="ignore"):
        numbers = array.astype(numpy.float32).astype(numpy.float64)
    finite = numpy.isfinite(numbers)
    low = numpy.where(finite, numbers, numpy.inf).min(axis=0)
    high = numpy.where(finite, numbers, -numpy.inf).max(axis=0)
    return numpy.where(finite.any(axis=0), low, numpy.nan), numpy.where(finite.any(axis=0), high, numpy.nan)


def _widened(one: Range, other: Range) -> Range:
    return numpy.fmin(one[0], other[0]), numpy.fmax(one[1], other[1])
