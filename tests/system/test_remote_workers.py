"""Workers on other machines: enrolled by their key, reached by TLS, trusted with the run that they have and no more."""

from __future__ import annotations

import hashlib
import json
import os
import re
import signal
import socket
import ssl
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from system.installation import Installation, free_ports, running, wait_until
from system.remote_worker import (
    ALIVE,
    END,
    PIECE,
    RemoteWorker,
    certificate,
    client_context,
    enrol,
    field,
    frame,
    hello,
    is_connected,
    new_key,
    read_until_closed,
    record,
    remote_worker,
    worker_row,
)
from system.runners import readable_programs
from system.runs import plain_recipe, plain_runners, show, submit
from system.training_runs import add, recipe, train

PLAIN = {"environment": {"runner": "plain"}}


@pytest.fixture(scope="module")
def readable(programs: Path) -> Iterator[Path]:
    with readable_programs(programs) as folder:
        yield folder


@pytest.fixture(scope="module")
def plain() -> Iterator[Path]:
    with plain_runners() as folder:
        yield folder


@pytest.fixture(scope="module")
def glasscase(readable: Path, plain: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """One that takes workers of other machines and has one of its own."""
    (port,) = free_ports(1)
    with running(readable, tmp_path_factory.mktemp("remote"),
                 serve_words=("--workers", "1", "--runners", str(plain), "--worker-listen", f"127.0.0.1:{port}")) as installation:
        wait_until("its own worker is there", lambda: is_connected(installation, "local-1"), 10)
        yield installation


def address(glasscase: Installation) -> tuple[str, int]:
    host, _, port = glasscase.serve_words[-1].rpartition(":")
    return host, int(port)


@pytest.fixture
def connected(glasscase: Installation, readable: Path, plain: Path, tmp_path: Path) -> Iterator[RemoteWorker]:
    """A worker that is enrolled as "far" and connected."""
    gate = enrol(glasscase, "far", new_key(readable, tmp_path / "far.key"))
    with remote_worker(readable, tmp_path / "far", "--connect", ":".join(map(str, address(glasscase))), "--key",
                       str(tmp_path / "far.key"), "--gate", gate, "--runners", str(plain)) as worker:
        wait_until("the worker is connected", lambda: is_connected(glasscase, "far"), 15)
        yield worker
    glasscase.cli("workers", "remove", "far")


def log_since(glasscase: Installation, begin: int) -> str:
    return glasscase.log.read_text(errors="replace")[begin:]


def wait_for_log(glasscase: Installation, *words: str, begin: int = 0, seconds: float = 5) -> None:
    """A line with these words, in their order. The gate writes it after the other side was told."""
    line = re.compile(".*".join(map(re.escape, words)))
    wait_until(f"the log says {words}", lambda: line.search(log_since(glasscase, begin)), seconds)


# ---- what it is for ----


def test_a_run_is_done_on_another_machine_and_again_with_the_same_bits(
        glasscase: Installation, connected: RemoteWorker, tmp_path: Path) -> None:
    data = tmp_path / "numbers"
    data.mkdir()
    (data / "empty").write_bytes(b"")
    (data / "large.bin").write_bytes(os.urandom(3_000_001))
    for n in range(90):
        (data / f"{n}.txt").write_text(str(n))
    glasscase.cli("dataset", "add", str(data), "--name", "numbers")
    code = add(glasscase, tmp_path, "far-code", {"train.py": """
        import glob, hashlib, json
        paths = sorted(glob.glob("/in/data/d/**", recursive=True))
        seen = {p: hashlib.sha256(open(p, "rb").read()).hexdigest() for p in paths if not p.endswith("/d/")}
        print("seen", len(seen))
        json.dump({"seen": seen, "zeros": "0" * 5_000_000}, open("/out/model.json", "w"))
    """})
    path = recipe(tmp_path, code, {"d": "numbers"}, **PLAIN)
    first = train(glasscase, path, "far-model")
    assert (first["state"], first["worker"]) == ("succeeded", "local-1"), (first["reason"], first)
    run = str(first["id"])

    again = json.loads(glasscase.cli("runs", "verify", run, "--on", "far", "--json").stdout)
    assert (again["state"], again["worker"]) == ("succeeded", "far"), again
    assert json.loads(again["evidence"])["class"] == "B"
    assert "seen 92" in glasscase.cli("runs", "logs", again["id"]).stdout
    assert not list((connected.folder / "jobs").glob("*/*")), "nothing of a job stays there"


def test_a_run_that_only_the_other_machine_can_do_goes_there_and_its_result_comes_back(
        glasscase: Installation, readable: Path, tmp_path: Path) -> None:
    with plain_runners() as runners:
        (runners / "plain").rename(runners / "special")
        (runners / "special" / "requirements.txt").write_text("# elsewhere\n")
        gate = enrol(glasscase, "special", new_key(readable, tmp_path / "key"))
        with remote_worker(readable, tmp_path / "special", "--connect", ":".join(map(str, address(glasscase))), "--key",
                           str(tmp_path / "key"), "--gate", gate, "--runners", str(runners)):
            wait_until("the worker is connected", lambda: is_connected(glasscase, "special"), 15)
            code = add(glasscase, tmp_path, "special-code", {"train.py": """
                import random
                random.seed(1)
                open("/out/model.bin", "wb").write(random.randbytes(9_000_000))
            """})
            run = train(glasscase, recipe(tmp_path, code, environment={"runner": "special"}), "special-model")
            assert (run["state"], run["worker"]) == ("succeeded", "special"), run
            version = glasscase.cli("show", "special-model", json=True)["versions"][0]
            import random
            random.seed(1)
            assert version["sha256"] == hashlib.sha256(random.randbytes(9_000_000)).hexdigest()
    glasscase.cli("workers", "remove", "special")


# ---- ends in the middle ----


def slow_run(glasscase: Installation, folder: Path, name: str) -> str:
    """A run of which the first life waits until it is ended; later ones are done at once."""
    code = add(glasscase, folder, f"{name}-code", {"train.py": """
        import time
        print("begun", flush=True)
        time.sleep(4)
        open("/out/model.bin", "w").write("x")
    """})
    run = str(train(glasscase, recipe(folder, code, **PLAIN), f"{name}-first", "--detach")["id"])
    wait_until("it has run once", lambda: show(glasscase, run)["state"] == "succeeded", 30)
    again = str(json.loads(glasscase.cli("runs", "verify", run, "--on", "far", "--detach", "--json").stdout)["id"])
    wait_until("it runs far away", lambda: show(glasscase, again)["state"] == "running", 15)
    return again


@pytest.mark.parametrize("killed", ["worker", "connection", "all", "gate", "custodian"])
def test_a_run_survives_that_something_is_killed(
        glasscase: Installation, connected: RemoteWorker, tmp_path: Path, killed: str) -> None:
    run = slow_run(glasscase, tmp_path, f"killed-{killed}")
    if killed in ("gate", "custodian"):
        os.kill(glasscase.processes(f"glasscase-{killed}")[0].pid, signal.SIGKILL)
    elif killed == "all":
        connected.stop(signal.SIGKILL)
        connected.start()
    else:
        connected.part(0 if killed == "worker" else 1).kill()
    wait_until("it was noticed", lambda: show(glasscase, run).get("state") in ("queued", "preparing"), 15)
    wait_until("it has ended", lambda: show(glasscase, run).get("state") in ("succeeded", "failed"), 60)
    done = show(glasscase, run)
    assert (done["state"], done["worker"]) == ("succeeded", "far"), (done["reason"], done)
    assert json.loads(done["evidence"])["class"] == "B"


def test_a_machine_that_falls_silent_is_noticed_within_25_seconds(
        glasscase: Installation, connected: RemoteWorker, tmp_path: Path) -> None:
    run = slow_run(glasscase, tmp_path, "silent")
    begin = len(glasscase.log.read_text(errors="replace"))
    connection = connected.part(1)
    connection.suspend()
    begun = time.monotonic()
    wait_until("it was noticed", lambda: not is_connected(glasscase, "far"), 25)
    assert time.monotonic() - begun > 10, "not for another reason"
    wait_for_log(glasscase, "worker far at", "silent for 20 s", begin=begin)
    connection.resume()
    wait_until("it has ended", lambda: show(glasscase, run)["state"] in ("succeeded", "failed", "cancelled"), 60)
    assert show(glasscase, run)["state"] == "succeeded", (show(glasscase, run), log_since(glasscase, begin), connected.log)


# ---- who may come ----


def test_a_worker_that_is_removed_is_cut_off_at_once_and_stays_out(
        glasscase: Installation, readable: Path, plain: Path, tmp_path: Path) -> None:
    pin = new_key(readable, tmp_path / "key")
    gate = enrol(glasscase, "brief", pin)
    with remote_worker(readable, tmp_path / "brief", "--connect", ":".join(map(str, address(glasscase))), "--key",
                       str(tmp_path / "key"), "--gate", gate, "--runners", str(plain)) as worker:
        wait_until("the worker is connected", lambda: is_connected(glasscase, "brief"), 15)
        glasscase.cli("workers", "remove", "brief")
        assert not worker_row(glasscase, "brief")
        wait_until("it knows", lambda: "is not enrolled any more" in worker.log or "closed the" in worker.log, 5)
        wait_until("it does not come again", lambda: "does not know this key" in worker.log, 10)
        assert f"glasscase workers add NAME --key {pin}" in worker.log
        wait_for_log(glasscase, "refused 127.0.0.1", pin)
        enrol(glasscase, "brief", pin)
        wait_until("it comes again when it is enrolled again", lambda: is_connected(glasscase, "brief"), 35)
    glasscase.cli("workers", "remove", "brief")


def test_names_and_keys_are_enrolled_once(glasscase: Installation, readable: Path, tmp_path: Path) -> None:
    pin = new_key(readable, tmp_path / "key")
    assert new_key(readable, tmp_path / "key") == pin, "a key that is there stays"
    assert (tmp_path / "key").stat().st_mode & 0o777 == 0o600
    gate = enrol(glasscase, "once", pin)
    for name, key, words in [
        ("once", new_key(readable, tmp_path / "other"), "there is a worker once already"),
        ("twice", pin, "enrolled already, as once"),
        ("local-1", new_key(readable, tmp_path / "other"), "this machine's workers"),
        ("gate", gate, "not of the worker's key"),
        ("none", "sha256//AAAA", "glasscase-worker --new-key"),
        ("a b", new_key(readable, tmp_path / "other"), "name"),
    ]:
        done = glasscase.cli("workers", "add", name, "--key", key, check=False)
        assert done.returncode != 0 and words in done.stderr, (name, done.stderr)
    learner = glasscase.learner("worker-learner")
    for act in (["add", "x", "--key", pin], ["list"], ["remove", "once"]):
        assert glasscase.cli("workers", *act, token=learner, check=False).returncode == 1
    glasscase.cli("workers", "remove", "once")
    assert "no worker of another machine" in glasscase.cli("workers", "remove", "once", check=False).stderr


def test_whoever_is_not_enrolled_is_refused_with_the_reason_and_disturbs_nobody(
        glasscase: Installation, connected: RemoteWorker, readable: Path, tmp_path: Path) -> None:
    run = slow_run(glasscase, tmp_path, "undisturbed")
    pin = new_key(readable, tmp_path / "stranger")
    strange = certificate(tmp_path, tmp_path / "stranger")
    expired = certificate(tmp_path, tmp_path / "far.key", days=-1)
    good = certificate(tmp_path, tmp_path / "far.key")

    def refused(context: ssl.SSLContext | None, first: bytes, words: str) -> None:
        begin = len(glasscase.log.read_text(errors="replace"))
        with socket.create_connection(address(glasscase), 10) as plain:
            try:
                if context is None:
                    plain.sendall(first)
                    plain.settimeout(15)
                    while plain.recv(4096):
                        pass
                else:
                    with context.wrap_socket(plain) as stream:
                        stream.sendall(first)
                        assert not read_until_closed(stream)
            except (ConnectionError, ssl.SSLError):
                pass
        wait_for_log(glasscase, "refused 127.0.0.1:", words, begin=begin, seconds=3)

    refused(client_context(tmp_path / "stranger", strange), hello("far"), f"its key {pin} is not enrolled")
    refused(client_context(tmp_path / "far.key", expired), hello("far"), "its certificate has expired")
    refused(client_context(), hello("far"), "it showed no certificate")
    refused(client_context(tmp_path / "far.key", good, version=ssl.TLSVersion.TLSv1_2), b"", "older TLS than 1.3")
    refused(client_context(tmp_path / "far.key", good, protocol="h2"), b"", "no worker of this version")
    time.sleep(1.1)  # the log takes so many a second
    refused(None, b"GET / HTTP/1.1\r\n\r\n", "does not speak TLS")
    refused(None, os.urandom(1) + b"\xff" * 400, "does not speak TLS")
    refused(None, b"\x16\x03\x01", "hands were not shaken within 10 s")
    assert is_connected(glasscase, "far")
    wait_until("the run goes on", lambda: show(glasscase, run)["state"] == "succeeded", 30)
    assert show(glasscase, run)["attempts"] == 1


def test_silent_connections_keep_no_worker_out(
        glasscase: Installation, readable: Path, plain: Path, tmp_path: Path) -> None:
    silent = [socket.create_connection(address(glasscase), 10) for _ in range(200)]
    gate = enrol(glasscase, "patient", new_key(readable, tmp_path / "key"))
    with remote_worker(readable, tmp_path / "patient", "--connect", ":".join(map(str, address(glasscase))), "--key",
                       str(tmp_path / "key"), "--gate", gate, "--runners", str(plain)):
        wait_until("the worker is connected", lambda: is_connected(glasscase, "patient"), 8)
    for one in silent:
        one.close()
    glasscase.cli("workers", "remove", "patient")
    wait_for_log(glasscase, "too many others have not shaken hands")


def test_a_worker_says_nothing_to_another_gate_than_its_own(
        glasscase: Installation, readable: Path, plain: Path, tmp_path: Path) -> None:
    """In the middle: somebody with a certificate, but without the gate's key."""
    new_key(readable, tmp_path / "middle")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate(tmp_path, tmp_path / "middle"), tmp_path / "middle")
    context.set_alpn_protocols(["glasscase-worker/1"])
    gate = enrol(glasscase, "careful", new_key(readable, tmp_path / "key"))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(15)
        with remote_worker(readable, tmp_path / "careful", "--connect", f"127.0.0.1:{listener.getsockname()[1]}", "--key",
                           str(tmp_path / "key"), "--gate", gate, "--runners", str(plain)) as worker:
            plain_socket, _ = listener.accept()
            with pytest.raises((ssl.SSLError, ConnectionError)):
                context.wrap_socket(plain_socket, server_side=True).recv(1)
            wait_until("it says why", lambda: "not the one that --gate names" in worker.log, 5)
    glasscase.cli("workers", "remove", "careful")


# ---- a stolen key ----


@pytest.fixture
def thief(glasscase: Installation, readable: Path, tmp_path: Path) -> Iterator[ssl.SSLContext]:
    """Has the key of the worker "stolen" and speaks by hand."""
    enrol(glasscase, "stolen", new_key(readable, tmp_path / "stolen"))
    yield client_context(tmp_path / "stolen", certificate(tmp_path, tmp_path / "stolen"))
    glasscase.cli("workers", "remove", "stolen")


def connect(glasscase: Installation, context: ssl.SSLContext) -> ssl.SSLSocket:
    stream = context.wrap_socket(socket.create_connection(address(glasscase), 10))
    assert stream.recv(5) == record(ALIVE, b"")
    return stream


@pytest.mark.parametrize(("sent", "words"), [
    (record(9, b""), "no record of type 9"),
    (b"\x01\xff\xff\xff\xff", "is too long"),
    (frame(b"", (1 << 62,)), "a file is too large"),
    (frame(b"", (1 << 39,)), "no room for files"),
    (record(1, b"\xff\xff"), "too many files: 65535"),
    (record(PIECE, b"x"), "belong to no file"),
    (frame(b"", (3,)) + record(PIECE, b"four"), "than were announced"),
    (frame(b"", (3,)) + frame(b""), "before the files of the last were complete"),
    (record(ALIVE, b"x"), "is too long"),
    (record(END, b"I go"), "I go"),
    (frame(b"\xff\xff\xff"), "closed the"),
], ids=str)
def test_what_breaks_the_rules_ends_that_connection_alone(
        glasscase: Installation, connected: RemoteWorker, thief: ssl.SSLContext, sent: bytes, words: str) -> None:
    begin = len(glasscase.log.read_text(errors="replace"))
    with connect(glasscase, thief) as stream:
        stream.sendall(sent)
        read_until_closed(stream)
    wait_for_log(glasscase, "worker stolen at 127.0.0.1", words, begin=begin)
    assert is_connected(glasscase, "far") and is_connected(glasscase, "local-1")


def test_a_stolen_key_gives_no_other_name_and_no_other_run(
        glasscase: Installation, connected: RemoteWorker, thief: ssl.SSLContext, tmp_path: Path) -> None:
    run = slow_run(glasscase, tmp_path, "anothers")
    with connect(glasscase, thief) as stream:
        stream.sendall(hello("local-1", 5) + hello("far", 5))
        wait_until("it is there", lambda: is_connected(glasscase, "stolen"), 5)
        assert worker_row(glasscase, "stolen")["executor"] == "by hand"
        assert worker_row(glasscase, "far")["executor"] == "bubblewrap"
        id_bytes = bytes.fromhex(run.replace("-", ""))
        ended = field(14, field(1, id_bytes) + field(2, 2) + field(3, "stolen"))
        printed = field(11, field(1, id_bytes) + field(2, "lies"))
        results = field(13, field(1, id_bytes) + field(2, field(1, "model.bin") + field(2, 1)))
        stream.sendall(frame(ended) + frame(printed) + frame(results, (1,)) + record(PIECE, b"x"))
        request = field(1, field(1, 1) + field(33, b""))  # stop, as an edge would ask
        stream.sendall(frame(request) + frame(field(15, field(1, bytes(32)))) + frame(field(2, b"")))
        wait_until("the run is done where it began", lambda: show(glasscase, run)["state"] == "succeeded", 30)
        done = show(glasscase, run)
        assert (done["worker"], json.loads(done["evidence"])["class"]) == ("far", "B"), done
        assert "lies" not in glasscase.cli("runs", "logs", run).stdout
        assert glasscase.cli("status").returncode == 0


def test_a_run_that_a_thief_sits_on_can_be_cancelled(
        glasscase: Installation, thief: ssl.SSLContext, tmp_path: Path) -> None:
    code = add(glasscase, tmp_path, "sat-code", {"train.py": "open('/out/model.bin', 'w').write('x')"})
    first = train(glasscase, recipe(tmp_path, code, **PLAIN), "sat-model")
    with connect(glasscase, thief) as stream:
        stream.sendall(hello("x"))
        wait_until("it is there", lambda: is_connected(glasscase, "stolen"), 5)
        run = json.loads(glasscase.cli("runs", "verify", first["id"], "--on", "stolen", "--detach", "--json").stdout)["id"]
        wait_until("it was given the run", lambda: show(glasscase, run)["worker"] == "stolen", 10)
        glasscase.cli("runs", "cancel", run)
        shown = show(glasscase, run)
        assert (shown["state"], shown["reason"]) == ("cancelled", "it was cancelled; its worker is ending it")
        # Its slot is not waited for without end either.
        deadline = time.monotonic() + 40
        while show(glasscase, run)["reason"] != "it was cancelled":
            assert time.monotonic() < deadline
            stream.sendall(record(ALIVE, b""))
            time.sleep(2)
        assert is_connected(glasscase, "stolen")


def test_a_worker_that_is_told_to_end_says_so(glasscase: Installation, connected: RemoteWorker, tmp_path: Path) -> None:
    code = add(glasscase, tmp_path, "told-code", {"train.py": "import time; open('/out/model.bin', 'w').write('x'); time.sleep(2)"})
    first = train(glasscase, recipe(tmp_path, code, **PLAIN), "told-model")
    run = json.loads(glasscase.cli("runs", "verify", first["id"], "--on", "far", "--detach", "--json").stdout)["id"]
    wait_until("it runs there", lambda: show(glasscase, run)["state"] == "running", 10)
    connected.stop()
    wait_until("it waits", lambda: show(glasscase, run)["state"] == "queued", 10)
    assert show(glasscase, run)["attempts"] == 0, "that is no attempt"
    assert "far failed" not in glasscase.cli("status").stdout
    connected.start()
    wait_until("it has ended", lambda: show(glasscase, run)["state"] == "succeeded", 30)
    assert show(glasscase, run)["attempts"] == 1


def test_the_second_connection_with_a_key_ends_the_first(glasscase: Installation, thief: ssl.SSLContext) -> None:
    with connect(glasscase, thief) as first, connect(glasscase, thief) as second:
        assert b"another connection came with the same key" in read_until_closed(first)
        second.sendall(hello("x"))
        wait_until("the second is there", lambda: is_connected(glasscase, "stolen"), 5)
        wait_for_log(glasscase, "another connection came with the same key")


def test_a_worker_that_takes_nothing_is_cut_off(glasscase: Installation, thief: ssl.SSLContext, readable: Path,
                                                plain: Path, tmp_path: Path) -> None:
    """It says that it lives, and reads nothing of what it is sent."""
    (tmp_path / "big").write_bytes(bytes(64 << 20))
    glasscase.cli("dataset", "add", str(tmp_path / "big"), "--name", "big")
    code = add(glasscase, tmp_path, "big-code", {"train.py": "open('/out/model.bin', 'w').write('x')"})
    first = train(glasscase, recipe(tmp_path, code, {"d": "big"}, **PLAIN), "big-model")
    assert first["state"] == "succeeded"
    begin = len(glasscase.log.read_text(errors="replace"))
    with connect(glasscase, thief) as stream:
        stream.sendall(hello("x"))
        wait_until("it is there", lambda: is_connected(glasscase, "stolen"), 5)
        run = json.loads(glasscase.cli("runs", "verify", first["id"], "--on", "stolen", "--detach", "--json").stdout)["id"]
        deadline = time.monotonic() + 45
        while "took nothing for 30 s" not in log_since(glasscase, begin):
            assert time.monotonic() < deadline, log_since(glasscase, begin)
            time.sleep(2)
            try:
                stream.sendall(record(ALIVE, b""))
            except OSError:
                pass
    glasscase.cli("runs", "cancel", run)
