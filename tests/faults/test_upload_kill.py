"""kill -9 of custodian and control edge while files are uploaded: what was acknowledged is never lost, what was not is
never seen, and the file that is published has the right digest.

The short form kills 8 times; GLASSCASE_UPLOAD_KILLS=200 is the long one. GLASSCASE_SEED repeats an order.
"""

from __future__ import annotations

import hashlib
import os
import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import pytest
import requests

from system.installation import Installation, wait_until

KILLS = int(os.environ.get("GLASSCASE_UPLOAD_KILLS", "8"))
SEED = int(os.environ.get("GLASSCASE_SEED", str(random.SystemRandom().randrange(2**32))))
PATH = "/glasscase/v1/uploads"
TUS = {"Tus-Resumable": "1.0.0"}
FILE_BYTES = 24_000_000


@dataclass
class Uploader:
    """Uploads one file after the other, in pieces of any size, whatever happens to the server."""

    installation: Installation
    seed: int
    ended: threading.Event = field(default_factory=threading.Event)
    finished: dict[str, str] = field(default_factory=dict)  # upload -> digest of what was sent
    wrong: list[str] = field(default_factory=list)
    resumed: int = 0

    def ask(self, method: str, path: str, data: bytes = b"", /, **fields: str) -> requests.Response | None:
        """None when no answer came."""
        headers = TUS | {name.replace("_", "-"): value for name, value in fields.items()}
        try:
            answer = self.installation.request(method, PATH + path, control=True, data=data, headers=headers)
        except requests.RequestException:
            return None
        if answer.status_code not in (200, 201, 204, 409, 423, 503):
            self.wrong.append(f"{method} {path} {fields}: {answer.status_code} {answer.text[:300]}")
        return answer

    def patiently(self, method: str, path: str, **fields: str) -> requests.Response:
        while True:
            answer = self.ask(method, path, **fields)
            if answer is not None and answer.ok:
                return answer
            time.sleep(0.02)

    def run(self) -> None:
        chance = random.Random(self.seed)
        while not self.ended.is_set():
            data = chance.randbytes(FILE_BYTES)
            path = self.patiently("POST", "", Upload_Length=str(len(data))).headers["Location"].removeprefix(PATH)
            self.send(path, data, chance)
            self.finished[path[1:]] = hashlib.sha256(data).hexdigest()

    def send(self, path: str, data: bytes, chance: random.Random) -> None:
        acknowledged = 0
        while acknowledged < len(data):
            offset = int(self.patiently("HEAD", path).headers["Upload-Offset"])
            if offset < acknowledged:
                self.wrong.append(f"{path} went back from {acknowledged} to {offset}")
                return
            piece = data[offset:offset + chance.choice((100_000, 3_000_000, len(data)))]
            answer = self.ask("PATCH", path, piece, Upload_Offset=str(offset), Content_Type="application/offset+octet-stream")
            if answer is not None and answer.status_code == 204:
                acknowledged = int(answer.headers["Upload-Offset"])
            else:
                acknowledged = offset
                self.resumed += 1


def victim(installation: Installation, kind: str) -> psutil.Process | None:
    for process in installation.processes("glasscase-custodian" if kind == "custodian" else "glasscase-edge"):
        try:
            if kind == "custodian" or "control" in " ".join(process.cmdline()):
                return process
        except psutil.NoSuchProcess:
            pass
    return None


@pytest.mark.timeout(180 + 10 * KILLS)
def test_no_kill_loses_what_was_acknowledged_or_shows_what_was_not(fresh_glasscase: Callable[..., Installation]) -> None:
    print(f"GLASSCASE_SEED={SEED} GLASSCASE_UPLOAD_KILLS={KILLS}")
    order = random.Random(SEED)
    glasscase = fresh_glasscase()
    uploaders = [Uploader(glasscase, SEED + n) for n in range(2)]
    threads = [threading.Thread(target=uploader.run) for uploader in uploaders]
    for thread in threads:
        thread.start()
    try:
        for n in range(KILLS):
            time.sleep(order.uniform(0.1, 0.8))
            kind = "custodian" if n % 2 == 0 else "control edge"
            wait_until(f"there is a {kind}", lambda k=kind: victim(glasscase, k) is not None)
            process = victim(glasscase, kind)
            if process is not None:
                process.kill()
        wait_until("uploads are finished", lambda: all(u.finished for u in uploaders), 60)
    finally:
        for uploader in uploaders:
            uploader.ended.set()
        for thread in threads:
            thread.join(60)
    print(f"finished {[len(u.finished) for u in uploaders]}, taken up again {[u.resumed for u in uploaders]} times")
    assert [u.wrong for u in uploaders] == [[], []], f"seed {SEED}"
    assert sum(u.resumed for u in uploaders) > 0, "no upload was ever hit"
    for n, uploader in enumerate(uploaders):
        publish_all(glasscase, uploader, f"file-{n}")
    # Of uploads that began while nobody heard the answer.
    for upload in glasscase.request("GET", PATH, control=True).json()["uploads"]:
        assert upload["offset"] == 0
        glasscase.request("DELETE", f"{PATH}/{upload['id']}", control=True, headers=TUS)
    assert nothing_else_is_there(glasscase.data)


def publish_all(glasscase: Installation, uploader: Uploader, name: str) -> None:
    for upload, digest in uploader.finished.items():
        body = {"files": [{"path": "f.bin", "upload": upload}], "name": name, "kind": "dataset"}
        answer = glasscase.request("POST", "/glasscase/v1/models", control=True, json=body)
        assert answer.status_code == 201, f"seed {SEED}: {answer.text}"
        assert answer.json()["model"]["versions"][0]["sha256"] == digest, f"seed {SEED}"
        blob = glasscase.data / "blobs" / "sha256" / digest[:2] / digest
        assert hashlib.sha256(blob.read_bytes()).hexdigest() == digest, f"seed {SEED}"


def nothing_else_is_there(data: Path) -> bool:
    return not any((data / "uploads").iterdir()) and not any((data / "staging").iterdir())
