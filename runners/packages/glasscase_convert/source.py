"""Which library a model is of. Looks at names and first bytes only; nothing is opened here that could run code."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import sys
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

import onnx

from .evidence import Bound
from .refusal import Refusal
from .rows import Input, Rows

Array = Any

SUFFIXES = {
    ".onnx": "onnx", ".pt": "torch", ".pth": "torch", ".ts": "torch", ".safetensors": "tensors", ".npz": "tensors", ".pkl": "pickle",
    ".pickle": "pickle", ".joblib": "pickle", ".keras": "keras", ".cbm": "catboost",
}


@dataclass
class Loaded:
    """A model that is ready to be run and converted."""

    described: str  # "PyTorch 1.13.1, Sequential"
    inputs: list[Input]
    # The outputs for rows, in the order of the result's outputs. Raises ValueError for rows that the source refuses.
    run: Callable[[Rows], list[Array]]
    convert: Callable[[int], onnx.ModelProto]  # for an opset
    converter: str
    bound: Bound
    classes: list[Any] | None = None  # of a label's output, in the order of the columns
    opset: int | None = None  # where the library allows no other
    regressor: bool = False  # known to be one
    sums: bool = True  # it adds up numbers of its input: large ones have to leave room for that
    unseen: list[str] = field(default_factory=list)  # trees in it whose thresholds are not known, and why


@dataclass
class Source:
    """The files of a model and of its code, and what the owner allows."""

    file: Path
    kind: str
    code: Path | None
    allow_pickle: bool
    exporter: str | None = None
    declared: list[Input] | None = field(default=None)
    imports: str = "what is not told here"  # what opening it as a pickle would

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.file.read_bytes()).hexdigest()

    def check(self) -> None:
        """Refuses what no library needs to be asked about."""
        if self.is_pickle and not self.allow_pickle:
            raise Refusal(
                f"{self.file.name} is a pickle, which runs code when it is opened; it would import {self.imports}. Save it without ({_ADVICE}), or let this "
                "sandbox open it (--allow-pickle; its owner may)"
            )
        if self.kind in ("torch", "tensors"):
            self.need_inputs()
        if self.kind == "tensors" and self.code is None:
            raise Refusal(f"{self.file.name} holds tensors only: give the code that uses them (--code), with a function build_model")

    @property
    def is_pickle(self) -> bool:
        return self.kind == "pickle" or (self.kind == "torch" and not is_torchscript(self.file))

    def need_inputs(self) -> list[Input]:
        if not self.declared:
            raise Refusal(
                'what the model takes is not said: put a file inputs.json beside it or beside its code, such as '
                '{"x": {"shape": ["n", 1, 8, 8], "range": [0, 16]}}'
            )
        return self.declared

    def load_code(self, function: str) -> ModuleType:
        """The module of the code that has this function: model.py, or the only one that there is."""
        if self.code is None:
            raise Refusal(f"{self.file.name} holds a state dict: give the code that builds its model (--code), with a function {function}")
        files = [self.code] if self.code.is_file() else sorted(self.code.glob("*.py"))
        chosen = [file for file in files if file.name == "model.py"] or files
        if len(chosen) != 1:
            raise Refusal(f"{self.code.name} has {len(files)} Python files and no model.py: which one has the function {function} is not clear")
        sys.path.insert(0, str(chosen[0].parent))
        spec = importlib.util.spec_from_file_location("glasscase_model_code", chosen[0])
        assert spec is not None and spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[spec.name] = module
        spec.loader.exec_module(module)
        if not hasattr(module, function):
            raise Refusal(f"{chosen[0].name} has no function {function}")
        return module


_ADVICE = "PyTorch: safetensors or torch.jit.save; scikit-learn: glasscase_dump"


def find(source: Path, code: Path | None, inputs: Path | None, *, allow_pickle: bool, exporter: str | None = None,
         imports: Path | None = None) -> Source:
    """Gives the one model among the files of `source`. `imports`: JSON, what each file would import. Raises Refusal."""
    files = [source] if source.is_file() else sorted(path for path in source.rglob("*") if path.is_file())
    models = [path for path in files if path.suffix in SUFFIXES]
    if len(models) != 1:
        names = ", ".join(path.name for path in (models or files)[:5]) or "nothing"
        raise Refusal(f"one model is needed, with a name that ends in {', '.join(SUFFIXES)}; there is {names}")
    kind = SUFFIXES[models[0].suffix]
    folders = [folder for folder in (source, code) if folder is not None]
    folders = [folder if folder.is_dir() else folder.parent for folder in folders]
    found = [inputs] if inputs else [folder / "inputs.json" for folder in folders if (folder / "inputs.json").is_file()]
    chosen = Source(models[0], kind, code, allow_pickle, exporter, read_inputs(found[0]) if found else None)
    if imports is not None:
        name = models[0].name if source.is_file() else str(models[0].relative_to(source))
        chosen.imports = json.loads(imports.read_text()).get(name, "nothing that can be read from it")
    return chosen


def read_inputs(path: Path) -> list[Input]:
    """Reads inputs.json: per input its shape, whose first number is that of the rows, its range and its element type."""
    try:
        entries = json.loads(path.read_text())
        return [_input(name, entry) for name, entry in entries.items()]
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise Refusal(f"{path.name} is not as it should be: {error}") from error


def _input(name: str, entry: dict[str, Any]) -> Input:
    unknown = set(entry) - {"shape", "range", "datatype"}
    if unknown:
        raise ValueError(f"unknown member {sorted(unknown)[0]}")
    shape = entry["shape"]
    if not shape or not isinstance(shape[0], str) or not all(isinstance(size, int) and size > 0 for size in shape[1:]):
        raise ValueError(f'{name}: the shape begins with the name of the rows, then whole numbers, such as ["n", 64]')
    kind = entry.get("datatype", "float32")
    if kind not in ("float32", "float64", "int32", "int64"):
        raise ValueError(f"{name}: the datatype {kind} is not supported")
    span = entry.get("range")
    return Input(name, tuple(shape[1:]), kind, (float(span[0]), float(span[1])) if span else None)


def is_torchscript(path: Path) -> bool:
    """Says whether this is TorchScript: an archive with code of its own small language."""
    if not zipfile.is_zipfile(path):
        return False
    with zipfile.ZipFile(path) as archive:
        return any(name.split("/", 1)[-1].startswith("code/") for name in archive.namelist())
