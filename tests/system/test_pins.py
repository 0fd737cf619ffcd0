"""Pins as libraries obey them: what each installed runner says that it uses, inside a recorded run; and what its lock names."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from system.installation import Installation, running, wait_until
from system.runners import RUNNERS, readable_programs
from system.training_examples import readable_runners
from system.training_runs import add, recipe, train

WITH_SCIKIT_LEARN = {"lightgbm", "scikit-learn", "xgboost"}
USUAL = {"lightgbm", "pytorch", "scikit-learn", "xgboost"}
INSTALLED = sorted(USUAL | {path.parent.parent.name for path in RUNNERS.glob("*/bin/python")})
ABOVE_SSE42 = {"AVX", "F16C", "FMA3", "AVX2", "X86_V3"}
UNUSUAL: dict[str, Any] = {"locale": "C", "timezone": "JST-9", "umask": "0027", "threads": 1}  # another than the recipe's own
CPUS = min(2, os.cpu_count() or 1)
NOTHING = {"blas": "off", "numpy": "off", "onednn": "off", "torch": "off"}

# NumPy before 2 has neither the module's new name nor a list of what each function uses.
SAYS_WHAT_IT_USES = """
    import json, locale, os, time
    import numpy
    try:
        from numpy._core import _multiarray_umath as core
        from numpy.lib.introspect import opt_func_info
        functions = sorted({types["current"] for function in opt_func_info().values() for types in function.values()})
    except ImportError:
        from numpy.core import _multiarray_umath as core
        functions = []
    used = {"dispatched": [name for name in core.__cpu_dispatch__ if core.__cpu_features__[name]], "functions": functions}
    used["locale"], used["zone"], used["umask"] = locale.setlocale(locale.LC_ALL, ""), [time.tzname[0], time.timezone], os.umask(0o077)
    used["processors"] = len(os.sched_getaffinity(0))
    try:
        import sklearn.linear_model  # which brings its own libraries
        import threadpoolctl
        used["pools"] = threadpoolctl.threadpool_info()
    except ImportError:
        pass
    try:
        import torch
        if int(torch.__version__.split(".")[0]) >= 2:
            used["torch"] = torch.backends.cpu.get_cpu_capability()
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


@dataclass(frozen=True)
class Used:
    said: dict[str, Any]
    log: str

    @property
    def by_numpy(self) -> set[str]:
        """Instruction sets beyond what NumPy is built for."""
        return set(self.said["dispatched"]) | {name for name in self.said["functions"] if not name.startswith("baseline") and name}

    @property
    def pools(self) -> list[dict[str, Any]]:
        pools: list[dict[str, Any]] = self.said.get("pools", [])
        return pools

    @property
    def kinds_of_blas(self) -> set[str]:
        return {pool["architecture"] for pool in self.pools if pool["internal_api"] == "openblas"}


def used(glasscase: Installation, folder: Path, runner: str, pins: dict[str, str]) -> Used:
    name = f"{runner}-{pins['numpy']}".lower()
    code = add(glasscase, folder, f"{name}-code", {"train.py": SAYS_WHAT_IT_USES})
    run: dict[str, Any] = train(glasscase, recipe(
        folder, code, environment={"runner": runner}, pins=pins, limits={"memory_bytes": 4 << 30, "cpus": CPUS}, **UNUSUAL), name)
    assert run["state"] == "succeeded", run
    taken = folder / f"{name}.json"
    glasscase.cli("take", name, "--output", str(taken))
    said = json.loads((taken if taken.is_file() else next(taken.rglob("*.json"))).read_text())
    return Used(said, glasscase.cli("runs", "logs", run["id"]).stdout)


def above(names: set[str], limit: str) -> set[str]:
    return {name for name in names if name.startswith("AVX512") or name == "X86_V4" or (limit == "SSE42" and name in ABOVE_SSE42)}


@pytest.mark.parametrize("runner", INSTALLED)
def test_libraries_use_nothing_above_the_pin(glasscase: Installation, tmp_path: Path, runner: str) -> None:
    flags = Path("/proc/cpuinfo").read_text().split()
    for limit in ("AVX2", "SSE42"):
        run = used(glasscase, tmp_path, runner, {"numpy": limit})
        assert not above(run.by_numpy, limit), f"{runner} uses more than {limit}"
        if limit == "AVX2" and "MKL is there" in run.log:
            assert "CNR:AVX2" in run.log and "CNR:OFF" not in run.log
        assert run.kinds_of_blas == ({"Haswell"} if runner in WITH_SCIKIT_LEARN else set())
        assert run.said.get("torch", "AVX2") == "AVX2"
        assert run.said["processors"] == CPUS and {pool["num_threads"] for pool in run.pools} <= {1}, run.pools
        assert run.said["locale"] == "C" and run.said["zone"] == ["JST", -9 * 3600] and run.said["umask"] == 0o027
    run = used(glasscase, tmp_path, runner, NOTHING)
    assert above(run.by_numpy, "AVX2") or "avx512f" not in flags, "without a pin it uses what there is, else this test shows nothing"
    assert run.kinds_of_blas != {"Haswell"} or "avx512f" not in flags, "the same of OpenBLAS"
    assert run.said.get("torch") != "AVX2" or "avx512f" not in flags, "the same of PyTorch"
    assert "MKL is there" not in run.log or "CNR:OFF" in run.log


@pytest.mark.parametrize("runner", sorted(USUAL))  # the others are made anew by `make test-frameworks`
def test_a_lock_names_the_python_and_the_libraries_that_are_not_in_the_environment(runner: str) -> None:
    lock = (RUNNERS / runner / "requirements.txt").read_text().splitlines()
    python = subprocess.run([RUNNERS / runner / "bin" / "python", "-c", "import platform; print(platform.python_version(), platform.libc_ver()[1])"],
                            check=True, capture_output=True, text=True).stdout.split()
    assert f"# python {python[0]}" in lock and f"# glibc {python[1]}" in lock, "made by an older tools/runners: run it again"
    assert {line.split()[1] for line in lock if len(line.split()) == 3 and line.startswith("# ")} >= {"libgomp", "libstdc++", "machine"}
