"""The inputs that source and result are both run on.

Kinds, as in api/formats/translation-evidence.md: data (made of values that occur in the data), random, thresholds (where the source shows
where it branches), zeros, denormals, large, missing. The same seed, source and version of this module draw the same rows.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy

from .refusal import Refusal

Array = Any
Rows = dict[str, Array]

DATA_ROWS = 2_000
RANDOM_ROWS = 4_000
SPECIAL_ROWS = 64
MISSING_ROWS = 500
THRESHOLD_ROWS_MAX = 50_000
NUMBERS_MAX = 1 << 24  # of all random rows; large inputs get fewer
ROWS_MIN = 16
BATCH_NUMBERS = 1 << 20
MOVES = 8
GUESSED = (-10.0, 10.0)  # where nobody says what a model takes

_ZEROS = (0.0, -0.0)
_DENORMALS = (1.4e-45, -1.4e-45, 1e-40, -1e-40, 1.17549421e-38, -1.17549421e-38)
_LARGE = (1e6, -1e6, 1e30, -1e30, 3.4028234663852886e38, -3.4028234663852886e38)
# What is added up in float32 ends at 3.4e38; beyond is no statement about the translation.
_LARGE_CONTINUOUS = (1e6, -1e6, 1e12, -1e12, 1e20, -1e20)


@dataclass
class Input:
    """One input of a model. `shape` is without the rows."""

    name: str
    shape: tuple[int, ...]
    datatype: str = "float32"
    range: tuple[float, float] | None = None
    # For each number of a row: where the source branches, as float32, in order.
    thresholds: list[Array] = field(default_factory=list)
    # For each number of a row: the least and the largest of the data; NaN where the data have none.
    data_range: tuple[Array, Array] | None = None
    # Some rows of the data, of which each number was rounded to float32; NaN where they have none.
    data_values: Array | None = None

    @property
    def numbers(self) -> int:
        return int(numpy.prod(self.shape)) if self.shape else 1

    @property
    def is_float(self) -> bool:
        return self.datatype.startswith("float")

    @property
    def has_values(self) -> bool:
        """Whether it can be made of values of the data: its range was not said, and may be another."""
        return self.range is None and self.data_values is not None


def need_ranges(inputs: list[Input]) -> None:
    """Refuses whole numbers that may be of any size: an index that the model does not have is no input of it."""
    for one in inputs:
        if not one.is_float and one.range is None and (one.data_range is None or numpy.isnan(one.data_range[0]).all()):
            shape = "".join(f", {size}" for size in one.shape)
            raise Refusal(
                f"from which range the whole numbers of the input {one.name} are is not said: put a file inputs.json beside the model or its "
                f'code, such as {{"{one.name}": {{"shape": ["n"{shape}], "datatype": "{one.datatype}", "range": [0, 99]}}}}, or give the data '
                "that it was trained on")


class Drawer:
    """Draws the rows of all kinds, in batches."""

    def __init__(self, inputs: list[Input], seed: int, *, branches: bool, missing: bool = True) -> None:
        self.inputs = inputs
        self.seed = seed
        self.large = _LARGE if branches else _LARGE_CONTINUOUS
        self.random = numpy.random.default_rng(seed)
        self.numbers = sum(one.numbers for one in inputs)
        self.beside = {one.name: [_sides(list_) for list_ in one.thresholds] for one in inputs}
        self.values = {one.name: _filled(one.data_values) for one in inputs if one.has_values and one.data_values is not None}
        self.longest = max((len(list_) for lists in self.beside.values() for list_ in lists), default=0)
        self.threshold_rows = min(self.longest, THRESHOLD_ROWS_MAX)
        self.answered = numpy.zeros(self.threshold_rows, dtype=bool)  # of the rows of thresholds
        fit = max(ROWS_MIN, NUMBERS_MAX // max(self.numbers, 1))
        has_float = any(one.is_float for one in inputs)
        self.kinds: dict[str, int] = {"data": min(DATA_ROWS, fit)} if self.values else {}
        self.kinds |= {"random": min(RANDOM_ROWS, fit), "thresholds": self.threshold_rows}
        for kind in ("zeros", "denormals", "large"):
            self.kinds[kind] = min(SPECIAL_ROWS, fit) if has_float else 0
        self.kinds["missing"] = min(MISSING_ROWS, fit) if has_float and missing else 0

    @property
    def rows(self) -> int:
        return sum(self.kinds.values())

    def sources(self) -> dict[str, int]:
        """For how many numbers of a row the range came from where."""
        found: dict[str, int] = {}
        for one in self.inputs:
            for name, count in _sources_of(one).items():
                found[name] = found.get(name, 0) + count
        return {name: count for name, count in found.items() if count}

    @property
    def thresholds(self) -> int:
        return sum(len(list_) for one in self.inputs for list_ in one.thresholds)

    @property
    def thresholds_tried(self) -> int:
        """Those of which every side was in a row that was answered."""
        places = numpy.flatnonzero(self.answered)
        tried = 0
        for one in self.inputs:
            for list_, sides in zip(one.thresholds, self.beside[one.name], strict=True):
                if not len(sides):
                    continue
                seen = numpy.zeros(len(sides), dtype=bool)
                seen[places % len(sides)] = True
                whose = numpy.nonzero(numpy.isfinite(_three(list_)))[0]  # there are fewer than three at the ends of float32
                tried += int((numpy.bincount(whose, seen) == numpy.maximum(numpy.bincount(whose), 1)).sum())
        return tried

    def batches(self) -> Iterator[tuple[str, Rows]]:
        """Gives (kind, rows by input name)."""
        size = max(1, min(1_024, BATCH_NUMBERS // max(self.numbers, 1)))
        for kind, rows in self.kinds.items():
            for first in range(0, rows, size):
                count = min(size, rows - first)
                yield kind, {one.name: self._draw(kind, one, first, count) for one in self.inputs}

    def moved(self, rows: Rows) -> list[Rows]:
        """The rows with every number a unit in its last place further up or down, some times: moves may cancel out."""
        return [{name: self._moved(array) for name, array in rows.items()} for _ in range(MOVES)]

    def _moved(self, array: Array) -> Array:
        if array.dtype.kind != "f":
            return array
        towards = self.random.choice(numpy.array([-numpy.inf, numpy.inf], dtype=array.dtype), array.shape)
        return numpy.where(numpy.isfinite(array), numpy.nextafter(array, towards), array)

    def _draw(self, kind: str, one: Input, first: int, count: int) -> Array:
        if not one.is_float:
            low, high = one.range or _whole_range(one)
            whole = self.random.integers(int(low), int(high), (count, one.numbers), endpoint=True)
            return (self._from_data(one, whole) if kind == "data" else whole).astype(one.datatype).reshape((count, *one.shape))
        if kind == "thresholds":
            flat = self._thresholds(one, first, count)
        else:
            flat = self._random(one, count)
            if kind == "data":
                flat = self._from_data(one, flat)
            elif kind != "random":
                self._mix(flat, first, numpy.array(self._values(kind)))
        return flat.astype(one.datatype).reshape((count, *one.shape))

    def _values(self, kind: str) -> tuple[float, ...]:
        return {"zeros": _ZEROS, "denormals": _DENORMALS, "large": self.large, "missing": (float("nan"),)}[kind]

    def _mix(self, flat: Array, first: int, values: Array) -> None:
        """A row of nothing else for each value, then rows that mix them with random ones."""
        for row in range(len(flat)):
            if first + row < len(values):
                flat[row] = values[first + row]
            else:
                chosen = self.random.random(flat.shape[1]) < 0.5
                flat[row, chosen] = self.random.choice(values, int(chosen.sum()))

    def _from_data(self, one: Input, flat: Array) -> Array:
        """Each number one that occurs in its column, whatever stands beside it there."""
        if one.name not in self.values:
            return flat
        values = self.values[one.name]
        chosen = values[self.random.integers(0, len(values), flat.shape), numpy.arange(flat.shape[1])]
        return numpy.where(numpy.isnan(chosen), flat, chosen)

    def _thresholds(self, one: Input, first: int, count: int) -> Array:
        lists = self.beside[one.name]
        if not lists:
            return self._random(one, count)
        flat = numpy.zeros((count, one.numbers))
        places = numpy.arange(first, first + count)
        for number, sides in enumerate(lists):
            if len(sides):
                flat[:, number] = sides[places % len(sides)]
        return flat

    def _random(self, one: Input, count: int) -> Array:
        """From the range that was given, else of the data, else in and around that of the thresholds. Half beside a threshold, where there
        are any."""
        low: Array
        high: Array
        low, high = one.range or GUESSED
        if one.range is None and one.data_range is not None:
            known = ~numpy.isnan(one.data_range[0])
            low, high = (numpy.where(known, side, guess) for side, guess in zip(one.data_range, GUESSED, strict=True))
        flat = self.random.uniform(low, high, (count, one.numbers))
        for number, sides in enumerate(self.beside[one.name]):
            if not len(sides):
                continue
            if one.range is None and (one.data_range is None or numpy.isnan(one.data_range[0][number])):
                bottom, top = (min(max(float(side), -1e30), 1e30) for side in (sides[0], sides[-1]))
                margin = 0.1 * (top - bottom) + 1e-3
                flat[:, number] = self.random.uniform(bottom - margin, top + margin, count)
            chosen = self.random.random(count) < 0.5
            flat[chosen, number] = self.random.choice(sides, int(chosen.sum()))
        return flat


def _sources_of(one: Input) -> dict[str, int]:
    if one.range is not None:
        return {"inputs.json": one.numbers}
    if not one.is_float:
        return {"dataset": one.numbers}  # of all of them together; need_ranges sees to it
    known = numpy.zeros(one.numbers, bool) if one.data_range is None else ~numpy.isnan(one.data_range[0])
    parts = numpy.array([len(list_) > 0 for list_ in one.thresholds] or [False] * one.numbers)
    rest = "unused" if one.thresholds else "guessed"  # trees look at nothing else
    return {"dataset": int(known.sum()), "thresholds": int((parts & ~known).sum()), rest: int((~parts & ~known).sum())}


def _whole_range(one: Input) -> tuple[float, float]:
    """Of indices and the like, which are drawn alike in every place."""
    if one.data_range is None or numpy.isnan(one.data_range[0]).all():
        return 0, 1
    return float(numpy.nanmin(one.data_range[0])), float(numpy.nanmax(one.data_range[1]))


def _filled(values: Array) -> Array:
    """With other values of the column where it has none; a column without any stays as it is."""
    filled = values.copy()
    for column in filled.T:
        none = numpy.isnan(column)
        if none.any() and not none.all():
            column[none] = numpy.resize(column[~none], int(none.sum()))
    return filled


def _sides(thresholds: Array) -> Array:
    """Each threshold, the float32 below it and the one above, where they are finite."""
    sides = _three(thresholds).ravel()
    return sides[numpy.isfinite(sides)]


def _three(thresholds: Array) -> Array:
    middle = numpy.asarray(thresholds, dtype=numpy.float32)
    infinity = numpy.float32(numpy.inf)
    with numpy.errstate(over="ignore"):
        return numpy.stack([numpy.nextafter(middle, -infinity), middle, numpy.nextafter(middle, infinity)], axis=1)
