"""The command line by itself: words, exit codes, profiles, and a fake server that answers what a test wants."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import pty
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from system.installation import free_ports

TOKEN = "gct_" + "a" * 36
COMMANDS = [
    "init", "serve", "stop", "status", "publish", "dataset add", "call", "list models", "list datasets", "list subjects",
    "list grants", "list tokens", "show", "default", "retire", "erase", "take", "receipt", "history", "subject add", "token create", "token rotate", "invite", "grant",
    "revoke grant", "revoke token", "revoke subject", "login", "whoami", "version", "backup", "restore", "translate", "completion",
]


@dataclass
class Asked:
    method: str
    path: str
    token: str
    body: bytes
    headers: dict[str, str]

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class FakeServer:
    """Answers by (method, path) from a table, 404 otherwise, and remembers what it was asked. An entry is a status, a body
    and, if wanted, fields; or a function that makes one, or None to cut the connection."""

    url: str = ""
    answers: dict[tuple[str, str], Any] = field(default_factory=dict)
    asked: list[Asked] = field(default_factory=list)
    delay: float = 0.0


@dataclass
class CommandLine:
    program: Path
    home: Path

    def environment(self, **more: str) -> dict[str, str]:
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("GLASSCASE_", "XDG_"))}
        return kept | {"HOME": str(self.home)} | more

    def __call__(self, *words: str, stdin: str = "", **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [self.program, *words], env=self.environment(**environment), input=stdin, capture_output=True, text=True,
            check=False, timeout=60,
        )

    @property
    def profiles(self) -> Path:
        return self.home / ".config" / "glasscase"

    def profile(self, name: str = "default") -> dict[str, str]:
        profile: dict[str, str] = json.loads((self.profiles / f"{name}.json").read_text())
        return profile


@pytest.fixture
def run(programs: Path, tmp_path: Path) -> CommandLine:
    return CommandLine(programs / "glasscase", tmp_path)


@pytest.fixture
def server() -> Iterator[FakeServer]:
    fake = FakeServer()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            asked = Asked(self.command, self.path, (self.headers.get("Authorization") or "").removeprefix("Bearer "), body, dict(self.headers))
            fake.asked.append(asked)
            time.sleep(fake.delay)
            entry = fake.answers.get((self.command, self.path), (404, {"detail": "there is no such thing"}))
            entry = entry(asked) if callable(entry) else entry
            if entry is None:
                self.close_connection = True
                return
            status, value, fields = (*entry, {}) if len(entry) == 2 else entry
            data = value if isinstance(value, bytes) else json.dumps(value).encode()
            self.send_response(status)
            for name, text in fields.items():
                self.send_header(name, text)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            if status == 429:
                self.send_header("Retry-After", "7")
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(data)

        do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = answer

        def log_message(self, *_: object) -> None:
            pass

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=http.serve_forever, daemon=True).start()
    fake.url = f"http://127.0.0.1:{http.server_port}"
    yield fake
    http.shutdown()
    http.server_close()


@pytest.fixture
def as_owner(run: CommandLine, server: FakeServer) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Runs a command against the fake server through the variables."""
    return lambda *words, **more: run(
        *words, GLASSCASE_URL=server.url, GLASSCASE_CONTROL_URL=server.url, GLASSCASE_TOKEN=TOKEN, **more)


# ---- words ----


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself(run: CommandLine, command: str) -> None:
    done = run(*command.split(), "--help")
    assert done.returncode == 0
    assert f"Usage: glasscase {command}" in done.stdout
    assert "Examples:\n" in done.stdout


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        ([], "needs a command"),
        (["publsh"], "Did you mean: glasscase publish?"),
        (["list", "grant"], "Did you mean: glasscase list grants?"),
        (["publish", "a.onnx", "--nmae", "x"], "Did you mean --name?"),
        (["publish"], "--name"),
        (["grant", "ada", "predict"], "required"),
        (["grant", "ada", "predict", "m", "--quota", "many"], "100/min"),
        (["invite", "ada", "--expires", "soon"], "30d"),
        (["erase", "m@1"], "--yes"),
        (["default", "m"], "@VERSION"),
        (["show", "m@"], "@VERSION"),
        (["login", "ftp://x"], "http://HOST:PORT"),
        (["login", "http://127.0.0.1:1#gci_short"], "40 characters"),
        (["serve", "--http", "0.0.0.0:8000"], "--tls-cert"),
        (["serve", "--http", "8000"], "127.0.0.1:8000"),
        (["serve", "--tls-cert", "x"], "belong together"),
        (["whoami", "--profile", "../x"], "letters, digits"),
        (["completion", "tcsh"], "bash"),
        (["train", "/tmp", "--name", "x"], "/tmp is a folder: name a recipe in it"),
        (["train", "/dev/null", "/etc/passwd", "--name", "x"], "/dev/null: not JSON as expected here"),
        (["train", "/etc/passwd", "--name", "x"], "/etc/passwd: not JSON as expected here: syntax error, at byte 0, line 1"),
    ],
)
def test_wrong_words_are_exit_code_2_and_say_what_to_do(run: CommandLine, words: list[str], hint: str) -> None:
    done = run(*words)
    assert done.returncode == 2, done.stderr
    assert hint in done.stderr
    assert done.stdout == ""


def test_version_in_both_forms(run: CommandLine) -> None:
    assert run("version").stdout.startswith("glasscase ")
    assert set(json.loads(run("--json", "version").stdout)) == {"version"}


def test_completion_offers_what_may_follow(run: CommandLine) -> None:
    script = run("completion", "bash").stdout

    def complete(*words: str) -> list[str]:
        line = " ".join(f'"{w}"' for w in ("glasscase", *words))
        shell = f"{script}\nCOMP_WORDS=({line}); COMP_CWORD={len(words)}; _glasscase; printf '%s\\n' \"${{COMPREPLY[@]}}\""
        return subprocess.run(["bash", "-c", shell], capture_output=True, text=True, check=True).stdout.split()

    assert complete("pub") == ["publish"]
    assert complete("list", "") == ["models", "datasets", "subjects", "grants", "tokens"]
    assert "--quota" in complete("grant", "ada", "predict", "m", "--q")
    assert complete("--profile", "x", "token", "r") == ["rotate"]


def test_installed_completions_are_what_the_program_prints(run: CommandLine) -> None:
    folder = Path(__file__).resolve().parents[2] / "apps" / "glasscase" / "completions"
    for shell, name in (("bash", "glasscase.bash"), ("zsh", "_glasscase"), ("fish", "glasscase.fish")):
        printed = run("completion", shell).stdout
        assert "publish" in printed
        assert (folder / name).read_text() == printed, f"glasscase completion {shell} > apps/glasscase/completions/{name}"


# ---- where and as whom ----


def test_without_anything_it_says_how_to_begin(run: CommandLine) -> None:
    done = run("whoami")
    assert done.returncode == 1
    assert "glasscase init" in done.stderr
    assert "glasscase login" in done.stderr


def test_nothing_answers(run: CommandLine) -> None:
    port = free_ports(1)[0]
    done = run("status", GLASSCASE_TOKEN=TOKEN, GLASSCASE_CONTROL_URL=f"http://127.0.0.1:{port}")
    assert done.returncode == 1
    assert done.stderr == (
        f"glasscase: nothing answers at http://127.0.0.1:{port}: is it running? start it with: glasscase serve\n")


def test_each_variable_overrides_its_own_field_alone(run: CommandLine, server: FakeServer) -> None:
    run.profiles.mkdir(parents=True)
    path = run.profiles / "default.json"
    path.write_text(json.dumps({"url": server.url, "control_url": "http://127.0.0.1:1", "token": TOKEN}))
    path.chmod(0o600)
    server.answers["GET", "/glasscase/v1/whoami"] = (200, {"subject": {"name": "ada"}})
    assert run("whoami").returncode == 0
    assert server.asked[-1].token == TOKEN
    other = "gct_" + "b" * 36
    assert run("whoami", GLASSCASE_TOKEN=other).returncode == 0
    assert server.asked[-1].token == other
    assert run("whoami", GLASSCASE_URL="http://127.0.0.1:1").returncode == 1
    assert run("status").returncode == 1
    server.answers["GET", "/glasscase/v1/status"] = (200, {})
    assert run("status", GLASSCASE_CONTROL_URL=server.url).returncode == 0
    assert server.asked[-1].token == TOKEN


def test_a_profile_that_others_may_read_is_refused(run: CommandLine) -> None:
    run.profiles.mkdir(parents=True)
    (run.profiles / "default.json").write_text("{}")
    (run.profiles / "default.json").chmod(0o644)
    done = run("whoami")
    assert done.returncode == 1
    assert "chmod 600" in done.stderr


def test_login_redeems_once_and_keeps_what_was_there(run: CommandLine, server: FakeServer) -> None:
    invitation = "gci_" + "i" * 36
    server.answers["POST", "/glasscase/v1/invitations/redeem"] = (
        201, {"id": "1", "token": TOKEN, "subject": "ada", "expires_at": ""})
    done = run("login", f"{server.url}#{invitation}")
    assert done.returncode == 0, done.stderr
    assert server.asked[0].token == invitation
    assert run.profile() == {"url": server.url, "control_url": "", "token": TOKEN, "pin": "", "data": ""}
    assert (run.profiles / "default.json").stat().st_mode & 0o777 == 0o600
    assert TOKEN not in done.stdout + done.stderr

    server.answers["POST", "/glasscase/v1/invitations/redeem"] = (
        201, {"id": "2", "token": "gct_" + "b" * 36, "subject": "ada", "expires_at": ""})
    assert run("login", server.url, stdin=f"{invitation}\n").returncode == 0
    assert run.profile()["token"] == "gct_" + "b" * 36
    assert run.profile("default-1")["token"] == TOKEN
    assert "control address" in run("list", "grants").stderr


def test_login_with_a_token_asks_the_server_first(run: CommandLine, server: FakeServer) -> None:
    assert run("login", server.url, "--token", TOKEN).returncode == 1
    assert not run.profiles.exists()
    server.answers["GET", "/glasscase/v1/whoami"] = (200, {"subject": {"name": "ada"}})
    assert run("login", server.url, "--token", "-", stdin=TOKEN).returncode == 0
    assert run.profile()["token"] == TOKEN


def test_redirections_are_not_followed(as_owner: Callable[..., subprocess.CompletedProcess[str]], server: FakeServer) -> None:
    server.answers["GET", "/glasscase/v1/whoami"] = (302, {})
    done = as_owner("whoami")
    assert done.returncode == 1
    assert "redirection" in done.stderr
    assert len(server.asked) == 1


# ---- answers ----


def test_lists_are_arrays_with_json_and_tables_without(
    as_owner: Callable[..., subprocess.CompletedProcess[str]], server: FakeServer
) -> None:
    grants = [{"id": "g1", "subject": "ada", "action": "predict", "model": "o/digits", "quota": "", "created_at": "", "expires_at": "", "state": "active",
               "ledger_state": "pending"}]
    server.answers["GET", "/glasscase/v1/grants?subject=ada"] = (200, {"grants": grants})
    assert json.loads(as_owner("list", "grants", "--subject", "ada", "--json").stdout) == grants
    table = as_owner("list", "grants", "--subject", "ada").stdout.splitlines()
    assert table[0].split() == ["SUBJECT", "ACTION", "MODEL", "QUOTA", "EXPIRES", "STATE", "LEDGER", "ID"]
    assert table[1].split() == ["ada", "predict", "o/digits", "-", "-", "active", "pending", "g1"]
    server.answers["GET", "/glasscase/v1/models?limit=500&kind=model"] = (200, {"models": [], "next": ""})
    assert as_owner("list", "models", "--json").stdout == "[]\n"
    empty = as_owner("list", "models")
    assert (empty.returncode, empty.stdout) == (0, "")


def test_a_server_cannot_drive_the_terminal(
    as_owner: Callable[..., subprocess.CompletedProcess[str]], server: FakeServer
) -> None:
    server.answers["GET", "/glasscase/v1/subjects"] = (200, {"subjects": [{"id": "1", "name": "\x1b[2Jada\n", "roles": ["\x07"], "created_at": ""}]})
    assert "\x1b" not in as_owner("list", "subjects").stdout
    server.answers["GET", "/glasscase/v1/whoami"] = (403, {"detail": "no \x1b]0;x\x07"})
    assert as_owner("whoami").stderr == "glasscase: no \\x1b]0;x\\x07\n"


@pytest.mark.parametrize(
    ("status", "said"),
    [(401, "Log in again"), (403, "because"), (404, "because"), (409, "because"), (429, "again in 7 s"), (500, "because"), (503, "try again")],
)
def test_refusals_are_exit_code_1(
    as_owner: Callable[..., subprocess.CompletedProcess[str]], server: FakeServer, status: int, said: str
) -> None:
    server.answers["GET", "/glasscase/v1/whoami"] = (status, {"detail": "because"})
    done = as_owner("whoami")
    assert done.returncode == 1
    assert said in done.stderr
    assert json.loads(as_owner("whoami", "--json").stderr)["error"]


def test_what_is_not_glasscase_is_said_to_be(as_owner: Callable[..., subprocess.CompletedProcess[str]], server: FakeServer) -> None:
    server.answers["GET", "/glasscase/v1/whoami"] = (200, b"<html>")
    assert "is it a Glasscase server?" in as_owner("whoami").stderr


def test_invite_prints_the_line_that_login_takes(
    run: CommandLine, as_owner: Callable[..., subprocess.CompletedProcess[str]], server: FakeServer
) -> None:
    invitation = "gci_" + "i" * 36
    server.answers["POST", "/glasscase/v1/invitations"] = (201, {"id": "1", "invitation": invitation, "subject": "ada", "expires_at": ""})
    done = as_owner("invite", "ada", "--expires", "2d")
    assert done.stdout == f"glasscase login '{server.url}#{invitation}'\n"
    assert server.asked[-1].json == {"subject": "ada", "expires": "2d", "token_expires": ""}


# ---- publish and call ----


UPLOADS = "/glasscase/v1/uploads"


class FakeUploads:
    """What a server does about uploads: keeps offsets, and publishes whatever it is asked to."""

    def __init__(self, server: FakeServer) -> None:
        self.server = server
        self.offsets: dict[str, int] = {}
        server.answers["GET", UPLOADS] = lambda _: (200, {"uploads": []})
        server.answers["POST", UPLOADS] = self.create
        server.answers["POST", "/glasscase/v1/models"] = (201, {
            "model": {"name": "ada/m", "versions": [{"version": "1", "sha256": "00", "id": "v1", "batched": True, "batching_note": ""}]},
            "already_published": False, "sample_input": '{"inputs":[]}', "infer_path": "/v2/models/ada%2Fm/infer"})

    def create(self, _: Asked) -> tuple[int, Any, dict[str, str]]:
        path = f"{UPLOADS}/u{len(self.offsets)}"
        self.offsets[path] = 0
        self.server.answers["PATCH", path] = self.patch
        self.server.answers["HEAD", path] = lambda asked: (200, b"", {"Upload-Offset": str(self.offsets[asked.path])})
        self.server.answers["DELETE", path] = (204, b"")
        return 201, {}, {"Location": path}

    def patch(self, asked: Asked) -> tuple[int, Any, dict[str, str]]:
        assert int(asked.headers["Upload-Offset"]) == self.offsets[asked.path]
        self.offsets[asked.path] += len(asked.body)
        return 204, b"", {"Upload-Offset": str(self.offsets[asked.path])}


def test_publish_sends_the_files_and_prints_a_call(
    as_owner: Callable[..., subprocess.CompletedProcess[str]], server: FakeServer, tmp_path: Path
) -> None:
    FakeUploads(server)
    (tmp_path / "m").mkdir()
    (tmp_path / "m" / "model.onnx").write_bytes(b"graph")
    (tmp_path / "m" / "w.bin").write_bytes(b"x" * 3_000_000)
    (tmp_path / "card.md").write_text("# Card")
    done = as_owner("publish", str(tmp_path / "m"), "--name", "m", "--version", "1", "--card", str(tmp_path / "card.md"))
    assert done.returncode == 0, done.stderr
    digests = [hashlib.sha256(b"graph").hexdigest(), hashlib.sha256(b"x" * 3_000_000).hexdigest()]
    created = [a.headers for a in server.asked if (a.method, a.path) == ("POST", UPLOADS)]
    assert [h["Upload-Length"] for h in created] == ["5", "3000000"]
    assert [base64.b64decode(h["Upload-Metadata"].split("sha256 ")[1]).decode() for h in created] == digests
    assert [len(a.body) for a in server.asked if a.method == "PATCH"] == [5, 3_000_000]
    assert server.asked[-1].json == {
        "files": [{"path": "model.onnx", "upload": "u0", "sha256": digests[0]}, {"path": "w.bin", "upload": "u1", "sha256": digests[1]}],
        "name": "m", "version": "1", "card": "# Card"}
    assert f"curl '{server.url}/v2/models/ada%2Fm/infer' -H \"Authorization: Bearer $GLASSCASE_TOKEN\"" in done.stdout
    assert done.stderr == ""  # no progress where no terminal reads


def test_a_refused_model_is_not_left_at_the_server(
    as_owner: Callable[..., subprocess.CompletedProcess[str]], server: FakeServer, tmp_path: Path
) -> None:
    FakeUploads(server)
    server.answers["POST", "/glasscase/v1/models"] = (400, {"detail": "node Loop_3: too deep"})
    (tmp_path / "model.onnx").write_bytes(b"graph")
    done = as_owner("publish", str(tmp_path / "model.onnx"), "--name", "m")
    assert done.returncode == 1
    assert done.stderr == "glasscase: node Loop_3: too deep\n"
    assert (server.asked[-1].method, server.asked[-1].path) == ("DELETE", f"{UPLOADS}/u0")


def test_a_cut_connection_is_tried_again_from_where_the_server_stands(
    as_owner: Callable[..., subprocess.CompletedProcess[str]], server: FakeServer, tmp_path: Path
) -> None:
    uploads = FakeUploads(server)
    (tmp_path / "data.csv").write_bytes(b"0123456789")
    answers: list[Any] = [None, (503, {"detail": "the custodian is restarting"}), (423, {"detail": "another connection is writing"})]

    def patch(asked: Asked) -> Any:
        if not answers:
            return uploads.patch(asked)
        uploads.offsets[asked.path] += 2  # so much came before the cut
        return answers.pop(0)

    def create(asked: Asked) -> Any:
        created = uploads.create(asked)
        server.answers["PATCH", created[2]["Location"]] = patch
        return created

    server.answers["POST", UPLOADS] = create
    done = as_owner("dataset", "add", str(tmp_path / "data.csv"), "--name", "d")
    assert done.returncode == 0, done.stderr
    assert [a.body for a in server.asked if a.method == "PATCH"] == [b"0123456789", b"23456789", b"456789", b"6789"]
    assert "trying again" in done.stderr


def test_a_publish_run_again_takes_up_what_is_there(
    as_owner: Callable[..., subprocess.CompletedProcess[str]], server: FakeServer, tmp_path: Path
) -> None:
    uploads = FakeUploads(server)
    uploads.create(Asked("POST", UPLOADS, "", b"", {}))
    uploads.offsets[f"{UPLOADS}/u0"] = 4
    sha256 = hashlib.sha256(b"0123456789").hexdigest()
    server.answers["GET", UPLOADS] = (200, {"uploads": [
        {"id": "other", "bytes": 10, "offset": 10, "sha256": "00" * 32}, {"id": "u0", "bytes": 10, "offset": 4, "sha256": sha256}]})
    (tmp_path / "data.csv").write_bytes(b"0123456789")
    assert as_owner("dataset", "add", str(tmp_path / "data.csv"), "--name", "d").returncode == 0
    assert [a.body for a in server.asked if a.method == "PATCH"] == [b"456789"]
    assert not any((a.method, a.path) == ("POST", UPLOADS) for a in server.asked)


def test_an_interrupted_publish_says_how_to_go_on(run: CommandLine, server: FakeServer, tmp_path: Path) -> None:
    FakeUploads(server)
    server.delay = 1.0
    (tmp_path / "model.onnx").write_bytes(b"graph")
    variables = {"GLASSCASE_URL": server.url, "GLASSCASE_CONTROL_URL": server.url, "GLASSCASE_TOKEN": TOKEN}
    process = subprocess.Popen(
        [run.program, "publish", str(tmp_path / "model.onnx"), "--name", "m"], env=run.environment(**variables),
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 20
    while not any(a.method == "PATCH" for a in server.asked):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=20)
    assert process.returncode == 1
    assert "interrupted; the same command goes on where it stopped" in err
    assert not any(a.method == "DELETE" for a in server.asked)


@pytest.fixture
def takes(server: FakeServer) -> bytes:
    """A dataset of one file at the fake server."""
    data = os.urandom(3_000_000)
    sha256 = hashlib.sha256(data).hexdigest()
    server.answers["GET", "/glasscase/v1/models/d/files"] = (200, {
        "name": "ada/d", "version": "1", "sha256": sha256, "files": [{"path": "d.bin", "bytes": len(data), "sha256": sha256}]})

    def give(asked: Asked) -> Any:
        if "Range" not in asked.headers:
            return 200, data[:-1_000_000]  # less than the file has: as after a cut
        assert asked.headers["If-Range"] == f'"{sha256}"'
        begin = int(asked.headers["Range"].removeprefix("bytes=").removesuffix("-"))
        return 206, data[begin:]

    server.answers["GET", "/glasscase/v1/models/d/files/0"] = give
    return data


def test_a_cut_download_goes_on_where_it_stopped(
    as_owner: Callable[..., subprocess.CompletedProcess[str]], server: FakeServer, tmp_path: Path, takes: bytes
) -> None:
    done = as_owner("take", "d", "--output", str(tmp_path / "out.bin"))
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "out.bin").read_bytes() == takes
    assert [a.headers.get("Range") for a in server.asked[1:]] == [None, "bytes=2000000-"]
    assert not (tmp_path / "out.bin.unfinished").exists()


def test_a_download_of_an_earlier_run_is_gone_on_with(
    as_owner: Callable[..., subprocess.CompletedProcess[str]], server: FakeServer, tmp_path: Path, takes: bytes
) -> None:
    (tmp_path / "out.bin.unfinished").write_bytes(takes[:1234])
    assert as_owner("take", "d", "--output", str(tmp_path / "out.bin")).returncode == 0
    assert (tmp_path / "out.bin").read_bytes() == takes
    assert [a.headers.get("Range") for a in server.asked[1:]] == ["bytes=1234-"]
    # Other bytes are found out, and not kept for the next run.
    (tmp_path / "two.bin.unfinished").write_bytes(b"x" * 1234)
    refused = as_owner("take", "d", "--output", str(tmp_path / "two.bin"))
    assert (refused.returncode, "not the registered file" in refused.stderr) == (1, True)
    assert not list(tmp_path.glob("two*"))


def test_publishing_shows_progress_on_a_terminal(run: CommandLine, server: FakeServer, tmp_path: Path) -> None:
    FakeUploads(server)
    (tmp_path / "model.onnx").write_bytes(os.urandom(40_000_000))
    variables = {"GLASSCASE_URL": server.url, "GLASSCASE_CONTROL_URL": server.url, "GLASSCASE_TOKEN": TOKEN}
    master, slave = pty.openpty()
    process = subprocess.Popen(
        [run.program, "publish", str(tmp_path / "model.onnx"), "--name", "m"], env=run.environment(**variables),
        stdout=subprocess.PIPE, stderr=slave)
    os.close(slave)
    seen = b""
    try:
        while chunk := os.read(master, 4096):
            seen += chunk
    except OSError:  # the other side is closed
        pass
    os.close(master)
    process.communicate(timeout=20)
    assert process.returncode == 0
    assert b"sending [" in seen and b"of 40.0 MB" in seen


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda p: (p / "w.bin").symlink_to("/etc/passwd"), "leaves the folder"),
        (lambda p: os.mkfifo(p / "pipe"), "not a regular file"),
        (lambda p: (p / "other.onnx").write_bytes(b""), "model.onnx, other.onnx"),
        (lambda p: (p / "model.onnx").unlink(), "ends in .onnx"),
    ],
)
def test_folders_that_are_not_one_model_are_refused_before_anything_is_sent(
    as_owner: Callable[..., subprocess.CompletedProcess[str]], server: FakeServer, tmp_path: Path,
    make: Callable[[Path], None], said: str,
) -> None:
    (tmp_path / "m").mkdir()
    (tmp_path / "m" / "model.onnx").write_bytes(b"graph")
    make(tmp_path / "m")
    done = as_owner("publish", str(tmp_path / "m"), "--name", "m")
    assert done.returncode == 1
    assert said in done.stderr
    assert server.asked == []


def test_call_completes_what_people_write(as_owner: Callable[..., subprocess.CompletedProcess[str]], server: FakeServer) -> None:
    server.answers["GET", "/v2/models/o%2Fm"] = (200, {"inputs": [{"name": "x", "datatype": "FP32", "shape": [-1, 2]}]})
    server.answers["POST", "/v2/models/o%2Fm/infer"] = (200, {"outputs": [{"name": "y", "datatype": "FP32", "shape": [1, 2], "data": [0.1, 3]}]})
    done = as_owner("call", "o/m", "--input", "-", stdin="[1, 2]")
    assert done.stdout == "y  FP32 [1, 2]\n  0.1 3\n"
    assert server.asked[-1].json == {"inputs": [{"name": "x", "datatype": "FP32", "shape": [1, 2], "data": [1, 2]}]}
    whole = '{"inputs": [{"name":"x", "shape":[1,2], "datatype":"FP32", "data":[1.50, 2]}]}'
    server.answers["POST", "/v2/models/o%2Fm/versions/3/infer"] = (200, b'{"outputs":[]}')
    assert as_owner("call", "o/m@3", "--input", "-", "--json", stdin=whole).stdout == '{"outputs":[]}\n'
    assert server.asked[-1].body == whole.encode()  # as it was written
    assert "not JSON" in as_owner("call", "o/m", "--input", "-", stdin="{").stderr
    assert "given is [1, 3]" in as_owner("call", "o/m", "--input", "-", stdin="[[1,2,3]]").stderr
    assert as_owner("call", "o/m", "--input", "/nowhere.json").returncode == 1
