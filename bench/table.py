"""What was measured beside its goals: on the terminal, and in bench/results.json."""

from __future__ import annotations

import json
import os
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from bench.measure import Sample, machine
from system.models import Models

ROOT = Path(__file__).resolve().parent.parent


@dataclass
class Figure:
    """One line of the table."""

    what: str
    value: float | None
    unit: str
    goal: float | None = None
    at_least: bool = False
    note: str = ""

    @property
    def verdict(self) -> str:
        if self.value is None:
            return "not measured"
        if self.goal is None:
            return ""
        return "reached" if (self.value >= self.goal if self.at_least else self.value <= self.goal) else "MISSED"


@dataclass
class Bench:
    programs: Path
    folder: Path
    models: Models
    rounds: int
    seconds: float
    figures: list[Figure] = field(default_factory=list)
    load_before: float = field(default_factory=lambda: os.getloadavg()[0])

    def add(self, what: str, value: float | None, unit: str, goal: float | None = None, **more: Any) -> None:
        self.figures.append(Figure(what, value, unit, goal, **more))


def say(text: str) -> None:
    print(text, flush=True)


def print_table(bench: Bench) -> None:
    computer = machine()
    say(f"\n{computer['processor']}, {computer['cores']} cores, Linux {computer['kernel']}, "
        f"{'with' if computer['sha_instructions'] else 'without'} SHA instructions\n")
    width = max(len(f.what) for f in bench.figures)
    for f in bench.figures:
        value = "-" if f.value is None else f"{f.value:,.0f}" if abs(f.value) >= 1000 else f"{f.value:.2f}"
        goal = "" if f.goal is None else f"{'≥' if f.at_least else '≤'} {f.goal:,g}"
        say(f"{f.what:{width}}  {value:>10} {f.unit:3} {goal:>10}  {f.verdict:12} {f.note}".rstrip())
    measured = [f for f in bench.figures if f.goal is not None]
    reached = [f for f in measured if f.verdict == "reached"]
    say(f"\n{len(reached)} of {len(measured)} goals reached")
    if bench.load_before > 0.5:
        say(f"other work shared this machine (load average {bench.load_before:.1f} before the start): times are longer than they need be")


def write_results(bench: Bench, samples: dict[str, list[Sample]], programs: dict[str, Any]) -> None:
    results = {
        "machine": machine(), "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), "rounds": bench.rounds, "seconds": bench.seconds,
        "figures": [asdict(f) | {"verdict": f.verdict} for f in bench.figures],
        "samples": {name: [asdict(s) for s in runs] for name, runs in samples.items()}, **programs,
    }
    path = ROOT / "bench" / "results.json"
    path.write_text(json.dumps(results, indent=1) + "\n")
    say(f"written to {path.relative_to(ROOT)}")
