"""Runs queued in batches over HTTP, and an installation whose queue is full while its worker is busy.

    bench/full_queue.py [--bin build/release/bin] [--pairs 40]
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from bench.calls import load_of_calls  # noqa: E402
from bench.measure import Sample, cpu_seconds, interleave, median  # noqa: E402
from bench.table import Bench, print_table, say  # noqa: E402
from system.installation import Installation, running, wait_until  # noqa: E402
from system.models import make_models  # noqa: E402
from system.runs import plain_recipe, plain_runners, show, submit  # noqa: E402

OPEN_RUNS_MAX = 10_000
BATCH = 1_000
PAIRS = 40  # of runs of a second, of either installation


@dataclass
class Submitted:
    """Runs per second, durable when they were answered."""

    by_seeds: float        # batches of 1,000 seeds of one recipe
    by_hundreds: float     # batches of 100 seeds
    by_recipes: float      # batches of 1,000 recipes, each another
    longest_seconds: float  # of one request


@contextmanager
def with_worker(programs: Path, folder: Path) -> Iterator[Installation]:
    """An installation with a worker that is busy: its job sleeps, and leaves the processors to others."""
    with plain_runners() as runners, running(
            programs, folder, serve_words=("--workers", "1", "--runners", str(runners))) as glasscase:
        code = folder / "sleep.py"
        code.write_text("import time\ntime.sleep(3_500)\n")
        glasscase.cli("dataset", "add", str(code), "--name", "sleep")
        busy = submit(glasscase, [{"model": "busy", "recipe": recipe(), "priority": 100}])[0]["id"]
        wait_until("the worker is busy", lambda: show(glasscase, busy)["state"] == "running", 20)
        yield glasscase


def recipe(**more: object) -> str:
    return plain_recipe("sleep", "sleep.py", limits={"wall_s": 3_600}, **more)


def time_batches(glasscase: Installation, batches: list[list[dict[str, object]]], runs: int) -> tuple[float, float]:
    """Runs per second, and how long the slowest batch took."""
    times = []
    for batch in batches:
        begin = time.monotonic()
        assert submit(glasscase, batch)
        times.append(time.monotonic() - begin)
    return runs / sum(times), max(times)


def fill(glasscase: Installation) -> Submitted:
    """Queues runs until there are as many as one owner may have; one is busy already."""
    def seeds(first: int, count: int) -> list[dict[str, object]]:
        return [{"model": "swept", "recipe": recipe(), "seeds": list(range(first, first + count))}]

    by_hundreds, longest = time_batches(glasscase, [seeds(n * 100, 100) for n in range(10)], 1_000)
    texts: list[list[dict[str, object]]] = [[{"model": f"model-{n % 10}", "recipe": recipe(seed=n, threads=n % 7 + 1)} for n in range(BATCH)] for _ in range(3)]
    by_recipes, slowest = time_batches(glasscase, texts, 3 * BATCH)
    longest = max(longest, slowest)
    by_seeds, slowest = time_batches(glasscase, [seeds(n * BATCH, BATCH) for n in range(10, 15)], 5 * BATCH)
    longest = max(longest, slowest)
    submit(glasscase, seeds(100_000, OPEN_RUNS_MAX - 9 * BATCH - 1))
    refused = glasscase.request("POST", "/glasscase/v1/runs/batch", control=True, json={"runs": seeds(1, 1)})
    assert refused.status_code == 507, refused.text
    return Submitted(by_seeds, by_hundreds, by_recipes, longest)


@dataclass
class Beside:
    """Calls of an installation with a full queue, by those of one without.

    The throughput of either moves by a tenth from one second to the next where the machine is shared, more than the goal
    allows: so the share is the median of many pairs, each of two short runs one right after the other.
    """

    share: float                            # per cent
    quiet_share: float                      # of one processor, per cent: what the one with the queue takes when nobody calls
    quartiles_of_share: tuple[float, float]
    full_per_second: float
    empty_per_second: float
    full_cpu_us: float
    empty_cpu_us: float


def compare(full: list[Sample], empty: list[Sample], quiet_share: float) -> Beside:
    low, share, high = statistics.quantiles((100 * a.per_second / b.per_second for a, b in zip(full, empty, strict=True)), n=4)
    return Beside(
        share, quiet_share, (low, high), median(s.per_second for s in full), median(s.per_second for s in empty),
        median(s.cpu_us for s in full), median(s.cpu_us for s in empty))


def measure(bench: Bench, folder: Path, pairs: int) -> tuple[Submitted, Beside]:
    (folder / "full").mkdir()
    (folder / "empty").mkdir()
    with with_worker(bench.programs, folder / "full") as full, running(bench.programs, folder / "empty") as empty:
        submitted = fill(full)
        loads = [load_of_calls(bench, "calls beside 10,000 queued runs", full), load_of_calls(bench, "calls without runs", empty)]
        quiet_share = share_of_processor(full)
        samples = interleave(loads, pairs, seconds=1)
    with_runs, without = (samples[load.name] for load in loads)
    return submitted, compare(with_runs, without, quiet_share)


def share_of_processor(glasscase: Installation, seconds: float = 10) -> float:
    """What all processes of an installation take of one processor, in per cent, while nobody asks them for anything."""
    pids = [process.pid for process in glasscase.processes()]
    before = cpu_seconds(pids)
    time.sleep(seconds)
    return 100 * (cpu_seconds(pids) - before) / seconds


def measure_queue(bench: Bench, pairs: int = PAIRS) -> Any:
    """Runs submitted in batches, and what a full queue costs those who call models."""
    say("\nthe queue of runs")
    # On a real disk: the temporary folder may be memory.
    with tempfile.TemporaryDirectory(prefix="glasscase-queue-", dir=ROOT / "build") as name:
        submitted, beside = measure(bench, Path(name), pairs)
    bench.add("runs submitted durably over HTTP, batches of 1,000 seeds", submitted.by_seeds, "1/s", 2_000, at_least=True)
    bench.add("runs submitted durably over HTTP, batches of 1,000 recipes", submitted.by_recipes, "1/s", 2_000, at_least=True)
    bench.add("runs submitted durably over HTTP, batches of 100 seeds", submitted.by_hundreds, "1/s", 2_000, at_least=True,
              note=f"longest request {1000 * submitted.longest_seconds:.0f} ms")
    low, high = beside.quartiles_of_share
    bench.add("calls beside 10,000 queued runs, of those without", beside.share, "%", 97, at_least=True,
              note=f"{low:.1f} to {high:.1f} of the middle half of {pairs} pairs")
    bench.add("of one processor, 10,000 runs queued and one running", beside.quiet_share, "%")
    bench.add("CPU per call beside 10,000 queued runs", beside.full_cpu_us, "µs", note=f"{beside.empty_cpu_us:.2f} µs without")
    return {"submitted": asdict(submitted), "beside": asdict(beside)}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--bin", type=Path, default=ROOT / "build" / "release" / "bin")
    parser.add_argument("--pairs", type=int, default=PAIRS)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="glasscase-bench-") as name:
        bench = Bench(chosen.bin.resolve(), Path(name), make_models(), rounds=1, seconds=1)
        result = measure_queue(bench, chosen.pairs)
        print_table(bench)
        print(json.dumps(result))
