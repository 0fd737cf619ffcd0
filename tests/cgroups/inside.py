"""The machine's own first program: makes cgroups as systemd and others do, hands them over, and runs what is to be tested.

Says on the console what happened, in lines that begin with "::", and turns the machine off. The kernel's command line may
name steps after "--": only these then.
"""

from __future__ import annotations

import ctypes
import json
import os
import subprocess
import sys
import textwrap
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import IO

CGROUPS = Path("/sys/fs/cgroup")
CONTROLLERS = "+memory +pids +cpu"
USER = 1000
POWER_OFF = 0x4321FEDC
HANDED_OVER = ("", "cgroup.procs", "cgroup.subtree_control", "cgroup.threads")  # cgroups(7), "Delegation"
# Each takes Podman seconds here: those that cgroups may make different.
OF_CONTAINERS = "*PodmanCgroupTest*:*AProgramReads*:*AFailure*:*MemoryThatIsShared*:*AForkBomb*:*ACancelled*:*NothingOutlives*"
PROGRAMS = "/opt/glasscase/bin"

Output = int | IO[bytes] | None

libc = ctypes.CDLL(None, use_errno=True)


def say(*words: object) -> None:
    print("::", *words, flush=True)


def mount(kind: str, place: str, options: str = "") -> None:
    Path(place).mkdir(parents=True, exist_ok=True)
    if libc.mount(kind.encode(), place.encode(), kind.encode(), 0, options.encode()) != 0:
        raise OSError(ctypes.get_errno(), f"cannot mount {place}")


def set_up() -> None:
    mount("proc", "/proc")
    mount("sysfs", "/sys")
    mount("devtmpfs", "/dev")
    mount("devpts", "/dev/pts")
    mount("tmpfs", "/dev/shm", "mode=1777")
    mount("tmpfs", "/run", "mode=755")
    mount("tmpfs", "/tmp", "mode=1777")
    mount("cgroup2", str(CGROUPS), "nsdelegate")  # as systemd mounts it
    Path("/var/tmp").mkdir(parents=True, exist_ok=True)
    Path("/var/tmp").chmod(0o1777)
    subprocess.run(["/bin/busybox", "ifconfig", "lo", "up"], check=True)
    (CGROUPS / "cgroup.subtree_control").write_text(CONTROLLERS)


def make_cgroup(name: str, user: int) -> Path:
    folder = CGROUPS / name
    folder.mkdir()
    for file in HANDED_OVER:
        os.chown(folder / file, user, user)
    return folder


def begin_in(folder: Path, user: int, words: list[str], stdout: Output = None, stderr: Output = subprocess.STDOUT,
             **more: str) -> subprocess.Popen[bytes]:
    def enter() -> None:
        (folder / "cgroup.procs").write_text("0")  # root alone may move it there
        os.setgroups([])
        os.setgid(user)
        os.setuid(user)

    environment = {"PATH": "/usr/bin:/bin", "HOME": "/var/tmp", "TMPDIR": "/var/tmp"} | more
    return subprocess.Popen(words, env=environment, cwd="/var/tmp", preexec_fn=enter, stdin=subprocess.DEVNULL,
                            stdout=stdout, stderr=stderr)


def run_in(folder: Path, user: int, words: list[str], limit_s: float) -> int:
    try:
        return begin_in(folder, user, words).wait(limit_s)
    except subprocess.TimeoutExpired:
        (folder / "cgroup.kill").write_text("1")
        return -1


def contract(name: str, user: int, executor: str, *words: str) -> None:
    """The contract of executors, and what cgroups add, in a cgroup that was handed to that user."""
    folder = make_cgroup(name, user)
    code = run_in(folder, user, [f"/tests/jobs_{executor}_cgroups", "--gtest_color=no", *words], 900)
    say_given_back(name, folder, code)


def say_given_back(name: str, folder: Path, code: int) -> None:
    left = sorted(one.name for one in folder.iterdir() if one.is_dir())
    enabled = (folder / "cgroup.subtree_control").read_text().strip()
    say("given back", name, f"code={code} left={left} enabled={enabled!r}")


class Installation:
    """Served in a cgroup that was handed to that user; spoken to from another one."""

    CODE = """
        import os, pathlib, sys, time
        many = int(sys.argv[1])
        for _ in range(many - 1):
            if os.fork() == 0: break
        kept = bytearray(20 << 20)
        for i in range(0, len(kept), 4096): kept[i] = 1
        if many > 1: time.sleep(60)
        pathlib.Path("/out/model.txt").write_text("x")
    """

    def __init__(self, name: str, user: int) -> None:
        self.user, self.folder = user, make_cgroup(name, user)
        self.home = Path("/var/tmp") / name
        self.home.mkdir()
        os.chown(self.home, user, user)
        self.outside = CGROUPS / "outside"
        self.outside.mkdir(exist_ok=True)
        self.environment = {"HOME": str(self.home), "GLASSCASE_DATA": str(self.home / "data")}

    def ask(self, *words: str) -> str:
        done = begin_in(self.outside, self.user, [f"{PROGRAMS}/glasscase", *words], stdout=subprocess.PIPE,
                        stderr=subprocess.PIPE, **self.environment)
        out, errors = done.communicate(timeout=120)
        if done.returncode != 0 and errors:
            say("glasscase", *words, f"ended with {done.returncode}: {errors.decode()[-600:]}")
        return out.decode()

    def serve(self) -> subprocess.Popen[bytes]:
        log = (self.home / "serve.log").open("wb")
        served = begin_in(self.folder, self.user, [f"{PROGRAMS}/glasscase", "serve", "--workers", "2", "--runners", "/tests/runners"],
                          stdout=log, stderr=log, **self.environment)
        deadline = time.monotonic() + 120
        while b"ready:" not in (self.home / "serve.log").read_bytes():
            if served.poll() is not None or time.monotonic() > deadline:
                raise AssertionError((self.home / "serve.log").read_text())
            time.sleep(0.1)
        return served

    def train(self, name: str, processes: int) -> None:
        recipe = self.home / f"{name}.json"
        recipe.write_text(json.dumps({
            "environment": {"runner": "plain"}, "code": "code", "data": {}, "command": ["python", "/in/code/train.py", str(processes)],
            "limits": {"memory_bytes": 128 << 20, "wall_s": 120}}))
        said = self.ask("train", str(recipe), "--name", name, "--json")
        say("run", name, json.dumps(json.loads(said)) if said else "{}")

    def processes(self) -> dict[str, list[str]]:
        """Which programs are in which of its cgroups."""
        found = {}
        for path in sorted(self.folder.rglob("cgroup.procs")):
            names = {Path(f"/proc/{pid}/comm").read_text().strip() for pid in path.read_text().split()}
            found[str(path.parent.relative_to(self.folder))] = sorted(names)
        return found


def installation(name: str, user: int) -> None:
    server = Installation(name, user)
    server.ask("init")
    served = server.serve()
    say("processes", name, json.dumps(server.processes()))
    say("status", name, json.dumps(json.loads(server.ask("status", "--json"))))
    code = server.home / "train.py"
    code.write_text(textwrap.dedent(server.CODE))
    server.ask("dataset", "add", str(code), "--name", "code")
    server.train("small", 1)
    server.train("large", 15)
    served.terminate()
    say_given_back(name, server.folder, served.wait(60))


class Database:
    """Somebody else's, in a cgroup below ours."""

    def __init__(self, below: Path) -> None:
        self.folder = below / "database"
        self.folder.mkdir()
        self.process = begin_in(self.folder, 0, ["/usr/bin/sleep", "900"])

    def is_well(self) -> bool:
        return self.process.poll() is None and str(self.process.pid) in (self.folder / "cgroup.procs").read_text().split()

    def end(self) -> None:
        self.process.kill()
        self.process.wait()
        self.folder.rmdir()


def others(name: str, user: int) -> None:
    """What somebody else has below the cgroup that was handed to us: before we come, and while we are there."""
    server = Installation(name, user)
    server.ask("init")
    database = Database(server.folder)
    served = server.serve()
    say("status", name, json.dumps(json.loads(server.ask("status", "--json"))))
    served.terminate()
    served.wait(60)
    say("others", name, "before:", database.is_well())
    database.end()
    served = server.serve()
    say("processes", name, json.dumps(server.processes()))
    database = Database(server.folder)
    served.terminate()
    say_given_back(name, server.folder, served.wait(60))
    say("others", name, "meanwhile:", database.is_well())
    database.end()


def main() -> None:
    set_up()
    say("kernel", os.uname().release, "processors", os.cpu_count(), "controllers", (CGROUPS / "cgroup.controllers").read_text())
    steps: list[tuple[str, Callable[[], None]]] = [
        ("contract-of-user", lambda: contract("of-user", USER, "bubblewrap")),
        ("contract-of-root", lambda: contract("of-root", 0, "bubblewrap")),
        ("containers-of-user", lambda: contract("of-containers", USER, "podman", f"--gtest_filter={OF_CONTAINERS}")),
        ("installation-of-user", lambda: installation("served-by-user", USER)),
        ("installation-of-root", lambda: installation("served-by-root", 0)),
        ("others-of-user", lambda: others("shared-by-user", USER)),
        ("others-of-root", lambda: others("shared-by-root", 0)),
    ]
    for name, step in steps:
        if sys.argv[1:] and name not in sys.argv[1:]:
            continue
        say("begin", name)
        try:
            step()
        except Exception:  # whatever it is, the machine is turned off
            say("failed", name)
            traceback.print_exc(file=sys.stdout)
        say("end", name)


if __name__ == "__main__":
    try:
        main()
    finally:
        say("off")
        os.sync()
        libc.reboot(POWER_OFF)
