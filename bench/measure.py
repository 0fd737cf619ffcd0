"""Reading what processes cost, and driving load at them."""

from __future__ import annotations

import json
import os
import platform
import re
import statistics
import subprocess
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SERVER_CORE, LOAD_CORE = 0, 1
TICKS = os.sysconf("SC_CLK_TCK")
LUA = Path(__file__).resolve().parent / "wrk" / "calls.lua"


def cpu_seconds(pids: Iterable[int]) -> float:
    """User and system time of all threads of these processes so far."""
    total = 0
    for pid in pids:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        total += int(fields[11]) + int(fields[12])
    return total / TICKS


def pss_megabytes(pid: int) -> float:
    """Proportional set size: shared pages count by their share."""
    text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    found = re.search(r"^Pss:\s+(\d+) kB", text, re.MULTILINE)
    return int(found[1]) / 1024 if found else float("nan")


def pin(pid: int, core: int) -> None:
    """Keeps all threads of a process on one core."""
    for task in Path(f"/proc/{pid}/task").iterdir():
        os.sched_setaffinity(int(task.name), {core})


@dataclass(frozen=True)
class Load:
    """One wrk run against processes that share a core."""

    name: str
    url: str
    requests: Path
    connections: int
    pids: tuple[int, ...]


@dataclass(frozen=True)
class Sample:
    """What one run gave."""

    calls: int
    seconds: float
    cpu_us: float
    p50_us: float
    p99_us: float

    @property
    def per_second(self) -> float:
        return self.calls / self.seconds


class LoadFailed(Exception):
    """wrk saw answers that were not 200, or broken connections."""


def wrk_words(load: Load, seconds: float) -> list[str]:
    """The command that drives this load."""
    return ["taskset", "-c", str(LOAD_CORE), "wrk", "-t1", f"-c{load.connections}", f"-d{seconds:g}s", "-s", str(LUA), load.url, "--", str(load.requests)]


def run(load: Load, seconds: float) -> Sample:
    before = cpu_seconds(load.pids)
    done = subprocess.run(wrk_words(load, seconds), capture_output=True, text=True, check=True)
    after = cpu_seconds(load.pids)
    seen: dict[str, Any] = json.loads(done.stderr.strip().splitlines()[-1])
    if seen["bad_status"] or seen["socket_errors"] or not seen["requests"]:
        raise LoadFailed(f"{load.name}: {seen}\n{done.stdout}")
    calls = int(seen["requests"])
    return Sample(calls, seen["microseconds"] / 1e6, (after - before) / calls * 1e6, seen["p50"], seen["p99"])


def interleave(loads: Sequence[Load], rounds: int, seconds: float) -> dict[str, list[Sample]]:
    """Runs all loads in turn, `rounds` times, every second time backwards: a machine that gets slower or faster meanwhile does so for all of them."""
    samples: dict[str, list[Sample]] = {load.name: [] for load in loads}
    for load in loads:
        run(load, 1)  # warm
    for n in range(rounds):
        for load in loads if n % 2 == 0 else reversed(loads):
            sample = run(load, seconds)
            samples[load.name].append(sample)
            print(f"   round {n + 1}/{rounds}  {load.name:32} {sample.per_second:9.0f} /s  {sample.cpu_us:7.2f} µs CPU  p50 {sample.p50_us:.0f} µs", flush=True)
    return samples


def median(values: Iterable[float]) -> float:
    return statistics.median(values)


def machine() -> dict[str, Any]:
    text = Path("/proc/cpuinfo").read_text()
    model = re.search(r"^model name\s*:\s*(.+)$", text, re.MULTILINE)
    flags = re.search(r"^flags\s*:\s*(.+)$", text, re.MULTILINE)
    names = flags[1].split() if flags else []
    return {
        "processor": model[1] if model else platform.processor(), "cores": os.cpu_count(), "kernel": platform.release(),
        "sha_instructions": "sha_ni" in names or "sha2" in names,
        "vectors": [f for f in ("avx2", "avx512f", "avx512ifma") if f in names],
        "memory_gb": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9, 1),
    }
