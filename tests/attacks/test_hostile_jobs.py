"""Jobs that mean harm, in a real installation: each ends in a clear state with a reason, and the next job runs.

All are queued at once, in order, an honest one after each; the tests look at what became of them.
"""

from __future__ import annotations

import os
import re
import textwrap
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import pytest

from system.installation import Installation, running
from system.runs import ENDED, plain_recipe, plain_runners, printed, show, submit

SECONDS_MAX = 80
MARK = "left-behind-by-a-hostile-job"
HONEST = 'open("/out/model.txt", "w").write("honest")'
SMALL = {"wall_s": 2, "memory_bytes": 200 << 20, "disk_bytes": 32 << 20, "processes": 64}


@dataclass(frozen=True)
class Case:
    """A program, and what is said of it. One that tries what it must not ends well when all of it was refused."""

    program: str
    words: str = ""  # in the reason; a regular expression
    state: str = "failed"
    limits: dict[str, int] = field(default_factory=dict)


def tries(program: str) -> Case:
    """`attempt` takes what must fail; whatever works is said, and the run fails."""
    head = """
        import ctypes, os, socket, sys
        DATA = "{data}"
        PORTS = {ports}
        worked = []
        def attempt(what, act):
            try:
                got = act()
            except (OSError, ValueError) as error:
                print("refused:", what, error)
            else:
                worked.append((what, got))
    """
    tail = """
        if worked:
            sys.exit(f"worked: {worked}")
        open("/out/model.txt", "w").write("nothing worked")
    """
    return Case(textwrap.dedent(head) + textwrap.dedent(program) + textwrap.dedent(tail), state="succeeded")


CASES = {
    # ---- uses up what there is ----
    "forks-without-end": Case("""
        import os
        while True:
            try:
                os.fork()
            except OSError:
                pass
    """, "longer than 2 s"),
    "fills-the-disk": Case("""
        with open("/out/model.bin", "wb") as file:
            while True:
                file.write(bytes(1 << 20))
    """, "File too large|MiB to /out"),
    "fills-the-disk-with-many-files": Case("""
        import time
        for n in range(1 << 20):
            open(f"/out/{n}", "wb").write(bytes(1 << 20))
            time.sleep(0.005)
    """, "MiB to /out"),
    "fills-the-disk-with-files-without-a-name": Case("""
        import os, time
        kept = []
        while True:
            kept.append(open("/out/hidden", "wb", buffering=0))
            os.unlink("/out/hidden")
            kept[-1].write(bytes(1 << 20))
            time.sleep(0.005)
    """, "MiB to /out"),
    "fills-the-disk-with-files-that-it-has-mapped-and-nothing-else": Case("""
        import ctypes, os, time
        libc = ctypes.CDLL(None, use_errno=True)
        libc.mmap.restype, libc.mmap.argtypes = ctypes.c_void_p, [ctypes.c_size_t] * 2 + [ctypes.c_int] * 3 + [ctypes.c_long]
        while True:
            file = os.open("/out/hidden", os.O_CREAT | os.O_RDWR)
            os.unlink("/out/hidden")
            os.posix_fallocate(file, 0, 1 << 20)
            libc.mmap(0, 4096, 1, 1, file, 0)
            os.close(file)
            time.sleep(0.02)
    """, "removed /out/hidden and keeps it mapped", limits={"wall_s": 20}),
    "fills-the-disk-with-programs-that-run": Case("""
        import os, shutil, time
        for _ in range(6):
            shutil.copy("/usr/bin/sleep", "/out/program")
            file = os.open("/out/program", os.O_RDWR)
            os.posix_fallocate(file, 1 << 20, 8 << 20)
            os.close(file)
            os.posix_spawn("/out/program", ["program", "20"], {})
            os.unlink("/out/program")
        time.sleep(20)
    """, "MiB to /out", limits={"wall_s": 20}),
    "fills-the-disk-after-its-first-thread": Case("""
        import ctypes, os, threading, time
        def go_on():
            time.sleep(0.2)
            for n in range(10):
                file = os.open("/out/hidden", os.O_CREAT | os.O_RDWR)
                os.unlink("/out/hidden")
                os.posix_fallocate(file, 0, 8 << 20)
            time.sleep(20)
            os._exit(0)
        threading.Thread(target=go_on).start()
        ctypes.CDLL(None).syscall(60, 0)
    """, "MiB to /out", limits={"wall_s": 20}),
    "hides-what-it-has-open": Case("""
        import os, shutil, time
        shutil.copy("/usr/bin/sleep", "/out/program")
        os.chmod("/out/program", 0o111)
        file = os.open("/out/hidden", os.O_CREAT | os.O_RDWR)
        os.unlink("/out/hidden")
        os.posix_fallocate(file, 0, 8 << 20)
        os.set_inheritable(file, True)
        os.execv("/out/program", ["program", "20"])
    """, "hides which files it has open", limits={"wall_s": 20}),
    "fills-the-disk-with-empty-files": Case("""
        for n in range(1 << 20):
            open(f"/out/{n}", "w").close()
    """, "files", limits={"wall_s": 20}),
    "fills-the-temporary-folder-with-empty-files": Case("""
        for n in range(1 << 22):
            open(f"/tmp/{n}", "w").close()
    """, "files in /tmp", limits={"wall_s": 20}),
    "fills-the-temporary-folder": Case("""
        with open("/tmp/x", "wb") as file:
            while True:
                file.write(bytes(1 << 20))
    """, "No space left", limits={"disk_bytes": 1 << 30, "memory_bytes": 1 << 30, "wall_s": 10}),
    "eats-memory": Case("""
        kept = []
        while True:
            kept.append(b"x" * (1 << 20))
    """, "[mM]emory"),
    "eats-memory-in-many-processes": Case("""
        import os, time
        for _ in range(20):
            if os.fork() == 0:
                kept = b"x" * (30 << 20)
                time.sleep(60)
        time.sleep(60)
    """, "memory"),
    "eats-memory-after-its-first-thread": Case("""
        import ctypes, os, threading, time
        def eat():
            time.sleep(0.3)
            kept = b"x" * (30 << 20)
            time.sleep(20)
        for _ in range(20):
            if os.fork() == 0:
                break
        threading.Thread(target=eat).start()
        ctypes.CDLL(None).syscall(60, 0)
    """, "more memory than 200 MiB", limits={"wall_s": 20}),
    "eats-memory-that-is-kept-for-nobody": tries("""
        libc = ctypes.CDLL(None, use_errno=True)
        def call(number, *arguments):
            if libc.syscall(number, *arguments) < 0:
                raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
            return True
        attempt("memory of System V", lambda: call(29, 0, 16 << 20, 0o1600))
        attempt("semaphores of System V", lambda: call(64, 0, 32_000, 0o1600))
        attempt("messages of System V", lambda: call(68, 0, 0o1600))
        attempt("a file in memory", lambda: os.memfd_create("eaten"))
        attempt("a secret file in memory", lambda: call(447, 0))
        attempt("descriptors that are shown to nobody", lambda: call(157, 4, 0))
        attempt("a thread with descriptors of its own", lambda: call(56, 0x10900, 0, 0, 0, 0))
        attempt("descriptors of its own", lambda: call(436, 3, 3, 2))
    """),
    "prints-a-gigabyte": Case("""
        import os
        for _ in range(1024):
            os.write(1, b"0123456789abcde\\n" * (1 << 16))
        open("/out/model.txt", "w").write("x")
    """, state="succeeded", limits={"wall_s": 30}),
    "prints-progress-without-end": Case("""
        import sys
        for n in range(300_000):
            sys.stdout.write(f"progress 0.{n % 10} step\\n")
        open("/out/model.txt", "w").write("x")
    """, state="succeeded", limits={"wall_s": 10}),

    # ---- will not end ----
    "is-long-to-look-at": Case("""
        import ctypes, os, time
        libc = ctypes.CDLL(None)
        libc.mmap.restype, libc.mmap.argtypes = ctypes.c_void_p, [ctypes.c_size_t] * 2 + [ctypes.c_int] * 3 + [ctypes.c_long]
        libc.mprotect.argtypes = [ctypes.c_size_t, ctypes.c_size_t, ctypes.c_int]
        try:
            os.posix_fallocate(os.memfd_create("one"), 0, 4096)
        except OSError:
            pass
        at = libc.mmap(0, 60_000 * 4096, 0, 0x22, -1, 0)
        for n in range(0, 60_000, 2):
            libc.mprotect(at + n * 4096, 4096, 1)
        kept = b"x" * (60 << 20)
        for _ in range(12):
            if os.fork() == 0:
                break
        time.sleep(60)
    """, "longer than 2 s"),
    "ignores-sigterm": Case("""
        import signal, time
        for number in set(signal.Signals) - {signal.SIGKILL, signal.SIGSTOP}:
            signal.signal(number, signal.SIG_IGN)
        time.sleep(600)
    """, "longer than 2 s"),
    "leaves-a-process-behind": Case(f"""
        import os, subprocess
        subprocess.Popen(["python3", "-c", "import time; time.sleep(600)", "{MARK}"], start_new_session=True)
        open("/out/model.txt", "w").write("x")
    """, state="succeeded"),
    "kills-all-it-can": Case("""
        import os, signal
        for target in (-1, 1, os.getppid()):
            try:
                os.kill(target, signal.SIGKILL)
            except OSError:
                pass
        os.kill(os.getpid(), signal.SIGKILL)
    """, "signal 9"),

    # ---- reaches for what is not its own ----
    "writes-outside": tries("""
        for path in ("/x", "/etc/x", "/usr/x", "/usr/bin/python3", "/in/x", "/in/code/x", "/in/recipe.json", "/runner/x",
                     "/runner/requirements.txt", "/proc/sys/kernel/hostname", "/dev/x", DATA + "/x"):
            attempt(path, lambda: open(path, "w"))
            attempt("remove " + path, lambda: os.unlink(path))
    """),
    "opens-sockets": tries("""
        for port in PORTS:
            for family, host in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1"), (socket.AF_INET, "192.0.2.1")):
                attempt((host, port), lambda: socket.socket(family, socket.SOCK_STREAM).connect((host, port)))
        attempt("datagram", lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"x", ("192.0.2.1", 53)))
        attempt("name", lambda: socket.getaddrinfo("example.org", 80))
        attempt("raw", lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW))
        for path in ("/run/systemd/notify", "/var/run/docker.sock", "\\0glasscase", DATA + "/custodian.sock"):
            attempt(path, lambda: socket.socket(socket.AF_UNIX).connect(path))
    """),
    "reads-the-environment-for-secrets": tries("""
        from pathlib import Path
        places = [Path("/proc/self"), *Path("/proc").glob("[0-9]*")]
        for place in places:
            for name in ("environ", "cmdline", "mountinfo", "maps"):
                try:
                    text = (place / name).read_bytes()
                except OSError:
                    continue
                for word in (b"GLASSCASE", b"glasscase-custodian", b"glasscase-worker", DATA.encode(), b"TOKEN=", b"SECRET"):
                    if word in text:
                        worked.append((str(place / name), word, text[:300]))
    """),
    "reaches-for-descriptors": tries("""
        libc = ctypes.CDLL(None, use_errno=True)
        def call(number, *arguments):
            if libc.syscall(number, *arguments) < 0:
                raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
            return True
        own = {int(name) for name in os.listdir("/proc/self/fd")}
        if own - {0, 1, 2, max(own)}:
            worked.append(("descriptors that were left open", own))
        for pid in {int(name) for name in os.listdir("/proc") if name.isdigit()} - {os.getpid()}:
            attempt(f"trace {pid}", lambda: call(101, 16, pid, 0, 0))
            attempt(f"descriptors of {pid}", lambda: os.open(f"/proc/{pid}/fd/3", os.O_RDONLY))
            attempt(f"the directory of {pid}", lambda: os.listdir(f"/proc/{pid}/root{DATA}"))
        attempt("the data directory", lambda: os.listdir(DATA))
        attempt("the catalog", lambda: open(DATA + "/catalog.db"))
    """),
    "gets-powers": tries("""
        libc = ctypes.CDLL(None, use_errno=True)
        def call(number, *arguments):
            if libc.syscall(number, *arguments) < 0:
                raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
            return True
        attempt("a user namespace", lambda: call(272, 0x10000000))
        attempt("a mount", lambda: call(165, b"none", b"/tmp", b"tmpfs", 0, 0))
        attempt("another root", lambda: os.chroot("/tmp"))
        attempt("root", lambda: os.setuid(0) if os.getuid() else (_ for _ in ()).throw(OSError("it is root of nothing")))
        attempt("a device", lambda: os.mknod("/out/disk", 0o60666, os.makedev(8, 0)))
        attempt("a module", lambda: call(175, b"x", 1, b""))
        attempt("keys", lambda: call(250, 0, 0))
        attempt("programs of the kernel", lambda: call(321, 0, 0, 0))
    """),

    # ---- leaves what is no result ----
    "leaves-no-model": Case("print('done')", "left no model"),
    "leaves-ten-models": Case("for n in range(10): open(f'/out/model.{n}', 'w')", "10 models"),
    "leaves-a-link": Case("import os; os.symlink('/etc/passwd', '/out/model.bin')", "is a link"),
    "leaves-a-link-in-a-folder": Case("import os; os.mkdir('/out/model'); os.symlink('/', '/out/model/x')", "is a link"),
    "leaves-a-pipe": Case("import os; os.mkfifo('/out/model.bin')", "no file and no folder"),
    "leaves-a-device": Case("import os; os.mknod('/out/model.bin', 0o20666, os.makedev(1, 5))", "Operation not permitted"),
    "leaves-a-name-with-control-characters": Case("open('/out/model.\\x1b[2Jx', 'w').write('x')", "control characters"),
    "leaves-a-name-that-is-no-text": Case("open(b'/out/model.\\xff\\xfe', 'w').write('x')", "UTF-8"),
    "leaves-two-names-that-are-one": Case("""
        import os
        os.mkdir("/out/model")
        for name in ("a", "A"):
            open(f"/out/model/{name}", "w").write(name)
    """, "would be one file"),
    "leaves-too-many-files": Case("""
        import os
        os.mkdir("/out/model")
        for n in range(200):
            open(f"/out/model/{n}", "w").write("x")
    """, "more than 128 files"),
    "leaves-a-deep-folder": Case("import os; os.makedirs('/out/model' + '/x' * 40)", "deep"),
    "leaves-a-terabyte-of-nothing": Case("import os; os.truncate(os.open('/out/model.bin', os.O_CREAT | os.O_WRONLY), 1 << 40)", "File too large"),
    "leaves-more-of-nothing-than-it-may": Case(
        "import os; os.truncate(os.open('/out/model.bin', os.O_CREAT | os.O_WRONLY), 33 << 20)", "limits.disk_bytes"),
    "locks-its-results": Case("""
        import os
        open("/out/model.txt", "w").write("x")
        os.chmod("/out/model.txt", 0)
        os.chmod("/out", 0)
    """, "cannot read the results: Permission denied"),
    "measures-nothing": Case("open('/out/model.txt', 'w').write('x'); open('/out/metrics.json', 'w').write('{\"a\": NaN}')", "metrics.json"),
    "measures-too-much": Case("open('/out/model.txt', 'w').write('x'); open('/out/metrics.json', 'w').write('{\"a\": 1e400}')", "metrics.json"),
    "measures-a-hundred-thousand-times": Case("""
        import json
        open("/out/model.txt", "w").write("x")
        json.dump({str(n): 0 for n in range(90_000)}, open("/out/metrics.json", "w"))
    """, "metrics.json"),
    "measures-large-numbers-often": Case("""
        open("/out/model.txt", "w").write("x")
        open("/out/metrics.json", "w").write("{" + ",".join(f'"{n}":1e20' for n in range(70_000)) + "}")
    """, "metrics.json"),
    "measures-a-link": Case("import os; open('/out/model.txt', 'w').write('x'); os.symlink('/etc/passwd', '/out/metrics.json')", "is a link"),

    # ---- says what confuses ----
    "tells-progress-that-is-none": Case("""
        import sys
        for line in (b"progress 0.5 \\xff\\xfe\\n", b"progress 0.6 \\x1b[2J\\x07\\n", b"progress nan\\n", b"progress 1e999\\n", b"progress 0.7 " + b"y" * 10_000 + b"\\n"):
            sys.stdout.buffer.write(line)
        open("/out/model.txt", "w").write("x")
    """, state="succeeded"),
    "ends-with-words-that-drive-a-terminal": Case("""
        import sys
        sys.stderr.buffer.write(b"\\x1b]0;owned\\x07\\x1b[31m\\xff\\xfe" + b"z" * 100_000 + b"\\n")
        sys.exit(3)
    """, "exit code 3"),
}


@dataclass
class Suite:
    """The installation, the runs by the names of their cases, and what was there before them."""

    glasscase: Installation
    hostile: dict[str, str]
    honest: dict[str, str]
    processes: dict[str, list[int]]
    folders: set[Path]
    begun: float

    def end_of(self, run: str) -> dict[str, Any]:
        deadline = self.begun + 3 * SECONDS_MAX
        while (shown := show(self.glasscase, run))["state"] not in ENDED:
            assert time.monotonic() < deadline, f"it does not end: {shown}"
            time.sleep(0.05)
        return shown


def processes(glasscase: Installation) -> dict[str, list[int]]:
    return {name: [p.pid for p in glasscase.processes(name)] for name in ("glasscase-worker", "glasscase-custodian")}


def job_folders() -> set[Path]:
    return set(Path("/var/tmp").glob("glasscase-jobs-*"))


def write_programs(folder: Path, glasscase: Installation) -> None:
    for name, case in CASES.items():
        program = textwrap.dedent(case.program)
        program = program.replace("{data}", str(glasscase.data)).replace("{ports}", str(glasscase.ports))
        (folder / f"{name}.py").write_text(program)
    (folder / "honest.py").write_text(HONEST)


@contextmanager
def hostile_suite(programs: Path, folder: Path) -> Iterator[Suite]:
    others = job_folders()
    with plain_runners() as runners, running(
            programs, folder, serve_words=("--workers", "1", "--runners", str(runners))) as glasscase:
        code = folder / "code"
        code.mkdir()
        write_programs(code, glasscase)
        glasscase.cli("dataset", "add", str(code), "--name", "programs")
        submissions = []
        for name, case in CASES.items():
            submissions += [
                {"model": name, "recipe": plain_recipe("programs", f"{name}.py", limits=SMALL | case.limits)},
                {"model": "honest", "recipe": plain_recipe("programs", "honest.py")},
            ]
        before = processes(glasscase)
        begun = time.monotonic()
        ids = [run["id"] for run in submit(glasscase, submissions)]
        yield Suite(glasscase, dict(zip(CASES, ids[::2], strict=True)), dict(zip(CASES, ids[1::2], strict=True)), before, others, begun)


@pytest.fixture(scope="module")
def suite(programs: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Suite]:
    with hostile_suite(programs, tmp_path_factory.mktemp("hostile")) as suite:
        yield suite


@pytest.mark.parametrize("name", CASES)
def test_a_hostile_job_ends_and_an_honest_one_runs_after_it(suite: Suite, name: str) -> None:
    case = CASES[name]
    run = suite.end_of(suite.hostile[name])
    said = printed(suite.glasscase, run["id"])[-2000:] if case.state != run["state"] else ""
    assert run["state"] == case.state, f"{run['reason']}\n{said}"
    assert re.search(case.words, run["reason"]), run["reason"]
    assert run["attempts"] == 1, "what a job does is never tried again"
    assert run["state"] == "succeeded" or len(run["reason"]) > 10, "a person can act on it"
    assert run["reason"].isprintable()
    assert len(run["reason"]) < 3_000
    honest = suite.end_of(suite.honest[name])
    assert (honest["state"], honest["attempts"]) == ("succeeded", 1), honest["reason"]


def test_what_was_printed_is_kept_up_to_a_bound(suite: Suite) -> None:
    run = suite.end_of(suite.hostile["prints-a-gigabyte"])["id"]
    kept = (suite.glasscase.data / "runs" / f"{run}.log").stat().st_size
    assert 1 << 20 < kept <= 17 << 20


def test_nothing_of_them_is_left(suite: Suite) -> None:
    for run in (*suite.hostile.values(), *suite.honest.values()):
        suite.end_of(run)
    assert time.monotonic() - suite.begun < SECONDS_MAX
    assert processes(suite.glasscase) == suite.processes, "no process of ours died of them"
    left = [p.info["cmdline"] for p in psutil.process_iter(["cmdline"]) if MARK in (p.info["cmdline"] or [])]
    assert left == []
    assert [path for path in job_folders() - suite.folders if any(path.iterdir())] == []
    status = suite.glasscase.cli("status", json=True)
    assert {row["note"] for row in status["processes"] if row["process"] in ("worker", "custodian")} == {""}
    blobs = sum(path.stat().st_size for path in (suite.glasscase.data / "blobs").rglob("*") if path.is_file())
    assert blobs < 8 << 20
    assert os.listdir(suite.glasscase.data / "runs")
    suite.glasscase.cli("fsck", "--data", str(suite.glasscase.data))
