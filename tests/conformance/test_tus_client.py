"""An unmodified client of the tus protocol: tuspy."""

from __future__ import annotations

import hashlib
import os
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tusclient.client import TusClient
from tusclient.exceptions import TusCommunicationError
from tusclient.storage.filestorage import FileStorage

from system.installation import Installation, wait_until


class Proxy:
    """Passes connections on, and cuts each one after so many bytes of requests."""

    def __init__(self, port: int) -> None:
        self.target = port
        self.cut_after: int | None = None
        self.cuts = 0
        self.server = socket.create_server(("127.0.0.1", 0))
        self.port = int(self.server.getsockname()[1])
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self) -> None:
        while True:
            try:
                client, _ = self.server.accept()
            except OSError:
                return
            server = socket.create_connection(("127.0.0.1", self.target))
            threading.Thread(target=self.forward, args=(server, client, None), daemon=True).start()
            threading.Thread(target=self.forward, args=(client, server, self.cut_after), daemon=True).start()

    def forward(self, source: socket.socket, target: socket.socket, limit: int | None) -> None:
        passed = 0
        try:
            while data := source.recv(65536):
                if limit is not None and passed + len(data) > limit:
                    target.sendall(data[: limit - passed])
                    self.cuts += 1
                    break
                target.sendall(data)
                passed += len(data)
        except OSError:
            pass
        for end in (source, target):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass


@pytest.fixture
def proxy(glasscase: Installation) -> Iterator[Proxy]:
    proxy = Proxy(glasscase.ports[1])
    yield proxy
    proxy.server.close()


@pytest.fixture
def client(glasscase: Installation, proxy: Proxy) -> TusClient:
    return TusClient(f"http://127.0.0.1:{proxy.port}/glasscase/v1/uploads", headers={"Authorization": f"Bearer {glasscase.owner_token}"})


def state(glasscase: Installation, url: str) -> dict[str, Any]:
    answer: dict[str, Any] = glasscase.request("GET", "/glasscase/v1/uploads/" + url.rpartition("/")[2], control=True).json()
    return answer


def published_digest(glasscase: Installation, url: str, name: str) -> str:
    body = {"files": [{"path": "d.bin", "upload": url.rpartition("/")[2]}], "name": name, "kind": "dataset"}
    answer = glasscase.request("POST", "/glasscase/v1/models", control=True, json=body)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["model"]["versions"][0]["sha256"])


@pytest.mark.parametrize("with_checksums", [False, True])
def test_a_file_in_chunks(
    glasscase: Installation, client: TusClient, tmp_path: Path, unique: Callable[[str], str], with_checksums: bool
) -> None:
    data = os.urandom(3_333_333)
    (tmp_path / "d.bin").write_bytes(data)
    uploader = client.uploader(str(tmp_path / "d.bin"), chunk_size=500_000, metadata={"filename": "d.bin"}, upload_checksum=with_checksums)
    uploader.upload()
    assert uploader.get_offset() == len(data)
    assert published_digest(glasscase, str(uploader.url), unique("tus")) == hashlib.sha256(data).hexdigest()


@pytest.mark.parametrize("with_checksums", [False, True])
def test_a_cut_connection_is_taken_up_again(
    glasscase: Installation, client: TusClient, proxy: Proxy, tmp_path: Path, unique: Callable[[str], str], with_checksums: bool
) -> None:
    data = os.urandom(4_000_000)
    (tmp_path / "d.bin").write_bytes(data)
    storage = FileStorage(str(tmp_path / "urls"))
    words = {"chunk_size": 1_000_000, "store_url": True, "url_storage": storage, "upload_checksum": with_checksums}
    first = client.uploader(str(tmp_path / "d.bin"), **words)
    first.upload_chunk()
    proxy.cut_after = 700_000
    for _ in range(2):
        broken = client.uploader(str(tmp_path / "d.bin"), **words)
        assert broken.url == first.url
        with pytest.raises(TusCommunicationError):
            broken.upload()
        # Until its end is noticed the connection counts as writing: a try before that is refused, 409 or 423.
        wait_until("the cut is noticed", lambda: not state(glasscase, str(first.url))["in_use"])
    assert proxy.cuts == 2
    proxy.cut_after = None
    again = client.uploader(str(tmp_path / "d.bin"), **words)
    # Half a chunk cannot be compared with its checksum: nothing of it is kept.
    assert 1_000_000 <= again.offset < len(data)
    assert not with_checksums or again.offset % 1_000_000 == 0
    again.upload()
    assert published_digest(glasscase, str(again.url), unique("tus")) == hashlib.sha256(data).hexdigest()
    storage.close()


def test_the_clients_own_retries(glasscase: Installation, client: TusClient, proxy: Proxy, tmp_path: Path, unique: Callable[[str], str]) -> None:
    """With its retries on, the cuts are not even seen."""
    data = os.urandom(2_000_000)
    (tmp_path / "d.bin").write_bytes(data)
    uploader = client.uploader(str(tmp_path / "d.bin"), chunk_size=900_000, retries=20, retry_delay=0.1)
    proxy.cut_after = 600_000
    uploader.upload()
    assert proxy.cuts >= 2
    assert published_digest(glasscase, str(uploader.url), unique("tus")) == hashlib.sha256(data).hexdigest()
