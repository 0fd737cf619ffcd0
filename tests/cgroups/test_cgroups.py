"""Jobs in real cgroups of version 2, delegated to an ordinary user and to root, on a machine that is booted for it.

The contract of executors runs there once more, with what cgroups add to it (src/execution/jobs/bubblewrap/testing/cgroups.cc).
"""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from cgroups.conftest import Machine

pytestmark = pytest.mark.timeout(1_600)
USERS = ["user", "root"]
CONTRACT_LEAST = 43
OF_CONTAINERS_LEAST = 8


@pytest.mark.parametrize("user", USERS)
def test_the_contract_in_a_delegated_cgroup(machine: Machine, user: str) -> None:
    said = machine.step(f"contract-of-{user}")
    failed = re.findall(r"^\[  FAILED  \] (\S+), where", said, re.MULTILINE)
    passed = re.search(r"\[  PASSED  \] (\d+) tests", said)
    assert not failed and passed, f"{failed}\n{said[-6000:]}"
    assert int(passed[1]) >= CONTRACT_LEAST
    print(*re.findall("^a job of nothing.*$", said, re.MULTILINE))
    print(f"{passed[1]} tests passed as {user}")


def test_containers_in_a_delegated_cgroup(machine: Machine) -> None:
    said = machine.step("containers-of-user")
    passed = re.search(r"\[  PASSED  \] (\d+) tests", said)
    assert "FAILED" not in said and passed and int(passed[1]) >= OF_CONTAINERS_LEAST, said[-6000:]


@pytest.mark.parametrize("place", ["of-user", "of-root", "of-containers", "served-by-user", "served-by-root"])
def test_the_cgroup_is_given_back_as_it_was(machine: Machine, place: str) -> None:
    assert machine.said(f"given back {place}") == "code=0 left=[] enabled=''"


@pytest.mark.parametrize("user", USERS)
def test_processes_are_in_leaves_and_workers_on_seats(machine: Machine, user: str) -> None:
    found: dict[str, list[str]] = json.loads(machine.said(f"processes served-by-{user}"))
    assert found["."] == []
    assert found["worker-1/own"] == found["worker-2/own"] == ["glasscase-worke"]
    assert "glasscase-worke" not in found["processes"]
    assert {"glasscase", "glasscased", "glasscase-custo"} <= set(found["processes"])


@pytest.mark.parametrize("user", USERS)
def test_status_says_that_jobs_have_cgroups(machine: Machine, user: str) -> None:
    assert "a cgroup for each job on this machine: memory, processes, processors" in machine.said(f"status served-by-{user}")


def record(machine: Machine, user: str, name: str) -> tuple[dict[str, Any], dict[str, Any]]:
    run: dict[str, Any] = json.loads(re.findall(rf"^:: run {name} (.*)$", machine.step(f"installation-of-{user}"), re.MULTILINE)[0])
    return run, json.loads(run["record"])


@pytest.mark.parametrize("user", USERS)
def test_a_run_is_recorded_with_what_its_cgroup_held(machine: Machine, user: str) -> None:
    run, recorded = record(machine, user, "small")
    assert run["state"] == "succeeded", run
    assert any("134217728 bytes, of all together by its cgroup" in one for one in recorded["in_force"]), recorded
    assert [one.split(":")[0] for one in recorded["missing"]] == ["disk of the whole job by the kernel"]
    assert 20 << 20 < recorded["used"]["memory_peak_bytes"] <= 128 << 20


@pytest.mark.parametrize("user", USERS)
def test_a_run_over_its_memory_is_ended_by_the_kernel(machine: Machine, user: str) -> None:
    run, recorded = record(machine, user, "large")
    assert run["state"] == "failed"
    assert run["reason"] == "it used more memory than 128 MiB"
    assert recorded["used"]["memory_peak_bytes"] <= 128 << 20


@pytest.mark.parametrize("user", USERS)
def test_what_is_somebody_elses_is_left_alone(machine: Machine, user: str) -> None:
    said = machine.step(f"others-of-{user}")
    assert "has one below it that is not Glasscase's, database" in machine.said(f"status shared-by-{user}")
    found: dict[str, list[str]] = json.loads(machine.said(f"processes shared-by-{user}"))
    assert found["worker-1/own"] == ["glasscase-worke"], "it did not take its cgroup the second time, so nothing was shown"
    assert f":: others shared-by-{user} before: True" in said
    assert f":: others shared-by-{user} meanwhile: True" in said
    assert machine.said(f"given back shared-by-{user}") == "code=0 left=['database'] enabled=''"
