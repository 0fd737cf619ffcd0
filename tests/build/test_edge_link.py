"""The edge is the process that strangers talk to: it must not even contain what could reach models, keys or the catalog."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(os.environ.get("GLASSCASE_BIN", ROOT / "build" / "release" / "bin"))
EDGE = BIN / "glasscase-edge"

FORBIDDEN_LIBRARIES = re.compile(r"lib(sqlite3|onnxruntime|pq|curl|seccomp-tools|tss2-.*)\.so")
# By namespace or C prefix. Ours are named glasscase::<module>.
FORBIDDEN_SYMBOLS = re.compile(
    r"\b(sqlite3_\w+|PQ(exec|connectdb)\w*|OrtGetApiBase|Ort::|onnxruntime::|onnx::"
    r"|glasscase::(catalog|blobs|ledger|inference|operations|jobs|training|translation|refit|lock|mark|split|onnx)\w*::)"
)
# Modules by their library, as the linker was given them: catches one whose code was linked and then discarded.
FORBIDDEN_MODULES = re.compile(
    r"libglasscase_(catalog|blobs|ledger|inference|operations|jobs|training|translation|refit|onnx)\w*\.a"
)


def output_of(*command: str | Path) -> str:
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, check=True)
    return done.stdout


@pytest.fixture(scope="module")
def edge() -> Path:
    # Not a skip: a check that silently does not run is worse than none.
    assert EDGE.is_file(), f"{EDGE} is not built: run `make build`, or set GLASSCASE_BIN to where the programs are"
    return EDGE


def test_edge_needs_no_library_of_a_database_or_inference_runtime(edge: Path) -> None:
    needed = re.findall(r"\(NEEDED\).*\[(.*)\]", output_of("readelf", "-d", edge))
    assert needed, "readelf named no libraries at all"
    assert [name for name in needed if FORBIDDEN_LIBRARIES.match(name)] == []


def test_edge_contains_no_symbol_of_catalog_blobs_or_inference(edge: Path) -> None:
    symbols = output_of("nm", "-C", edge).splitlines()
    assert len(symbols) > 1000, "the program is stripped; this test needs its symbols"
    assert any("glasscase::" in line for line in symbols), "no symbol of ours: the pattern below would prove nothing"
    assert [line for line in symbols if FORBIDDEN_SYMBOLS.search(line)] == []


def test_edge_is_linked_from_no_forbidden_module(edge: Path) -> None:
    ninja = output_of("ninja", "-C", edge.parent.parent, "-t", "query", f"bin/{edge.name}")
    assert "libglasscase_" in ninja, ninja
    assert sorted(set(FORBIDDEN_MODULES.findall(ninja))) == []


def test_the_patterns_would_see_them() -> None:
    for symbol in ("000 T sqlite3_open_v2", "000 T glasscase::catalog::Open()", "000 t glasscase::blobs_filesystem::Put()"):
        assert FORBIDDEN_SYMBOLS.search(symbol), symbol
    for symbol in ("000 T glasscase::rpc::Call()", "000 T glasscase::access::Decide()"):
        assert not FORBIDDEN_SYMBOLS.search(symbol), symbol
    assert FORBIDDEN_LIBRARIES.match("libonnxruntime.so.1")
    assert FORBIDDEN_MODULES.search("src/custody/catalog/sqlite/libglasscase_catalog_sqlite.a")
