"""Figures of the native translation: time and memory beside onnxmltools, and whether every input ends in the source's leaf.

    bench/translation.py [--bin build/release/bin] [--inputs 1000000] [--leaf-trees 100]
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy
import onnx
import onnxruntime
from onnx import numpy_helper

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "tests")]

from conformance.onnx_leaves import to_leaf_numbers  # noqa: E402

RUNNERS = ROOT / ".deps" / "runners"
MODELS = Path(__file__).with_name("translation_models.py")
CHUNK = 20_000
DEPTH = "11"  # a thousand nodes a tree and more
Figures = dict[str, Any]


FILES = {"xgboost": "model.ubj", "lightgbm": "model.txt", "scikit-learn": "model.json"}


def in_runner(*words: str | Path, runner: str = "xgboost") -> str:
    python = RUNNERS / runner / "bin" / "python"
    return subprocess.run([python, "-W", "ignore", MODELS, *words], check=True, capture_output=True, text=True).stdout


def measure_size(programs: Path, folder: Path, trees: int) -> Figures:
    """Translates one large model, and has onnxmltools do the same."""
    in_runner("train", folder, str(trees), DEPTH)
    native = {
        kind: json.loads(subprocess.run([programs / "translation_bench", folder / f"model.{kind}"], check=True, capture_output=True).stdout)
        for kind in ("json", "ubj")
    }
    begin = time.monotonic()
    done = subprocess.run(
        [programs / "glasscase", "translate", folder / "model.json", "--output", folder / "model.onnx", "--evidence", folder / "evidence.json",
         "--json"], check=True, capture_output=True, text=True)
    with_evidence = time.monotonic() - begin
    said = json.loads(done.stdout)
    return {
        "trees": said["trees"], "nodes": said["nodes"], "native": native, "with_evidence_seconds": with_evidence,
        "evidence": {name: said[name] for name in ("inputs", "thresholds", "thresholds_tried", "absolute_max")},
        "onnxmltools": json.loads(in_runner("onnxmltools", folder).splitlines()[-1]),
    }


def packed_thresholds(model: onnx.ModelProto, features: int, rows: int) -> Any:
    """Rows with every threshold and the float32 to either side, packed over the features; the rest at random beside thresholds."""
    trees = next(node for node in model.graph.node if node.op_type == "TreeEnsembleRegressor")
    lists = {found.name: found for found in trees.attribute}
    columns: list[set[float]] = [set() for _ in range(features)]
    wide = lists.get("nodes_values_as_tensor")
    values = lists["nodes_values"].floats if wide is None else numpy_helper.to_array(wide.t).tolist()
    for mode, feature, value in zip(lists["nodes_modes"].strings, lists["nodes_featureids"].ints, values, strict=True):
        if mode != b"LEAF":
            columns[feature].add(value)
    random = numpy.random.default_rng(2)
    inputs = numpy.empty((rows, features), dtype=numpy.float32)
    for feature, column in enumerate(columns):
        middle = numpy.array(sorted(column), dtype=numpy.float32)
        beside = numpy.concatenate([numpy.nextafter(middle, numpy.float32(-numpy.inf)), middle, numpy.nextafter(middle, numpy.float32(numpy.inf))])
        assert len(beside) <= rows, "too few inputs to try every threshold"
        inputs[:len(beside), feature] = beside
        inputs[len(beside):, feature] = random.choice(beside, rows - len(beside))
    return inputs


def measure_leaves(programs: Path, folder: Path, library: str, trees: int, rows: int) -> Figures:
    """Counts leaves and sums that differ from the library's."""
    in_runner("train", folder, str(trees), DEPTH, library, runner=library)
    subprocess.run([programs / "glasscase", "translate", folder / FILES[library], "--output", folder / "model.onnx"], check=True, capture_output=True)
    model = onnx.load(folder / "model.onnx")
    inputs = packed_thresholds(model, 50, rows)
    numpy.save(folder / "inputs.npy", inputs)
    in_runner("leaves", folder, library, runner=library)
    expected = numpy.load(folder / "leaves.npy", mmap_mode="r")
    margins = numpy.load(folder / "margins.npy")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    sums = onnxruntime.InferenceSession(model.SerializeToString(), options)
    numbered, splits = to_leaf_numbers(model)
    # LightGBM counts leaves only, and they come after the splits.
    before = numpy.array([splits[tree] for tree in sorted(splits)][-trees:]) if library == "lightgbm" else 0
    leaves = onnxruntime.InferenceSession(numbered.SerializeToString(), options)
    other_leaves, ulps = 0, 0.0
    for first in range(0, rows, CHUNK):
        chunk = inputs[first:first + CHUNK]
        found = (leaves.run(None, {"x": chunk})[0][:, -trees:] - before).astype(numpy.uint16)
        other_leaves += int((found != expected[first:first + CHUNK]).sum())
        wanted = margins[first:first + CHUNK]
        distance = numpy.abs(sums.run(None, {"x": chunk})[0][:, 0] - wanted) / numpy.spacing(numpy.abs(wanted).astype(numpy.float32))
        ulps = max(ulps, float(distance.max()))
    return {"trees": trees, "inputs": rows, "leaves_compared": rows * trees, "other_leaves": other_leaves, "largest_ulps": ulps}


def measure(programs: Path, inputs: int = 1_000_000, leaf_trees: int = 100) -> Figures:
    with tempfile.TemporaryDirectory(prefix="glasscase-bench-") as name:
        folder = Path(name)
        return {
            "size": measure_size(programs, folder, trees=1_000),
            "leaves": measure_leaves(programs, folder, "xgboost", leaf_trees, rows=inputs),
            # Trees as large, fewer of them: their libraries answer more slowly.
            "others": {library: measure_leaves(programs, folder, library, max(1, leaf_trees // 5), rows=inputs) for library in ("lightgbm", "scikit-learn")},
        }


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--bin", type=Path, default=ROOT / "build" / "release" / "bin")
    parser.add_argument("--inputs", type=int, default=1_000_000)
    parser.add_argument("--leaf-trees", type=int, default=100)
    chosen = parser.parse_args()
    print(json.dumps(measure(chosen.bin.resolve(), chosen.inputs, chosen.leaf_trees), indent=2))
