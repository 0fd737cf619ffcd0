"""What a thief who has taken a process over cannot do: the table in SECURITY.md, tried in the real processes.

Every attack is a system call made by the process itself (inject.py), in an installation that root started and in one
of an ordinary user. A file that cannot be found counts as refused like one that may not be opened.
"""

from __future__ import annotations

import errno
import os
import re
import shlex
import shutil
import socket
import struct
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from attacks.inject import AT_EMPTY_PATH, AT_FDCWD, SUPPORTED, Attacker
from system.installation import Installation, running
from system.models import Models
from system.runners import readable_programs

pytestmark = [
    pytest.mark.skipif(not SUPPORTED, reason="x86-64 Linux only"),
    pytest.mark.skipif(os.geteuid() != 0, reason="tracing needs root"),
]

LONG_LIVED = ("public edge", "control edge", "host", "custodian")
FIRST_USER = 60_600  # process/confine.h, kUserBase

PTRACE_ATTACH = 16
MSG_FASTOPEN = 0x20000000
PR_SET_DUMPABLE = 4
CLONE_NEWUSER = 0x10000000
MS_PRIVATE = 1 << 18

# ESRCH: the root directory of an edge is that of a process which has ended.
REFUSED = {errno.EPERM, errno.EACCES, errno.ENOENT, errno.ESRCH}


# ---- finding the processes, without help from what is attacked ----


def words_of(pid: int) -> list[str]:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace").split("\0")[:-1]
    except OSError:
        return []


def kind_of(pid: int) -> str:
    words = words_of(pid)
    name = os.path.basename(words[0]) if words else ""
    if name == "glasscase-edge":
        return "public edge" if "--public" in words else "control edge"
    return {"glasscase-host": "host", "glasscase-custodian": "custodian", "glasscase-inspector": "inspector"}.get(name, "")


def descendants(pid: int) -> Iterator[int]:
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return
    for child in map(int, children):
        yield child
        yield from descendants(child)


def status_of(pid: int) -> dict[str, str]:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return {key: value.strip() for key, _, value in (line.partition(":") for line in lines)}


def is_confined(pid: int) -> bool:
    try:
        return status_of(pid)["Seccomp"] == "2"
    except (OSError, KeyError):
        return False


@dataclass(frozen=True)
class Prey:
    """A running installation whose model digits may be called, and its long-lived processes by kind."""

    installation: Installation
    digits: str
    pids: dict[str, int]
    digits_file: Path
    as_root: bool

    def now(self) -> dict[str, int]:
        return {kind_of(pid): pid for pid in descendants(self.installation.pid)}


ORDINARY_USER = 65_534


def programs_of_an_ordinary_user(programs: Path, folder: Path) -> Path:
    """A folder with a `glasscase` that runs the real one without any right of root."""
    user = str(ORDINARY_USER)
    words = ["setpriv", "--reuid", user, "--regid", user, "--clear-groups", str(programs / "glasscase")]
    folder.mkdir()
    (folder / "glasscase").write_text(f"#!/bin/sh\nexec {shlex.join(words)} \"$@\"\n")
    (folder / "glasscase").chmod(0o755)
    return folder


@contextmanager
def running_as_an_ordinary_user(programs: Path, **arguments: Any) -> Iterator[Installation]:
    with tempfile.TemporaryDirectory(prefix="glasscase-attacks-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        home = folder / "home"
        home.mkdir()
        os.chown(home, ORDINARY_USER, ORDINARY_USER)
        with (
            readable_programs(programs) as readable,
            running(programs_of_an_ordinary_user(readable, folder / "bin"), home, **arguments) as installation,
        ):
            yield installation


@pytest.fixture(scope="module", params=("root", "ordinary user"))
def prey(
    request: pytest.FixtureRequest, programs: Path, models: Models, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Prey]:
    as_root = request.param == "root"
    with ExitStack() as stack:
        if as_root:
            installation = stack.enter_context(running(programs, tmp_path_factory.mktemp("prey")))
        else:
            installation = stack.enter_context(running_as_an_ordinary_user(programs))
        file = installation.folder / "digits.onnx"
        shutil.copyfile(models.digits, file)
        name = str(installation.publish(file, "digits")["model"]["name"])
        learner = installation.learner("thief", name)
        assert installation.infer(name, models.digit_body(0), learner).status_code == 200
        found = {kind_of(pid): pid for pid in descendants(installation.pid)}
        for kind in LONG_LIVED:
            assert kind in found, f"there is no {kind} below glasscase serve"
            assert is_confined(found[kind]), f"the {kind} is not confined"
        yield Prey(installation, name, found, file, as_root)


# ---- the attacks ----


@dataclass(frozen=True)
class Scene:
    """What the thief knows: everything."""

    pids: dict[str, int]
    installation: Installation
    kind: str
    victim: int = field(init=False)  # some other process of the installation

    def __post_init__(self) -> None:
        other = "host" if self.kind != "host" else "custodian"
        object.__setattr__(self, "victim", self.pids[other])


Attack = Callable[[Attacker, Scene], int]
ATTACKS: dict[str, Attack] = {}


def attack(function: Attack) -> Attack:
    ATTACKS[function.__name__.replace("_", " ")] = function
    return function


def address(port: int = 80) -> bytes:
    return struct.pack("<H", socket.AF_INET) + struct.pack(">H", port) + socket.inet_aton("127.0.0.1") + bytes(8)


def some_socket(attacker: Attacker) -> int:
    """A TCP socket that the process holds, its listening one before all; else descriptor 0."""
    for entry in sorted(os.listdir(f"/proc/{attacker.pid}/fd"), key=int):
        try:
            target = os.readlink(f"/proc/{attacker.pid}/fd/{entry}")
        except OSError:
            continue
        inode = re.fullmatch(r"socket:\[(\d+)\]", target)
        if inode and inode[1] in Path("/proc/net/tcp").read_text():
            return int(entry)
    return 0


@attack
def open_a_system_file(thief: Attacker, scene: Scene) -> int:
    return thief.call("openat", AT_FDCWD, b"/etc/passwd", os.O_RDONLY)


@attack
def open_a_system_file_by_climbing(thief: Attacker, scene: Scene) -> int:
    return thief.call("openat", AT_FDCWD, b"../../../../../../etc/passwd", os.O_RDONLY)


@attack
def open_a_system_file_through_each_descriptor(thief: Attacker, scene: Scene) -> int:
    for fd in map(int, os.listdir(f"/proc/{thief.pid}/fd")):
        result = thief.call("openat", fd, b"../../../../../../etc/passwd", os.O_RDONLY)
        if result >= 0 or -result not in REFUSED | {errno.ENOTDIR, errno.EBADF}:
            return result
    return -errno.EPERM


@attack
def open_with_openat2(thief: Attacker, scene: Scene) -> int:
    return thief.call("openat2", AT_FDCWD, b"/etc/passwd", bytes(24), 24)


@attack
def open_the_owners_profile(thief: Attacker, scene: Scene) -> int:
    path = scene.installation.folder / "config" / "glasscase" / "default.json"
    return thief.call("openat", AT_FDCWD, os.fsencode(path), os.O_RDONLY)


@attack
def open_the_memory_of_another(thief: Attacker, scene: Scene) -> int:
    return thief.call("openat", AT_FDCWD, b"/proc/%d/mem" % scene.victim, os.O_RDWR)


@attack
def make_a_file(thief: Attacker, scene: Scene) -> int:
    return thief.call("openat", AT_FDCWD, b"/tmp/glasscase-was-here", os.O_WRONLY | os.O_CREAT, 0o600)


@attack
def make_a_tcp_socket(thief: Attacker, scene: Scene) -> int:
    return thief.call("socket", socket.AF_INET, socket.SOCK_STREAM, 0)


@attack
def make_a_tcp6_socket(thief: Attacker, scene: Scene) -> int:
    return thief.call("socket", socket.AF_INET6, socket.SOCK_STREAM, 0)


@attack
def make_a_udp_socket(thief: Attacker, scene: Scene) -> int:
    return thief.call("socket", socket.AF_INET, socket.SOCK_DGRAM, 0)


@attack
def make_a_raw_socket(thief: Attacker, scene: Scene) -> int:
    return thief.call("socket", socket.AF_PACKET, socket.SOCK_RAW, 0)


@attack
def make_a_unix_socket(thief: Attacker, scene: Scene) -> int:
    return thief.call("socket", socket.AF_UNIX, socket.SOCK_STREAM, 0)


@attack
def make_a_vsock_socket(thief: Attacker, scene: Scene) -> int:
    return thief.call("socket", socket.AF_VSOCK, socket.SOCK_STREAM, 0)


@attack
def connect_a_socket_it_has(thief: Attacker, scene: Scene) -> int:
    return thief.call("connect", some_socket(thief), address(), 16)


@attack
def connect_by_tcp_fast_open(thief: Attacker, scene: Scene) -> int:
    return thief.call("sendto", some_socket(thief), b"x", 1, MSG_FASTOPEN, address(), 16)


@attack
def bind_a_socket_it_has(thief: Attacker, scene: Scene) -> int:
    return thief.call("bind", some_socket(thief), address(0), 16)


@attack
def start_a_program(thief: Attacker, scene: Scene) -> int:
    return thief.call("execve", b"/bin/sh", 0, 0)


@attack
def start_a_program_from_memory(thief: Attacker, scene: Scene) -> int:
    fd = thief.call("memfd_create", b"program", 0)  # hosts may: they seal weights
    return thief.call("execveat", fd, b"", 0, 0, AT_EMPTY_PATH)


@attack
def fork(thief: Attacker, scene: Scene) -> int:
    return thief.call("fork")


@attack
def fork_by_clone(thief: Attacker, scene: Scene) -> int:
    return thief.call("clone", 17, 0, 0, 0, 0)


@attack
def signal_another(thief: Attacker, scene: Scene) -> int:
    return thief.call("kill", scene.victim, 0)


@attack
def signal_all(thief: Attacker, scene: Scene) -> int:
    return thief.call("kill", -1, 0)


@attack
def signal_a_thread_of_another(thief: Attacker, scene: Scene) -> int:
    return thief.call("tgkill", scene.victim, scene.victim, 0)


@attack
def signal_through_a_pidfd(thief: Attacker, scene: Scene) -> int:
    return thief.call("pidfd_open", scene.victim, 0)


@attack
def trace_another(thief: Attacker, scene: Scene) -> int:
    return thief.call("ptrace", PTRACE_ATTACH, scene.victim, 0, 0)


@attack
def read_the_memory_of_another(thief: Attacker, scene: Scene) -> int:
    vector = thief.pointers(thief.stack + 1024, 8)
    return thief.call("process_vm_readv", scene.victim, vector, 1, vector, 1, 0)


@attack
def write_the_memory_of_another(thief: Attacker, scene: Scene) -> int:
    vector = thief.pointers(thief.stack + 1024, 8)
    return thief.call("process_vm_writev", scene.victim, vector, 1, vector, 1, 0)


@attack
def change_the_limits_of_another(thief: Attacker, scene: Scene) -> int:
    return thief.call("prlimit64", scene.victim, 7, 0, thief.stack + 1024)


@attack
def make_code(thief: Attacker, scene: Scene) -> int:
    return thief.call("mmap", 0, 4096, 7, 0x22, -1, 0)


@attack
def turn_data_into_code(thief: Attacker, scene: Scene) -> int:
    return thief.call("mprotect", thief.stack & ~4095, 4096, 5)


@attack
def become_root(thief: Attacker, scene: Scene) -> int:
    return thief.call("setuid", 0)


@attack
def become_traceable(thief: Attacker, scene: Scene) -> int:
    return thief.call("prctl", PR_SET_DUMPABLE, 1, 0, 0, 0)


@attack
def make_a_namespace(thief: Attacker, scene: Scene) -> int:
    return thief.call("unshare", CLONE_NEWUSER)


@attack
def enter_a_namespace(thief: Attacker, scene: Scene) -> int:
    return thief.call("setns", 0, 0)


@attack
def change_the_root(thief: Attacker, scene: Scene) -> int:
    return thief.call("chroot", b"/")


@attack
def mount(thief: Attacker, scene: Scene) -> int:
    # Harmless to the machine if it works: the root mount becomes private.
    return thief.call("mount", 0, b"/", 0, MS_PRIVATE, 0)


def bare_call(name: str, *arguments: int) -> Attack:
    return lambda thief, scene: thief.call(name, *arguments)


# What only widens the way into the kernel.
for call_name, call_arguments in {
    "bpf": (0, 0, 0), "io_uring_setup": (1, 0), "io_setup": (1, 0), "userfaultfd": (0,), "perf_event_open": (0, 0, 0, 0, 0),
    "keyctl": (0, 0), "add_key": (0, 0, 0, 0, 0), "open_by_handle_at": (0, 0, 0), "name_to_handle_at": (0, 0, 0, 0, 0),
    "pidfd_getfd": (0, 0, 0), "memfd_secret": (0,), "kcmp": (0, 0, 0, 0, 0), "init_module": (0, 0, 0), "personality": (0,),
    "finit_module": (0, 0, 0), "kexec_file_load": (0, 0, 0, 0, 0), "reboot": (0, 0, 0), "syslog": (0, 0, 0),
    "pivot_root": (0, 0), "open_tree": (0, 0, 0), "fsopen": (0, 0), "process_madvise": (0, 0, 0, 0, 0),
    "seccomp": (0, 0, 0), "landlock_create_ruleset": (0, 0, 0), "pkey_mprotect": (0, 0, 0, 0), "symlink": (0, 0),
    "mknod": (0, 0, 0),
}.items():  # fmt: skip
    ATTACKS[f"call {call_name}"] = bare_call(call_name, *call_arguments)


def describe(result: int) -> str:
    return errno.errorcode.get(-result, str(result)) if result < 0 else f"it worked ({result})"


def worked(thief: Attacker, scene: Scene) -> dict[str, str]:
    """The attacks that were not refused."""
    results = {name: act(thief, scene) for name, act in ATTACKS.items()}
    return {name: describe(result) for name, result in results.items() if -result not in REFUSED}


@pytest.mark.parametrize("kind", LONG_LIVED)
def test_a_taken_over_process_cannot(kind: str, prey: Prey) -> None:
    """All attacks in one stop of the process, so that it misses no deadline; all that worked are named at once."""
    with Attacker(prey.pids[kind]) as thief:
        assert thief.call("getpid") == prey.pids[kind], "the attacker is in control"
        successes = worked(thief, Scene(prey.pids, prey.installation, kind))
    assert not successes, f"a taken-over {kind} could: {successes}"


@pytest.mark.parametrize("kind", ("public edge", "control edge", "host"))
def test_only_the_custodian_reaches_the_data_directory(kind: str, prey: Prey) -> None:
    data = prey.installation.data
    files = [path for path in data.rglob("*") if path.is_file()]
    assert files
    with Attacker(prey.pids[kind]) as thief:
        for path in [data, *files[:20]]:
            assert -thief.call("openat", AT_FDCWD, os.fsencode(path), os.O_RDONLY) in REFUSED
    for entry in os.listdir(f"/proc/{prey.pids[kind]}/fd"):
        target = os.readlink(f"/proc/{prey.pids[kind]}/fd/{entry}")
        assert not target.startswith(str(data)), f"the {kind} holds {target}"
    assert str(data) not in Path(f"/proc/{prey.pids[kind]}/maps").read_text()


def test_custodian_stays_in_the_data_directory(prey: Prey) -> None:
    data = str(prey.installation.data.resolve())
    with Attacker(prey.pids["custodian"]) as thief:
        fd = thief.call("openat", AT_FDCWD, b".", os.O_RDONLY | os.O_DIRECTORY)
        assert fd >= 0
        assert os.readlink(f"/proc/{thief.pid}/fd/{fd}") == data
        for way in (b"..", b"../..", b"/..", b"/proc/self/root/etc"):
            out = thief.call("openat", fd, way, os.O_RDONLY | os.O_DIRECTORY)
            if out >= 0:  # ".." of the root is the root
                assert os.readlink(f"/proc/{thief.pid}/fd/{out}") == data
                thief.call("close", out)
        thief.call("close", fd)


@pytest.mark.parametrize("kind", LONG_LIVED)
def test_rights_are_given_up(kind: str, prey: Prey) -> None:
    pid = prey.pids[kind]
    status = status_of(pid)
    assert status["NoNewPrivs"] == "1"
    assert status["CapBnd"] == "0" * 16
    for thread in os.listdir(f"/proc/{pid}/task"):
        of_thread = status_of(int(thread))
        assert of_thread["Seccomp"] == "2", f"thread {thread} of the {kind} has no filter"
        assert {of_thread[key] for key in ("CapInh", "CapPrm", "CapEff", "CapAmb")} == {"0" * 16}
        for namespace in ("net", "ipc", "uts", *(() if prey.as_root else ("user",))):
            theirs = os.readlink(f"/proc/{pid}/task/{thread}/ns/{namespace}")
            assert theirs != os.readlink(f"/proc/self/ns/{namespace}"), f"thread {thread} of the {kind}: {namespace}"
    assert os.stat(f"/proc/{pid}/mem").st_uid == 0, "it is not dumpable, so its files in /proc are root's"
    limits = Path(f"/proc/{pid}/limits").read_text()
    assert re.search(r"Max core file size\s+0\s+0", limits)


def test_processes_run_as_different_users_when_root_starts_them(prey: Prey) -> None:
    users = {kind: int(status_of(prey.pids[kind])["Uid"].split()[1]) for kind in LONG_LIVED}
    if not prey.as_root:
        assert set(users.values()) == {ORDINARY_USER}
        return
    assert len(set(users.values())) == len(users), f"shared users: {users}"
    for kind in LONG_LIVED:
        assert users[kind] >= FIRST_USER, f"{kind}: {users[kind]}"
        assert not status_of(prey.pids[kind])["Groups"]


def test_descriptors_are_few_and_known(prey: Prey) -> None:
    """Sockets, memory, eventfds, epoll, and the terminal: nothing that leads to a file."""
    known = re.compile(r"(socket|pipe):\[\d+\]|anon_inode:.*|/memfd:.*|/dev/(null|pts/\d+|tty)|.*serve\.log")
    for kind in ("public edge", "control edge", "host"):
        for entry in os.listdir(f"/proc/{prey.pids[kind]}/fd"):
            target = os.readlink(f"/proc/{prey.pids[kind]}/fd/{entry}")
            assert known.fullmatch(target), f"the {kind} holds {target}"


def test_attacked_processes_go_on(prey: Prey, models: Models) -> None:
    answer = prey.installation.infer(
        prey.digits, models.digit_body(1), prey.installation.learner("witness", prey.digits)
    )
    assert answer.status_code == 200
    now = prey.now()
    assert {kind: now[kind] for kind in LONG_LIVED} == {kind: prey.pids[kind] for kind in LONG_LIVED}


def test_inspector_reaches_nothing_but_its_file(prey: Prey, unique: Callable[[str], str]) -> None:
    """It lives for one file and some tens of milliseconds, so it takes a few tries to catch one."""
    installation = prey.installation
    for _ in range(10):
        words = [str(installation.programs / "glasscase"), "publish", str(prey.digits_file), "--name", unique("seen")]
        with subprocess.Popen(words, env=installation.environment(), stdout=subprocess.DEVNULL) as publishing:
            caught = catch_inspector(installation, publishing)
            if caught is None:
                continue
            try:
                with Attacker(caught) as thief:
                    successes = worked(thief, Scene(prey.pids, installation, "inspector"))
            except (ProcessLookupError, FileNotFoundError):
                continue
        assert not successes, f"a taken-over inspector could: {successes}"
        return
    pytest.fail("no inspector was caught alive")


def catch_inspector(installation: Installation, publishing: subprocess.Popen[bytes]) -> int | None:
    deadline = time.monotonic() + 20
    while publishing.poll() is None and time.monotonic() < deadline:
        for pid in descendants(installation.pid):
            if kind_of(pid) == "inspector" and is_confined(pid):
                return pid
    return None
