"""The log goes on under a new name and key: after a theft, and after a backup that is older than the log."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import requests

from system.installation import Installation, wait_until
from system.models import Models
from system.public_log import Checkpoint, checkpoint_of

MakeInstallation = Callable[..., Installation]


def receipt(glasscase: Installation, model: str, path: Path) -> Path:
    wait_until("the receipt is ready", lambda: glasscase.cli("receipt", model, "-o", str(path), check=False).returncode == 0, 5)
    return path


def verifies(glasscase: Installation, proof: Path, policy: Path) -> bool:
    return glasscase.cli("verify", str(proof), "--policy", str(policy), check=False).returncode == 0


def renew(glasscase: Installation) -> str:
    return str(glasscase.cli("ledger", "renew", "--data", str(glasscase.data)).stdout)


def fsck(glasscase: Installation) -> str:
    return str(glasscase.cli("fsck", "--data", str(glasscase.data)).stdout)


def entries_of(glasscase: Installation) -> list[dict[str, Any]]:
    """Every entry of a log of fewer than 256."""
    size = published(glasscase).size
    bundle = requests.get(f"{glasscase.url}/log/tile/entries/000.p/{size}", timeout=5).content
    entries = []
    while bundle:
        length = int.from_bytes(bundle[:2], "big")
        entries.append(json.loads(bundle[2 : 2 + length]))
        bundle = bundle[2 + length :]
    return entries


def published(glasscase: Installation) -> Checkpoint:
    checkpoint = checkpoint_of(glasscase.url)
    assert checkpoint is not None
    return checkpoint


def test_a_new_key_takes_over_and_the_old_log_says_so(fresh_glasscase: MakeInstallation, models: Models, tmp_path: Path) -> None:
    glasscase = fresh_glasscase()
    model = glasscase.publish(models.digits, "digits")["model"]["name"]
    old_proof = receipt(glasscase, model, tmp_path / "old")
    old_policy = Path(shutil.copy(glasscase.data / "ledger-policy", tmp_path / "old-policy"))
    old_key = (glasscase.data / "keys" / "ledger.key").read_text()
    refused = glasscase.cli("ledger", "renew", "--data", str(glasscase.data), check=False)
    assert refused.returncode == 1
    assert "stop it first" in refused.stderr
    glasscase.stop()

    said = renew(glasscase)
    assert "the last act names the new key" in said
    fsck(glasscase)
    assert old_key.strip() not in "".join(path.read_text() for path in (glasscase.data / "keys").iterdir())
    last = (glasscase.data / "log-ended" / "1" / "checkpoint").read_text()
    glasscase.start()
    new_policy = glasscase.data / "ledger-policy"
    proof = receipt(glasscase, model, tmp_path / "new")
    assert verifies(glasscase, old_proof, old_policy)
    assert verifies(glasscase, proof, new_policy)
    assert not verifies(glasscase, proof, old_policy)
    assert not verifies(glasscase, old_proof, new_policy)
    seen = published(glasscase)
    assert seen.origin == last.split("\n")[0] + "/2"
    vkey = json.loads(glasscase.cli("status", "--json").stdout)["ledger_key"]
    assert vkey in said
    changes = [entry for entry in entries_of(glasscase) if entry["type"] == "key"]
    assert [(change["use"], change["vkey"]) for change in changes] == [("log", vkey)]
    assert int(last.split("\n")[1]) == seen.size, "the old log had the entry too"
    glasscase.publish(models.scale, "scale")
    glasscase.stop()
    assert "/3" in renew(glasscase)
    fsck(glasscase)


def test_a_log_whose_newest_catalog_is_lost_goes_on(fresh_glasscase: MakeInstallation, models: Models, tmp_path: Path) -> None:
    glasscase = fresh_glasscase()
    model = glasscase.publish(models.digits, "digits")["model"]["name"]
    receipt(glasscase, model, tmp_path / "proof")
    glasscase.stop()
    saved = Path(shutil.copy(glasscase.data / "catalog.db", tmp_path / "catalog.db"))
    glasscase.start()
    for n in range(5):
        glasscase.learner(f"lost-{n}", model)
    lost = published(glasscase)
    glasscase.stop()
    for suffix in ("-wal", "-shm"):
        (glasscase.data / f"catalog.db{suffix}").unlink(missing_ok=True)
    owner = (glasscase.data / "catalog.db").stat()
    shutil.copy(saved, glasscase.data / "catalog.db")
    os.chown(glasscase.data / "catalog.db", owner.st_uid, owner.st_gid)

    glasscase.start()
    assert "ledger renew" in json.dumps(json.loads(glasscase.cli("status", "--json").stdout))
    assert published(glasscase) == lost
    glasscase.stop()
    said = renew(glasscase)
    assert "acts that are lost" in said
    assert "0 problems" in fsck(glasscase)
    kept = (glasscase.data / "log-ended" / "1" / "checkpoint").read_text()
    assert kept.split("\n")[1] == str(lost.size)
    glasscase.start()
    before = [entry["before"] for entry in entries_of(glasscase) if entry["type"] == "key"]
    assert [(b["origin"], b["size"]) for b in before] == [(lost.origin, lost.size)]
    glasscase.learner("again", model)
    receipt(glasscase, model, tmp_path / "after")
    assert verifies(glasscase, tmp_path / "after", glasscase.data / "ledger-policy")
    glasscase.stop()
    assert "0 problems" in fsck(glasscase)


DURABLE_CALLS = ("syncfs", "linkat", "unlinkat", "renameat", "renameat2", "fdatasync", "fsync")


def renew_until(glasscase: Installation, call: str, number: int) -> bool:
    """Kills a renewal as it enters such a system call for the `number`th time; False when it ended before that."""
    renewal = subprocess.run(
        ["strace", "-qq", "-o", "/dev/null", "-e", f"trace={call}", "-e", f"inject={call}:signal=KILL:when={number}",
         glasscase.programs / "glasscase-custodian", "--renew-log", glasscase.data],
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, timeout=30, check=False)
    assert renewal.returncode in (-9, 0), renewal.stderr
    return renewal.returncode != 0


@pytest.mark.skipif(shutil.which("strace") is None, reason="strace is what cuts it off")
def test_a_renewal_that_is_cut_off_is_finished_by_the_next(fresh_glasscase: MakeInstallation, models: Models) -> None:
    glasscase = fresh_glasscase()
    glasscase.publish(models.digits, "digits")
    glasscase.stop()
    cuts_between = 0
    for call in DURABLE_CALLS:
        number = 1
        while renew_until(glasscase, call, number):
            if (glasscase.data / "keys" / "ledger.key.next").exists():
                cuts_between += 1
                served = glasscase.cli("serve", "--data", str(glasscase.data), check=False)
                assert served.returncode != 0
                assert "ledger renew" in served.stderr
            renew(glasscase)
            number += 1
        assert number > 1, f"{call} is not called any more"
    assert cuts_between > 0
    assert "0 problems" in fsck(glasscase)
    glasscase.start()
    model = glasscase.publish(models.scale, "scale")["model"]["name"]
    glasscase.learner("ada", model)


def test_a_new_signing_key_is_an_entry(fresh_glasscase: MakeInstallation, models: Models) -> None:
    glasscase = fresh_glasscase()
    glasscase.publish(models.digits, "digits")
    glasscase.restart()
    assert [entry for entry in entries_of(glasscase) if entry["type"] == "key"] == [], "nothing has changed yet"
    glasscase.stop()
    for name in ("keys/signing.key", "signing.pem"):
        (glasscase.data / name).unlink()
    glasscase.start()
    pem = (glasscase.data / "signing.pem").read_text().splitlines()
    wait_until("the log names it", lambda: [e["vkey"] for e in entries_of(glasscase) if e["type"] == "key"] == ["".join(pem[1:-1])], 5)
