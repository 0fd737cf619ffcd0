"""What glasscase_convert holds two answers to, and the ranges that it reads; without a library, so in this process."""

from __future__ import annotations

import io
import subprocess
import sys
import tracemalloc
import zipfile
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


def archive_of(**arrays: Any) -> bytes:
    file = io.BytesIO()
    numpy.savez_compressed(file, **arrays)
    return file.getvalue()


def with_directory(content: bytes, at: int, value: bytes) -> bytes:
    """With other bytes in the first entry of its directory."""
    place = content.index(b"PK\x01\x02") + at
    return content[:place] + value + content[place + len(value):]


def head_of(shape: str) -> bytes:
    head = f"{{'descr': '<f4', 'fortran_order': False, 'shape': {shape}, }}\n".encode()
    return b"\x93NUMPY\x01\x00" + len(head).to_bytes(2, "little") + head


GOOD = archive_of(x=numpy.random.default_rng(1).normal(size=(200, 3)).astype(numpy.float32))
LOCAL = 30 + len("x.npy") + 20  # where the deflated bytes begin: behind the head, the name and the sizes of zip64


# By name: what is in it, and what is said of it.
UNREAD: dict[str, tuple[bytes, str]] = {
    "no-directory.npz": (GOOD[:-40], "not a zip file"),
    "checksum.npz": (with_directory(GOOD, 16, b"\x01\x02\x03\x04"), "Bad CRC-32"),
    "deflated.npz": (GOOD[:LOCAL] + b"\xff" * 64 + GOOD[LOCAL + 64:], "Error -3"),
    "ended.npz": (with_directory(GOOD, 20, (40).to_bytes(4, "little")), ""),
    "encrypted.npz": (with_directory(GOOD[:6] + b"\x01" + GOOD[7:], 8, b"\x01"), "encrypted"),
    "method.npz": (with_directory(GOOD, 10, b"\x63"), "compressed in a way"),
    "bomb.npz": (with_directory(GOOD, 24, ((512 << 20) + 1).to_bytes(4, "little")), "more than 536870912 bytes when it is inflated"),
    "claims.npy": (head_of("(1099511627776, 3)"), "cut off"),
    "negative.npy": (head_of("(-1, 3)"), "nothing in it"),
    "none.npy": (head_of("(5, 0)"), "nothing in it"),
    "head.npy": (b"\x93NUMPY\x01\x00\x09\x00{{{{{{{{\n", "the head of its array cannot be read"),
    "empty.csv": (b"", "no lines"),
    "binary.csv": (bytes(range(256)) * 900, ""),
    "commas.csv": (b"," * (8 << 20), "characters"),
    "quotes.csv": (b'1,2,3\n' + b'"\n",' * (1 << 20), "characters"),
    "other-line.csv": (b"1,2,3\n4,5\n", "line 2 has 2 fields"),
}


@pytest.mark.parametrize("name", UNREAD)
def test_a_file_that_is_damaged_or_too_large_is_said_and_the_next_is_read(tmp_path: Path, name: str) -> None:
    content, said = UNREAD[name]
    (tmp_path / name).write_bytes(content)
    (tmp_path / "~good.csv").write_text("1,2,3\n4,5,6\n")
    one = rows.Input("x", (3,))
    tracemalloc.start()
    try:
        broken, good = ranges.use(tmp_path, [one])
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert (broken["name"], good) == (name, {"name": "~good.csv"})
    assert broken["unread"] and said in broken["unread"], broken
    assert peak < 40 << 20, peak
    assert one.data_range is not None
    numpy.testing.assert_array_equal(one.data_range, [[1, 2, 3], [4, 5, 6]])


def test_an_error_of_any_kind_is_of_its_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.csv").write_text("1,2,3\n")

    def fail(*_: Any) -> Any:
        raise MemoryError

    monkeypatch.setattr(ranges, "_use_file", fail)
    assert ranges.use(tmp_path, [rows.Input("x", (3,))]) == [{"name": "a.csv", "unread": "MemoryError"}]


def test_an_array_of_objects_is_left_out_alone(tmp_path: Path) -> None:
    (tmp_path / "a.npz").write_bytes(archive_of(
        a=numpy.array([[{}, None, "x"]], dtype=object), names=numpy.array(["a", "b"]), x=numpy.array([[1, 2, 3], [4, 5, 6]]), y=numpy.array([1, 2])))
    one = rows.Input("x", (3,))
    assert ranges.use(tmp_path, [one]) == [{"name": "a.npz"}]
    assert one.data_range is not None
    numpy.testing.assert_array_equal(one.data_range, [[1, 2, 3], [4, 5, 6]])


def test_a_large_table_is_read_row_by_row(tmp_path: Path) -> None:
    count = 60_000
    (tmp_path / "a.csv").write_text("a,class,b\n" + "".join(f"{row},name-{row},{-row / 2}\r\n" for row in range(count)))
    one = rows.Input("x", (2,))
    tracemalloc.start()
    try:
        assert ranges.use(tmp_path, [one]) == [{"name": "a.csv"}]
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 4 << 20, peak
    assert one.data_range is not None
    numpy.testing.assert_array_equal(one.data_range, [[0, -(count - 1) / 2], [count - 1, 0]])


def test_a_large_array_is_converted_piece_by_piece(tmp_path: Path) -> None:
    wanted = numpy.zeros((1 << 22, 4), dtype=numpy.uint8)
    wanted[1 << 21] = [1, 2, 3, 4]
    for array in (wanted, numpy.asfortranarray(wanted)):
        numpy.save(tmp_path / "a.npy", array)
        one = rows.Input("x", (4,))
        tracemalloc.start()
        try:
            assert ranges.use(tmp_path, [one]) == [{"name": "a.npy"}]
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        assert peak < 80 << 20, peak
        assert one.data_range is not None
        numpy.testing.assert_array_equal(one.data_range, [[0, 0, 0, 0], [1, 2, 3, 4]])


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
