"""python -m glasscase_convert: one model to ONNX, with evidence. Exit codes: 0 done, 1 refused (the last line says why), 2 used wrongly."""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import importlib
import importlib.util
import os
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy
import onnx

from . import graphs, ranges, source as sources
from .evaluators import Evaluator, Reference, Runtime
from .evidence import CONTINUOUS, FORMAT, TREES, VERSION, Comparison, canonical, describe, usual_sizes
from .refusal import Refusal
from .rows import Drawer, Rows, need_ranges
from .source import Loaded, Source

Array = Any

OPSET = 17
SEED = 1
# Of each kind. For ai.onnx the reference evaluator is what the operators mean; of ai.onnx.ml it knows a part (no doubles in trees,
# other probabilities of support vectors), so there its differences are written down and decide nothing.
REFERENCE_ROWS = 8
TRIES_MAX = 128  # of parts of a batch that the source refuses as a whole


def main() -> int:
    arguments = _parse()
    warnings.simplefilter("ignore")
    for path in (arguments.output, arguments.evidence):
        path.unlink(missing_ok=True)
    try:
        with contextlib.redirect_stdout(sys.stderr):  # what libraries print is no progress of ours
            _convert(arguments)
    except Refusal as why:
        print(_one_line(str(why)), file=sys.stderr)
        return 1
    except MemoryError:
        print("the conversion needs more memory than it may have", file=sys.stderr)
        return 1
    except Exception as error:  # of the library, of the model's own code: whatever it is, the last line says it
        print(_one_line(f"{type(error).__name__}: {error}"), file=sys.stderr)
        return 1
    return 0


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="glasscase_convert", description=__doc__)
    parser.add_argument("--source", type=Path, required=True, help="the model: a file, or a folder that holds one")
    parser.add_argument("--output", type=Path, required=True, help="becomes the ONNX file, unless the evidence does not hold")
    parser.add_argument("--evidence", type=Path, required=True, help="becomes the evidence, also when it does not hold")
    parser.add_argument("--code", type=Path, help="the code that builds the model, where the file holds tensors only")
    parser.add_argument("--inputs", type=Path, help="what the model takes (default: inputs.json of the source or of the code)")
    parser.add_argument("--data", type=Path, help="what the model was trained on: folders of CSV, NPY and NPZ, from whose range the inputs are drawn")
    parser.add_argument("--opset", type=int, help=f"of ai.onnx (default: {OPSET}, or what the library allows)")
    parser.add_argument("--exporter", choices=("torchscript", "dynamo"), help="which of PyTorch's (default: torchscript)")
    parser.add_argument("--seed", type=int, default=SEED, help="of the inputs that both are run on")
    parser.add_argument("--no-missing", dest="missing", action="store_false", help="try no inputs with missing values (the evidence says so)")
    parser.add_argument("--imports", type=Path, help="what each file of the source would import as a pickle, by its name; JSON, for a refusal to say")
    parser.add_argument("--allow-pickle", action="store_true", help="open a pickle: its code runs, here")
    return parser.parse_args()


def _convert(arguments: argparse.Namespace) -> None:
    source = sources.find(arguments.source, arguments.code, arguments.inputs, allow_pickle=arguments.allow_pickle, exporter=arguments.exporter,
                          imports=arguments.imports)
    source.check()
    library = _library_of(source)
    if source.exporter is not None and source.exporter not in getattr(library, "EXPORTERS", ()):
        raise Refusal(f"the exporters torchscript and dynamo are PyTorch's; {source.file.name} is of another library")
    loaded = library.load(source)
    _say(0.1, f"read {loaded.described}")
    datasets = ranges.use(arguments.data, loaded.inputs) if arguments.data else []
    need_ranges(loaded.inputs)
    model, file = _written(loaded, _opset(source, loaded, arguments.opset))
    _say(0.3, f"converted with {loaded.converter}")
    drawer = Drawer(loaded.inputs, arguments.seed, branches=not loaded.sums, missing=arguments.missing)
    comparison, second = _compare(loaded, model, drawer)
    evidence: dict[str, Any] = {
        "format": FORMAT, "version": VERSION, "evaluated_in": "sandbox", "converter": loaded.converter,
        "source": {"model": loaded.described, "sha256": source.sha256},
        "result": {
            "sha256": hashlib.sha256(file).hexdigest(), "opset": graphs.opsets(model).get("ai.onnx", 0),
            "opset_ml": graphs.opsets(model).get("ai.onnx.ml", 0),
        },
        "evaluators": {"source": loaded.described, "result": Runtime(model).name, "second": second.pop("name")},
        "second": second,
    } | describe(comparison, drawer)
    evidence["inputs"]["datasets"] = datasets
    if loaded.unseen:
        evidence["inputs"]["thresholds_unseen"] = loaded.unseen
    agrees = second.get("rows_beyond", 0) == 0 or "ai.onnx.ml" in graphs.opsets(model)
    evidence["holds"] = comparison.holds and agrees
    arguments.evidence.write_text(canonical(evidence) + "\n")
    if not comparison.holds:
        raise Refusal(f"the result does not give what the source gives: {comparison.why_not()}")
    if not agrees:
        raise Refusal(f"two evaluators do not agree on the result: {second['rows_beyond']} of {second['rows']} inputs differ beyond the bound")
    _replace(arguments.output, file)
    unseen = f"; thresholds that are not known were not tried: {', '.join(loaded.unseen)}" if loaded.unseen else ""
    _say(1.0, f"the same within the bound on {comparison.rows} inputs; largest difference {comparison.ordinary_max:.3g}{unseen}")


def _library_of(source: Source) -> Any:
    """The module for this kind of file, when this runner has the library."""
    has = importlib.util.find_spec
    candidates = {
        "onnx": [("onnx_file", "onnx")], "torch": [("pytorch", "torch")], "tensors": [("pytorch", "torch"), ("jax", "jax")],
        "pickle": [("sklearn", "skl2onnx")], "keras": [("keras", "keras")], "catboost": [("catboost", "catboost")],
    }[source.kind]
    for name, package in candidates:
        if has(package):
            return importlib.import_module(f".libraries.{name}", __package__)
    raise Refusal(f"this runner has no library for {source.file.name}: {' or '.join(package for _, package in candidates)} is needed")


def _opset(source: Source, loaded: Loaded, wanted: int | None) -> int:
    if wanted is None:
        if source.kind == "onnx":
            return int(importlib.import_module(".libraries.onnx_file", __package__).opset_of(source) or OPSET)
        return loaded.opset or OPSET
    return wanted


def _written(loaded: Loaded, opset: int) -> tuple[onnx.ModelProto, bytes]:
    """The result, checked, and its bytes."""
    try:
        model = loaded.convert(opset)
        onnx.checker.check_model(model, full_check=True)
    except Refusal:
        raise
    except Exception as error:  # converters raise whatever they like
        raise Refusal(f"{loaded.converter} cannot convert {loaded.described}: {_one_line(str(error)) or type(error).__name__}") from error
    names = [value.name for value in model.graph.input if value.name not in {one.name for one in model.graph.initializer}]
    expected = [one.name for one in loaded.inputs]
    if sorted(names) != sorted(expected):
        raise Refusal(f"the result has the inputs {names}, the source {expected}")
    return model, model.SerializeToString(deterministic=True)


def _compare(loaded: Loaded, model: onnx.ModelProto, drawer: Drawer) -> tuple[Comparison, dict[str, Any]]:
    moved = _moved(loaded, drawer) if loaded.bound is CONTINUOUS else None
    comparison = Comparison(loaded.bound, loaded.classes, moved, regressor=loaded.regressor)
    engine = Runtime(model)
    sample: dict[str, tuple[Rows, list[Array]]] = {}
    for kind, drawn in drawer.batches():
        before = comparison.drawn(kind)
        answers = _answers(loaded, drawn)
        if comparison.sizes is None and answers:  # of the first kind: the data's values, else random ones
            whole = [numpy.concatenate(parts) for parts in zip(*(wanted for _, wanted in answers), strict=True)]
            comparison.sizes = usual_sizes(whole, loaded.classes)
        for places, wanted in answers:
            rows = {name: array[places] for name, array in drawn.items()}
            comparison.add(kind, rows, wanted, _run(engine, rows))
            if kind == "thresholds":
                drawer.answered[before + places.start:before + places.stop] = True
            if kind not in sample:
                sample[kind] = ({name: array[:REFERENCE_ROWS] for name, array in rows.items()}, [part[:REFERENCE_ROWS] for part in wanted])
        comparison.refuse(kind, _count(drawn) + before - comparison.drawn(kind))
        _say(0.3 + 0.6 * comparison.rows / max(drawer.rows, 1), f"compared {comparison.rows} inputs")
    return comparison, _second_opinion(loaded, model, drawer, sample, comparison)


def _run(engine: Evaluator, rows: Rows) -> list[Array]:
    try:
        return engine.run(rows)
    except MemoryError:
        raise
    except Exception as error:  # of ONNX Runtime: what converters write may pass every check and still not run
        raise Refusal(f"{engine.name} cannot run the result: {_one_line(str(error))}") from error


def _moved(loaded: Loaded, drawer: Drawer) -> Callable[[Rows], list[list[Array]]]:
    return lambda rows: [loaded.run(moved) for moved in drawer.moved(rows)]


def _count(rows: Rows) -> int:
    return len(next(iter(rows.values())))


def _answers(loaded: Loaded, rows: Rows) -> list[tuple[slice, list[Array]]]:
    """What the source makes of the rows, and of which: in halves where it refuses some of them, as scikit-learn does with missing values.
    It is asked so often and no more; whoever is not among the answers was refused."""
    answered: list[tuple[slice, list[Array]]] = []
    left = [slice(0, _count(rows))]
    for _ in range(TRIES_MAX):
        if not left:
            break
        places = left.pop()
        try:
            answered.append((places, loaded.run({name: array[places] for name, array in rows.items()})))
        except ValueError:
            middle = (places.start + places.stop) // 2
            if middle > places.start:
                left += [slice(middle, places.stop), slice(places.start, middle)]
    return answered


def _second_opinion(
        loaded: Loaded, model: onnx.ModelProto, drawer: Drawer, sample: dict[str, tuple[Rows, list[Array]]], first: Comparison) -> dict[str, Any]:
    """The same with the reference evaluator, on few rows: it is slow. It does not know every operator: then that is said."""
    bound = TREES if loaded.bound is TREES else CONTINUOUS  # it adds up in its own order, whatever the source is
    moved = _moved(loaded, drawer) if bound is CONTINUOUS else None
    comparison = Comparison(bound, loaded.classes, moved, first.sizes, loaded.regressor)
    name = f"ONNX reference evaluator {onnx.__version__}"
    try:
        evaluator: Evaluator = Reference(model)
        for kind, (rows, wanted) in sample.items():
            comparison.add(kind, rows, wanted, evaluator.run(rows))
    except Exception as error:  # whatever it does not know
        return {"name": name, "rows": 0, "not_run": _one_line(f"{type(error).__name__}: {error}")}
    return {
        "name": name, "rows": comparison.rows, "absolute_max": comparison.absolute_max, "rows_beyond": comparison.beyond,
    }


def _replace(path: Path, data: bytes) -> None:
    new = path.with_name(path.name + ".new")
    new.write_bytes(data)
    os.replace(new, path)


def _say(fraction: float, text: str) -> None:
    print(f"progress {fraction:.2f} {text}", file=sys.__stdout__, flush=True)


def _one_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return " ".join(lines)[:600]


if __name__ == "__main__":
    sys.exit(main())
