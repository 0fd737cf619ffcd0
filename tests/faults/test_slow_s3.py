"""A bucket behind a network that stalls: the custodian's one thread waits for nothing of it."""

from __future__ import annotations

import dataclasses
import hashlib
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from system.installation import Installation, wait_until
from system.models import Models
from system.runs import plain_recipe, plain_runners, show, submit
from system.servers import PostgresServer, S3Server, moved, postgres_server, s3_server
from system.slow_network import SlowNetwork, slow_network

IN_TIME_SECONDS = 1.5  # a command of its own and an act, on a machine that does other things


@pytest.fixture(scope="module")
def postgres() -> Iterator[PostgresServer]:
    with postgres_server() as server:
        yield server


@pytest.fixture(scope="module")
def s3() -> Iterator[S3Server]:
    with s3_server() as server:
        yield server


@pytest.fixture
def network(s3: S3Server) -> Iterator[SlowNetwork]:
    with slow_network(s3.port) as network:
        yield network


@pytest.fixture
def glasscase(
    fresh_glasscase: Callable[..., Installation], models: Models, postgres: PostgresServer, s3: S3Server, network: SlowNetwork
) -> Installation:
    """Its bucket lies behind the network; it has the model digits, and a learner."""
    return behind(fresh_glasscase(), models, postgres, dataclasses.replace(s3, port=network.port))


def behind(glasscase: Installation, models: Models, postgres: PostgresServer, s3: S3Server) -> Installation:
    glasscase.publish(models.digits, "digits")
    glasscase.cli("subject", "add", "grace")
    moved(glasscase, postgres, s3)
    wait_until("calls are answered", lambda: glasscase.infer("digits", models.digit_body()).status_code == 200)
    return glasscase


class Meanwhile:
    """A command that runs beside the test."""

    def __init__(self, glasscase: Installation, *words: str) -> None:
        self._done: list[subprocess.CompletedProcess[str]] = []
        self._thread = threading.Thread(target=lambda: self._done.append(glasscase.cli(*words, check=False)), daemon=True)
        self._thread.start()

    @property
    def is_done(self) -> bool:
        return bool(self._done)

    def result(self, seconds: float) -> subprocess.CompletedProcess[str]:
        self._thread.join(seconds)
        assert self._done, f"not within {seconds} s"
        return self._done[0]


def in_time(what: str, act: Callable[[], object]) -> None:
    begun = time.monotonic()
    act()
    spent = time.monotonic() - begun
    assert spent < IN_TIME_SECONDS, f"{what} took {spent:.1f} s"


def check_that_all_goes_on(glasscase: Installation, models: Models) -> None:
    def call() -> None:
        assert glasscase.infer("digits", models.digit_body()).status_code == 200

    def withdraw() -> None:
        grant = glasscase.cli("grant", "grace", "predict", "digits", json=True)["id"]
        glasscase.request("DELETE", f"/glasscase/v1/grants/{grant}", control=True).raise_for_status()

    in_time("a call", call)
    in_time("the status", lambda: glasscase.cli("status"))
    in_time("a grant and its withdrawal", withdraw)


def test_an_upload_that_stalls_holds_up_nothing_and_goes_on(
    glasscase: Installation, models: Models, network: SlowNetwork
) -> None:
    network.stall()
    publishing = Meanwhile(glasscase, "publish", str(models.scale), "--name", "scale")
    wait_until("the upload waits", lambda: network.held > 0)
    for _ in range(5):
        check_that_all_goes_on(glasscase, models)
    assert not publishing.is_done and "scale" not in glasscase.cli("list", "models").stdout
    network.go_on()
    done = publishing.result(40)
    assert done.returncode == 0, done.stderr
    glasscase.cli("show", "scale")


@pytest.mark.timeout(180)
def test_an_upload_that_stalls_for_long_fails_and_can_be_repeated(
    glasscase: Installation, models: Models, network: SlowNetwork
) -> None:
    network.stall()
    publishing = Meanwhile(glasscase, "publish", str(models.scale), "--name", "scale")
    wait_until("the upload waits", lambda: network.held > 0)
    begun = time.monotonic()
    while not publishing.is_done and time.monotonic() - begun < 90:
        check_that_all_goes_on(glasscase, models)
        time.sleep(1)
    failed = publishing.result(1)
    assert failed.returncode == 1, failed.stdout
    assert "cannot upload blob" in failed.stderr and f"127.0.0.1:{network.port}" in failed.stderr, failed.stderr
    assert "scale" not in glasscase.cli("list", "models").stdout
    network.go_on()
    glasscase.publish(models.scale, "scale")
    assert glasscase.stop() == 0
    assert "0 problems" in glasscase.cli("fsck", "--data", str(glasscase.data)).stdout


@pytest.mark.timeout(180)
def test_a_start_and_an_end_during_a_stall(glasscase: Installation, models: Models, network: SlowNetwork) -> None:
    """What is cached is served: the bucket is not needed for it."""
    network.stall()
    begun = time.monotonic()
    assert glasscase.stop() == 0
    glasscase.start()
    assert time.monotonic() - begun < 15
    wait_until("calls are answered", lambda: glasscase.infer("digits", models.digit_body()).status_code == 200)
    check_that_all_goes_on(glasscase, models)
    publishing = Meanwhile(glasscase, "publish", str(models.scale), "--name", "scale")
    time.sleep(3)
    assert not publishing.is_done
    assert glasscase.stop() == 0
    network.go_on()
    glasscase.start()
    glasscase.publish(models.scale, "scale")


def test_bytes_that_trickle_in_hold_up_those_alone_who_wait_for_them(
    glasscase: Installation, models: Models, network: SlowNetwork
) -> None:
    glasscase.publish(models.scale, "scale")
    assert glasscase.stop() == 0
    sha256 = hashlib.sha256(models.scale.read_bytes()).hexdigest()
    (glasscase.data / "blobs" / "sha256" / sha256[:2] / sha256).unlink()
    glasscase.start()
    wait_until("calls are answered", lambda: glasscase.infer("digits", models.digit_body()).status_code == 200)
    network.trickle(10)
    body = {"inputs": [{"name": "x", "shape": [1, 4], "datatype": "FP32", "data": [1, 2, 3, 4]}]}
    answers: list[int] = []
    caller = threading.Thread(target=lambda: answers.append(glasscase.infer("scale", body).status_code), daemon=True)
    caller.start()
    for _ in range(3):
        check_that_all_goes_on(glasscase, models)
    assert network.trickled > 0 and answers == []
    network.go_on()
    caller.join(30)
    wait_until("it answers", lambda: glasscase.infer("scale", body).status_code == 200, 30)


@pytest.mark.timeout(180)
def test_the_inputs_of_runs_hold_up_nothing_and_a_run_that_waits_for_them_can_be_cancelled(
    fresh_glasscase: Callable[..., Installation], models: Models, postgres: PostgresServer, s3: S3Server, network: SlowNetwork,
    tmp_path: Path,
) -> None:
    program = tmp_path / "train.py"
    program.write_text("open('/out/model.txt', 'w').write('x')\n")
    with plain_runners() as runners:
        started = fresh_glasscase(serve_words=("--workers", "1", "--runners", str(runners)))
        glasscase = behind(started, models, postgres, dataclasses.replace(s3, port=network.port))
        glasscase.cli("dataset", "add", str(program), "--name", "code")
        assert glasscase.stop() == 0
        sha256 = hashlib.sha256(program.read_bytes()).hexdigest()
        (glasscase.data / "blobs" / "sha256" / sha256[:2] / sha256).unlink()
        glasscase.start()
        wait_until("calls are answered", lambda: glasscase.infer("digits", models.digit_body()).status_code == 200)
        network.stall()
        submission = {"model": "trained", "recipe": plain_recipe("code", "train.py")}
        wait_until("a worker is there", lambda: glasscase.request(
            "POST", "/glasscase/v1/runs", control=True, json=submission).status_code == 202)
        waiting = glasscase.request("GET", "/glasscase/v1/runs", control=True).json()["runs"][0]["id"]
        (second,) = submit(glasscase, [submission])
        wait_until("its inputs are fetched", lambda: network.held > 0)
        assert show(glasscase, waiting)["state"] == "preparing"
        check_that_all_goes_on(glasscase, models)
        in_time("a cancel", lambda: glasscase.cli("runs", "cancel", waiting))
        assert show(glasscase, waiting)["state"] == "cancelled"
        assert glasscase.stop() == 0
        glasscase.start()
        network.go_on()
        wait_until("the other run ends well", lambda: show(glasscase, second["id"])["state"] == "succeeded", 60)
