"""Training in recorded runs: from registered inputs to a registered result."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from system.installation import Installation, running, wait_until
from system.runners import ROOT, readable_programs
from system.training_examples import add_digits
from system.training_runs import add, recipe, state, train

EXAMPLE = ROOT / "examples" / "training" / "digits"


@pytest.fixture(scope="module")
def glasscase(programs: Path, runners: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    with readable_programs(programs) as readable, running(
            readable, tmp_path_factory.mktemp("runs"), serve_words=("--workers", "1", "--runners", str(runners))) as installation:
        wait_until("a worker is there", lambda: "worker" in installation.cli("status").stdout, 10)
        yield installation


def assert_is_this_machine(machine: dict[str, Any]) -> None:
    """As the kernel tells it of the first processor."""
    lines = (line.partition(":") for line in Path("/proc/cpuinfo").read_text().partition("\n\n")[0].splitlines())
    processor = {name.strip(): value.strip() for name, _, value in lines}
    assert machine["processor"] == processor.get("model name", "")
    assert machine["instruction_sets"] == processor.get("flags", "").split()  # not named so on arm64
    assert (machine["architecture"], machine["kernel"]) == (platform.machine(), platform.release())


def test_the_example_trains_and_its_result_registers_itself(glasscase: Installation, tmp_path: Path) -> None:
    add_digits(glasscase, tmp_path)
    glasscase.cli("dataset", "add", str(EXAMPLE / "train.py"), "--name", "digits-code")
    run = train(glasscase, str(EXAMPLE / "recipe.json"), "digits")
    assert run["state"] == "succeeded", run
    record = json.loads(run["record"])
    assert record["metrics"]["accuracy"] > 0.9
    machine = record["machine"]
    assert_is_this_machine(machine)
    assert record["log_sha256"] == hashlib.sha256(glasscase.cli("runs", "logs", run["id"]).stdout.encode()).hexdigest()
    assert machine["system"]["python"].startswith(platform.python_version() + "-")
    assert {"glibc", "libgomp", "libstdc++"} < set(machine["system"])
    assert {"numpy", "scikit_learn", "scipy"} <= set(machine["libraries"])
    assert record["predictions"]["count"] == 450 * 10
    assert record["used"]["wall_ms"] > 0
    resolved = json.loads(run["recipe"])
    assert resolved["seed"] == 7
    assert len(resolved["environment"]["lock"]) == 64

    shown = glasscase.cli("show", "digits", json=True)
    edges = {(edge["relation"], edge["by"], edge["name"]) for edge in shown["versions"][0]["parents"]}
    assert edges == {("trained_on", "witnessed", "owner/digits-data@1"), ("derived_from", "witnessed", "owner/digits-code@1")}
    wait_until("its entries are published", lambda: {"registered", "version", "run"} <= {
        json.loads(row["entry"])["type"] for row in glasscase.cli("history", "digits", json=True)["entries"]}, 5)
    glasscase.cli("take", "digits", "--output", str(tmp_path / "taken"))
    again = train(glasscase, str(EXAMPLE / "recipe.json"), "digits")
    assert again["recipe_sha256"] == run["recipe_sha256"]
    versions = glasscase.cli("show", "digits", json=True)["versions"]
    assert len({version["sha256"] for version in versions}) == 1, "the same recipe gives the same bytes"
    verified = json.loads(glasscase.cli("runs", "verify", again["id"], "--json").stdout)
    assert json.loads(verified["evidence"])["class"] == "B", verified
    nothing = glasscase.cli("runs", "evidence", run["id"], check=False)
    assert nothing.returncode == 1 and f"glasscase runs verify {run['id']}" in nothing.stderr
    assert "progress 0.9 trained" in glasscase.cli("runs", "logs", run["id"]).stdout
    assert [row["id"] for row in glasscase.cli("runs", "list", "--model", "digits", json=True)] == [verified["id"], again["id"], run["id"]]


def test_what_a_run_used_is_what_it_did(glasscase: Installation, tmp_path: Path) -> None:
    code = add(glasscase, tmp_path, "busy", {"train.py": """
        import time
        print("x" * 999)
        data = bytearray(100 << 20)
        for page in range(0, len(data), 4096):
            data[page] = 1
        while time.process_time() < 1:
            pass
        time.sleep(1)
        open("/out/model.bin", "wb").write(b"m" * (3 << 20))
    """})
    run = train(glasscase, recipe(tmp_path, code), "busy-model")
    assert run["state"] == "succeeded", run
    used = json.loads(run["record"])["used"]
    assert 3 << 20 <= used["disk_bytes"] <= 4 << 20, used
    assert 900 <= used["cpu_ms"] <= 2_000, used
    assert used["cpu_ms"] + 900 <= used["wall_ms"] <= 60_000, used
    assert 100 << 20 <= used["memory_peak_bytes"] <= 200 << 20, used
    assert used["log_bytes"] == 1_000


def test_a_file_that_the_recipe_did_not_name_cannot_be_read(glasscase: Installation, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("x")
    add(glasscase, tmp_path, "other-data", {"other.csv": "1,2"})
    code = add(glasscase, tmp_path, "nosy", {"train.py": f"""
        import os, pathlib
        seen = sorted(str(p) for p in pathlib.Path("/in").rglob("*"))
        outside = [p for p in ("{secret}", "/etc/passwd", "/var/tmp", "/root", "{glasscase.data}") if os.path.exists(p)]
        pathlib.Path("/out/model.txt").write_text("\\n".join(seen) + repr(outside) + repr(sorted(os.environ)))
    """})
    run = train(glasscase, recipe(tmp_path, code), "nosy-model")
    assert run["state"] == "succeeded", run
    glasscase.cli("take", "nosy-model", "--output", str(tmp_path / "taken"))
    taken = tmp_path / "taken"
    text = (taken if taken.is_file() else next(path for path in taken.rglob("*") if path.is_file())).read_text()
    assert text.startswith("/in/code\n/in/code/train.py\n/in/data\n/in/recipe.json[]")
    assert "GLASSCASE" not in text


@pytest.mark.parametrize(("program", "words"), [
    ("raise SystemExit(3)", "exit code 3"),
    ("print('nothing')", "left no model"),
    ("import os; os.symlink('/etc/passwd', '/out/model.bin')", "is a link"),
    ("import os\nfor n in range(10): open(f'/out/model.{n}', 'w')", "10 models"),
    ("x = bytearray(600 << 20)\nfor i in range(0, len(x), 4096): x[i] = 1\nimport time; time.sleep(9)", "memory"),
    ("import time\ntime.sleep(60)", "longer than 3 s"),
])
def test_what_a_run_does_wrong_is_said(glasscase: Installation, tmp_path: Path, program: str, words: str) -> None:
    code = add(glasscase, tmp_path, f"wrong-{abs(hash(program))}", {"train.py": program})
    run = train(glasscase, recipe(tmp_path, code, limits={"memory_bytes": 500 << 20, "wall_s": 3}), "wrong")
    assert (run["state"], words in run["reason"]) == ("failed", True), run["reason"]


@pytest.mark.parametrize(("change", "words"), [
    ({"sed": 1}, "unknown member sed"), ({"code": "nowhere"}, "nowhere"), ({"environment": {"runner": "fortran"}}, "has the runner fortran"),
    ({"environment": {"runner": "fortran"}}, "scikit-learn"), ({"environment": {"image": "python:3.11"}}, "digest"),
    ({"limits": {"memory_bytes": 1 << 49}}, "limits"), ({"pins": {"blas": "Foo"}}, "pins.blas must be Haswell"),
])
def test_a_recipe_that_cannot_be_run_is_refused(glasscase: Installation, tmp_path: Path, change: dict[str, Any], words: str) -> None:
    code = add(glasscase, tmp_path, "refused-code", {"train.py": "pass"})
    answer = glasscase.cli("train", recipe(tmp_path, **({"code": code} | change)), "--name", "refused", check=False)
    assert answer.returncode != 0
    assert words in answer.stderr, answer.stderr


def test_a_run_is_its_owners_alone_and_can_be_cancelled(glasscase: Installation, tmp_path: Path) -> None:
    code = add(glasscase, tmp_path, "sleeper", {"train.py": "print('begun', flush=True)\nimport time\ntime.sleep(600)"})
    run = train(glasscase, recipe(tmp_path, code), "sleeper-model", "--detach")["id"]
    waiting = train(glasscase, recipe(tmp_path, code), "sleeper-model", "--detach")["id"]
    wait_until("it runs", lambda: "begun" in glasscase.cli("runs", "logs", run).stdout, 10)
    assert state(glasscase, waiting) == "queued", "the worker has one slot"
    glasscase.cli("subject", "add", "bob", "--role", "owner")
    token = glasscase.cli("token", "create", "bob", json=True)["token"]
    assert glasscase.cli("runs", "list", json=True, token=token) == []
    assert glasscase.cli("runs", "show", run, token=token, check=False).returncode == 1
    glasscase.cli("runs", "cancel", waiting)
    assert state(glasscase, waiting) == "cancelled"
    glasscase.cli("runs", "cancel", run)
    wait_until("it has ended", lambda: state(glasscase, run) == "cancelled", 10)
    assert glasscase.cli("runs", "cancel", run, check=False).returncode == 1


def test_a_sweep_is_queued_at_once_and_becomes_versions(glasscase: Installation, tmp_path: Path) -> None:
    code = add(glasscase, tmp_path, "swept-code", {"train.py": """
        import os
        seed = os.environ["TRAIN_SEED"]
        if seed == "3":
            raise SystemExit("three is too many")
        open("/out/model.txt", "w").write(seed)
    """})
    words = ("--name", "swept", "--seeds", "1..2,7", "--version", "seed-{seed}")
    runs = json.loads(glasscase.cli("train", recipe(tmp_path, code), *words, "--json").stdout)
    assert [(run["version"], run["state"]) for run in runs] == [("seed-1", "succeeded"), ("seed-2", "succeeded"), ("seed-7", "succeeded")]
    assert len({run["recipe_sha256"] for run in runs}) == 3
    versions = glasscase.cli("show", "swept", json=True)["versions"]
    assert {version["version"] for version in versions} == {"seed-1", "seed-2", "seed-7"}
    again = glasscase.cli("train", recipe(tmp_path, code), *words, check=False)
    assert again.returncode == 1
    assert "version seed-1 of swept is taken" in again.stderr
    partly = glasscase.cli("train", recipe(tmp_path, code), "--name", "swept", "--seeds", "3,4", check=False)
    assert partly.returncode == 1
    assert "three is too many" in partly.stdout
    assert "succeeded" in partly.stdout
    queued = glasscase.cli("train", recipe(tmp_path, code), "--name", "swept", "--seeds", "5,6", "--detach")
    assert "queued 2 runs of owner/swept" in queued.stdout
    wait_until("they have ended", lambda: glasscase.cli("runs", "list", "--open", json=True) == [], 20)
    for wrong in ("1..", "0..1000", "x"):
        refused = glasscase.cli("train", recipe(tmp_path, code), "--name", "swept", "--seeds", wrong, check=False)
        assert "--seeds" in refused.stderr, wrong
    other = tmp_path / "other.json"
    other.write_text('{"sed": 1}')
    refused = glasscase.cli("train", recipe(tmp_path, code), str(other), "--name", "swept", check=False)
    assert f"{other}: " in refused.stderr and "unknown member sed" in refused.stderr and "runs[1]" not in refused.stderr


@pytest.mark.parametrize("killed", ["glasscase-worker", "glasscase-custodian"])
def test_a_process_that_is_killed_loses_no_run(glasscase: Installation, tmp_path: Path, killed: str) -> None:
    code = add(glasscase, tmp_path, f"slow-{killed}", {"train.py": """
        import time
        print("begun", flush=True)
        time.sleep(2)
        open("/out/model.txt", "w").write("done")
    """})
    run = train(glasscase, recipe(tmp_path, code), f"slow-{killed}-model", "--detach")["id"]
    wait_until("it runs", lambda: "begun" in glasscase.cli("runs", "logs", run).stdout, 10)
    os.kill(glasscase.processes(killed)[0].pid, signal.SIGKILL)
    wait_until("it has ended", lambda: glasscase.cli("runs", "show", run, check=False, json=False).returncode == 0
               and state(glasscase, run) == "succeeded", 30)
    shown = glasscase.cli("runs", "show", run, json=True)
    assert shown["attempts"] == 2
    leftovers = [path for path in Path("/var/tmp").glob("glasscase-jobs-*") if any(path.iterdir())]
    assert leftovers == [], "nothing is left of a job"


def test_who_follows_a_run_sees_each_of_its_attempts(glasscase: Installation, tmp_path: Path) -> None:
    code = add(glasscase, tmp_path, "twice", {"train.py": """
        import time
        print("begun: été €", flush=True)
        time.sleep(2)
        open("/out/model.txt", "w").write("done")
        print("ended", flush=True)
    """})
    run = train(glasscase, recipe(tmp_path, code), "twice-model", "--detach")["id"]
    following = subprocess.Popen([glasscase.programs / "glasscase", "runs", "logs", "--follow", run],
                                 env=glasscase.environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert following.stdout is not None and following.stderr is not None
    assert following.stdout.readline() == "begun: été €\n"
    assert state(glasscase, run) == "running", "it is seen when it is printed"
    os.kill(glasscase.processes("glasscase-worker")[0].pid, signal.SIGKILL)
    out, seen_at = "begun: été €\n", {}
    for line in following.stdout:
        out, seen_at[line] = out + line, time.monotonic()
    err = following.stderr.read()
    assert following.wait(20) == 0, err
    assert out == "begun: été €\n\n---- attempt 2, because its worker ended ----\nbegun: été €\nended\n"
    assert seen_at["ended\n"] - seen_at["begun: été €\n"] > 1, "it slept for 2 s between the two"
    assert glasscase.cli("runs", "logs", run).stdout == out
    turns = [line for line in err.splitlines() if line.strip()]
    assert turns[-1] == "succeeded"
    assert "queued: its worker ended" in turns
    assert "running on local-1, attempt 2" in turns


@pytest.mark.parametrize("killed", ["glasscase-worker", "glasscase-custodian"])
def test_a_run_that_was_cancelled_does_not_come_back(glasscase: Installation, tmp_path: Path, killed: str) -> None:
    """It ignores SIGTERM, so that it still runs when the process that was to end it is gone."""
    code = add(glasscase, tmp_path, f"stubborn-{killed}", {"train.py": """
        import signal, time
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        print("begun", flush=True)
        time.sleep(3)
        open("/out/model.txt", "w").write("done")
    """})
    run = train(glasscase, recipe(tmp_path, code), f"stubborn-{killed}-model", "--detach")["id"]
    wait_until("it runs", lambda: "begun" in glasscase.cli("runs", "logs", run).stdout, 10)
    glasscase.cli("runs", "cancel", run)
    os.kill(glasscase.processes(killed)[0].pid, signal.SIGKILL)
    short = recipe(tmp_path, code, command=["python", "-c", "open('/out/model.txt', 'w').write('x')"])
    wait_until("a later run succeeds", lambda: glasscase.cli("train", short, "--name", f"after-{killed}", check=False).returncode == 0, 20)
    shown = glasscase.cli("runs", "show", run, json=True)
    assert (shown["state"], shown["reason"], shown["attempts"]) == ("cancelled", "it was cancelled", 1)
    assert glasscase.cli("runs", "logs", run).stdout.count("begun") == 1


def test_a_restart_is_no_attempt(programs: Path, runners: Path, tmp_path: Path) -> None:
    with running(programs, tmp_path / "data", serve_words=("--workers", "1", "--runners", str(runners))) as installation:
        wait_until("a worker is there", lambda: "worker" in installation.cli("status").stdout, 10)
        code = add(installation, tmp_path, "long", {"train.py": """
            import time
            print("begun", flush=True)
            time.sleep(60)
        """})
        run = train(installation, recipe(tmp_path, code), "long-model", "--detach")["id"]
        for _ in range(4):
            wait_until("it runs", lambda: state(installation, run) == "running", 10)
            assert installation.cli("runs", "show", run, json=True)["attempts"] == 1
            installation.restart()
