"""How far the result may differ from its source, and what is written down: api/formats/translation-evidence.md."""

from __future__ import annotations

import json
import math
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy

from .rows import Drawer, Rows

Array = Any

FORMAT = "glasscase translation evidence"
VERSION = 1
ULP = 2.0**-23
SMALLEST_SOURCE = 1e-30  # below it a relative difference says nothing
# Of the worst row: evidence of a large input stays below what a record may have.
WORST_NUMBERS_MAX = 5_000
SIZES_MAX = 1_000  # of columns that are written down


@dataclass(frozen=True)
class Bound:
    """Probabilities of a row may differ by absolute + ulps · 2^-23 · (the largest number of the source's row). Of other outputs each
    number is held to itself: absolute · (what is usual in its column, if that is less than 1) + ulps · 2^-23 · (the source's number).
    A continuous model may besides differ by what its source does when its inputs move by a unit in the last place: sums that nearly
    cancel out hold no more digits."""

    kind: str
    absolute: float
    ulps: float

    def at(self, wanted: Array, sizes: Array | None = None) -> Array:
        """For rows [rows, columns] and the usual sizes of the columns; one bound for all of a row without them."""
        if sizes is None:
            return self.absolute + self.ulps * ULP * numpy.abs(wanted).max(axis=1, keepdims=True, initial=0)
        return self.absolute * numpy.minimum(sizes, 1) + self.ulps * ULP * numpy.abs(wanted)


MOVES_ALLOWED = 16  # how many times that
SIZES_NUMBERS_MAX = 1 << 22  # that are looked at for what is usual

# A branch taken otherwise is a difference of whole leaves. Sums of products are rounded in another order by each library.
TREES = Bound("trees", 1e-5, 64)
CONTINUOUS = Bound("continuous", 1e-5, 512)


def usual_sizes(answers: list[Array], classes: list[Any] | None) -> list[Array | None]:
    """Of each output how large the numbers of its columns usually are: the median of those that are not 0. None for labels and for
    probabilities, which are between 0 and 1 whatever is usual."""
    return [None if part.dtype.kind != "f" or classes is not None or _are_probabilities(part) else _usual(part) for part in answers]


def _are_probabilities(answer: Array) -> bool:
    numbers = answer.astype(numpy.float64)
    numbers = numbers[numpy.isfinite(numbers.reshape(len(numbers), -1)).all(axis=1)]
    if not numbers.size or numbers.min() < 0 or numbers.max() > 1 + 1e-3:
        return False
    return any(numbers.shape[axis] > 1 and bool((numpy.abs(numbers.sum(axis=axis) - 1) < 1e-3).all()) for axis in range(1, numbers.ndim))


def _usual(answer: Array) -> Array:
    flat = answer.reshape(len(answer), -1)
    sizes = numpy.abs(flat[:max(16, SIZES_NUMBERS_MAX // max(flat.shape[1], 1))].astype(numpy.float64))
    sizes[~numpy.isfinite(sizes) | (sizes == 0)] = numpy.nan
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a column without any
        columns, all_ = numpy.nanmedian(sizes, axis=0), float(numpy.nanmedian(sizes)) if sizes.size else math.nan
    columns[numpy.isnan(columns)] = 1.0 if math.isnan(all_) else all_
    return numpy.maximum(columns, SMALLEST_SOURCE)


@dataclass
class Comparison:
    """What two programs made of the same rows."""

    bound: Bound
    classes: list[Any] | None = None
    # The source's answers to inputs that were moved by a unit in the last place; for continuous models.
    moved: Callable[[Rows], list[list[Array]]] | None = None
    # Of each output: usual_sizes. None holds all of them to the largest number of their row.
    sizes: list[Array | None] | None = None
    regressor: bool = False  # its columns are no classes
    rows: int = 0
    beyond: int = 0
    not_finite: int = 0
    not_finite_same: int = 0
    same: int = 0
    ties: int = 0
    other: int = 0
    absolute_max: float = 0.0
    relative_max: float = 0.0
    kinds: dict[str, int] = field(default_factory=dict)
    refused: dict[str, int] = field(default_factory=dict)  # by kind: rows that the source does not take, or was not asked again
    finite: dict[str, int] = field(default_factory=dict)
    beyond_kinds: dict[str, int] = field(default_factory=dict)
    worst: dict[str, Any] | None = None
    _differences: list[Array] = field(default_factory=list)
    _ordinary: list[Array] = field(default_factory=list)  # of all rows but the large ones
    _worst_share: float = -1.0

    def add(self, kind: str, rows: Rows, wanted: list[Array], got: list[Array]) -> None:
        count = len(next(iter(rows.values())))
        if len(wanted) != len(got) or any(len(a) != count or a.shape != b.shape for a, b in zip(wanted, got, strict=True)):
            shapes = [[list(a.shape) for a in side] for side in (wanted, got)]
            raise ValueError(f"the result has other outputs than the source: {shapes[1]} instead of {shapes[0]}")
        self.rows += count
        self.kinds[kind] = self.kinds.get(kind, 0) + count
        share = numpy.zeros(count)
        largest = numpy.zeros(count)
        numbers: tuple[Array, Array] | None = None
        for place, (a, b) in enumerate(zip(wanted, got, strict=True)):
            if a.dtype.kind == "f":
                one, other = (x.reshape(count, -1).astype(numpy.float64) for x in (a, b))
                numbers = (one, other)
                self._add_numbers(one, other, self._sizes_of(place), share, largest)
        for a, b in zip(wanted, got, strict=True):
            if a.dtype.kind != "f":
                self._add_labels(a.reshape(count, -1), b.reshape(count, -1), numbers, share)
        self._allow_what_cancels(rows, wanted, got, share)
        if not self.regressor and all(a.dtype.kind == "f" for a in wanted) and numbers is not None and numbers[0].shape[1] > 1:
            self._add_top_class(numbers, share)
        parts = [numpy.isfinite(a.reshape(count, -1)).all(axis=1) for a in wanted if a.dtype.kind == "f"]
        self.finite[kind] = self.finite.get(kind, 0) + (int(numpy.logical_and.reduce(parts).sum()) if parts else count)
        self._differences.append(largest)
        if kind != "large":
            self._ordinary.append(largest)
        self.absolute_max = max(self.absolute_max, float(largest.max(initial=0)))
        beyond = int((share > 1).sum())
        if beyond:
            self.beyond += beyond
            self.beyond_kinds[kind] = self.beyond_kinds.get(kind, 0) + beyond
        self._keep_worst(kind, rows, wanted, got, share)

    def refuse(self, kind: str, count: int) -> None:
        """Counts rows that the source gives no answer for."""
        self.refused[kind] = self.refused.get(kind, 0) + count

    def _sizes_of(self, place: int) -> Array | None:
        return None if self.sizes is None else self.sizes[place]

    def _add_numbers(self, wanted: Array, got: Array, sizes: Array | None, share: Array, largest: Array) -> None:
        # What the source has no number for, the result has none for either: NaN for NaN, an infinity for the same one.
        finite = numpy.isfinite(wanted).all(axis=1)
        same = _same_kind(wanted, got).all(axis=1)
        self.not_finite += int((~finite).sum())
        self.not_finite_same += int((~finite & same).sum())
        with numpy.errstate(all="ignore"):
            difference = numpy.abs(wanted - got)
            difference[wanted.astype(numpy.float32) == got.astype(numpy.float32)] = 0
            difference[numpy.isnan(difference)] = numpy.inf
            difference[~numpy.isfinite(wanted)] = 0
            difference[~same] = numpy.inf
            relative = difference / numpy.maximum(numpy.abs(wanted), SMALLEST_SOURCE)
            bound = self.bound.at(numpy.where(numpy.isfinite(wanted), wanted, 0), sizes)
            numpy.maximum(share, (difference / bound).max(axis=1, initial=0), out=share)
        self.relative_max = max(self.relative_max, float(relative[finite].max(initial=0)))
        numpy.maximum(largest, difference.max(axis=1, initial=0), out=largest)

    def _allow_what_cancels(self, rows: Rows, wanted: list[Array], got: list[Array], share: Array) -> None:
        """Looks again at rows beyond the bound, when the model is continuous."""
        places = numpy.flatnonzero(share > 1)
        if self.moved is None or not len(places):
            return
        try:
            answers = self.moved({name: array[places] for name, array in rows.items()})
        except ValueError:
            return
        for at, place in enumerate(places):
            fits = [self._fits(wanted[k][place], got[k][place], [answer[k][at] for answer in answers], self._sizes_of(k))
                    for k in range(len(wanted))]
            if all(fit[0] for fit in fits):
                share[place] = min(float(share[place]), 1.0)
                labels = sum(1 for fit in fits if fit[1])
                self.other -= labels
                self.ties += labels

    def _fits(self, wanted: Any, got: Any, moved: list[Any], sizes: Array | None) -> tuple[bool, bool]:
        """(within the wider bound, and that because the source's label changes as well). What is no number on either side has to be
        the same as the source's, or as what it becomes; the others are held to the bound all the same."""
        one, other, *around = (numpy.asarray(side).reshape(1, -1) for side in (wanted, got, *moved))
        if one.dtype.kind != "f":
            differs = bool((one != other).any())
            return not differs or any(bool((answer != one).any()) for answer in around), differs
        one, other, *around = (side.astype(numpy.float64) for side in (one, other, *around))
        if not numpy.logical_or.reduce([_same_kind(side, other) for side in (one, *around)]).all():
            return False, False
        difference = _between(one, other)
        move = numpy.maximum.reduce([_between(one, answer) for answer in around])
        if sizes is None:
            move = move.max(axis=1, keepdims=True, initial=0)
        bound = self.bound.at(numpy.where(numpy.isfinite(one), one, 0), sizes)
        return bool((difference <= bound + MOVES_ALLOWED * move).all()), False

    def _add_labels(self, wanted: Array, got: Array, numbers: tuple[Array, Array] | None, share: Array) -> None:
        """A label may differ where the source's own outputs of both classes are closer to each other than twice the bound."""
        equal = (wanted == got).all(axis=1)
        self.same += int(equal.sum())
        for row in numpy.flatnonzero(~equal):
            if self._is_tie(wanted[row][0], got[row][0], None if numbers is None else numbers[0][row:row + 1]):
                self.ties += 1
            else:
                self.other += 1
                share[row] = numpy.inf

    def _is_tie(self, wanted: Any, got: Any, outputs: Array | None) -> bool:
        if outputs is None or self.classes is None or got not in self.classes or len(self.classes) != outputs.shape[1]:
            return False
        a, b = (outputs[0, self.classes.index(label)] for label in (wanted, got))
        return bool(numpy.isnan(a) or abs(a - b) <= 2 * self.bound.at(outputs)[0, 0])

    def _add_top_class(self, numbers: tuple[Array, Array], share: Array) -> None:
        finite = numpy.isfinite(numbers[0]).all(axis=1) & numpy.isfinite(numbers[1]).all(axis=1)
        tops = [numpy.argmax(side[finite], axis=1) for side in numbers]
        differs = tops[0] != tops[1]
        ties = differs & (share[finite] <= 1)  # both within the bound, so nearer to each other than twice it
        self.same += int((~differs).sum())
        self.ties += int(ties.sum())
        self.other += int((differs & ~ties).sum())

    def _keep_worst(self, kind: str, rows: Rows, wanted: list[Array], got: list[Array], share: Array) -> None:
        place = int(share.argmax())
        if share[place] <= self._worst_share:
            return
        self._worst_share = float(share[place])
        flat = numpy.concatenate([array[place].reshape(-1) for array in rows.values()])
        sides = [[value for array in side for value in array.reshape(len(array), -1)[place].tolist()] for side in (wanted, got)]
        kept = {"input": flat.tolist(), "source": sides[0], "result": sides[1]}
        self.worst = {"kind": kind} | {what: _listed(numbers[:WORST_NUMBERS_MAX]) for what, numbers in kept.items()}

    @property
    def holds(self) -> bool:
        return self.rows > 0 and self.beyond == 0 and self.other == 0 and not self._is_nowhere_finite

    def drawn(self, kind: str) -> int:
        return self.kinds.get(kind, 0) + self.refused.get(kind, 0)

    @property
    def _telling(self) -> str:
        """The kind of rows that the model should have numbers for."""
        return "data" if self.drawn("data") else "random"

    @property
    def _is_nowhere_finite(self) -> bool:
        """A model that answers NaN to most of what it should take, or refuses it, was compared with nothing."""
        return 2 * self.finite.get(self._telling, 0) < self.drawn(self._telling)

    @property
    def p999(self) -> float:
        return _p999(self._differences)

    @property
    def ordinary_max(self) -> float:
        return max((float(part.max(initial=0)) for part in self._ordinary), default=0.0)

    @property
    def ordinary_p999(self) -> float:
        return _p999(self._ordinary)

    def why_not(self) -> str:
        if self.rows == 0:
            return "the source answered none of the inputs that were tried"
        if self.beyond:
            where = ", ".join(f"{count} {kind}" for kind, count in self.beyond_kinds.items())
            missing = "; without missing values it would hold: --no-missing leaves them out and says so" if set(self.beyond_kinds) == {"missing"} else ""
            return (f"{self.beyond} of {self.rows} inputs ({where}) give numbers or labels beyond the bound; the largest difference is "
                    f"{self.absolute_max:.6g}{missing}")
        if self._is_nowhere_finite:
            kind = self._telling
            what = "inputs made of the data's values" if kind == "data" else "random inputs"
            refused = f" (and refuses {self.refused[kind]})" if self.refused.get(kind) else ""
            advice = "" if kind == "data" else "; say in inputs.json from which range it takes them, or give the data that it was trained on"
            return f"the source gives finite numbers for {self.finite.get(kind, 0)} of {self.drawn(kind)} {what}{refused}, so nothing shows that both give the same{advice}"
        return "some inputs give another label without being near a tie"


def _same_kind(one: Array, other: Array) -> Array:
    """Where both are numbers, both NaN, or both the same infinity."""
    with numpy.errstate(all="ignore"):
        alike = numpy.isfinite(one) & numpy.isfinite(other)
        return alike | (numpy.isnan(one) & numpy.isnan(other)) | (numpy.isinf(one) & (one == other))


def _between(one: Array, other: Array) -> Array:
    """How far numbers differ; 0 where either is none."""
    with numpy.errstate(all="ignore"):
        return numpy.where(numpy.isfinite(one) & numpy.isfinite(other), numpy.abs(one - other), 0)


def _p999(parts: list[Array]) -> float:
    numbers = numpy.concatenate(parts) if parts else numpy.zeros(1)
    place = int(0.999 * (len(numbers) - 1))
    return float(numpy.partition(numbers, place)[place])


def describe(comparison: Comparison, drawer: Drawer) -> dict[str, Any]:
    """The members that are about the inputs and the differences."""
    object_: dict[str, Any] = {
        "inputs": {
            "rows": comparison.rows, "kinds": {kind: comparison.kinds.get(kind, 0) for kind in drawer.kinds},
            "drawn": {kind: comparison.drawn(kind) for kind in drawer.kinds}, "seed": drawer.seed,
            "thresholds": drawer.thresholds, "thresholds_tried": drawer.thresholds_tried, "ranges": drawer.sources(),
            "random_finite": comparison.finite.get("random", 0),
        },
        "difference": {
            "absolute_max": comparison.absolute_max, "absolute_p999": comparison.p999, "ordinary_max": comparison.ordinary_max,
            "ordinary_p999": comparison.ordinary_p999, "relative_max": comparison.relative_max,
        },
        "bound": {"class": comparison.bound.kind, "absolute": comparison.bound.absolute, "ulps": comparison.bound.ulps},
        "source_not_finite": {"rows": comparison.not_finite, "same": comparison.not_finite_same},
        "source_refused": sum(comparison.refused.values()),
        "rows_beyond": comparison.beyond,
        "worst": comparison.worst,
        "holds": comparison.holds,
    }
    if "data" in drawer.kinds:
        object_["inputs"]["data_finite"] = comparison.finite.get("data", 0)
    sizes = [float(size) for columns in comparison.sizes or [] if columns is not None for size in columns[:SIZES_MAX]]
    if sizes:
        object_["bound"]["sizes"] = sizes[:SIZES_MAX]
    if comparison.same + comparison.ties + comparison.other:
        object_["top_class"] = {"same": comparison.same, "ties": comparison.ties}
    return object_


# ---- canonical JSON (RFC 8785) ----


def _listed(values: list[Any]) -> list[Any]:
    return [value if isinstance(value, (int, float, str)) else str(value) for value in values]


def canonical(value: Any) -> str:
    """The one way to write `value`. Members here have ASCII names, which sort alike in any unit."""
    if isinstance(value, dict):
        return "{" + ",".join(f"{json.dumps(key)}:{canonical(value[key])}" for key in sorted(value)) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ",".join(canonical(item) for item in value) + "]"
    if isinstance(value, float):
        return _number(value)
    return json.dumps(value, ensure_ascii=False)


def _number(number: float) -> str:
    """As ECMAScript writes it; what is not finite is a text."""
    if not math.isfinite(number):
        return '"NaN"' if math.isnan(number) else '"Infinity"' if number > 0 else '"-Infinity"'
    if number == 0:
        return "0"
    digits, _, exponent = repr(abs(number)).replace("E", "e").partition("e")
    whole, _, fraction = digits.partition(".")
    fraction = fraction if fraction != "0" else ""
    mantissa = (whole + fraction).lstrip("0")
    point = len(whole) + int(exponent or 0) - (len(whole + fraction) - len((whole + fraction).lstrip("0")))
    mantissa = mantissa.rstrip("0")
    sign = "-" if number < 0 else ""
    if len(mantissa) <= point <= 21:
        return sign + mantissa + "0" * (point - len(mantissa))
    if 0 < point <= 21:
        return sign + mantissa[:point] + "." + mantissa[point:]
    if -6 < point <= 0:
        return sign + "0." + "0" * -point + mantissa
    power = point - 1
    tail = "." + mantissa[1:] if len(mantissa) > 1 else ""
    return f"{sign}{mantissa[0]}{tail}e{'+' if power > 0 else '-'}{abs(power)}"
