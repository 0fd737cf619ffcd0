"""A data directory on a full disk: calls go on, changes fail with a clear error, and nothing is lost."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from system.disks import fill, small_disk
from system.installation import Installation, running, wait_until
from system.models import Models

MEBIBYTES = 160  # the custodian keeps some tens of megabytes free for itself


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "disk"
    folder.mkdir(mode=0o755)
    with small_disk(folder, kibibytes=MEBIBYTES * 1024):
        yield folder


def test_a_full_disk(programs: Path, disk: Path, models: Models) -> None:
    with running(programs, disk) as glasscase:
        model = glasscase.publish(models.digits, "digits")["model"]["name"]
        token = glasscase.learner("ada", model)
        assert glasscase.infer(model, models.digit_body(), token).status_code == 200
        filler = disk / "filler"
        fill(filler)
        refused_changes(glasscase, models)
        for row in range(20):
            answer = glasscase.infer(model, models.digit_body(row), token)
            assert answer.status_code == 200, answer.text
            assert answer.json()["outputs"][0]["data"] == [models.labels[row]]
        filler.unlink()
        wait_until("changes work again", lambda: glasscase.cli("subject", "add", "grace", check=False).returncode == 0, 10)
        glasscase.publish(models.scale, "scale")
        glasscase.restart()
        assert glasscase.infer(model, models.digit_body(), token).status_code == 200
        assert {"ada", "grace"} <= {s["name"] for s in glasscase.cli("list", "subjects", json=True)}
        assert {m["name"].split("/")[1] for m in glasscase.cli("list", "models", json=True)} == {"digits", "scale"}
        shutil.rmtree(glasscase.folder / "share", ignore_errors=True)


def test_a_disk_that_fills_while_a_file_comes(programs: Path, disk: Path, models: Models) -> None:
    """The upload is told so, its room is free again, and what was acknowledged stays."""
    with running(programs, disk) as glasscase:
        model = glasscase.publish(models.digits, "digits")["model"]["name"]
        token = glasscase.learner("ada", model)
        headers = {"Tus-Resumable": "1.0.0"}
        created = glasscase.request("POST", "/glasscase/v1/uploads", control=True, headers=headers | {"Upload-Length": "60000000"})
        assert created.status_code == 201, created.text
        path = created.headers["Location"]

        def patch(offset: int, data: bytes) -> requests.Response:
            fields = headers | {"Upload-Offset": str(offset), "Content-Type": "application/offset+octet-stream"}
            return glasscase.request("PATCH", path, control=True, headers=fields, data=data)

        assert patch(0, bytes(10_000_000)).status_code == 204
        filler = disk / "filler"
        fill(filler)
        os.truncate(filler, filler.stat().st_size - 20_000_000)
        refused = patch(10_000_000, bytes(50_000_000))
        assert refused.status_code == 507, refused.text
        assert "disk" in refused.json()["error"]
        assert glasscase.request("HEAD", path, control=True, headers=headers).headers["Upload-Offset"] == "10000000"
        assert glasscase.infer(model, models.digit_body(), token).status_code == 200
        too_large = glasscase.request("POST", "/glasscase/v1/uploads", control=True, headers=headers | {"Upload-Length": "90000000"})
        assert (too_large.status_code, "too little room" in too_large.json()["error"]) == (507, True)
        filler.unlink()
        assert patch(10_000_000, bytes(50_000_000)).status_code == 204


def refused_changes(glasscase: Installation, models: Models) -> None:
    for words in (("publish", str(models.digits), "--name", "more"), ("subject", "add", "eve"), ("token", "create", "ada"),
                  ("grant", "ada", "predict", "digits", "--quota", "1/s")):
        done = glasscase.cli(*words, check=False)
        assert done.returncode == 1, f"{words}: {done.stdout}"
        assert any(word in done.stderr.lower() for word in ("space", "disk", "full")), done.stderr
