"""Workers on another machine: a process of their own with a folder of its own, reached by TCP alone."""

from __future__ import annotations

import os
import re
import signal
import ssl
import struct
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from system.installation import Installation, wait_until

FRAME, PIECE, ALIVE, END = 1, 2, 3, 4
PROTOCOL = "glasscase-worker/1"


def new_key(programs: Path, file: Path) -> str:
    """Makes a worker's key; its pin."""
    done = subprocess.run([programs / "glasscase-worker", "--new-key", file], check=True, capture_output=True, text=True)
    return done.stdout.strip()


def enrol(glasscase: Installation, name: str, pin: str) -> str:
    """The gate's pin, as the command tells it."""
    said = glasscase.cli("workers", "add", name, "--key", pin).stdout
    return re.search(r"--gate '?(sha256//[A-Za-z0-9+/=]+)", said)[1]  # type: ignore[index]


def worker_row(glasscase: Installation, name: str) -> dict[str, object]:
    rows = glasscase.cli("workers", "list", json=True)
    return dict(next((row for row in rows if row["id"] == name), {}))


def is_connected(glasscase: Installation, name: str) -> bool:
    return bool(worker_row(glasscase, name).get("connected"))


@dataclass
class RemoteWorker:
    programs: Path
    folder: Path
    words: tuple[str, ...]
    process: subprocess.Popen[bytes] | None = None

    @property
    def log(self) -> str:
        return (self.folder / "worker.log").read_text(errors="replace")

    def start(self) -> RemoteWorker:
        with (self.folder / "worker.log").open("ab") as log:
            self.process = subprocess.Popen(
                [self.programs / "glasscase-worker", "--jobs", str(self.folder / "jobs"), *self.words],
                stdout=log, stderr=log, stdin=subprocess.DEVNULL, env={"PATH": "/usr/bin:/bin"}, cwd=self.folder)
        return self

    def family(self) -> list[psutil.Process]:
        assert self.process is not None
        return psutil.Process(self.process.pid).children()

    def part(self, number: int) -> psutil.Process:
        """0: what runs jobs; 1: what holds the connection."""
        wait_until("both parts of the worker are there", lambda: len(self.family()) == 2, 15)
        return sorted(self.family(), key=lambda one: one.create_time())[number]

    def stop(self, signal_number: int = signal.SIGTERM) -> int:
        assert self.process is not None
        if self.process.poll() is None:
            self.process.send_signal(signal_number)
        return self.process.wait(15)


@contextmanager
def remote_worker(programs: Path, folder: Path, *words: str) -> Iterator[RemoteWorker]:
    (folder / "jobs").mkdir(parents=True, exist_ok=True)
    (folder / "jobs").chmod(0o777)
    for parent in (folder, *folder.parents):
        if parent.stat().st_uid == os.geteuid() and str(parent).startswith("/tmp/"):
            parent.chmod(parent.stat().st_mode | 0o011)
    worker = RemoteWorker(programs, folder, words)
    try:
        yield worker.start()
    finally:
        worker.stop(signal.SIGKILL)


# ---- somebody who speaks the protocol by hand ----


def certificate(folder: Path, key: Path, *, days: int = 30) -> Path:
    """A certificate for a key; with negative days one that has expired."""
    file = folder / f"{key.name}.{days}.pem"
    if days >= 0:
        subprocess.run(["openssl", "req", "-x509", "-key", key, "-subj", "/CN=w", "-days", str(days), "-out", file],
                       check=True, capture_output=True)
        return file
    request = folder / "request.pem"
    settings = folder / "ca.conf"
    (folder / "index").write_text("")
    settings.write_text(f"[ca]\ndefault_ca=d\n[d]\ndatabase={folder}/index\nnew_certs_dir={folder}\nrand_serial=yes\n"
                        "default_md=sha256\npolicy=p\n[p]\ncommonName=supplied\n")
    subprocess.run(["openssl", "req", "-new", "-key", key, "-subj", "/CN=w", "-out", request], check=True, capture_output=True)
    subprocess.run(["openssl", "ca", "-batch", "-selfsign", "-config", settings, "-keyfile", key, "-in", request, "-out", file,
                    "-startdate", "20200101000000Z", "-enddate", "20200102000000Z"], check=True, capture_output=True)
    return file


def client_context(key: Path | None = None, cert: Path | None = None, *, version: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3,
                   protocol: str = PROTOCOL) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.maximum_version = version
    if protocol:
        context.set_alpn_protocols([protocol])
    if cert:
        context.load_cert_chain(cert, key)
    return context


def record(kind: int, body: bytes) -> bytes:
    return bytes([kind]) + struct.pack("<I", len(body)) + body


def frame(payload: bytes, sizes: tuple[int, ...] = ()) -> bytes:
    return record(FRAME, struct.pack("<H", len(sizes)) + b"".join(struct.pack("<Q", size) for size in sizes) + payload)


def field(number: int, value: bytes | str | int) -> bytes:
    """One field of a protobuf message, of less than 2 MiB."""
    def varint(n: int) -> bytes:
        out = b""
        while n > 127:
            out, n = out + bytes([n & 127 | 128]), n >> 7
        return out + bytes([n])
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    raw = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(raw)) + raw


def hello(name: str, slots: int = 1, runner: str = "", lock: bytes = b"") -> bytes:
    said = field(1, name) + field(2, slots) + field(3, "by hand") + field(5, 1 << 40) + field(6, 1 << 40)
    said += field(7, 64) + field(8, 86_400) + field(10, 256)
    if runner:
        said += field(4, field(1, runner) + field(2, lock))
    return frame(field(9, said))


def read_until_closed(stream: ssl.SSLSocket, seconds: float = 30) -> bytes:
    """What the other end says until it ends."""
    stream.settimeout(seconds)
    said = b""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            piece = stream.recv(65_536)
        except (ConnectionError, ssl.SSLError):
            return said
        if not piece:
            return said
        said += piece
    raise AssertionError(f"still open after {seconds} s")
