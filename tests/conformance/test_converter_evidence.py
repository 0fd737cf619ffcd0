"""What glasscase_convert holds two answers to, and the ranges that it reads; without a library, so in this process."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy
import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "runners" / "packages"))

from glasscase_convert import evidence, pickles, ranges, rows  # noqa: E402

NAN, INFINITY = float("nan"), float("inf")
FILES = ROOT / "fuzz" / "corpus" / "dataset_ranges"


def compare(wanted: list[float], got: list[float], kind: str = "random") -> Any:
    comparison = evidence.Comparison(evidence.CONTINUOUS)
    column = [numpy.array(side, dtype=numpy.float32).reshape(-1, 1) for side in (wanted, got)]
    comparison.add(kind, {"x": column[0]}, [column[0]], [column[1]])
    return comparison


@pytest.mark.parametrize(("wanted", "got", "holds"), [
    ([1, 1, NAN], [1, 1, NAN], True),
    ([1, 1, INFINITY], [1, 1, INFINITY], True),
    ([1, 1, INFINITY], [1, 1, -INFINITY], False),
    ([1, 1, NAN], [1, 1, INFINITY], False),
    ([1, 1, NAN], [1, 1, 7], False),
    ([1, 1, INFINITY], [1, 1, 3e38], False),
    ([1, 1, 7], [1, 1, NAN], False),
    ([NAN, NAN, NAN], [NAN, NAN, NAN], False),  # compared with nothing
    ([1, NAN, NAN], [1, NAN, NAN], False),
])
def test_what_is_no_number_is_answered_by_the_same(wanted: list[float], got: list[float], holds: bool) -> None:
    comparison = compare(wanted, got)
    assert comparison.holds is holds
    assert holds or comparison.why_not()


def test_numbers_beside_an_infinity_are_held_to_the_bound_of_the_numbers() -> None:
    comparison = evidence.Comparison(evidence.TREES)
    wanted, got = (numpy.array([[INFINITY, large]] * 3, dtype=numpy.float32) for large in (1e6, 1e6 + 0.0625))
    comparison.add("large", {"x": wanted}, [wanted], [got])
    assert comparison.beyond == 0
    comparison.add("large", {"x": wanted}, [wanted], [got * numpy.float32(2)])
    assert comparison.beyond == 3


def test_rows_of_other_kinds_need_no_finite_numbers() -> None:
    comparison = compare([1, 2], [1, 2])
    column = numpy.full((9, 1), numpy.nan, dtype=numpy.float32)
    comparison.add("missing", {"x": column}, [column], [column])
    assert comparison.holds


@pytest.mark.parametrize(("name", "low", "high"), [
    ("table", [1, 2, 3], [4, 5, 6]), ("semicolons", [-1e9, NAN, 3], [1, NAN, 3]), ("array", [0, 1, 2], [3, 4, 5]),
    ("half", [0, 1, 2], [3, 4, 5]), ("archive", [0, 1, 2], [3, 4, 5]), ("deflated", [0, 1, 2], [4, 5, 6]),
])
def test_both_readers_find_the_same_ranges(programs: Path, tmp_path: Path, name: str, low: list[float], high: list[float]) -> None:
    """The converter's, and that of `glasscase translate`."""
    suffix = {"table": ".csv", "semicolons": ".csv", "array": ".npy", "half": ".npy"}.get(name, ".npz")
    (tmp_path / f"data{suffix}").write_bytes((FILES / name).read_bytes())
    one = rows.Input("x", (3,))
    assert ranges.use(tmp_path, [one]) == [{"name": f"data{suffix}"}]
    assert one.data_range is not None
    numpy.testing.assert_array_equal(one.data_range[0], low)
    numpy.testing.assert_array_equal(one.data_range[1], high)
    done = subprocess.run(
        [programs / "glasscase", "translate", ROOT / "fuzz" / "corpus" / "sklearn_dump" / "line3", "--output", tmp_path / "model.onnx", "--data",
         tmp_path / f"data{suffix}"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    known = int(numpy.isfinite(low).sum())
    assert f"the data ({known} feature{'s' if known > 1 else ''})" in done.stdout, done.stdout
    assert ("guess" in done.stdout) == (known < 3)


def test_a_pickle_names_what_it_would_import(tmp_path: Path) -> None:
    import collections
    import pickle

    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        path = tmp_path / f"{protocol}.pkl"
        path.write_bytes(pickle.dumps([collections.OrderedDict(a=1), collections.OrderedDict(), eval, len], protocol))
        names = [name.replace("__builtin__", "builtins") for name in pickles.imports(path)]
        assert names == ["builtins.eval", "builtins.len", "collections.OrderedDict"]
        path.write_bytes(path.read_bytes()[:-9] + b"\xff\xff")
        assert len(pickles.imports(path)) <= 3
