"""Uploading a large file: the whole way from a socket to durable, digested bytes, beside what it cannot be faster than.

Digesting alone and writing alone (with fsync) are measured between the uploads, so that whatever else the machine does
slows all three.
"""

from __future__ import annotations

import hashlib
import os
import socket
import threading
import time
from dataclasses import dataclass
from pathlib import Path

from bench.measure import cpu_seconds, median, pss_megabytes
from system.installation import Installation

FILE_BYTES = 1 << 30
PIECE_BYTES = 1 << 20
TUS = {"Tus-Resumable": "1.0.0"}


@dataclass(frozen=True)
class UploadResult:
    """Medians, in seconds and megabytes."""

    upload_s: float
    digest_s: float
    write_s: float
    custodian_cpu_s: float
    edge_cpu_s: float
    custodian_pss_mb: float

    @property
    def share(self) -> float:
        """Of the speed of the slower of digesting alone and writing alone."""
        return max(self.digest_s, self.write_s) / self.upload_s

    def rate(self, seconds: float) -> float:
        return FILE_BYTES / 1e6 / seconds


def make_file(path: Path) -> Path:
    with path.open("wb") as file:
        for _ in range(FILE_BYTES // PIECE_BYTES):
            file.write(os.urandom(PIECE_BYTES))
    return path


def time_digest(path: Path) -> float:
    """From the page cache, as the server's bytes come from memory; OpenSSL's SHA-256, as the server's."""
    digest, buffer = hashlib.sha256(), bytearray(256 << 10)
    begin = time.monotonic()
    with path.open("rb", buffering=0) as file:
        while count := file.readinto(buffer):
            digest.update(memoryview(buffer)[:count])
    return time.monotonic() - begin


def time_write(folder: Path) -> float:
    path, piece = folder / "written", os.urandom(PIECE_BYTES)
    begin = time.monotonic()
    with path.open("wb", buffering=0) as file:
        for _ in range(FILE_BYTES // PIECE_BYTES):
            file.write(piece)
        os.fsync(file.fileno())
    seconds = time.monotonic() - begin
    path.unlink()
    return seconds


class PeakMemory:
    """Looks at a process ten times a second until it is told to end."""

    def __init__(self, pid: int) -> None:
        self.pid, self.peak, self.ended = pid, 0.0, threading.Event()
        self.thread = threading.Thread(target=self.watch)
        self.thread.start()

    def watch(self) -> None:
        while not self.ended.wait(0.1):
            self.peak = max(self.peak, pss_megabytes(self.pid))

    def end(self) -> float:
        self.ended.set()
        self.thread.join()
        return self.peak


def time_upload(glasscase: Installation, source: Path) -> float:
    """From the first byte of the request to the acknowledgement of the last byte, in one PATCH."""
    created = glasscase.request("POST", "/glasscase/v1/uploads", control=True, headers=TUS | {"Upload-Length": str(FILE_BYTES)})
    assert created.status_code == 201, created.text
    path = created.headers["Location"]
    head = (f"PATCH {path} HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer {glasscase.owner_token}\r\nTus-Resumable: 1.0.0\r\n"
            f"Upload-Offset: 0\r\nContent-Type: application/offset+octet-stream\r\nContent-Length: {FILE_BYTES}\r\n\r\n")
    with socket.create_connection(("127.0.0.1", glasscase.ports[1])) as connection, source.open("rb") as file:
        begin = time.monotonic()
        connection.sendall(head.encode())
        connection.sendfile(file)
        answer = connection.recv(65536)
        seconds = time.monotonic() - begin
    assert answer.startswith(b"HTTP/1.1 204"), answer
    assert glasscase.request("DELETE", path, control=True, headers=TUS).status_code == 204
    return seconds


def measure(glasscase: Installation, folder: Path, rounds: int) -> UploadResult:
    """`folder` is on the file system of the data directory."""
    source = make_file(folder / "source")
    (custodian,) = glasscase.processes("glasscase-custodian")
    (edge,) = [p for p in glasscase.processes("glasscase-edge") if "--control" in p.cmdline()]
    uploads, digests, writes, custodian_cpu, edge_cpu = [], [], [], [], []
    memory = PeakMemory(custodian.pid)
    try:
        time_upload(glasscase, source)  # warm
        for n in range(rounds):
            digests.append(time_digest(source))
            writes.append(time_write(folder))
            before = [cpu_seconds([p.pid]) for p in (custodian, edge)]
            uploads.append(time_upload(glasscase, source))
            custodian_cpu.append(cpu_seconds([custodian.pid]) - before[0])
            edge_cpu.append(cpu_seconds([edge.pid]) - before[1])
            print(f"   round {n + 1}/{rounds}  upload {uploads[-1]:.2f} s   SHA-256 alone {digests[-1]:.2f} s   write and fsync alone {writes[-1]:.2f} s", flush=True)
    finally:
        peak = memory.end()
        source.unlink()
    return UploadResult(median(uploads), median(digests), median(writes), median(custodian_cpu), median(edge_cpu), peak)
