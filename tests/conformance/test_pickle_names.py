"""What our reader finds in pickles beside what Python's own unpickler asks for while it opens them."""

from __future__ import annotations

import pickle
import pickletools
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SOURCES = Path(__file__).with_name("pickle_sources.py")
RUNNERS = ROOT / ".deps" / "runners"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("pickles")
    for runner in ("scikit-learn", "pytorch"):
        subprocess.run([RUNNERS / runner / "bin" / "python", SOURCES, made], check=True)
    return made


def found(programs: Path, file: Path) -> tuple[list[str], list[str]]:
    """(names, problems)"""
    done = subprocess.run([programs / "pickle_names", file], capture_output=True, text=True, check=True, timeout=60)
    lines = done.stdout.splitlines()
    return sorted(line.removesuffix("()") for line in lines if not line.startswith("! ")), [line for line in lines if line.startswith("! ")]


def test_every_name_is_found_and_no_other(programs: Path, folder: Path) -> None:
    files = sorted(path for path in folder.iterdir() if path.with_name(f"{path.name}.expected").exists())
    assert len(files) > 50
    for file in files:
        expected = file.with_name(f"{file.name}.expected").read_text().splitlines()
        names, problems = found(programs, file)
        if file.suffix == ".pt":  # torch answers for its storages before the unpickler is asked
            names = [name for name in names if not (name.startswith("torch.") and name.endswith("Storage"))]
        assert (names, problems) == (expected, []), file.name


def test_every_opcode_of_python_is_tried_or_named_here(folder: Path) -> None:
    """What Python writes at all protocols; the rest is in the unit tests."""
    tried = {opcode.name for file in folder.glob("*.pkl") for opcode, _, _ in pickletools.genops(file.read_bytes())}
    by_hand_only = {"POP_MARK", "DUP", "OBJ", "INST", "STRING", "EXT1", "EXT2", "EXT4", "PERSID", "BINPERSID", "NEXT_BUFFER", "READONLY_BUFFER",
                    "BINSTRING", "SHORT_BINSTRING", "BINBYTES", "BINBYTES8", "BINUNICODE8", "LONG4", "FLOAT", "POP", "LONG_BINGET", "LONG_BINPUT"}
    assert {opcode.name for opcode in pickletools.opcodes} - tried <= by_hand_only


def test_a_cut_pickle_never_has_other_names(programs: Path, folder: Path, tmp_path: Path) -> None:
    whole = (folder / "objects.4.pkl").read_bytes()
    expected = set((folder / "objects.4.pkl.expected").read_text().splitlines())
    for end in range(3, len(whole), 7):
        (tmp_path / "cut.pkl").write_bytes(whole[:end])
        names, problems = found(programs, tmp_path / "cut.pkl")
        assert set(names) <= expected and problems == ["! it is cut off"], end


def test_what_is_not_opened_is_said(programs: Path, folder: Path) -> None:
    assert found(programs, folder / "model.xz.joblib") == ([], ["! it is compressed with xz"])


def test_translate_names_what_a_pickle_would_import(programs: Path, folder: Path, tmp_path: Path) -> None:
    class Harmful:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return print, ("opened",)

    (tmp_path / "model.pkl").write_bytes(pickle.dumps(Harmful()))
    for file, words in ((tmp_path / "model.pkl", "it would import builtins.print"), (folder / "module.pt", "torch.nn.modules.container.Sequential"),
                        (folder / "model.zlib.joblib", "sklearn."), (folder / "model.xz.joblib", "compressed with xz")):
        done = subprocess.run([programs / "glasscase", "translate", file, "--output", tmp_path / "out.onnx"], capture_output=True, text=True, timeout=60)
        assert done.returncode == 1 and words in done.stderr, done.stderr
        assert "this is a pickle" in done.stderr or file.name == "model.xz.joblib"
        assert "opened\n" not in done.stdout
