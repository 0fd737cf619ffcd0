"""A running installation of the real programs, in a directory and on ports of its own."""

from __future__ import annotations

import json as json_module
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, overload

import psutil
import requests

READY_SECONDS_MAX = 60.0


def free_ports(count: int) -> list[int]:
    """Ports that nobody listens on at the moment."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [int(s.getsockname()[1]) for s in sockets]
    for s in sockets:
        s.close()
    return ports


def wait_until(what: str, condition: Any, seconds: float = 10.0) -> None:
    """Asks `condition` until it is true; fails with `what` when it never is."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds} s: {what}"
        time.sleep(0.01)


@dataclass
class Installation:
    """`cli` speaks as the owner unless a token is given."""

    programs: Path
    folder: Path
    scheme: str = "http"
    init_words: tuple[str, ...] = ()
    serve_words: tuple[str, ...] = ()
    ports: list[int] = field(default_factory=lambda: free_ports(2))
    process: subprocess.Popen[bytes] | None = None
    launched_at: int = 0  # where in `log` its last life begins

    @property
    def data(self) -> Path:
        return self.folder / "data"

    @property
    def log(self) -> Path:
        return self.folder / "serve.log"

    @property
    def url(self) -> str:
        return f"{self.scheme}://127.0.0.1:{self.ports[0]}"

    @property
    def control_url(self) -> str:
        return f"{self.scheme}://127.0.0.1:{self.ports[1]}"

    @property
    def pid(self) -> int:
        """Of `glasscase serve`, whose descendants are all other processes."""
        assert self.process is not None
        return self.process.pid

    @property
    def profile(self) -> dict[str, str]:
        path = self.folder / "config" / "glasscase" / "default.json"
        profile: dict[str, str] = json_module.loads(path.read_text())
        return profile

    @property
    def owner_token(self) -> str:
        return self.profile["token"]

    def environment(self, token: str = "") -> dict[str, str]:
        kept = {k: v for k, v in os.environ.items() if not k.startswith("GLASSCASE_") and "proxy" not in k.lower()}
        kept |= {
            "HOME": str(self.folder),
            "XDG_CONFIG_HOME": str(self.folder / "config"),
            "XDG_DATA_HOME": str(self.folder / "share"),
        }
        return kept | ({"GLASSCASE_TOKEN": token} if token else {})

    # ---- its life ----

    def init(self) -> Installation:
        self.cli("init", "--data", str(self.data), *self.init_words)
        return self

    def start(self, *words: str) -> Installation:
        """Starts `glasscase serve` and waits until it says that it is ready."""
        return self.launch(*words).await_ready()

    def launch(self, *words: str) -> Installation:
        self.launched_at = self.log.stat().st_size if self.log.exists() else 0
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [self.programs / "glasscase", "serve", "--data", str(self.data), "--http", self.url.split("//")[1],
                 "--control", self.control_url.split("//")[1], *self.serve_words, *words],
                env=self.environment(), stdout=log, stderr=log, stdin=subprocess.DEVNULL,
            )
        return self

    def await_ready(self) -> Installation:
        assert self.process is not None
        deadline = time.monotonic() + READY_SECONDS_MAX
        while b"ready:" not in self.log.read_bytes()[self.launched_at:]:
            assert self.process.poll() is None, f"serve ended with {self.process.returncode}:\n{self.log_tail()}"
            assert time.monotonic() < deadline, f"serve is not ready:\n{self.log_tail()}"
            time.sleep(0.01)
        return self

    def stop(self) -> int:
        """Ends it as ^C does. Returns the exit code of `serve`."""
        assert self.process is not None
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.kill_all()
            raise AssertionError(f"serve did not end within 30 s:\n{self.log_tail()}") from None

    def restart(self) -> None:
        assert self.stop() == 0
        self.start()

    def kill_all(self) -> None:
        """Leaves no process of it, whatever happened."""
        if self.process is None or self.process.poll() is not None:
            return
        family = [psutil.Process(self.pid), *self.processes()]
        for process in family:
            try:
                process.kill()
            except psutil.NoSuchProcess:
                pass
        self.process.wait(10)

    def processes(self, name: str = "") -> list[psutil.Process]:
        """All descendants of `serve`, or those whose program has that name."""
        try:
            family = psutil.Process(self.pid).children(recursive=True)
        except psutil.NoSuchProcess:
            return []
        found = []
        for process in family:
            try:
                if process.status() != psutil.STATUS_ZOMBIE and (not name or process.name() == name):
                    found.append(process)
            except psutil.NoSuchProcess:
                pass
        return found

    def log_tail(self) -> str:
        return self.log.read_text(errors="replace")[-6000:] if self.log.exists() else ""

    # ---- speaking to it ----

    @overload
    def cli(self, *words: str, json: Literal[True], token: str = "", check: bool = True, stdin: str = "") -> Any: ...
    @overload
    def cli(
        self, *words: str, json: Literal[False] = False, token: str = "", check: bool = True, stdin: str = ""
    ) -> subprocess.CompletedProcess[str]: ...
    def cli(self, *words: str, json: bool = False, token: str = "", check: bool = True, stdin: str = "") -> Any:
        """Runs a command; with `json` gives its parsed answer. With `check` it has to succeed."""
        done = subprocess.run(
            [self.programs / "glasscase", *words, *(["--json"] if json else [])],
            env=self.environment(token), input=stdin, capture_output=True, text=True, check=False, timeout=120,
        )
        if check:
            assert done.returncode == 0, f"glasscase {' '.join(words)}: {done.returncode}\n{done.stdout}{done.stderr}"
        return json_module.loads(done.stdout) if json else done

    def request(
        self, method: str, path: str, token: str | None = None, *, control: bool = False, **arguments: Any
    ) -> requests.Response:
        """One HTTP request on a connection of its own; `token` None: the owner's; empty: none."""
        headers = dict(arguments.pop("headers", {}))
        bearer = self.owner_token if token is None else token
        if bearer:
            headers["Authorization"] = f"Bearer {bearer}"
        base = self.control_url if control else self.url
        with requests.Session() as session:
            session.trust_env = False
            return session.request(method, base + path, headers=headers, timeout=60, **arguments)

    def infer(self, model: str, body: Any, token: str | None = None, **arguments: Any) -> requests.Response:
        return self.request("POST", f"/v2/models/{model.replace('/', '%2F')}/infer", token, json=body, **arguments)

    # ---- usual arrangements ----

    def upload(self, data: bytes, token: str | None = None, **arguments: Any) -> str:
        """Sends a file in one request (creation-with-upload of tus). Returns the upload's id."""
        fields = {"Tus-Resumable": "1.0.0", "Upload-Length": str(len(data))} | arguments.pop("headers", {})
        if data:
            fields["Content-Type"] = "application/offset+octet-stream"
        answer = self.request("POST", "/glasscase/v1/uploads", token, control=True, data=data, headers=fields, **arguments)
        assert answer.status_code == 201, answer.text
        return answer.headers["Location"].rpartition("/")[2]

    def publish_files(self, files: dict[str, bytes] | list[tuple[str, bytes]], name: str, **members: Any) -> requests.Response:
        """Publishes files under paths that the command line would not send."""
        pairs = list(files.items()) if isinstance(files, dict) else files
        # Beyond a limit of files they are counted before they are looked for.
        named = [{"path": path, "upload": self.upload(data) if n < 130 else "none"} for n, (path, data) in enumerate(pairs)]
        answer = self.request("POST", "/glasscase/v1/models", control=True, json={"files": named, "name": name} | members)
        for upload in {file["upload"] for file in named} - {"none"} if not answer.ok else []:
            self.request("DELETE", f"/glasscase/v1/uploads/{upload}", control=True, headers={"Tus-Resumable": "1.0.0"})
        return answer

    def publish(self, path: Path, name: str, *words: str) -> dict[str, Any]:
        answer: dict[str, Any] = self.cli("publish", str(path), "--name", name, *words, json=True)
        return answer

    def learner(self, name: str, *grants: str, quota: str = "") -> str:
        """A learner with a token and a grant on each of the models. Returns the token."""
        self.cli("subject", "add", name)
        for model in grants:
            self.cli("grant", name, "predict", model, *(["--quota", quota] if quota else []))
        return str(self.cli("token", "create", name, json=True)["token"])


@contextmanager
def running(programs: Path, folder: Path, **arguments: Any) -> Iterator[Installation]:
    """An installation that runs inside the with block and of which nothing is left after it."""
    installation = Installation(programs, folder, **arguments).init()
    try:
        yield installation.start()
    finally:
        installation.kill_all()
        shutil.rmtree(installation.data, ignore_errors=True)
