"""Runs done once more: the same bits, within a tolerance, or neither, and which pin is missing."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from system.installation import Installation, running, wait_until
from system.runners import outside, readable_programs
from system.training_examples import EXAMPLES, add_digits
from system.training_runs import add, recipe, state, train


@pytest.fixture(scope="module")
def glasscase(programs: Path, runners: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    with readable_programs(programs) as readable, running(readable, tmp_path_factory.mktemp("verification"),
                 serve_words=("--workers", "2", "--runners", str(runners))) as installation:
        wait_until("both workers are there", lambda: installation.cli("status").stdout.count("worker") >= 2, 10)
        yield installation


def train_program(glasscase: Installation, folder: Path, name: str, program: str, **more: Any) -> str:
    code = add(glasscase, folder, f"{name}-code", {"train.py": program})
    run = train(glasscase, recipe(folder, code, **more), name)
    assert run["state"] == "succeeded", run
    return str(run["id"])


def verify(glasscase: Installation, run: str, *words: str) -> tuple[int, dict[str, Any], dict[str, Any]]:
    answer = glasscase.cli("runs", "verify", run, "--json", *words, check=False)
    assert answer.stdout, answer.stderr
    again = json.loads(answer.stdout)
    return answer.returncode, again, json.loads(again["evidence"] or "{}")


def test_the_same_bits_are_class_b(glasscase: Installation, tmp_path: Path) -> None:
    run = train_program(glasscase, tmp_path, "same", """
        import json, os, numpy
        numbers = numpy.random.default_rng(int(os.environ["TRAIN_SEED"])).normal(size=100)
        json.dump({"weights": numbers.tolist()}, open("/out/model.json", "w"))
        numpy.save("/out/predictions.npy", numbers * 2)
    """, seed=5)
    status, again, evidence = verify(glasscase, run)
    assert (status, again["state"], again["kind"], again["repeats"]) == (0, "succeeded", "verification", run), again
    assert evidence["class"] == "B"
    assert evidence["files"] == {"class": "B", "same_bytes": True} | evidence["files"]
    assert evidence["predictions"]["class"] == "B"
    assert evidence["executions"] == 1
    assert "missing_pin" not in evidence
    assert len(glasscase.cli("show", "same", json=True)["versions"]) == 1, "it registers nothing"
    said = glasscase.cli("runs", "show", again["id"]).stdout
    assert "class B: the same bytes" in said


def test_what_no_pin_holds_is_class_n_and_the_first_difference_is_named(glasscase: Installation, tmp_path: Path) -> None:
    run = train_program(glasscase, tmp_path, "random", """
        import glob, json, random, shutil
        model = {"bias": 0.5, "weights": [random.SystemRandom().random() for _ in range(3)]}
        json.dump(model, open("/out/model.json", "w"))
        for place in ("/in/original/*", "/in/../original/*", "/original/*"):
            for seen in glob.glob(place):
                shutil.copy(seen, "/out/model.json")
    """)
    status, again, evidence = verify(glasscase, run)
    assert (status, again["state"], evidence["class"]) == (1, "succeeded", "N"), again
    assert evidence["files"]["different"] == "weights[0]"
    assert evidence["files"]["format"] == "JSON"
    assert 0 < evidence["files"]["absolute_max"] < 1
    assert (evidence["missing_pin"], evidence["pins_tried"]) == ("", [])
    assert (evidence["cause"], evidence["here"]["class"]) == ("program", "N")
    assert "no pin of a recipe makes it the same" in glasscase.cli("runs", "show", again["id"]).stdout


def test_a_small_difference_is_class_t(glasscase: Installation, tmp_path: Path) -> None:
    run = train_program(glasscase, tmp_path, "near", """
        import os, numpy
        noise = int.from_bytes(os.urandom(4), "big") / 2**32 * 1e-7
        numpy.savez("/out/model.npz", a=numpy.ones(4) + noise, b=numpy.arange(3))
    """)
    status, _, evidence = verify(glasscase, run)
    assert (status, evidence["class"], evidence["files"]["format"]) == (0, "T", "ZIP")
    assert evidence["files"]["different"] == "a.npy[0]"
    assert evidence["tolerance"] == {"absolute": 1e-6, "relative": 1e-4}


def test_an_example_with_a_little_noise_is_class_t_on_its_weights_and_on_held_out_predictions(glasscase: Installation, tmp_path: Path) -> None:
    program = (EXAMPLES / "digits" / "train.py").read_text()
    trained = "accuracy = float("
    assert program.count(trained) == 1
    noise = 'model.coef_ += int.from_bytes(os.urandom(4), "big") / 2**32 * 1e-8'
    code = add(glasscase, tmp_path, "noisy-code", {"train.py": program.replace(trained, f"{noise}\n{trained}")})
    add_digits(glasscase, tmp_path)
    run = train(glasscase, recipe(tmp_path, code, data={"digits": "digits-data"}), "noisy")
    assert run["state"] == "succeeded", run
    status, again, evidence = verify(glasscase, run["id"])
    assert (status, evidence["class"], evidence["files"]["class"], evidence["predictions"]["class"]) == (0, "T", "T", "T"), evidence
    assert evidence["predictions"]["numbers"] > 1_000
    assert 0 < evidence["predictions"]["absolute_max"] < 1e-4
    assert f"result model.json: {evidence['files']['different']}" in glasscase.cli("runs", "show", again["id"]).stdout


def test_time_stamps_are_not_differences(glasscase: Installation, tmp_path: Path) -> None:
    run = train_program(glasscase, tmp_path, "stamped", """
        import os, zipfile
        with zipfile.ZipFile("/out/model.zip", "w") as archive:
            archive.writestr(zipfile.ZipInfo("weights", (1980 + os.urandom(1)[0] % 100, 1 + os.urandom(1)[0] % 12, 1, 0, 0, 0)), b"1")
            archive.writestr(zipfile.ZipInfo("note", (1980 + os.urandom(1)[0] % 100, 1, 1 + os.urandom(1)[0] % 28, 0, 0, 0)), b"2")
    """)
    _, again, evidence = verify(glasscase, run)
    assert (evidence["class"], evidence["files"]["same_bytes"]) == ("B", False), evidence
    assert "in canonical form" in glasscase.cli("runs", "show", again["id"]).stdout


def test_the_missing_pin_is_found_by_trying(glasscase: Installation, tmp_path: Path) -> None:
    run = train_program(glasscase, tmp_path, "threaded", """
        import json, os
        draw = os.environ.get("OPENBLAS_CORETYPE") is None
        json.dump({"weights": [int.from_bytes(os.urandom(4), "big") if draw else 1]}, open("/out/model.json", "w"))
    """, threads=2, pins={"blas": "off"})
    status, _, evidence = verify(glasscase, run)
    assert (status, evidence["class"]) == (1, "N")
    assert [(one["pin"], one["class"]) for one in evidence["pins_tried"]] == [("threads = 1", "N"), ("pins.blas = Haswell", "B")]
    assert evidence["missing_pin"] == "pins.blas = Haswell"
    assert (evidence["cause"], evidence["executions"]) == ("pin", 6)


def test_a_race_of_threads_is_found_by_its_pin(glasscase: Installation, tmp_path: Path) -> None:
    run = train_program(glasscase, tmp_path, "racing", """
        import json, os, threading, time
        threads = int(os.environ["OMP_NUM_THREADS"])
        assert json.load(open("/in/recipe.json"))["threads"] == threads, "the recipe that is seen is not the one that is executed"
        sums, lock, parts = [0.0], threading.Lock(), iter([1 / (7 * n + 1) for n in range(300)])

        def add():
            while True:
                with lock:
                    part = next(parts, None)
                if part is None:
                    return
                time.sleep(time.perf_counter_ns() % 500 / 1e6)
                with lock:
                    sums.append(sums[-1] + part)

        workers = [threading.Thread(target=add) for _ in range(threads)]
        for worker in workers: worker.start()
        for worker in workers: worker.join()
        json.dump({"sums": sums}, open("/out/model.json", "w"))
    """, threads=4, pins={"torch": "off"})
    _, again, evidence = verify(glasscase, run)
    assert evidence["class"] in ("T", "N"), evidence
    assert (evidence["cause"], evidence["missing_pin"]) == ("pin", "threads = 1"), evidence
    assert evidence["pins_tried"] == [{"class": "B", "pin": "threads = 1"}]
    assert "what is missing in the recipe: threads = 1" in glasscase.cli("runs", "show", again["id"]).stdout


@pytest.fixture(scope="module")
def changing(programs: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Installation, Path]]:
    """An installation with a runner that a test may change as machines differ, and one that was made with another Python."""
    with readable_programs(programs) as readable, outside() as folder:
        runner = folder / "plain"
        (runner / "bin").mkdir(parents=True)
        (runner / "bin" / "python").symlink_to("/usr/bin/python3")
        (runner / "lib" / "python3.11" / "site-packages" / "numpy-2.4.6.dist-info").mkdir(parents=True)
        (runner / "requirements.txt").write_text("none\n")
        (folder / "other" / "bin").mkdir(parents=True)
        (folder / "other" / "requirements.txt").write_text("# python 3.9.1\n")
        with running(readable, tmp_path_factory.mktemp("changing"), serve_words=("--workers", "1", "--runners", str(folder))) as installation:
            wait_until("a worker is there", lambda: "worker" in installation.cli("status").stdout, 10)
            yield installation, runner


READS_ITS_MACHINE = "import shutil\nshutil.copy('/runner/kernels', '/out/model.txt')"


def test_another_machine_is_not_taken_for_a_missing_pin(changing: tuple[Installation, Path], tmp_path: Path) -> None:
    glasscase, runner = changing
    (runner / "kernels").write_text("of there")
    run = train_program(glasscase, tmp_path, "there", READS_ITS_MACHINE, environment={"runner": "plain"}, threads=2, pins={"numpy": "off"})
    (runner / "kernels").write_text("of here")
    packages = runner / "lib" / "python3.11" / "site-packages"
    (packages / "numpy-2.4.6.dist-info").rename(packages / "numpy-2.5.0.dist-info")
    status, again, evidence = verify(glasscase, run)
    (packages / "numpy-2.5.0.dist-info").rename(packages / "numpy-2.4.6.dist-info")
    assert (status, evidence["class"], evidence["here"], evidence["cause"]) == (1, "N", {"class": "B"}, "machine"), evidence
    assert evidence["machine_differs"] == ["libraries"]
    assert evidence["candidate_pins"] == ["threads = 1", "pins.numpy = AVX2"]
    assert evidence["executions"] == 2
    assert "missing_pin" not in evidence and "pins_tried" not in evidence
    said = glasscase.cli("runs", "show", again["id"]).stdout
    assert "the first one was another (libraries)" in said and "what is missing" not in said


def test_a_change_of_the_same_machine_is_not_taken_for_a_missing_pin(changing: tuple[Installation, Path], tmp_path: Path) -> None:
    glasscase, runner = changing
    (runner / "kernels").write_text("before")
    run = train_program(glasscase, tmp_path, "before", READS_ITS_MACHINE, environment={"runner": "plain"}, threads=2)
    (runner / "kernels").write_text("after")
    _, again, evidence = verify(glasscase, run)
    assert (evidence["class"], evidence["cause"], evidence["machine_differs"]) == ("N", "change", []), evidence
    assert "something else has changed" in glasscase.cli("runs", "show", again["id"]).stdout


def test_a_runner_that_was_made_with_another_python_is_refused(changing: tuple[Installation, Path], tmp_path: Path) -> None:
    glasscase, _ = changing
    code = add(glasscase, tmp_path, "other-code", {"train.py": "pass"})
    refused = glasscase.cli("train", recipe(tmp_path, code, environment={"runner": "other"}), "--name", "other", check=False)
    assert refused.returncode == 1 and "no worker has the runner other" in refused.stderr, refused.stderr
    assert "the runner other was made with python 3.9.1, this machine has 3." in glasscase.log.read_text()


def test_cancelled_while_pins_are_tried_is_cancelled(glasscase: Installation, tmp_path: Path) -> None:
    run = train_program(glasscase, tmp_path, "sleeping", """
        import os, time
        print("on", os.environ["OMP_NUM_THREADS"], "threads", flush=True)
        if os.environ["OMP_NUM_THREADS"] == "1":
            time.sleep(300)
        open("/out/model.txt", "wb").write(os.urandom(8))
    """, threads=2)
    again = json.loads(glasscase.cli("runs", "verify", run, "--detach", "--json").stdout)["id"]
    wait_until("a pin is tried", lambda: "on 1 threads" in glasscase.cli("runs", "logs", again).stdout, 20)
    glasscase.cli("runs", "cancel", again)
    wait_until("it has ended", lambda: state(glasscase, again) not in ("running", "recording"), 20)
    assert state(glasscase, again) == "cancelled"
    assert glasscase.cli("runs", "show", again, json=True)["evidence"] == ""


def test_a_comparer_that_was_killed_is_asked_again(programs: Path, runners: Path, tmp_path: Path) -> None:
    with readable_programs(programs) as readable, outside() as folder:
        for path in readable.glob("glasscase*"):
            shutil.copy(path, folder)
        (folder / "once").mkdir()
        (folder / "once").chmod(0o777)
        (folder / "glasscase-comparer").rename(folder / "comparer")
        (folder / "glasscase-comparer").write_text(f'#!/bin/sh\nmkdir {folder}/once/killed 2>/dev/null && kill -9 $$\nexec {folder}/comparer "$@"\n')
        (folder / "glasscase-comparer").chmod(0o755)
        with running(folder, tmp_path / "installation", serve_words=("--workers", "1", "--runners", str(runners))) as glasscase:
            wait_until("a worker is there", lambda: "worker" in glasscase.cli("status").stdout, 10)
            run = train_program(glasscase, tmp_path, "plain", "open('/out/model.txt', 'w').write('x')")
            assert not (folder / "once" / "killed").exists()
            status, again, evidence = verify(glasscase, run)
            assert (folder / "once" / "killed").exists()
            assert (status, again["state"], evidence["class"]) == (0, "succeeded", "B"), again


def test_predictions_count_beside_the_model(glasscase: Installation, tmp_path: Path) -> None:
    run = train_program(glasscase, tmp_path, "guesses", """
        import os, numpy
        open("/out/model.txt", "w").write("always the same")
        numpy.save("/out/predictions.npy", numpy.frombuffer(os.urandom(8), "u4").astype("f4"))
    """)
    _, _, evidence = verify(glasscase, run)
    assert (evidence["class"], evidence["files"]["class"], evidence["predictions"]["class"]) == ("N", "B", "N")


def test_a_verification_is_in_the_ledger(glasscase: Installation, tmp_path: Path) -> None:
    run = train_program(glasscase, tmp_path, "entered", "open('/out/model.txt', 'w').write('x')")
    verify(glasscase, run)

    def runs() -> list[dict[str, Any]]:
        entries = [json.loads(row["entry"]) for row in glasscase.cli("history", "entered", json=True)["entries"]]
        return [entry for entry in entries if entry["type"] == "run"]

    wait_until("its entry is published", lambda: len(runs()) == 2, 5)
    assert [set(entry["hidden"]) for entry in runs()] == 2 * [{"recipe", "result", "outcome", "report"}]
    receipt, policy = tmp_path / "r.tlog-proof", glasscase.data / "ledger-policy"
    glasscase.cli("receipt", "entered", "--of", "run", "--output", str(receipt))
    disclosed = glasscase.cli("verify", str(receipt), "--policy", str(policy), json=True)["disclosed"]
    shown = glasscase.cli("runs", "show", run, json=True)
    assert disclosed["report"] == hashlib.sha256(shown["record"].encode()).hexdigest(), "machine, limits, log and metrics are bound too"
    assert disclosed["outcome"] == "succeeded" and disclosed["recipe"] == shown["recipe_sha256"]


def test_another_worker_can_be_asked(glasscase: Installation, tmp_path: Path) -> None:
    run = train_program(glasscase, tmp_path, "elsewhere", "open('/out/model.txt', 'w').write('x')")
    workers = {verify(glasscase, run, "--on", name)[1]["worker"] for name in ("local-1", "local-2")}
    assert workers == {"local-1", "local-2"}


def refusal(answer: subprocess.CompletedProcess[str]) -> str:
    assert answer.returncode != 0
    return answer.stderr


def test_what_cannot_be_verified_is_said(glasscase: Installation, tmp_path: Path) -> None:
    run = train_program(glasscase, tmp_path, "checked", "open('/out/model.txt', 'w').write('x')")
    again = verify(glasscase, run)[1]["id"]
    assert "only a training run" in refusal(glasscase.cli("runs", "verify", again, check=False))
    assert "there are: local-1, local-2" in refusal(glasscase.cli("runs", "verify", run, "--on", "nobody", check=False))
    assert "no run" in refusal(glasscase.cli("runs", "verify", "nothing", check=False))
    code = add(glasscase, tmp_path, "failing-code", {"train.py": "raise SystemExit(3)"})
    failed = train(glasscase, recipe(tmp_path, code), "failing")["id"]
    assert "has failed" in refusal(glasscase.cli("runs", "verify", failed, check=False))
