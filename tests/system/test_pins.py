"""Pins as libraries obey them: what each installed runner says that it uses, inside a recorded run; and what its lock names."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from system.installation import Installation, running, wait_until
from system.runners import RUNNERS, readable_programs
from system.training_examples import readable_runners
from system.training_runs import add, recipe, train

USUAL = {"lightgbm", "pytorch", "scikit-learn", "xgboost"}
INSTALLED = sorted(USUAL | {path.parent.parent.name for path in RUNNERS.glob("*/bin/python")})
ABOVE_SSE42 = {"AVX", "F16C", "FMA3", "AVX2", "X86_V3"}
NOTHING = {"blas": "off", "numpy": "off", "onednn": "off", "torch": "off"}

# NumPy before 2 has neither the module's new name nor a list of what each function uses.
SAYS_WHAT_IT_USES = """
    import json
    import numpy
    try:
        from numpy._core import _multiarray_umath as core
        from numpy.lib.introspect import opt_func_info
        functions = sorted({types["current"] for function in opt_func_info().values() for types in function.values()})
    except ImportError:
        from numpy.core import _multiarray_umath as core
        functions = []
    used = {"dispatched": [name for name in core.__cpu_dispatch__ if core.__cpu_features__[name]], "functions": functions}
    try:
        import torch
        if torch.backends.mkl.is_available():
            with torch.backends.mkl.verbose(torch.backends.mkl.VERBOSE_ON):
                torch.ones(64, 64) @ torch.ones(64, 64)
            print("MKL is there", flush=True)
    except ImportError:
        pass
    json.dump(used, open("/out/model.json", "w"))
"""


@pytest.fixture(scope="module")
def glasscase(programs: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    with readable_programs(programs) as readable, readable_runners(*INSTALLED) as runners, running(
            readable, tmp_path_factory.mktemp("pins"), serve_words=("--workers", "1", "--runners", str(runners))) as installation:
        wait_until("a worker is there", lambda: "worker" in installation.cli("status").stdout, 10)
        yield installation


def used(glasscase: Installation, folder: Path, runner: str, pins: dict[str, str]) -> tuple[set[str], str]:
    """Instruction sets beyond what NumPy is built for, and what the run printed."""
    name = f"{runner}-{pins['numpy']}".lower()
    code = add(glasscase, folder, f"{name}-code", {"train.py": SAYS_WHAT_IT_USES})
    run: dict[str, Any] = train(glasscase, recipe(
        folder, code, environment={"runner": runner}, pins=pins, limits={"memory_bytes": 4 << 30}), name)
    assert run["state"] == "succeeded", run
    taken = folder / f"{name}.json"
    glasscase.cli("take", name, "--output", str(taken))
    said = json.loads((taken if taken.is_file() else next(taken.rglob("*.json"))).read_text())
    functions = {name for name in said["functions"] if not name.startswith("baseline") and name}
    return set(said["dispatched"]) | functions, glasscase.cli("runs", "logs", run["id"]).stdout


def above(names: set[str], limit: str) -> set[str]:
    return {name for name in names if name.startswith("AVX512") or name == "X86_V4" or (limit == "SSE42" and name in ABOVE_SSE42)}


@pytest.mark.parametrize("runner", INSTALLED)
def test_numpy_uses_nothing_above_the_pin(glasscase: Installation, tmp_path: Path, runner: str) -> None:
    for limit in ("AVX2", "SSE42"):
        names, log = used(glasscase, tmp_path, runner, {"numpy": limit})
        assert not above(names, limit), f"{runner} uses more than {limit}"
        if limit == "AVX2" and "MKL is there" in log:
            assert "CNR:AVX2" in log and "CNR:OFF" not in log
    flags = Path("/proc/cpuinfo").read_text().split()
    names, log = used(glasscase, tmp_path, runner, NOTHING)
    assert above(names, "AVX2") or "avx512f" not in flags, "without a pin it uses what there is, else this test shows nothing"
    assert "MKL is there" not in log or "CNR:OFF" in log


@pytest.mark.parametrize("runner", sorted(USUAL))  # the others are made anew by `make test-frameworks`
def test_a_lock_names_the_python_and_the_libraries_that_are_not_in_the_environment(runner: str) -> None:
    lock = (RUNNERS / runner / "requirements.txt").read_text().splitlines()
    python = subprocess.run([RUNNERS / runner / "bin" / "python", "-c", "import platform; print(platform.python_version(), platform.libc_ver()[1])"],
                            check=True, capture_output=True, text=True).stdout.split()
    assert f"# python {python[0]}" in lock and f"# glibc {python[1]}" in lock, "made by an older tools/runners: run it again"
    assert {line.split()[1] for line in lock if len(line.split()) == 3 and line.startswith("# ")} >= {"libgomp", "libstdc++", "machine"}
