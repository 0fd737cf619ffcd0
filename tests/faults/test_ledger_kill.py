"""kill -9 of the custodian at any moment while acts are made as fast as possible: the log neither forks nor forgets.

The short form kills 8 times; GLASSCASE_LEDGER_KILLS=200 is the long one. GLASSCASE_SEED repeats the pauses.
"""

from __future__ import annotations

import json
import os
import random
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest
import requests

from system.installation import Installation, wait_until
from system.models import Models
from system.public_log import Checkpoint, check_one_log, checkpoint_of

KILLS = int(os.environ.get("GLASSCASE_LEDGER_KILLS", "8"))
SEED = int(os.environ.get("GLASSCASE_SEED", str(random.SystemRandom().randrange(2**32))))
BETWEEN_SECONDS_MAX = 0.6


@dataclass
class Acts:
    """Grants given and withdrawn without a pause, each an entry; what was acknowledged, and what was shown."""

    installation: Installation
    model: str
    learner: str
    ended: threading.Event = field(default_factory=threading.Event)
    given: set[str] = field(default_factory=set)
    withdrawn: set[str] = field(default_factory=set)
    checkpoints: list[Checkpoint] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)

    def run(self) -> None:
        while not self.ended.is_set():
            try:
                self.give_and_withdraw()
            except requests.RequestException:
                time.sleep(0.005)

    def give_and_withdraw(self) -> None:
        request = {"subject": self.learner, "action": "predict", "model": self.model}
        given = self.installation.request("POST", "/glasscase/v1/grants", control=True, json=request)
        if not given.ok:
            return self.judge(given)
        self.given.add(given.json()["id"])
        path = f"/glasscase/v1/grants/{given.json()['id']}"
        withdrawn = self.installation.request("DELETE", path, control=True)
        if not withdrawn.ok:
            return self.judge(withdrawn)
        self.withdrawn.add(given.json()["id"])

    def judge(self, answer: requests.Response) -> None:
        if answer.status_code != 503:
            self.wrong.append(f"{answer.status_code}: {answer.text[:300]}")

    def watch(self) -> None:
        size = 0
        while not self.ended.is_set():
            seen = checkpoint_of(self.installation.url)
            if seen is None:
                continue
            if seen.size < size:
                self.wrong.append(f"the checkpoint went back from {size} to {seen.size}")
            size = max(size, seen.size)
            if not self.checkpoints or seen != self.checkpoints[-1]:
                self.checkpoints.append(seen)


@pytest.mark.timeout(180 + 8 * KILLS)
def test_no_kill_forks_the_log_or_loses_an_entry(fresh_glasscase: Callable[..., Installation], models: Models) -> None:
    print(f"GLASSCASE_SEED={SEED} GLASSCASE_LEDGER_KILLS={KILLS}")
    pauses = random.Random(SEED)
    glasscase = fresh_glasscase()
    model = glasscase.publish(models.scale, "scale")["model"]
    glasscase.cli("subject", "add", "ada")
    acts = Acts(glasscase, model["name"], "ada")
    threads = [threading.Thread(target=acts.run), threading.Thread(target=acts.watch)]
    for thread in threads:
        thread.start()
    try:
        for _ in range(KILLS):
            done = len(acts.withdrawn)
            wait_until("acts go on", lambda d=done: len(acts.withdrawn) > d, 30)
            time.sleep(pauses.uniform(0, BETWEEN_SECONDS_MAX))
            glasscase.processes("glasscase-custodian")[0].kill()
    finally:
        time.sleep(0.5)
        acts.ended.set()
        for thread in threads:
            thread.join(60)
    wait_until("it answers", lambda: glasscase.cli("status", check=False).returncode == 0, 15)
    assert acts.wrong == [], f"seed {SEED}"
    check_what_was_acknowledged(glasscase, acts, model["id"])


def check_what_was_acknowledged(glasscase: Installation, acts: Acts, asset: str) -> None:
    """The salts hide which grant an entry is of; the catalog says which there are, and fsck that the entries are theirs."""
    states = {grant["id"]: grant["state"] for grant in glasscase.cli("list", "grants", json=True)}
    assert acts.given <= set(states)
    assert {states[grant] for grant in acts.withdrawn} == {"revoked"}
    expected = {"grant": len(states), "grant-withdrawn": sum(state == "revoked" for state in states.values())}

    def published() -> bool:
        kinds = Counter(e["type"] for e in check_one_log(glasscase, []) if e.get("asset") == asset)
        return {kind: kinds[kind] for kind in expected} == expected

    wait_until("every act is published, once", published)
    entries = check_one_log(glasscase, acts.checkpoints)
    print(json.dumps({"kills": KILLS, "given": len(acts.given), "withdrawn": len(acts.withdrawn), "entries": len(entries),
                      "checkpoints seen": len(acts.checkpoints)}))
    assert glasscase.stop() == 0
    assert "0 problems" in glasscase.cli("fsck", "--data", str(glasscase.data)).stdout
