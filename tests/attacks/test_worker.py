"""A worker holds no keys: what it has open, and what its user may open, while it waits and while it has a job.

It makes sandboxes, so it keeps files and system calls; what it cannot reach is held by users and by what it was never given.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import re
import shutil
import socket
import stat
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from attacks.inject import AT_FDCWD, SUPPORTED, Attacker
from attacks.test_confinement import (
    FIRST_USER,
    LONG_LIVED,
    ORDINARY_USER,
    PTRACE_ATTACH,
    address,
    descendants,
    describe,
    kind_of,
    running_as_an_ordinary_user,
    status_of,
    words_of,
)
from system.installation import Installation, running, wait_until
from system.models import Models
from system.runners import ROOT, readable_programs
from system.runs import ENDED, plain_recipe, plain_runners, show

pytestmark = [
    pytest.mark.skipif(not SUPPORTED, reason="x86-64 Linux only"),
    pytest.mark.skipif(os.geteuid() != 0, reason="tracing needs root"),
]

WORKER_USER = FIRST_USER + 6  # process/confine.h, kWorkerUserOffset
PROGRAM = """
import time
print("begun", flush=True)
time.sleep(2)
open("/out/model.txt", "w").write("made by the run")
"""
# Prints those paths of its input that it could open.
OPENER = """
import os, sys
for path in sys.stdin.read().split("\\0"):
    try:
        os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    except OSError as error:
        continue
    print(path)
"""


@dataclass(frozen=True)
class Scene:
    """An installation with a worker, and a model and runs in its data directory."""

    installation: Installation
    worker: int
    pids: dict[str, int]  # of the others, by kind
    as_root: bool


def family_of(installation: Installation) -> dict[str, int]:
    """Its processes, the command itself and the supervisor too."""
    family = [installation.pid, *descendants(installation.pid)]
    return {kind_of(pid) or os.path.basename((words_of(pid) or [""])[0]): pid for pid in family}


def outside_of_closed_folders() -> tempfile.TemporaryDirectory[str]:
    """Where everybody may go, so that it is the data directory itself which is closed."""
    folder = tempfile.TemporaryDirectory(prefix="glasscase-attacks-", dir="/var/tmp")
    Path(folder.name).chmod(0o755)
    return folder


@pytest.fixture(scope="module", params=("root", "ordinary user"))
def scene(request: pytest.FixtureRequest, programs: Path, models: Models) -> Iterator[Scene]:
    as_root = request.param == "root"
    with ExitStack() as stack:
        words = ("--workers", "1", "--runners", str(stack.enter_context(plain_runners())))
        if as_root:
            folder = Path(stack.enter_context(outside_of_closed_folders()))
            readable = stack.enter_context(readable_programs(programs))
            installation = stack.enter_context(running(readable, folder, serve_words=words))
        else:
            installation = stack.enter_context(running_as_an_ordinary_user(programs, serve_words=words))
        wait_until("a worker is there", lambda: "worker" in installation.cli("status").stdout, 10)
        (installation.folder / "train.py").write_text(PROGRAM)
        installation.cli("dataset", "add", str(installation.folder / "train.py"), "--name", "code")
        shutil.copyfile(models.scale, installation.folder / "scale.onnx")
        name = str(installation.publish(installation.folder / "scale.onnx", "scale")["model"]["name"])
        body = {"inputs": [{"name": "x", "shape": [1, 4], "datatype": "FP32", "data": [1, 2, 3, 4]}]}
        assert installation.infer(name, body).status_code == 200
        pids = family_of(installation)
        assert {*LONG_LIVED, "glasscased", "glasscase-worker"} <= pids.keys()
        yield Scene(installation, pids.pop("glasscase-worker"), pids, as_root)


def secrets_of(scene: Scene) -> list[str]:
    """All of the data directory, the owner's profile, and what /proc tells of the other processes."""
    data = scene.installation.data
    inside = [path for path in data.rglob("*")]
    for name in ("keys/ledger.key", "keys/signing.key", "catalog.db", "blobs"):
        assert data / name in inside, f"there is no {name} to be opened: {sorted(map(str, inside))}"
    assert any(path.is_file() for path in (data / "blobs").rglob("*"))
    of_others = [f"/proc/{pid}/{name}" for pid in scene.pids.values() for name in ("fd", "mem", "environ", "maps", "root/keys", "cwd/keys")]
    profile = scene.installation.folder / "config" / "glasscase" / "default.json"
    return [str(data), *map(str, inside), *of_others, str(profile)]


as_root = pytest.mark.parametrize("scene", ["root"], indirect=True)
as_an_ordinary_user = pytest.mark.parametrize("scene", ["ordinary user"], indirect=True)


def user_of(pid: int) -> int:
    return int(status_of(pid)["Uid"].split()[1])


# ---- its user ----


@as_an_ordinary_user
def test_an_ordinary_users_worker_is_that_user_as_is_said(scene: Scene) -> None:
    """SECURITY.md says what follows from it."""
    assert user_of(scene.worker) == user_of(scene.pids["custodian"]) == ORDINARY_USER
    assert "reads the data directory" in (ROOT / "SECURITY.md").read_text()


@as_root
def test_its_user_may_open_no_key_and_nothing_else_of_the_installation(scene: Scene) -> None:
    status = status_of(scene.worker)
    assert {*status["Uid"].split(), *status["Gid"].split()} == {str(WORKER_USER)} and not status["Groups"]
    assert WORKER_USER not in {user_of(pid) for pid in scene.pids.values()}
    user = ["setpriv", "--reuid", str(WORKER_USER), "--regid", str(WORKER_USER), "--clear-groups", "--no-new-privs"]
    asked = [*secrets_of(scene), "/etc/passwd"]
    opened = subprocess.run([*user, "/usr/bin/python3", "-c", OPENER], input="\0".join(asked), capture_output=True, text=True, check=True)
    assert opened.stdout.split("\n") == ["/etc/passwd", ""], "nothing but what every user may read"


def attempts(thief: Attacker, scene: Scene) -> Iterator[tuple[str, int]]:
    for path in secrets_of(scene):
        yield f"open {path}", thief.call("openat", AT_FDCWD, os.fsencode(path), os.O_RDONLY | os.O_NONBLOCK)
    for kind, pid in scene.pids.items():
        vector = thief.pointers(thief.stack + 1024, 8)
        yield f"signal the {kind}", thief.call("kill", pid, 0)
        yield f"trace the {kind}", thief.call("ptrace", PTRACE_ATTACH, pid, 0, 0)
        yield f"read the memory of the {kind}", thief.call("process_vm_readv", pid, vector, 1, vector, 1, 0)
        yield f"change the limits of the {kind}", thief.call("prlimit64", pid, 7, 0, thief.stack + 1024)
        handle = thief.call("pidfd_open", pid, 0)
        yield f"take a descriptor of the {kind}", thief.call("pidfd_getfd", handle, 0, 0)
        thief.call("close", handle)
        yield f"become the {kind}'s user", thief.call("setuid", user_of(pid))
    yield "become root", thief.call("setuid", 0)
    for port in scene.installation.ports:
        way_out = thief.call("socket", socket.AF_INET, socket.SOCK_STREAM, 0)
        yield f"connect to port {port}", thief.call("connect", way_out, address(port), 16)
        thief.call("close", way_out)


@as_root
def test_a_taken_over_worker_cannot(scene: Scene) -> None:
    with Attacker(scene.worker) as thief:
        assert thief.call("getuid") == WORKER_USER, "the attacker is in control"
        public = thief.call("openat", AT_FDCWD, b"/etc/passwd", os.O_RDONLY)
        assert public >= 0, "it keeps what every user may read"
        thief.call("close", public)
        results = list(attempts(thief, scene))
    refused = {errno.EPERM, errno.EACCES, errno.ENETUNREACH}
    worked = {what: describe(result) for what, result in results if -result not in refused}
    assert not worked, f"a taken-over worker could: {worked}"


def test_its_rights_are_given_up(scene: Scene) -> None:
    status = status_of(scene.worker)
    assert status["NoNewPrivs"] == "1"
    if scene.as_root:
        assert {status[key] for key in ("CapInh", "CapPrm", "CapEff", "CapAmb", "CapBnd")} == {"0" * 16}
    for namespace in ("net", "ipc", "uts"):
        assert os.readlink(f"/proc/{scene.worker}/ns/{namespace}") != os.readlink(f"/proc/self/ns/{namespace}"), namespace


# ---- its descriptors ----


@dataclass(frozen=True)
class Open:
    """A descriptor of the worker's."""

    target: str
    is_public: bool  # it only reads what every user may read
    digest: str  # of a file of the data directory, which it only reads; "written" when it may write


def open_files(scene: Scene) -> set[Open]:
    found = set()
    for entry in os.listdir(f"/proc/{scene.worker}/fd"):
        way = Path(f"/proc/{scene.worker}/fd/{entry}")
        try:
            target, facts = os.readlink(way), way.stat()
            flags = re.search(r"flags:\s*(\d+)", Path(f"/proc/{scene.worker}/fdinfo/{entry}").read_text())
            only_reads = flags is not None and int(flags[1], 8) & os.O_ACCMODE == os.O_RDONLY
            is_data = target.startswith(str(scene.installation.data))
            digest = (hashlib.sha256(way.read_bytes()).hexdigest() if only_reads else "written") if is_data else ""
        except FileNotFoundError:  # closed meanwhile
            continue
        is_public = stat.S_ISREG(facts.st_mode) and bool(facts.st_mode & stat.S_IROTH) and only_reads and not is_data
        found.add(Open(target, is_public, digest))
    return found


ITS_OWN = re.compile(r"socket:\[\d+\]|anon_inode:\[(eventpoll|eventfd|timerfd|pidfd)\]|/dev/null|.*/serve\.log"
                     r"|/var/tmp/glasscase-(jobs|processors)-.*")
# What a job prints, how it ends, the system calls that it may make, the folder in which its runner is looked for, and the
# cgroup that it is in.
ITS_JOBS = re.compile(r"pipe:\[\d+\]|/memfd:syscalls \(deleted\)|/var/tmp/glasscase-plain-[^/]*|/sys/fs/cgroup/.*/worker-\d+/job-.*")


def known_during_a_job(scene: Scene) -> re.Pattern[str]:
    """Its own, its job's, and what its watch looks at: which threads and descriptors a process has that is not here yet."""
    others = "|".join(map(str, (scene.installation.pid, *descendants(scene.installation.pid))))
    return re.compile(rf"{ITS_OWN.pattern}|{ITS_JOBS.pattern}|/proc/(?!(?:{others})/)\d+(/task/\d+)?/(task|fd)")


def unknown(found: set[Open], known: re.Pattern[str], inputs: set[str]) -> list[str]:
    return [str(one) for one in found if not known.fullmatch(one.target) and not one.is_public and one.digest not in inputs]


def sockets(found: set[Open]) -> int:
    return len([one for one in found if one.target.startswith("socket:")])


def test_while_it_waits_it_has_its_link_and_its_lifeline_and_nothing_to_read(scene: Scene) -> None:
    found = open_files(scene)
    assert not unknown(found, ITS_OWN, set())
    assert not [one for one in found if one.is_public], "it has nothing to read"
    assert sockets(found) == 2, found
    for protocol in ("tcp", "tcp6", "udp", "udp6"):
        assert len(Path(f"/proc/{scene.worker}/net/{protocol}").read_text().splitlines()) <= 1, protocol
    assert str(scene.installation.data) not in Path(f"/proc/{scene.worker}/maps").read_text()


def during(scene: Scene, run: str) -> set[Open]:
    """All that it had open until the run ended."""
    found: set[Open] = set()
    while show(scene.installation, run)["state"] not in ENDED:
        for _ in range(20):
            found |= open_files(scene)
    return found


def test_while_it_has_a_job_it_has_the_inputs_of_that_job_and_no_other_file(scene: Scene) -> None:
    glasscase = scene.installation
    body = {"model": "made", "recipe": plain_recipe("code", "train.py")}
    known = known_during_a_job(scene)
    run = glasscase.request("POST", "/glasscase/v1/runs", control=True, json=body).json()["id"]
    code, result = (hashlib.sha256(text.encode()).hexdigest() for text in (PROGRAM, "made by the run"))
    found = during(scene, run)
    assert show(glasscase, run)["state"] == "succeeded"
    assert not unknown(found, known, {code})
    # What was made before is an input of a verification: to be compared, from its beginning to its end.
    again = glasscase.request("POST", f"/glasscase/v1/runs/{run}/verifications", control=True, json={}).json()["id"]
    found = during(scene, again)
    assert json.loads(show(glasscase, again)["evidence"])["class"] == "B"
    assert result in {one.digest for one in found}, "the test sees what it has open"
    assert not unknown(found, known, {code, result})
    wait_until("all is closed again", lambda: not [one for one in open_files(scene) if one.digest], 5)
