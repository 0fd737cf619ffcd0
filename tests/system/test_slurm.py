"""Runs on a cluster: a real Slurm of one node, and an installation of an ordinary user."""

from __future__ import annotations

import json
import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from system.installation import Installation, running, wait_until
from system.training_runs import add, recipe, state, train

ROOT = Path(__file__).resolve().parents[2]
CLUSTER = ROOT / "src/execution/jobs/slurm/testing/cluster"


def as_ordinary_user(folder: Path, programs: Path) -> tuple[Path, list[str]]:
    """Programs that run as nobody where the tests are root, which no cluster's jobs may be; and the words for others."""
    if os.geteuid() != 0:
        return programs, []
    nobody = pwd.getpwnam("nobody")
    words = ["setpriv", f"--reuid={nobody.pw_uid}", f"--regid={nobody.pw_gid}", "--clear-groups"]
    real = folder / "programs"
    real.mkdir()
    for path in programs.glob("glasscase*"):
        shutil.copy(path, real)
    wrapped = folder / "wrapped"
    wrapped.mkdir()
    (wrapped / "glasscase").write_text(f'#!/bin/sh\nexec {" ".join(words)} {real}/glasscase "$@"\n')
    (wrapped / "glasscase").chmod(0o755)
    os.chown(folder, nobody.pw_uid, nobody.pw_gid)
    return wrapped, words


@contextmanager
def cluster(folder: Path, words: list[str]) -> Iterator[Path]:
    script = folder / "cluster.sh"
    shutil.copy(CLUSTER, script)
    place = folder / "cluster"
    subprocess.run([*words, "bash", script, "start", place], check=True, timeout=60)
    try:
        yield place / "slurm.conf"
    finally:
        subprocess.run([*words, "bash", script, "stop", place], check=False, timeout=60)


@pytest.fixture(scope="module")
def glasscase(programs: Path) -> Iterator[Installation]:
    folder = Path(tempfile.mkdtemp(prefix="gc-slurm-", dir="/tmp"))
    folder.chmod(0o755)
    runner = folder / "runners" / "plain"
    (runner / "bin").mkdir(parents=True)
    (runner / "bin" / "python").symlink_to("/usr/bin/python3")
    (runner / "requirements.txt").write_text("none\n")
    mine, words = as_ordinary_user(folder, programs)
    try:
        with cluster(folder, words) as conf:
            place = folder / "installation"
            for path in (place, folder / "jobs"):
                subprocess.run([*words, "mkdir", path], check=True)
            serve = ("--workers", "1", "--runners", str(folder / "runners"), "--executor", "slurm", "--partition", "jobs",
                     "--slurm-conf", str(conf), "--jobs", str(folder / "jobs"))
            with running(mine, place, serve_words=serve) as installation:
                wait_until("a worker is there", lambda: "worker" in installation.cli("status").stdout, 10)
                yield installation
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def readable() -> Iterator[Path]:
    """As tmp_path, but open to all users."""
    folder = Path(tempfile.mkdtemp(prefix="gc-readable-", dir="/tmp"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


def test_a_run_on_a_node_registers_its_result(glasscase: Installation, readable: Path) -> None:
    code = add(glasscase, readable, "on-node", {"train.py": """
        import os, pathlib
        print(sorted(name for name in os.environ if "SLURM" in name))
        pathlib.Path("/out/model.txt").write_text("x")
    """})
    run = train(glasscase, recipe(readable, code, environment={"runner": "plain"}), "of-node")
    assert run["state"] == "succeeded", run
    record = json.loads(run["record"])
    assert record["executor"] == "slurm"
    assert any("given by Slurm" in line for line in record["in_force"])
    assert record["machine"]["processor"] and record["machine"]["system"]["glibc"]
    assert glasscase.cli("runs", "logs", run["id"]).stdout == "[]\n"


def test_a_run_on_a_node_can_be_cancelled(glasscase: Installation, readable: Path) -> None:
    code = add(glasscase, readable, "node-sleeper", {"train.py": "print('begun', flush=True)\nimport time\ntime.sleep(600)"})
    path = recipe(readable, code, environment={"runner": "plain"})
    run = json.loads(glasscase.cli("train", path, "--name", "sleeping", "--detach", "--json").stdout)["id"]
    wait_until("it runs", lambda: "begun" in glasscase.cli("runs", "logs", run).stdout, 30)
    glasscase.cli("runs", "cancel", run)
    wait_until("it is cancelled", lambda: state(glasscase, run) == "cancelled", 20)
