"""HTTP by hand: requests that no client library would send, and answers read byte by byte."""

from __future__ import annotations

import json
import socket
import time
from dataclasses import dataclass
from typing import Any

from system.installation import Installation


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]  # names in lower case
    body: bytes

    @property
    def problem(self) -> dict[str, Any]:
        assert self.headers["content-type"] == "application/problem+json", self
        problem: dict[str, Any] = json.loads(self.body)
        assert problem["status"] == self.status
        assert problem["error"] == problem["detail"]
        return problem

    @property
    def sentence(self) -> str:
        return str(self.problem["error"])


class Closed(Exception):
    """The other side closed the connection before a whole answer came."""


class Wire:
    """One connection to the public listener."""

    def __init__(self, installation: Installation, *, control: bool = False, timeout: float = 60.0) -> None:
        self.socket = socket.create_connection(("127.0.0.1", installation.ports[1 if control else 0]), timeout=timeout)
        self.token = installation.owner_token
        self.unread = b""

    def __enter__(self) -> Wire:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def head(self, method: str, path: str, *fields: str) -> bytes:
        lines = [f"{method} {path} HTTP/1.1", "Host: test", f"Authorization: Bearer {self.token}", *fields]
        return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")

    def send(self, data: bytes) -> None:
        """Sends all, or as much as the other side takes before it answers and closes."""
        try:
            self.socket.sendall(data)
        except (BrokenPipeError, ConnectionResetError):
            pass

    def post(self, path: str, body: bytes, *fields: str) -> Answer:
        self.send(self.head("POST", path, f"Content-Length: {len(body)}", *fields) + body)
        return self.answer()

    def receive(self) -> bytes:
        try:
            data = self.socket.recv(65536)
        except ConnectionResetError:
            raise Closed from None
        if not data:
            raise Closed
        return data

    def answer(self) -> Answer:
        while b"\r\n\r\n" not in self.unread:
            self.unread += self.receive()
        head, _, self.unread = self.unread.partition(b"\r\n\r\n")
        lines = head.decode("latin-1").split("\r\n")
        headers = {k.lower(): v for k, v in (line.split(": ", 1) for line in lines[1:])}
        status = int(lines[0].split()[1])
        if status == 100:
            return self.answer()
        length = int(headers.get("content-length", 0))
        while len(self.unread) < length:
            self.unread += self.receive()
        body, self.unread = self.unread[:length], self.unread[length:]
        return Answer(status, headers, body)

    def is_closed(self, seconds: float = 5.0) -> bool:
        """Whether the other side closes within that time (and says nothing more)."""
        deadline = time.monotonic() + seconds
        self.socket.settimeout(0.2)
        while time.monotonic() < deadline:
            try:
                if self.socket.recv(4096) == b"":
                    return True
            except TimeoutError:
                continue
            except ConnectionResetError:
                return True
        return False
