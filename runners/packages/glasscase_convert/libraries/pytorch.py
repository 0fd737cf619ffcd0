"""PyTorch: TorchScript, a state dict with the code that builds the model, or a pickled module where pickles are allowed."""

from __future__ import annotations

import io
from typing import Any

import numpy
import onnx
import torch

from ..evidence import CONTINUOUS
from ..refusal import Refusal
from ..rows import Drawer, Rows
from ..source import Loaded, Source, is_torchscript
from .. import tensors

Array = Any
EXAMPLE_SEED = 1
EXPORTERS = ("torchscript", "dynamo")
DYNAMO_OPSET = 20  # what it writes; older ones it makes from it


def load(source: Source) -> Loaded:
    exporter = source.exporter or EXPORTERS[0]
    if exporter == "dynamo" and not _is_current():
        raise Refusal(f"PyTorch {_version()} has the exporter torchscript only: dynamo needs a runner of PyTorch 2")
    torch.set_num_threads(1)
    inputs = source.need_inputs()
    model = _open(source)
    model.eval()

    def run(rows: Rows) -> list[Array]:
        with torch.no_grad():
            answer = model(*(torch.from_numpy(rows[one.name]) for one in inputs))
        return [part.numpy() for part in (answer if isinstance(answer, (tuple, list)) else (answer,))]

    def convert(opset: int) -> onnx.ModelProto:
        drawn = next(rows for kind, rows in Drawer(inputs, EXAMPLE_SEED, branches=False).batches() if kind == "random")
        example = {name: array[:2] for name, array in drawn.items()}
        outputs = len(run(example))
        names = ["output"] if outputs == 1 else [f"output_{place}" for place in range(outputs)]
        file = io.BytesIO()
        with torch.no_grad():
            torch.onnx.export(
                model, tuple(torch.from_numpy(array) for array in example.values()), file, opset_version=opset, input_names=list(example),
                output_names=names, **_words_of(exporter, list(example), names))
        return onnx.load_from_string(file.getvalue())

    described = f"PyTorch {_version()}, {getattr(model, 'original_name', type(model).__name__)}"
    return Loaded(described, inputs, run, convert, f"torch.onnx ({exporter}) of PyTorch {_version()}", CONTINUOUS,
                  opset=DYNAMO_OPSET if exporter == "dynamo" else None)


def _open(source: Source) -> Any:
    if source.kind == "tensors":
        read = tensors.load(source.file) if source.file.suffix == ".safetensors" else dict(numpy.load(source.file, allow_pickle=False))
        return _built(source, {name: torch.from_numpy(array) for name, array in read.items()})
    if is_torchscript(source.file):
        return torch.jit.load(str(source.file), map_location="cpu")
    opened = torch.load(str(source.file), map_location="cpu", **({"weights_only": False} if _is_current() else {}))
    if isinstance(opened, dict):
        state = opened.get("state_dict", opened)
        return _built(source, state)
    if not isinstance(opened, torch.nn.Module):
        raise Refusal(f"{source.file.name} holds a {type(opened).__name__}, neither a module nor a state dict")
    return opened


def _built(source: Source, state: dict[str, Any]) -> Any:
    model = source.load_code("build_model").build_model()
    try:
        model.load_state_dict(state)
    except RuntimeError as error:
        raise Refusal(f"{source.file.name} does not fit the model that the code builds: {' '.join(str(error).split())[:300]}") from error
    return model


def _version() -> str:
    """Debian's build of 1.13.1 calls itself 1.13.0a0."""
    return "1.13.1" if torch.__version__ == "1.13.0a0" else str(torch.__version__)


def _is_current() -> bool:
    return int(torch.__version__.split(".")[0]) >= 2


def _words_of(exporter: str, inputs: list[str], outputs: list[str]) -> dict[str, Any]:
    """How each exporter is told that the number of rows is free."""
    if exporter == "dynamo":
        rows = torch.export.Dim("n")
        return {"dynamo": True, "dynamic_shapes": tuple({0: rows} for _ in inputs), "external_data": False}
    axes = {"dynamic_axes": {name: {0: "n"} for name in (*inputs, *outputs)}}
    return axes | ({"dynamo": False} if _is_current() else {})
