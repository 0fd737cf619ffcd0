"""Writes files with pickles, and beside each what Python's own unpickler asks for while it opens it. Run in a runner:

    .deps/runners/scikit-learn/bin/python pickle_sources.py OUT

NAME.pkl (or another suffix) and NAME.expected: one `module.attribute` to a line, sorted.
"""

from __future__ import annotations

import collections
import datetime
import decimal
import fractions
import importlib.util
import io
import pickle
import sys
import types
import uuid
import zipfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy

PROTOCOLS = range(pickle.HIGHEST_PROTOCOL + 1)


class Point:
    """Has a state that is not its dict."""

    def __init__(self, x: int) -> None:
        self.x = x

    def __getstate__(self) -> tuple[int, str]:
        return self.x, "state"

    def __setstate__(self, state: tuple[int, str]) -> None:
        self.x = state[0]


class Deep(Point):
    """With arguments of its own, by name (opcode NEWOBJ_EX)."""

    def __new__(cls, *, x: int = 0) -> Deep:
        return super().__new__(cls)

    def __getnewargs_ex__(self) -> tuple[tuple[()], dict[str, int]]:
        return (), {"x": self.x}


class Nested:
    """Its classes have dots in their names."""

    class Inner:
        pass


def values() -> dict[str, Any]:
    shared = [Point(1)]
    return {
        "plain": [1, -1, 2**40, 2**80, 1.5, True, None, "text", b"bytes", bytearray(b"more"), "\u00fc\\ \n'\"", (), (1,), (1, 2, 3, 4), {1, 2}, frozenset((3,)), "x" * 300],
        "objects": [Point(1), shared, shared, decimal.Decimal("1.5"), fractions.Fraction(1, 3), uuid.UUID(int=7), datetime.datetime(2020, 1, 1)],
        "containers": [collections.OrderedDict(a=1), collections.deque([1]), collections.Counter("aab"), collections.defaultdict(list)],
        "arrays": [numpy.arange(6).reshape(2, 3), numpy.array(["a", Point(2)], dtype=object), numpy.float32(1), numpy.random.default_rng(1)],
        "functions": [len, pickle.dumps, numpy.ufunc, collections.OrderedDict.fromkeys, complex(1, 2), range(3)],
        "new": [Deep(x=3)],
        "many": [Point(n) for n in range(3_000)],
    }


def asked_for(load: Callable[[Any], Any]) -> list[str]:
    """What `load` imports: it is given an unpickler's class to use."""
    names: set[str] = set()

    class Recording(pickle._Unpickler):
        def find_class(self, module: str, name: str) -> Any:
            names.add(f"{module}.{name}")
            return super().find_class(module, name)

    load(Recording)
    return sorted(names)


def opened(data: bytes, unpickler: Any) -> Any:
    return unpickler(io.BytesIO(data)).load()


def keep(out: Path, name: str, data: bytes, expected: list[str]) -> None:
    (out / name).write_bytes(data)
    (out / f"{name}.expected").write_text("".join(f"{line}\n" for line in expected))


def plain(out: Path) -> None:
    for name, value in values().items():
        for protocol in PROTOCOLS:
            if name == "functions" and protocol < 4:
                value = value[:3]  # methods by their dotted names came with protocol 4
            data = pickle.dumps(value, protocol)
            keep(out, f"{name}.{protocol}.pkl", data, asked_for(partial(opened, data)))
    data = pickle.dumps([Nested.Inner(), Nested.Inner], 4)
    keep(out, "dots.4.pkl", data, asked_for(partial(opened, data)))


def archives(out: Path) -> None:
    objects = numpy.array([Point(1), decimal.Decimal(2)], dtype=object)
    expected = asked_for(partial(opened, pickle.dumps(objects, 4)))
    for name, save in (("stored", numpy.savez), ("deflated", numpy.savez_compressed)):
        file = io.BytesIO()
        save(file, numbers=numpy.arange(9), objects=objects)
        keep(out, f"{name}.npz", file.getvalue(), expected)
        file = io.BytesIO()
        save(file, numbers=numpy.arange(9))
        keep(out, f"{name}-numbers.npz", file.getvalue(), [])


def joblib_files(out: Path) -> None:
    import joblib.numpy_pickle
    from sklearn.datasets import load_iris
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    inputs, labels = load_iris(return_X_y=True)
    names = numpy.array(["setosa", "versicolor", "virginica"])[labels]
    model = make_pipeline(StandardScaler(), RandomForestClassifier(3, random_state=1)).fit(inputs, names)
    things = {"model": model, "arrays": [numpy.arange(12.0).reshape(3, 4), numpy.asfortranarray(numpy.ones((2, 2))), numpy.array([Point(1), None], dtype=object),
                                         numpy.zeros(0), numpy.array(["ab", "c"]), numpy.array([(1, 2.0)], dtype=[("a", "i4"), ("b", "f8")])]}
    original = joblib.numpy_pickle.NumpyUnpickler.find_class
    inner = pickle.load
    for name, thing in things.items():
        for suffix, compress in (("joblib", 0), ("zlib.joblib", ("zlib", 3)), ("gz.joblib", ("gzip", 3))):
            path = out / f"{name}.{suffix}"
            joblib.dump(thing, path, compress=compress)
            names_: set[str] = set()

            def record(self: Any, module: str, attribute: str, names_: set[str] = names_) -> Any:
                names_.add(f"{module}.{attribute}")
                return original(self, module, attribute)

            def load(file: Any, names_: set[str] = names_) -> Any:  # arrays of objects are pickles inside of the pickle
                class Recording(pickle._Unpickler):
                    def find_class(self, module: str, attribute: str) -> Any:
                        names_.add(f"{module}.{attribute}")
                        return super().find_class(module, attribute)
                return Recording(file).load()

            joblib.numpy_pickle.NumpyUnpickler.find_class, joblib.numpy_pickle.pickle.load = record, load
            try:
                joblib.load(path)
            finally:
                joblib.numpy_pickle.NumpyUnpickler.find_class, joblib.numpy_pickle.pickle.load = original, inner
            (out / f"{path.name}.expected").write_text("".join(f"{line}\n" for line in sorted(names_)))
    joblib.dump(model, out / "model.xz.joblib", compress=("xz", 3))


def torch_files(out: Path) -> None:
    import torch

    model = torch.nn.Sequential(torch.nn.Conv2d(1, 2, 3), torch.nn.Linear(3, 2))
    for name, thing in (("module", model), ("state", model.state_dict())):
        for suffix, archive in (("pt", True), ("old.pt", False)):
            path = out / f"{name}.{suffix}"
            torch.save(thing, path, _use_new_zipfile_serialization=archive)
            original = torch.serialization.pickle

            def load(unpickler: Any, path: Path = path) -> None:
                """torch.load takes the name `pickle` of its own module."""
                torch.serialization.pickle = types.SimpleNamespace(
                    **vars(original) | {"Unpickler": unpickler, "load": lambda file, **words: unpickler(file, **words).load()})
                torch.load(path)

            try:
                expected = asked_for(load)
            finally:
                torch.serialization.pickle = original
            keep(out, path.name, path.read_bytes(), expected)
    torch.jit.script(model).save(str(out / "script.pt"))
    with zipfile.ZipFile(out / "script.pt") as file:
        assert any("/code/" in name for name in file.namelist())


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    if importlib.util.find_spec("torch"):
        torch_files(folder)
    else:
        plain(folder)
        archives(folder)
        joblib_files(folder)
