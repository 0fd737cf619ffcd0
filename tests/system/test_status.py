"""What `glasscase status` says about the processes and their confinement, checked against the kernel's own word."""

from __future__ import annotations

from pathlib import Path

from system.installation import Installation
from system.models import Models

KINDS = {"custodian": "glasscase-custodian", "public edge": "glasscase-edge", "control edge": "glasscase-edge"}


def status_field(pid: int, name: str) -> str:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(f"{name}:"):
            return line.split(":", 1)[1].strip()
    return ""


def test_every_process_is_listed_with_what_confines_it(glasscase: Installation, digits: str, models: Models) -> None:
    assert glasscase.infer(digits, models.digit_body()).status_code == 200
    status = glasscase.cli("status", json=True)
    listed = {p["process"]: p for p in status["processes"]}
    running = {p.pid: p.name() for p in glasscase.processes()}
    for kind, program in KINDS.items():
        assert running[listed[kind]["pid"]] == program
    hosts = [p for p in status["processes"] if p["process"].startswith("host")]
    assert hosts and all(running[h["pid"]] == "glasscase-host" for h in hosts)
    assert any("digits" in h["note"] or h["note"] for h in hosts)
    for process in status["processes"]:
        assert process["in_force"] or process["missing"], process
    counted = (status["models"], status["subjects"])
    assert counted[0] == len(glasscase.cli("list", "models", json=True))
    assert counted[1] == len(glasscase.cli("list", "subjects", json=True))


def test_what_it_claims_is_what_the_kernel_says(glasscase: Installation) -> None:
    for process in glasscase.cli("status", json=True)["processes"]:
        claims = " ".join(process["in_force"]).lower()
        if "seccomp" in claims:
            assert status_field(process["pid"], "Seccomp") == "2", process
        if "no new privileges" in claims or "no-new-privileges" in claims:
            assert status_field(process["pid"], "NoNewPrivs") == "1", process
        if "edge" in process["process"] or process["process"].startswith("host"):
            assert status_field(process["pid"], "NoNewPrivs") == "1", process
            assert int(status_field(process["pid"], "CapEff"), 16) == 0, process


def test_it_is_readable(glasscase: Installation) -> None:
    text = glasscase.cli("status").stdout
    for word in ("installation", "custodian", "public edge", "control edge", "in force", "missing"):
        assert word in text
