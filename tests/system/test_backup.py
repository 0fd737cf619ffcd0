"""Backup and restore, also while calls and changes go on."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from system.installation import Installation
from system.models import Models


def test_what_was_acknowledged_before_the_backup_is_in_it(
    fresh_glasscase: Callable[..., Installation], models: Models, tmp_path: Path
) -> None:
    glasscase = fresh_glasscase()
    model = glasscase.publish(models.digits, "digits")["model"]["name"]
    token = glasscase.learner("ada", model)
    revoked = glasscase.learner("eve", model)
    glasscase.cli("revoke", "subject", "eve")
    ended = threading.Event()
    wrong: list[str] = []

    def keep_calling() -> None:
        while not ended.is_set():
            answer = glasscase.infer(model, models.digit_body(), token)
            if answer.status_code != 200:
                wrong.append(answer.text)

    def keep_changing() -> None:
        n = 0
        while not ended.is_set():
            glasscase.cli("subject", "add", f"during-{n}")
            n += 1

    threads = [threading.Thread(target=t) for t in (keep_calling, keep_changing)]
    for thread in threads:
        thread.start()
    try:
        glasscase.cli("backup", str(tmp_path / "backup"))
    finally:
        ended.set()
        for thread in threads:
            thread.join()
    assert wrong == []
    assert (tmp_path / "backup").stat().st_mode & 0o077 == 0

    again = glasscase.cli("backup", str(tmp_path / "backup"), check=False)
    assert again.returncode == 1

    restored = Installation(glasscase.programs, tmp_path / "restored")
    restored.folder.mkdir()
    restored.cli("restore", str(tmp_path / "backup"), "--data", str(restored.data))
    try:
        glasscase.stop()
        restored.start()
        answer = restored.infer(model, models.digit_body(), token)
        assert answer.status_code == 200, answer.text
        assert answer.json()["outputs"][0]["data"] == [models.labels[0]]
        assert restored.infer(model, models.digit_body(), revoked).status_code == 401
        owner = glasscase.owner_token
        assert restored.cli("whoami", token=owner, check=False).returncode == 1  # no profile points there yet
        who = restored.request("GET", "/glasscase/v1/whoami", owner)
        assert who.status_code == 200
    finally:
        restored.kill_all()


@pytest.mark.parametrize("target", ["full", "file"])
def test_a_restore_overwrites_nothing(fresh_glasscase: Callable[..., Installation], tmp_path: Path, target: str) -> None:
    glasscase = fresh_glasscase()
    glasscase.cli("backup", str(tmp_path / "backup"))
    path = tmp_path / target
    if target == "full":
        path.mkdir()
        (path / "mine").write_text("mine")
    else:
        path.write_text("mine")
    done = glasscase.cli("restore", str(tmp_path / "backup"), "--data", str(path), check=False)
    assert done.returncode == 1
    assert (path / "mine" if target == "full" else path).read_text() == "mine"


def test_what_is_no_backup_is_refused(fresh_glasscase: Callable[..., Installation], tmp_path: Path) -> None:
    glasscase = fresh_glasscase()
    (tmp_path / "nothing").mkdir()
    done = glasscase.cli("restore", str(tmp_path / "nothing"), "--data", str(tmp_path / "data"), check=False)
    assert done.returncode == 1
    assert "nothing" in done.stderr
    assert not (tmp_path / "data").exists() or not any((tmp_path / "data").iterdir())
