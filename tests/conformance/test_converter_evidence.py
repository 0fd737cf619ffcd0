"""What glasscase_convert holds two answers to, and the ranges that it reads; without a library, so in this process."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import tracemalloc
import zipfile
from pathlib import Path
from typing import Any

import numpy
import onnx
import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "runners" / "packages"))

from glasscase_convert import __main__ as program  # noqa: E402
from glasscase_convert import evaluators, evidence, ranges, rows, source  # noqa: E402
from glasscase_convert.libraries import branches, onnx_file  # noqa: E402

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


# ---- what refuses and what is small ----


def test_rows_that_the_source_refuses_count_as_drawn() -> None:
    comparison = compare([1, 2], [1, 2])
    comparison.refuse("random", 2)
    assert comparison.holds
    comparison.refuse("random", 1)
    assert not comparison.holds and "2 of 5 random inputs (and refuses 3)" in comparison.why_not()
    column = numpy.ones((4, 1), dtype=numpy.float32)
    comparison.add("data", {"x": column}, [column], [column])
    assert comparison.holds, "where there are data, these are what it should take"
    comparison.refuse("data", 5)
    assert not comparison.holds and "4 of 9 inputs made of the data's values" in comparison.why_not()


def loaded_of(run: Any, *, bound: Any = evidence.CONTINUOUS, inputs: list[Any] | None = None, **members: Any) -> source.Loaded:
    return source.Loaded("a test", inputs or [rows.Input("x", (2,))], run, lambda opset: onnx.ModelProto(), "nothing", bound, **members)


def test_all_rows_are_counted_however_many_are_asked_for_singly() -> None:
    def run(asked: Any) -> Any:
        if (asked["x"] < 0).any():
            raise ValueError
        return [asked["x"]]

    column = numpy.ones((1024, 1), dtype=numpy.float32)
    column[500] = -1
    answers = program._answers(loaded_of(run), {"x": column})
    assert sorted(place for places, _ in answers for place in range(places.start, places.stop)) == [*range(500), *range(501, 1024)]
    assert [places for places, _ in program._answers(loaded_of(run), {"x": -column[490:]})] == [slice(10, 11)]
    assert program._answers(loaded_of(run), {"x": -numpy.abs(column)}) == []


def test_a_threshold_whose_rows_were_refused_was_not_tried() -> None:
    drawer = rows.Drawer([rows.Input("x", (2,), thresholds=[numpy.array([1, 2, 3], dtype=numpy.float32), numpy.array([5], dtype=numpy.float32)])], 1, branches=True)
    assert (drawer.thresholds, drawer.threshold_rows, drawer.thresholds_tried) == (4, 9, 0)
    drawer.answered[:] = True
    assert drawer.thresholds_tried == 4
    drawer.answered[4] = False  # 2 itself; 5 comes again in another row
    assert drawer.thresholds_tried == 3


def test_a_feature_that_is_split_only_at_an_infinity_is_drawn_as_a_number() -> None:
    for at in (INFINITY, -INFINITY):
        drawer = rows.Drawer([rows.Input("x", (1,), thresholds=[numpy.array([at], dtype=numpy.float32)])], 1, branches=True)
        for _, drawn in drawer.batches():
            assert numpy.isfinite(drawn["x"]).all() or numpy.isnan(drawn["x"]).any()
        drawer.answered[:] = True
        assert drawer.thresholds_tried == 1, "with the one side that there is"


def test_values_of_the_data_are_mixed_column_by_column(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("a,b,target\n" + "".join(f"{row % 3},{10 + row % 2},{row}\n" for row in range(5000)) + ",12,1\n")
    one = rows.Input("x", (2,))
    ranges.use(tmp_path, [one])
    assert one.data_values is not None and one.data_values.shape == (1024, 2)
    drawn = numpy.concatenate([drawn["x"] for kind, drawn in rows.Drawer([one], 1, branches=False).batches() if kind == "data"])
    assert drawn.shape == (2000, 2)
    assert {tuple(row) for row in drawn.tolist()} >= {(a, b) for a in (0, 1, 2) for b in (10, 11)}
    assert set(drawn[:, 0]) == {0, 1, 2}


@pytest.mark.parametrize(("wanted", "got", "holds"), [
    ([1e-7, 2e-7, -3e-7], [0, 0, 0], False),
    ([1e-7, 2e-7, -3e-7], [1.00001e-7, 2e-7, -3e-7], True),
    ([1e-7, 2e-7, -3e-7], [1.001e-7, 2e-7, -3e-7], False),
    ([100, 200, 1e-6], [100, 200, 9e-6], True),  # what is usual is far larger
    ([0, 0, 0], [0, 0, 0], True),
])
def test_small_numbers_are_held_to_their_size(wanted: list[float], got: list[float], holds: bool) -> None:
    sides = [numpy.array(side, dtype=numpy.float32).reshape(-1, 1) for side in (wanted, got)]
    comparison = evidence.Comparison(evidence.TREES, sizes=evidence.usual_sizes([sides[0]], None))
    comparison.add("random", {"x": sides[0]}, [sides[0]], [sides[1]])
    assert comparison.holds is holds


def test_a_small_column_is_not_held_to_a_large_one() -> None:
    wanted = numpy.array([[1000, 1e-4], [2000, 2e-4]], dtype=numpy.float32)
    comparison = evidence.Comparison(evidence.TREES, sizes=evidence.usual_sizes([wanted], None), regressor=True)
    comparison.add("random", {"x": wanted}, [wanted], [wanted * numpy.array([1, 1.01], dtype=numpy.float32)])
    assert comparison.beyond == 2


def test_probabilities_are_held_to_one() -> None:
    wanted = numpy.array([[1 - 1e-9, 1e-9], [0.9, 0.1]], dtype=numpy.float32)
    assert evidence.usual_sizes([wanted], None) == [None]
    assert evidence.usual_sizes([wanted * 2], [0, 1]) == [None], "of a classifier, whatever they are"
    (sizes,) = evidence.usual_sizes([wanted * 2], None)
    assert sizes is not None and sizes.shape == (2,)


def test_a_column_that_is_always_zero_has_the_size_of_the_others() -> None:
    (sizes,) = evidence.usual_sizes([numpy.array([[0, 4], [0, NAN], [0, 2]], dtype=numpy.float32)], None)
    assert sizes is not None
    numpy.testing.assert_array_equal(sizes, [3, 3])


@pytest.mark.parametrize(("got", "holds"), [([NAN, 1.5], True), ([NAN, 2.7], False), ([INFINITY, 1.5], False)])
def test_numbers_beside_one_that_is_none_are_looked_at_again(got: list[float], holds: bool) -> None:
    """The source itself moves by 0.1 when its input does: 16 times that is allowed."""
    wanted = numpy.array([[NAN, 1.0]] * 3, dtype=numpy.float32)
    comparison = evidence.Comparison(evidence.CONTINUOUS, moved=lambda moved: [[wanted[:len(moved["x"])] + numpy.float32(0.1)]])
    comparison.add("large", {"x": wanted}, [wanted], [numpy.array([got] * 3, dtype=numpy.float32)])
    assert (comparison.beyond == 0) is holds


def test_another_top_class_is_a_tie_within_the_bound_only() -> None:
    wanted = numpy.array([[1, 1 + 1e-6], [1, 2], [2, 1]], dtype=numpy.float32)
    got = numpy.array([[1 + 1e-6, 1], [2, 1], [2, 1]], dtype=numpy.float32)
    comparison = evidence.Comparison(evidence.CONTINUOUS)
    comparison.add("random", {"x": wanted}, [wanted], [got])
    assert (comparison.same, comparison.ties, comparison.other) == (1, 1, 1)
    regressor = evidence.Comparison(evidence.CONTINUOUS, regressor=True)
    regressor.add("random", {"x": wanted}, [wanted], [wanted])
    drawer = rows.Drawer([rows.Input("x", (2,))], 1, branches=False)
    assert "top_class" not in evidence.describe(regressor, drawer) and "top_class" in evidence.describe(comparison, drawer)


def test_what_cancels_is_looked_at_again_for_the_second_evaluator_too(monkeypatch: pytest.MonkeyPatch) -> None:
    def run(asked: Any) -> Any:
        return [(asked["x"][:, :1].astype(numpy.float64) - asked["x"][:, 1:]).astype(numpy.float32)]

    class Rounds:
        name = "one that rounds otherwise"
        by = 0.06

        def __init__(self, model: Any) -> None:
            pass

        def run(self, asked: Any) -> Any:
            return [run(asked)[0] + numpy.float32(self.by)]

    monkeypatch.setattr(program, "Reference", Rounds)
    loaded = loaded_of(run)
    drawer = rows.Drawer(loaded.inputs, 1, branches=False)
    asked = {"x": numpy.array([[1e6, 1e6 + 1]] * 4, dtype=numpy.float32)}
    sample = {"large": (asked, run(asked))}
    first = evidence.Comparison(evidence.CONTINUOUS)
    assert program._second_opinion(loaded, onnx.ModelProto(), drawer, sample, first)["rows_beyond"] == 0
    monkeypatch.setattr(Rounds, "by", 60.0)
    assert program._second_opinion(loaded, onnx.ModelProto(), drawer, sample, first)["rows_beyond"] == 4


# ---- where scikit-learn's models branch ----


def test_steps_that_add_or_drop_columns_hide_the_thresholds() -> None:
    from sklearn.feature_selection import SelectKBest
    from sklearn.impute import SimpleImputer
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    from sklearn.tree import DecisionTreeClassifier

    numbers = numpy.random.default_rng(1).normal(size=(60, 3))
    missing = numbers.copy()
    missing[0, 1] = NAN
    dropped = numpy.column_stack([numpy.full(60, NAN), numbers])
    classes = (numbers[:, 2] > 0.25).astype(int)
    tree = DecisionTreeClassifier(random_state=1)
    for inputs, imputer in ((missing, SimpleImputer(add_indicator=True)), (dropped, SimpleImputer())):
        found = branches.find(make_pipeline(imputer, tree).fit(inputs, classes))
        assert found.trees and found.splits == [] and found.unseen == ["DecisionTreeClassifier behind SimpleImputer, which adds or drops columns"]
    found = branches.find(make_pipeline(StandardScaler(), SimpleImputer(), tree).fit(missing, classes))
    assert found.unseen == [] and len(found.splits) == 1
    feature, threshold = found.splits[0]
    assert feature == 2 and 0.1 < threshold < 0.4
    assert branches.find(make_pipeline(SelectKBest(k=1), tree).fit(numbers, classes)).splits[0][0] == 2


def test_the_trees_of_dart_are_found() -> None:
    class Booster:
        def save_raw(self, kind: str) -> bytes:
            return (ROOT / "fuzz" / "corpus" / f"xgboost_{kind}" / "dart").read_bytes()

    class Model:
        def get_booster(self) -> Booster:
            return Booster()

    found = branches.find(Model())
    assert found.trees and not found.sums and len(found.splits) > 1 and found.unseen == []


def test_what_is_made_of_trees_in_a_way_of_its_own_is_held_to_their_bound() -> None:
    class Own:
        pass

    class Leaf:
        tree_ = None

    model = Own()
    model.parts = {"first": [Leaf()]}  # type: ignore[attr-defined]
    found = branches.find(model)
    assert found.trees and found.unseen == ["the trees of Own"]
    assert not branches.find(Own()).trees


# ---- ONNX in another opset, and two evaluators that do not agree ----


def graph_of(*nodes: Any, opset: int, sizes: list[Any], domain: str = "", **more: Any) -> onnx.ModelProto:
    imports = [onnx.helper.make_opsetid("", opset)] + ([onnx.helper.make_opsetid(domain, 3)] if domain else [])
    kind = onnx.TensorProto.FLOAT
    graph = onnx.helper.make_graph(
        nodes, "model", [onnx.helper.make_tensor_value_info("x", kind, sizes)], [onnx.helper.make_tensor_value_info("y", kind, [sizes[0], None])], **more)
    return onnx.helper.make_model(graph, opset_imports=imports, ir_version=8)


def convert_here(model: onnx.ModelProto, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any, *words: str) -> tuple[int, str]:
    (folder / "a.onnx").write_bytes(model.SerializeToString())
    monkeypatch.setattr(sys, "argv", ["convert", "--source", str(folder / "a.onnx"), "--output", str(folder / "out.onnx"),
                                      "--evidence", str(folder / "evidence.json"), *words])
    code = program.main()
    return code, (capsys.readouterr().err.splitlines() or [""])[-1]


RELU = onnx.helper.make_node("Relu", ["x"], ["y"])


@pytest.mark.parametrize("rows_", [1, 5])
def test_a_number_of_rows_that_is_fixed_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any, rows_: int) -> None:
    code, said = convert_here(graph_of(RELU, opset=17, sizes=[rows_, 3]), tmp_path, monkeypatch, capsys)
    assert code == 1 and f"x takes exactly {rows_} row" in said and "first size that is free" in said, said


def test_an_older_opset_is_given_where_it_has_all_operators(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    code, said = convert_here(graph_of(RELU, opset=21, sizes=["n", 3]), tmp_path, monkeypatch, capsys, "--opset", "17")
    assert code == 0, said
    assert onnx.load(tmp_path / "out.onnx").opset_import[0].version == 17
    told = json.loads((tmp_path / "evidence.json").read_text())
    assert told["holds"] is True and told["result"]["opset"] == 17 and told["source"]["model"] == "ONNX, opset 21"


@pytest.mark.parametrize(("node", "opset", "wanted", "words"), [
    (onnx.helper.make_node("Gelu", ["x"], ["y"]), 20, "17", "opset 17 has no operator Gelu"),
    (onnx.helper.make_node("Upsample", ["x", "scales"], ["y"]), 9, "17", "opset 17 has no operator Upsample"),
    (RELU, 17, "4000", "there is no opset 4000"),
    (onnx.helper.make_node("LayerNormalization", ["x", "ones"], ["y"]), 17, "16", "opset 16 has no operator LayerNormalization"),
    (onnx.helper.make_node("Identity", ["x"], ["y"]), 17, "15",
     "cannot be brought from opset 17 to 15: there is no conversion of Identity below 16; ask for 16 or newer"),
    (RELU, 17, "7", "there is no conversion of Relu below 14; ask for 14 or newer"),
    (onnx.helper.make_node("BatchNormalization", ["x", *["ones"] * 4], ["y"]), 14, "13",
     "there is no conversion of BatchNormalization below 14; ask for 14 or newer"),
    (onnx.helper.make_node("Max", ["x", "x", "x"], ["y"]), 11, "6", "from opset 11 to 6: Max in opset version 6 can only broadcast between 2 inputs"),
])
def test_an_opset_that_the_model_cannot_have_is_refused(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any, node: Any, opset: int, wanted: str, words: str) -> None:
    held = [onnx.numpy_helper.from_array(numpy.ones(size, dtype=numpy.float32), name) for name, size in (("scales", 2), ("ones", 3))]
    model = graph_of(node, opset=opset, sizes=["n", 3], initializer=[one for one in held if one.name in node.input])
    code, said = convert_here(model, tmp_path, monkeypatch, capsys, "--opset", wanted)
    assert code == 1 and words in said, said
    assert not (tmp_path / "out.onnx").exists()


@pytest.mark.parametrize("domain", ["", "ai.onnx.ml"])
def test_evaluators_that_do_not_agree_refuse_what_both_know(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any, domain: str) -> None:
    class Differs:
        def __init__(self, model: Any) -> None:
            self.evaluator = evaluators.Reference(model)

        def run(self, asked: Any) -> Any:
            return [part + numpy.float32(0.5) for part in self.evaluator.run(asked)]

    monkeypatch.setattr(program, "Reference", Differs)
    node = onnx.helper.make_node("Scaler", ["x"], ["y"], domain=domain, offset=[0.0], scale=[2.0]) if domain else RELU
    code, said = convert_here(graph_of(node, opset=17, sizes=["n", 3], domain=domain), tmp_path, monkeypatch, capsys)
    told = json.loads((tmp_path / "evidence.json").read_text())
    assert told["second"]["rows_beyond"] > 0 and told["second"]["absolute_max"] >= 0.5 and told["rows_beyond"] == 0
    assert told["holds"] is bool(domain) and (tmp_path / "out.onnx").exists() is bool(domain)
    assert code == (0 if domain else 1) and (domain or "two evaluators do not agree on the result" in said), said


STUMP = onnx.helper.make_node(
    "TreeEnsembleRegressor", ["moved"], ["sums"], domain="ai.onnx.ml", nodes_treeids=[0, 0, 0], nodes_nodeids=[0, 1, 2], nodes_featureids=[0, 0, 0],
    nodes_values=[1e30, 0.0, 0.0], nodes_modes=["BRANCH_LEQ", "LEAF", "LEAF"], nodes_truenodeids=[1, 0, 0], nodes_falsenodeids=[2, 0, 0],
    target_treeids=[0, 0], target_nodeids=[1, 2], target_ids=[0, 0], target_weights=[1.0, 2.0], n_targets=1)


@pytest.mark.parametrize(("nodes", "largest"), [
    ([("Add", ["x", "x"], ["y"])], 1e20),
    ([("Identity", ["x"], ["moved"]), STUMP, ("Exp", ["sums"], ["y"])], 3.4028234663852886e38),
    ([("Add", ["x", "x"], ["moved"]), STUMP, ("Exp", ["sums"], ["y"])], 1e20),
    ([("Identity", ["x"], ["moved"]), STUMP, ("Add", ["sums", "x"], ["y"])], 1e20),
])
def test_large_inputs_leave_room_for_sums_unless_trees_alone_take_them(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any, nodes: list[Any], largest: float) -> None:
    drawn: list[float] = []

    def drawer(*arguments: Any, **words: Any) -> Any:
        made = rows.Drawer(*arguments, **words)
        drawn.append(max(made.large))
        return made

    monkeypatch.setattr(program, "Drawer", drawer)
    made = [one if isinstance(one, onnx.NodeProto) else onnx.helper.make_node(*one) for one in nodes]
    code, said = convert_here(graph_of(*made, opset=17, sizes=["n", 3], domain="ai.onnx.ml"), tmp_path, monkeypatch, capsys)
    assert code == 0 and drawn == [largest], said


@pytest.mark.parametrize(("said", "has", "opset", "words"), [
    ("No Adapter From Version $6 for GRU", 3, 17, "there is no conversion of GRU above 6; ask for 6 or older"),
    ("No Adapter For And", 17, 6, "there is no conversion of And"),
])
def test_what_the_converter_of_versions_says_is_told_without_its_source(said: str, has: int, opset: int, words: str) -> None:
    """What ONNX Runtime does not run before it comes to that."""
    place = "/project/onnx/version_converter/BaseConverter.h:66: adapter_lookup: Assertion `false` failed: "
    assert onnx_file.why_not(place + said, has, opset) == words
