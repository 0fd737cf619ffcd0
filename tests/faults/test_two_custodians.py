"""Two custodians over one database and one bucket: one works, the other waits; there is one log, whatever happens.

The short form pauses the first for 15 seconds; GLASSCASE_PAUSE_SECONDS=60 is the long one.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import pytest
import requests

from system.installation import Installation, wait_until
from system.models import Models
from system.public_log import Checkpoint, check_one_log, checkpoint_of
from system.servers import PostgresServer, S3Server, moved, postgres_server, s3_server

PAUSE_SECONDS = float(os.environ.get("GLASSCASE_PAUSE_SECONDS", "15"))
WAITS = "another custodian serves this catalog"
STANDING_BY = ("keys", "glasscase.conf", "ledger-policy")  # docs/guides/running-an-installation.md


@pytest.fixture(scope="module")
def postgres() -> Iterator[PostgresServer]:
    with postgres_server() as server:
        yield server


@pytest.fixture(scope="module")
def s3() -> Iterator[S3Server]:
    with s3_server() as server:
        yield server


@dataclass
class Pair:
    """`first` serves, `second` waits in a directory of its own. Its acts are those that were acknowledged."""

    first: Installation
    second: Installation
    model: str = ""
    token: str = ""
    grants: set[str] = field(default_factory=set)
    subjects: int = 0
    checkpoints: list[Checkpoint] = field(default_factory=list)
    ended: threading.Event = field(default_factory=threading.Event)

    def watch(self) -> None:
        """Everything that either of them ever shows."""
        while not self.ended.is_set():
            for side in (self.first, self.second):
                seen = checkpoint_of(side.url)
                if seen is not None:
                    self.checkpoints.append(seen)
            time.sleep(0.01)

    def try_to_grant(self, side: Installation) -> bool:
        """A new learner with a grant: an entry of the log. False when it was not acknowledged."""
        self.subjects += 1
        name = f"learner-{self.subjects}"
        try:
            added = side.request("POST", "/glasscase/v1/subjects", control=True, json={"name": name})
            granted = side.request("POST", "/glasscase/v1/grants", control=True,
                                   json={"subject": name, "action": "predict", "model": self.model})
        except requests.RequestException:
            return False
        assert {added.status_code, granted.status_code} <= {200, 201, 404, 503}, (added.text, granted.text)
        if granted.ok:
            self.grants.add(granted.json()["id"])
        return granted.ok

    def grant(self, side: Installation) -> None:
        wait_until("acts are acknowledged", lambda: self.try_to_grant(side), 60)

    def check_what_was_acknowledged(self, survivor: Installation) -> None:
        listed = {grant["id"] for grant in survivor.cli("list", "grants", json=True)}
        assert self.grants <= listed
        wait_until("all is published", lambda: self._entries(survivor, "grant") == len(listed))
        assert len({checkpoint.size for checkpoint in self.checkpoints}) > 5
        check_one_log(survivor, self.checkpoints)

    @staticmethod
    def _entries(side: Installation, kind: str) -> int:
        return sum(entry["type"] == kind for entry in check_one_log(side, []))


def stand_by(first: Installation, folder: Path) -> Installation:
    """A directory that may take over from the first's, as the guide says."""
    second = Installation(first.programs, folder)
    second.data.mkdir(mode=0o755)
    shutil.copystat(first.data, second.data)
    os.chown(second.data, first.data.stat().st_uid, first.data.stat().st_gid)
    for name in STANDING_BY:
        command = ["cp", "-a", str(first.data / name), str(second.data)]
        assert os.spawnvp(os.P_WAIT, "cp", command) == 0
    profile = first.profile | {"url": second.url, "control_url": second.control_url}
    path = folder / "config" / "glasscase" / "default.json"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps(profile))
    path.chmod(0o600)
    return second


def says(side: Installation, words: str) -> Callable[[], bool]:
    return lambda: words.encode() in side.log.read_bytes()[side.launched_at:]


@pytest.fixture
def pair(fresh_glasscase: Callable[..., Installation], tmp_path: Path, models: Models, postgres: PostgresServer,
         s3: S3Server) -> Iterator[Pair]:
    first = fresh_glasscase()
    model = first.publish(models.digits, "digits")["model"]["name"]
    token = first.learner("ada", model)
    moved(first, postgres, s3)
    second = stand_by(first, tmp_path).launch()
    pair = Pair(first, second, model, token)
    watcher = threading.Thread(target=pair.watch)
    watcher.start()
    try:
        wait_until("the second waits", says(second, WAITS), 20)
        yield pair
    finally:
        pair.ended.set()
        watcher.join(30)
        second.kill_all()


def send_to_all(side: Installation, what: signal.Signals) -> None:
    for process in [psutil.Process(side.pid), *side.processes()]:
        process.send_signal(what)


def wait_until_it_answers(side: Installation, pair: Pair, models: Models) -> None:
    side.await_ready()
    wait_until("calls are answered", lambda: side.infer(pair.model, models.digit_body()).status_code == 200)


def end_and_check(pair: Pair, survivor: Installation) -> None:
    pair.ended.set()
    pair.check_what_was_acknowledged(survivor)
    for side in (pair.first, pair.second):
        assert side.stop() in (0, -signal.SIGKILL)
    assert "0 problems" in survivor.cli("fsck", "--data", str(survivor.data)).stdout


def test_the_one_that_waits_says_so_and_answers_nothing(pair: Pair, models: Models) -> None:
    refused = pair.second.infer(pair.model, models.digit_body(), pair.token)
    assert refused.status_code == 503 and "Retry-After" in refused.headers
    log = requests.get(f"{pair.second.url}/log/checkpoint", timeout=2)
    assert log.status_code == 503 and "another custodian" in log.text
    status = pair.second.cli("status", check=False)
    assert status.returncode == 1 and "another custodian" in status.stderr, status.stdout + status.stderr


def test_one_with_another_key_does_not_take_over(pair: Pair) -> None:
    first, second = pair.first, pair.second
    assert second.stop() == 0
    other = Installation(second.programs, second.folder / "other").init()
    key = (other.data / "keys" / "ledger.key").read_text()
    (second.data / "keys" / "ledger.key").write_text(key)
    second.launch()
    wait_until("the second waits", says(second, WAITS), 20)
    first.kill_all()
    wait_until("it refuses", says(second, "is not the key of this catalog's log"), 30)


@pytest.mark.timeout(180 + PAUSE_SECONDS)
def test_one_that_was_paused_and_woken_writes_and_answers_no_more(pair: Pair, models: Models) -> None:
    first, second = pair.first, pair.second
    for _ in range(5):
        pair.grant(first)
    grant = next(g["id"] for g in first.cli("list", "grants", json=True) if g["subject"] == "ada")
    assert first.infer(pair.model, models.digit_body(), pair.token).status_code == 200
    paused = time.monotonic()
    send_to_all(first, signal.SIGSTOP)
    wait_until_it_answers(second, pair, models)
    print(f"taken over {time.monotonic() - paused:.1f} s after the pause began")
    wait_until("learners' calls too", lambda: second.infer(pair.model, models.digit_body(), pair.token).status_code == 200)
    second.publish(models.scale, "published-by-the-second")
    for _ in range(5):
        pair.grant(second)
    second.cli("revoke", "grant", grant)
    time.sleep(max(0.0, PAUSE_SECONDS - (time.monotonic() - paused)))

    answers: list[int] = []
    acknowledged = 0
    send_to_all(first, signal.SIGCONT)
    woken = time.monotonic()
    while time.monotonic() - woken < 8:
        try:
            answers.append(first.infer(pair.model, models.digit_body(), pair.token).status_code)
        except requests.RequestException:
            pass
        acknowledged += pair.try_to_grant(first)
        pair.grant(second)
    assert set(answers) <= {503}, "the first acted after the second had taken over"
    assert acknowledged == 0
    wait_until("the first waits", says(first, WAITS), 20)
    assert first.infer(pair.model, models.digit_body(), first.owner_token).status_code == 503
    end_and_check(pair, second)


def test_after_a_kill_the_other_takes_over_and_back(pair: Pair, models: Models) -> None:
    first, second = pair.first, pair.second
    for _ in range(5):
        pair.grant(first)
    killed = time.monotonic()
    first.kill_all()
    wait_until_it_answers(second, pair, models)
    print(f"taken over {time.monotonic() - killed:.1f} s after the kill")
    second.publish(models.scale, "published-by-the-second")
    for _ in range(5):
        pair.grant(second)
    first.launch()
    wait_until("the first waits", says(first, WAITS), 20)
    second.kill_all()
    wait_until_it_answers(first, pair, models)
    for _ in range(5):
        pair.grant(first)
    assert first.infer("owner/published-by-the-second", {"inputs": [
        {"name": "x", "shape": [1, 4], "datatype": "FP32", "data": [1, 2, 3, 4]}]}).json()["outputs"][0]["data"] == [2, 4, 6, 8]
    end_and_check(pair, first)
