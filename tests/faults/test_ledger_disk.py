"""The disk of the log's own files is full or fails, while the catalog has its room: acts are taken and wait.

Calls, receipts of what is published and reads of the log go on; the status says what is wrong; nothing has to be
done but to mend the disk.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
import requests

from system.disks import failing_disk, fill, fill_with_files, small_disk
from system.installation import Installation, wait_until
from system.models import Models
from system.public_log import check_one_log, checkpoint_of

KIBIBYTES = 1024
FILES = 200


@pytest.fixture
def with_small_log(programs: Path, tmp_path: Path) -> Iterator[Installation]:
    """Its `log/` is a small disk of its own."""
    installation = Installation(programs, tmp_path).init().start()
    assert installation.stop() == 0
    log = installation.data / "log"
    assert [path.name for path in log.rglob("*")] == ["checkpoint"], "of no entry: it is made again"
    with small_disk(log, kibibytes=KIBIBYTES, files=FILES):
        try:
            yield installation.start()
        finally:
            installation.kill_all()


def fill_with_bytes(log: Path) -> Path:
    fill(log / "filler")
    return log / "filler"


def fill_with_names(log: Path) -> Path:
    fill_with_files(log / "fillers")
    return log / "fillers"


def empty(filler: Path) -> None:
    for path in filler.iterdir() if filler.is_dir() else ():
        path.unlink()
    filler.rmdir() if filler.is_dir() else filler.unlink()


def trouble(glasscase: Installation) -> str:
    return str(glasscase.cli("status", json=True)["ledger_trouble"])


def entry_types(glasscase: Installation) -> Counter[str]:
    return Counter(entry["type"] for entry in check_one_log(glasscase, []))


def check_that_reads_go_on(glasscase: Installation, models: Models, token: str) -> None:
    for row in range(5):
        answer = glasscase.infer("digits", models.digit_body(row), token)
        assert (answer.status_code, answer.json()["outputs"][0]["data"]) == (200, [models.labels[row]])
    assert entry_types(glasscase)["version"] == 1
    receipt = glasscase.folder / "digits.tlog-proof"
    glasscase.cli("receipt", "digits", "--output", str(receipt))
    glasscase.cli("verify", str(receipt), "--policy", str(glasscase.data / "ledger-policy"), "--file", str(models.digits))


@pytest.mark.parametrize("fill_up", [fill_with_bytes, fill_with_names])
def test_with_a_full_disk_acts_wait_and_are_published_when_there_is_room(
    with_small_log: Installation, models: Models, fill_up: Callable[[Path], Path]
) -> None:
    glasscase = with_small_log
    glasscase.publish(models.digits, "digits")
    token = glasscase.learner("ada", "digits")
    wait_until("the grant is published", lambda: entry_types(glasscase)["grant"] == 1)
    filler = fill_up(glasscase.data / "log")
    seen = checkpoint_of(glasscase.url)
    assert seen is not None

    glasscase.learner("grace", "digits")
    glasscase.publish(models.scale, "scale")
    wait_until("the status says so", lambda: "full" in trouble(glasscase))
    assert "make room" in trouble(glasscase) and "acts wait" in glasscase.cli("status").stdout
    check_that_reads_go_on(glasscase, models, token)
    assert check_one_log(glasscase, [seen]) and checkpoint_of(glasscase.url) == seen
    assert not (glasscase.data / "log" / ".writing").exists()
    refused = glasscase.cli("receipt", "scale", check=False)
    assert refused.returncode == 1 and "full" in refused.stderr, refused.stderr
    refused = glasscase.cli("history", "digits", check=False)
    assert refused.returncode == 1 and "full" in refused.stderr, refused.stderr

    # Also after a start that finds it so.
    glasscase.restart()
    glasscase.learner("alan", "digits")
    assert "full" in trouble(glasscase)
    check_that_reads_go_on(glasscase, models, token)
    assert glasscase.log.read_text().count("the disk of the log is full") <= 4, "said once, and once at each start and end"

    empty(filler)
    wait_until("all is published", lambda: entry_types(glasscase) >= Counter({"version": 2, "grant": 3}))
    assert trouble(glasscase) == ""
    assert check_one_log(glasscase, [seen])
    glasscase.cli("receipt", "scale", "--output", str(glasscase.folder / "scale.tlog-proof"))
    assert glasscase.stop() == 0
    assert "0 problems" in glasscase.cli("fsck", "--data", str(glasscase.data)).stdout


def grant_and_revoke(glasscase: Installation, times: int) -> None:
    """Two entries each."""
    request = {"subject": "grace", "action": "predict", "model": "digits"}
    for _ in range(times):
        given = glasscase.request("POST", "/glasscase/v1/grants", control=True, json=request)
        assert given.ok, given.text
        assert glasscase.request("DELETE", f"/glasscase/v1/grants/{given.json()['id']}", control=True).ok


def test_a_file_that_cannot_be_read_is_named_and_acts_wait(
    fresh_glasscase: Callable[..., Installation], models: Models, tmp_path: Path
) -> None:
    glasscase = fresh_glasscase()
    glasscase.publish(models.digits, "digits")
    token = glasscase.learner("ada", "digits")
    glasscase.restart()  # from here on the entries are in files alone
    seen = checkpoint_of(glasscase.url)
    assert seen is not None
    bundle = f"tile/entries/000.p/{seen.size}"
    custodian = glasscase.processes("glasscase-custodian")[0]
    supervisor = psutil.Process(custodian.ppid())
    with failing_disk(supervisor, "read", glasscase.data / "log" / bundle, tmp_path / "calls") as disk:
        custodian.kill()
        wait_until("the next one has noticed", lambda: disk.failures() > 0)
        glasscase.learner("grace", "digits")
        said = glasscase.cli("status").stdout
        assert bundle in said and "Input/output error" in said and "`glasscase fsck`" in said, said
        wait_until("calls go on", lambda: glasscase.infer("digits", models.digit_body(), token).status_code == 200)
        assert checkpoint_of(glasscase.url) == seen
        assert requests.get(f"{glasscase.url}/log/{bundle.replace('entries', '0')}", timeout=5).ok
        failures = disk.failures()
        refused = [glasscase.cli("receipt", "digits", check=False) for _ in range(5)]
        assert all(one.returncode == 1 and bundle in one.stderr for one in refused), refused[0].stderr
        time.sleep(3)
        assert 2 <= disk.failures() - failures <= 5, "tried again once a second, whoever asks"
    wait_until("it is published", lambda: entry_types(glasscase)["grant"] == 2)
    assert trouble(glasscase) == ""
    assert check_one_log(glasscase, [seen])
    glasscase.cli("receipt", "digits", "--output", str(tmp_path / "digits.tlog-proof"))


def test_files_that_cannot_be_made_durable_are_written_again(
    fresh_glasscase: Callable[..., Installation], models: Models, tmp_path: Path
) -> None:
    glasscase = fresh_glasscase()
    glasscase.publish(models.digits, "digits")
    token = glasscase.learner("ada", "digits")
    glasscase.cli("subject", "add", "grace")
    custodian = glasscase.processes("glasscase-custodian")[0]
    with failing_disk(custodian, "fsync", glasscase.data / "log" / "tile/entries/000", tmp_path / "calls") as disk:
        grant_and_revoke(glasscase, 130)
        wait_until("the disk has failed", lambda: disk.failures() > 0)
        for _ in range(8):
            said = trouble(glasscase)
            assert "the disk of the log fails" in said, said
            assert glasscase.infer("digits", models.digit_body(), token).status_code == 200
            time.sleep(1)
        assert disk.failures() <= 4, "less and less often"
        glasscase.cli("grant", "grace", "predict", "digits")
        wait_until("acts are published meanwhile", lambda: entry_types(glasscase)["grant"] == 132)
    wait_until("it is well again", lambda: trouble(glasscase) == "", 60)
    assert glasscase.stop() == 0
    assert "0 problems" in glasscase.cli("fsck", "--data", str(glasscase.data)).stdout


def test_a_disk_that_fails_to_write_delays_and_loses_nothing(
    fresh_glasscase: Callable[..., Installation], models: Models, tmp_path: Path
) -> None:
    glasscase = fresh_glasscase()
    glasscase.publish(models.digits, "digits")
    token = glasscase.learner("ada", "digits")
    wait_until("the grant is published", lambda: entry_types(glasscase)["grant"] == 1)
    seen = checkpoint_of(glasscase.url)
    assert seen is not None
    custodian = glasscase.processes("glasscase-custodian")[0]
    with failing_disk(custodian, "write", glasscase.data / "log" / ".writing", tmp_path / "calls") as disk:
        glasscase.learner("grace", "digits")
        wait_until("it was tried again", lambda: disk.failures() > 1)
        assert "the disk of the log fails, check it" in trouble(glasscase)
        check_that_reads_go_on(glasscase, models, token)
        assert checkpoint_of(glasscase.url) == seen
    wait_until("it is published", lambda: entry_types(glasscase)["grant"] == 2)
    assert trouble(glasscase) == "" and check_one_log(glasscase, [seen])
