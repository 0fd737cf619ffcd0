"""The range of the data that a model was trained on, and some of its rows: CSV, NPY and NPZ, as `glasscase translate` itself reads them.

Taken are arrays [rows, ...] with as many numbers a row as the input has. One column more is the target and left out: in a table the one
that is called target, label, class or y, else the one without numbers, else the last; in arrays the last. Files may be damaged, or
larger than memory once they are inflated: what cannot be read is said, and the translation goes on.
"""

from __future__ import annotations

import csv
import io
import math
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

import numpy

from .rows import Input

Array = Any
Range = tuple[Array, Array]

TARGETS = ("target", "label", "class", "y")
FILES_MAX = 16
FILE_BYTES_MAX = 256 << 20
INFLATED_BYTES_MAX = 512 << 20
ROW_TEXT_MAX = 1 << 20  # characters of a row of a table, and as many more as follow for each of its numbers
NUMBER_TEXT_MAX = 100
TABLE_NUMBERS = 1 << 14  # of a table that are held at once
ARRAY_NUMBERS = 1 << 20  # of an array that are converted at once
SAMPLE_ROWS = 1 << 10  # that are kept; fewer where they are long
SAMPLE_ROWS_MIN = 16
SAMPLE_NUMBERS = 1 << 18
SAMPLE_SEED = 1

_MAGIC = b"\x93NUMPY"
_ZIP = b"PK\x03\x04"


@dataclass(frozen=True)
class _Columns:
    """The range of each column of a table or an array, some of its rows, and which column is the target if one is."""

    range: Range
    sample: Array
    target: int = -1

    @property
    def width(self) -> int:
        return len(self.range[0])

    def without_target(self) -> _Columns:
        return _Columns((numpy.delete(self.range[0], self.target), numpy.delete(self.range[1], self.target)), numpy.delete(self.sample, self.target, axis=1))

    def beside(self, other: _Columns) -> _Columns:
        """Both as one."""
        rows = numpy.concatenate([self.sample, other.sample])
        most = _sample_rows(self.width)
        if len(rows) > most:
            rows = rows[numpy.random.default_rng(SAMPLE_SEED).permutation(len(rows))[:most]]
        return _Columns(_widened(self.range, other.range), rows)


def use(folder: Path, inputs: list[Input]) -> list[dict[str, str]]:
    """Gives each input the range of the data that fit it, and a line of the evidence for each file."""
    said = []
    for path in sorted(path for path in folder.rglob("*") if path.suffix in (".csv", ".npy", ".npz") and path.is_file())[:FILES_MAX]:
        name = path.relative_to(folder).as_posix()
        try:
            _use_file(path, inputs)
            said.append({"name": name})
        except Exception as error:  # of data, not of the model, whatever it is: the evidence says that they were not used
            said.append({"name": name, "unread": " ".join((str(error) or type(error).__name__).split())[:200]})
    return said


def _use_file(path: Path, inputs: list[Input]) -> None:
    if path.stat().st_size > FILE_BYTES_MAX:
        raise ValueError(f"it has more than {FILE_BYTES_MAX} bytes")
    widths = {one.numbers + extra for one in inputs for extra in (0, 1)}
    tables = list(_read(path, widths))
    found = [(one, _fitting(tables, one.numbers)) for one in inputs]
    for one, columns in found:
        if columns is None:
            continue
        if one.data_range is not None and one.data_values is not None:
            columns = _Columns(one.data_range, one.data_values).beside(columns)
        one.data_range, one.data_values = columns.range, columns.sample
    if all(columns is None for _, columns in found):
        raise ValueError(f"nothing in it has as many numbers a row as the model takes ({', '.join(str(one.numbers) for one in inputs)})")


def _fitting(tables: list[_Columns], numbers: int) -> _Columns | None:
    """Those with that many numbers a row; with one more, the target, only where there are none."""
    for extra in (0, 1):
        found: _Columns | None = None
        for table in tables:
            if table.width == numbers + extra:
                one = table.without_target() if extra else table
                found = one if found is None else found.beside(one)
        if found is not None and not numpy.isnan(found.range[0]).all():
            return found
    return None


def _read(path: Path, widths: set[int]) -> Iterator[_Columns]:
    """What the file has of one of those widths. By its first bytes, not its name."""
    with path.open("rb") as file:
        first = file.read(len(_MAGIC))
    if first.startswith(_ZIP):
        yield from _archive(path, widths)
    elif first == _MAGIC:
        yield from _array(path.read_bytes(), widths)
    else:
        with path.open(encoding="utf-8-sig", errors="replace", newline="") as text:
            yield from _table(text, widths)


# ---- arrays of NumPy ----


def _archive(path: Path, widths: set[int]) -> Iterator[_Columns]:
    with zipfile.ZipFile(path) as archive:
        members = archive.infolist()
        if any(member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED) for member in members):
            raise ValueError("its archive is compressed in a way that NumPy does not use")
        if sum(member.file_size for member in members) > INFLATED_BYTES_MAX:
            raise ValueError(f"its archive has more than {INFLATED_BYTES_MAX} bytes when it is inflated")
        for member in members:
            content = archive.read(member)
            if not content.startswith(_MAGIC):
                continue
            try:
                yield from _array(content, widths)
            except ValueError:  # this array, such as one of objects; not those beside it
                continue


def _array(content: bytes, widths: set[int]) -> Iterator[_Columns]:
    file = io.BytesIO(content)
    shape, by_columns, dtype = _head(file)
    if dtype.kind not in "fiub":
        raise ValueError("its array has no numbers")
    width, count = math.prod(shape[1:]), math.prod(shape)
    if len(shape) < 2 or min(shape) < 1 or width not in widths:
        return
    if count * dtype.itemsize > len(content) - file.tell():
        raise ValueError("its array is cut off")
    array = numpy.frombuffer(content, dtype, count, file.tell()).reshape(shape, order="F" if by_columns else "C").reshape(shape[0], width)
    chosen = numpy.arange(len(array))
    if len(array) > _sample_rows(width):
        chosen = numpy.unique(numpy.random.default_rng(SAMPLE_SEED).integers(0, len(array), _sample_rows(width)))
    yield _Columns(_range_of(array), _rounded(array[chosen]), width - 1)


def _head(file: io.BytesIO) -> tuple[tuple[int, ...], bool, Any]:
    """The shape, whether it is in the order of Fortran, and the type."""
    try:
        version = numpy.lib.format.read_magic(file)
        read = numpy.lib.format.read_array_header_1_0 if version == (1, 0) else numpy.lib.format.read_array_header_2_0
        return read(file)
    except Exception as error:  # some of Python's own tokenizer
        raise ValueError("the head of its array cannot be read") from error


# ---- tables ----


class _Lines:
    """The lines of a text; no more of them than `limit` characters, until `limit` is said again for the next row."""

    def __init__(self, text: TextIO, limit: int) -> None:
        self.text = text
        self.left = self.limit = limit

    def __iter__(self) -> _Lines:
        return self

    def __next__(self) -> str:
        line = self.text.readline(self.left + 1)
        self.left -= len(line)
        if self.left < 0:
            raise ValueError(f"one of its lines has more than {self.limit} characters")
        if not line:
            raise StopIteration
        return line


def _rows(text: TextIO, limit: int) -> Iterator[list[str]]:
    first = next(_Lines(text, limit), "")
    text.seek(0)
    lines = _Lines(text, limit)
    for row in csv.reader(lines, delimiter=max(",;\t", key=first.count)):
        lines.left = limit
        if row:
            yield row


def _table(text: TextIO, widths: set[int]) -> Iterator[_Columns]:
    rows = _rows(text, ROW_TEXT_MAX + NUMBER_TEXT_MAX * max(widths))
    first = next(rows, None)
    if first is None:
        raise ValueError("it has no lines")
    width = len(first)
    if width not in widths:
        return
    words = [field for field in first if field.strip() and _number(field) is None]
    head = first if len(words) > 1 or (words and width == 1) else []
    range_ = _nothing(width)
    sample = _Sample(width)
    held = [] if head else [_numbers(first)]
    for number, row in enumerate(rows, 2):
        if len(row) != width:
            raise ValueError(f"its line {number} has {len(row)} fields, and the first {width}")
        held.append(_numbers(row))
        if len(held) * width >= TABLE_NUMBERS:
            range_ = _widened(range_, _range_of(sample.add(numpy.array(held, dtype=numpy.float64))))
            held.clear()
    if held:
        range_ = _widened(range_, _range_of(sample.add(numpy.array(held, dtype=numpy.float64))))
    named = [place for place, name in enumerate(head) if name.strip().lower() in TARGETS]
    textual = numpy.flatnonzero(numpy.isnan(range_[0]))
    yield _Columns(range_, sample.rows, [*named, *textual.tolist(), width - 1][0])


def _numbers(fields: list[str]) -> list[float]:
    return [math.nan if number is None else number for number in map(_number, fields)]


def _number(field: str) -> float | None:
    try:
        return float(field)
    except ValueError:
        return None


# ---- some of the rows ----


class _Sample:
    """Of rows that come one after the other, as many as may be kept, each of them as likely as any."""

    def __init__(self, width: int) -> None:
        self.rows = numpy.zeros((0, width))
        self._most = _sample_rows(width)
        self._seen = 0
        self._random = numpy.random.default_rng(SAMPLE_SEED)

    def add(self, rows: Array) -> Array:
        """Gives the rows back."""
        fits = max(0, self._most - self._seen)
        self.rows = numpy.concatenate([self.rows, _rounded(rows[:fits])])
        places = self._random.integers(0, numpy.arange(self._seen, self._seen + len(rows)) + 1)
        for place in numpy.flatnonzero(places < self._most):
            if place >= fits:
                self.rows[places[place]] = _rounded(rows[place])
        self._seen += len(rows)
        return rows


def _sample_rows(width: int) -> int:
    return max(SAMPLE_ROWS_MIN, min(SAMPLE_ROWS, SAMPLE_NUMBERS // max(width, 1)))


def _rounded(array: Array) -> Array:
    """As float32; what is not finite as NaN."""
    with numpy.errstate(all="ignore"):
        numbers = array.astype(numpy.float32).astype(numpy.float64)
    return numpy.where(numpy.isfinite(numbers), numbers, numpy.nan)


# ---- ranges ----


def _nothing(width: int) -> Range:
    return numpy.full(width, numpy.nan), numpy.full(width, numpy.nan)


def _range_of(array: Array) -> Range:
    rows, width = array.shape
    range_ = _nothing(width)
    step = max(1, ARRAY_NUMBERS // width)
    for first in range(0, rows, step):
        range_ = _widened(range_, _range_at_once(array[first:first + step]))
    return range_


def _range_at_once(array: Array) -> Range:
    numbers = _rounded(array)
    finite = ~numpy.isnan(numbers)
    low = numpy.where(finite, numbers, numpy.inf).min(axis=0)
    high = numpy.where(finite, numbers, -numpy.inf).max(axis=0)
    return numpy.where(finite.any(axis=0), low, numpy.nan), numpy.where(finite.any(axis=0), high, numpy.nan)


def _widened(one: Range, other: Range) -> Range:
    return numpy.fmin(one[0], other[0]), numpy.fmax(one[1], other[1])
