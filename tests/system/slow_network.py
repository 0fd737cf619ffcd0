"""A network between a client and a server that can be made to stall: it accepts, and carries nothing."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

PIECE_BYTES = 65_536


class SlowNetwork:
    """Carries the bytes of each connection to its `port` on to a server on this machine."""

    def __init__(self, server_port: int) -> None:
        self._server_port = server_port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._open = threading.Event()
        self._open.set()
        self._ended = False
        self._bytes_per_second = 0
        self.held = 0  # pieces that came during a stall
        self.trickled = 0  # pieces that were not sent at once
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def port(self) -> int:
        return int(self._listener.getsockname()[1])

    def stall(self) -> None:
        self.held = 0
        self._open.clear()

    def trickle(self, bytes_per_second: int) -> None:
        """From the server; what goes there goes at once."""
        self._bytes_per_second = bytes_per_second

    def go_on(self) -> None:
        self._bytes_per_second = 0
        self._open.set()

    def end(self) -> None:
        self._ended = True
        self.go_on()
        self._listener.close()

    def _accept(self) -> None:
        while not self._ended:
            try:
                client, _ = self._listener.accept()
                server = socket.create_connection(("127.0.0.1", self._server_port))
            except OSError:
                continue
            for source, target, may_trickle in ((client, server, False), (server, client, True)):
                threading.Thread(target=self._carry, args=(source, target, may_trickle), daemon=True).start()

    def _carry(self, source: socket.socket, target: socket.socket, may_trickle: bool) -> None:
        try:
            while piece := source.recv(PIECE_BYTES):
                self.held += not self._open.is_set()
                self._open.wait()
                self._send(target, piece, may_trickle)
            target.shutdown(socket.SHUT_WR)
        except OSError:
            for end in (source, target):
                end.close()

    def _send(self, target: socket.socket, piece: bytes, may_trickle: bool) -> None:
        while piece:
            now = self._bytes_per_second if may_trickle and self._bytes_per_second else len(piece)
            target.sendall(piece[:now])
            piece = piece[now:]
            if piece:
                self.trickled += 1
                time.sleep(1.0)


@contextmanager
def slow_network(server_port: int) -> Iterator[SlowNetwork]:
    network = SlowNetwork(server_port)
    try:
        yield network
    finally:
        network.end()
