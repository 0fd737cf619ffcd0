"""Uploads by hand: each rule of tus 1.0.0 that we keep, and each way of breaking it; and how files come out again."""

from __future__ import annotations

import base64
import hashlib
import os
import time
from collections.abc import Callable, Iterator
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

import pytest
import requests

from system.installation import Installation, wait_until
from system.wire import Wire

PATH = "/glasscase/v1/uploads"
TUS = {"Tus-Resumable": "1.0.0"}
BYTES = "application/offset+octet-stream"


def checksum(data: bytes, algorithm: str = "sha256") -> str:
    return f"{algorithm} {base64.b64encode(hashlib.new(algorithm, data).digest()).decode()}"


def metadata(**members: str) -> str:
    return ",".join(f"{name} {base64.b64encode(value.encode()).decode()}" for name, value in members.items())


class Uploads:
    """Requests to the upload routes of one installation."""

    def __init__(self, installation: Installation) -> None:
        self.installation = installation

    def ask(self, method: str, path: str = "", data: bytes = b"", token: str | None = None, /, **fields: str) -> requests.Response:
        headers = TUS | {name.replace("_", "-"): value for name, value in fields.items()}
        headers = {name: value for name, value in headers.items() if value != "-"}
        return self.installation.request(method, PATH + path, token, control=True, data=data, headers=headers)

    def create(self, length: int, **fields: str) -> str:
        answer = self.ask("POST", Upload_Length=str(length), **fields)
        assert answer.status_code == 201, answer.text
        assert answer.headers["Tus-Resumable"] == "1.0.0"
        return answer.headers["Location"].removeprefix(PATH)

    def patch(self, path: str, offset: int | str, data: bytes, **fields: str) -> requests.Response:
        return self.ask("PATCH", path, data, **({"Upload_Offset": str(offset), "Content_Type": BYTES} | fields))

    def offset(self, path: str) -> int:
        answer = self.ask("HEAD", path)
        assert answer.status_code == 200
        assert answer.headers["Cache-Control"] == "no-store"
        return int(answer.headers["Upload-Offset"])


@pytest.fixture
def uploads(glasscase: Installation) -> Iterator[Uploads]:
    """Leaves none behind."""
    uploads = Uploads(glasscase)
    yield uploads
    for upload in uploads.ask("GET").json()["uploads"]:
        uploads.ask("DELETE", "/" + upload["id"])


# ---- the way ----


def test_options_say_what_is_spoken(uploads: Uploads) -> None:
    answer = uploads.ask("OPTIONS", Tus_Resumable="-")
    assert answer.status_code == 204
    assert "Content-Length" not in answer.headers
    assert answer.headers["Tus-Version"] == "1.0.0"
    assert int(answer.headers["Tus-Max-Size"]) == 16 << 30
    assert set(answer.headers["Tus-Extension"].split(",")) == {"creation", "creation-with-upload", "expiration", "termination", "checksum"}
    assert set(answer.headers["Tus-Checksum-Algorithm"].split(",")) == {"sha1", "sha256"}


def test_pieces_become_a_file_that_a_publish_names(uploads: Uploads, unique: Callable[[str], str]) -> None:
    data = os.urandom(3_000_000)
    words = metadata(filename="images.bin", sha256=hashlib.sha256(data).hexdigest())
    path = uploads.create(len(data), Upload_Metadata=words)
    assert uploads.offset(path) == 0
    for begin in range(0, len(data), 1_000_000):
        answer = uploads.patch(path, begin, data[begin:begin + 1_000_000])
        assert (answer.status_code, answer.headers["Upload-Offset"]) == (204, str(begin + 1_000_000))
        assert parsedate_to_datetime(answer.headers["Upload-Expires"]).timestamp() == pytest.approx(time.time() + 86_400, abs=60)
    head = uploads.ask("HEAD", path)
    assert (head.headers["Upload-Length"], head.headers["Upload-Metadata"]) == (str(len(data)), words)
    body = {"files": [{"path": "images.bin", "upload": path[1:]}], "name": unique("images"), "kind": "dataset"}
    inode = (uploads.installation.data / "uploads" / path[1:]).stat().st_ino
    published = uploads.installation.request("POST", "/glasscase/v1/models", control=True, json=body)
    assert published.status_code == 201, published.text
    sha256 = published.json()["model"]["versions"][0]["sha256"]
    assert sha256 == hashlib.sha256(data).hexdigest()
    blob = uploads.installation.data / "blobs" / "sha256" / sha256[:2] / sha256
    assert blob.stat().st_ino == inode, "moved, not copied"
    assert uploads.ask("HEAD", path).status_code == 404


def test_the_same_bytes_are_stored_once(uploads: Uploads, unique: Callable[[str], str]) -> None:
    data = os.urandom(100_000)

    def blobs() -> int:
        return sum(1 for p in (uploads.installation.data / "blobs").rglob("*") if p.is_file())

    before = blobs()
    for _ in range(2):
        assert uploads.installation.publish_files({"d.bin": data}, unique("same"), kind="dataset").status_code == 201
    assert blobs() == before + 1


def test_an_upload_may_bring_its_bytes_along(uploads: Uploads) -> None:
    answer = uploads.ask("POST", "", b"hello", Upload_Length="11", Content_Type=BYTES, Upload_Checksum=checksum(b"hello"))
    assert (answer.status_code, answer.headers["Upload-Offset"]) == (201, "5")
    path = answer.headers["Location"].removeprefix(PATH)
    assert uploads.patch(path, 5, b" world").headers["Upload-Offset"] == "11"


def test_an_upload_of_nothing(uploads: Uploads, unique: Callable[[str], str]) -> None:
    path = uploads.create(0)
    assert uploads.offset(path) == 0
    assert uploads.patch(path, 0, b"").status_code == 204
    body = {"files": [{"path": "empty", "upload": path[1:]}], "name": unique("empty"), "kind": "dataset"}
    assert uploads.installation.request("POST", "/glasscase/v1/models", control=True, json=body).status_code == 201


def test_a_cut_connection_goes_on_where_it_stopped(uploads: Uploads) -> None:
    data = os.urandom(2_000_000)
    path = uploads.create(len(data))
    with Wire(uploads.installation, control=True) as wire:
        wire.send(wire.head("PATCH", PATH + path, "Tus-Resumable: 1.0.0", "Upload-Offset: 0", f"Content-Type: {BYTES}",
                            f"Content-Length: {len(data)}") + data[:1_500_000])
    wait_until("what came is kept", lambda: uploads.offset(path) == 1_500_000)
    assert uploads.patch(path, 1_500_000, data[1_500_000:], Upload_Checksum=checksum(data[1_500_000:])).status_code == 204


def test_a_restart_keeps_uploads(fresh_glasscase: Callable[..., Installation]) -> None:
    uploads = Uploads(fresh_glasscase())
    data = os.urandom(500_000)
    half, whole = uploads.create(len(data), Upload_Metadata=metadata(filename="a")), uploads.create(len(data))
    uploads.patch(half, 0, data[:200_000])
    uploads.patch(whole, 0, data)
    uploads.installation.restart()
    assert (uploads.offset(half), uploads.offset(whole)) == (200_000, len(data))
    assert uploads.ask("HEAD", half).headers["Upload-Metadata"] == metadata(filename="a")
    assert uploads.patch(half, 200_000, data[200_000:]).status_code == 204
    for path in (half, whole):
        body = {"files": [{"path": "d", "upload": path[1:], "sha256": hashlib.sha256(data).hexdigest()}], "name": "d", "kind": "dataset"}
        answer = uploads.installation.request("POST", "/glasscase/v1/models", control=True, json=body)
        assert answer.status_code == 201, answer.text


def test_an_upload_expires(fresh_glasscase: Callable[..., Installation]) -> None:
    uploads = Uploads(fresh_glasscase(serve_words=("--uploads-expire", "2s")))
    path = uploads.create(10)
    uploads.patch(path, 0, b"12345")
    time.sleep(1.2)
    assert uploads.patch(path, 5, b"6").status_code == 204, "bytes keep it alive"
    time.sleep(1.2)
    assert uploads.offset(path) == 6
    wait_until("it is gone", lambda: uploads.ask("HEAD", path).status_code == 404)
    wait_until("its bytes too", lambda: not any((uploads.installation.data / "uploads").iterdir()))


def test_termination(uploads: Uploads) -> None:
    path = uploads.create(10)
    uploads.patch(path, 0, b"12345")
    assert uploads.ask("DELETE", path, Tus_Resumable="-").status_code == 412
    assert uploads.ask("DELETE", path).status_code == 204
    assert uploads.ask("HEAD", path).status_code == 404
    assert uploads.ask("DELETE", path).status_code == 404
    assert uploads.patch(path, 5, b"67890").status_code == 404


def test_methods_may_be_overridden(uploads: Uploads) -> None:
    path = uploads.create(3)
    answer = uploads.ask("POST", path, b"abc", X_HTTP_Method_Override="PATCH", Upload_Offset="0", Content_Type=BYTES)
    assert (answer.status_code, answer.headers["Upload-Offset"]) == (204, "3")
    assert uploads.installation.request("POST", "/glasscase/v1/subjects", control=True, headers={"X-HTTP-Method-Override": "GET"}).status_code == 400


# ---- refusals ----


@pytest.mark.parametrize("method", ["POST", "HEAD", "PATCH", "DELETE"])
@pytest.mark.parametrize("version", ["-", "0.2.2", "1.0.1", "1"])
def test_other_versions_are_412(uploads: Uploads, method: str, version: str) -> None:
    path = "" if method == "POST" else uploads.create(3)
    answer = uploads.ask(method, path, Tus_Resumable=version, Upload_Length="3", Upload_Offset="0", Content_Type=BYTES)
    assert (answer.status_code, answer.headers["Tus-Version"]) == (412, "1.0.0")


@pytest.mark.parametrize(
    ("fields", "status", "named"),
    [
        ({"Upload_Length": "-"}, 400, "Upload-Length"), ({"Upload_Length": "x"}, 400, "Upload-Length"), ({"Upload_Length": "-1"}, 400, "Upload-Length"),
        ({"Upload_Length": "1.5"}, 400, "Upload-Length"), ({"Upload_Length": "9" * 30}, 400, "Upload-Length"),
        ({"Upload_Length": str((16 << 30) + 1)}, 413, "Upload-Length"), ({"Upload_Length": "-", "Upload_Defer_Length": "1"}, 400, "Defer"),
        ({"Upload_Concat": "partial"}, 400, "Upload-Concat"), ({"Upload_Metadata": "a YQ"}, 400, "Upload-Metadata"),
        ({"Upload_Metadata": "a YQ==,a YQ=="}, 400, "twice"), ({"Upload_Metadata": metadata(sha256="xyz")}, 400, "sha256"),
        ({"Upload_Metadata": ",".join(f"k{n} {'QUFB' * 40}" for n in range(60))}, 400, "metadata"),
    ],
)
def test_uploads_that_cannot_begin(uploads: Uploads, fields: dict[str, str], status: int, named: str) -> None:
    answer = uploads.ask("POST", **({"Upload_Length": "3"} | fields))
    assert answer.status_code == status, answer.text
    assert named in answer.json()["error"]
    assert answer.headers["Tus-Resumable"] == "1.0.0"


@pytest.mark.parametrize(
    ("fields", "status", "named"),
    [
        ({"Upload_Offset": "-"}, 400, "Upload-Offset"), ({"Upload_Offset": "-1"}, 400, "Upload-Offset"), ({"Upload_Offset": "0"}, 409, "offset=2"),
        ({"Upload_Offset": "3"}, 409, "offset=2"), ({"Content_Type": "-"}, 415, BYTES), ({"Content_Type": "application/json"}, 415, BYTES),
        ({"Upload_Checksum": "md5 1B2M2Y8AsgTpgAmY7PhCfg=="}, 400, "sha256"), ({"Upload_Checksum": "sha256"}, 400, "Upload-Checksum"),
        ({"Upload_Checksum": "sha256 abc"}, 400, "Upload-Checksum"), ({"Upload_Checksum": checksum(b"xy")}, 460, "checksum"),
        ({"Upload_Checksum": checksum(b"xy", "sha1")}, 460, "checksum"), ({"Content_Encoding": "gzip"}, 411, "Content-Encoding"),
    ],
)
def test_pieces_that_are_refused_change_nothing(uploads: Uploads, fields: dict[str, str], status: int, named: str) -> None:
    path = uploads.create(4)
    uploads.patch(path, 0, b"ab")
    answer = uploads.patch(path, fields.pop("Upload_Offset", 2), b"cd", **fields)
    assert answer.status_code == status, answer.text
    assert named in answer.json()["error"]
    assert uploads.offset(path) == 2
    assert uploads.patch(path, 2, b"cd", Upload_Checksum=checksum(b"cd")).status_code == 204


def test_fields_that_come_twice(uploads: Uploads) -> None:
    path = uploads.create(4)
    with Wire(uploads.installation, control=True) as wire:
        wire.send(wire.head("PATCH", PATH + path, "Tus-Resumable: 1.0.0", "Upload-Offset: 0", "Upload-Offset: 2", f"Content-Type: {BYTES}",
                            "Content-Length: 2") + b"ab")
        answer = wire.answer()
    assert (answer.status, "Upload-Offset appears twice" in answer.sentence) == (400, True)


def test_nothing_goes_beyond_the_length(uploads: Uploads) -> None:
    path = uploads.create(4)
    uploads.patch(path, 0, b"ab")
    answer = uploads.patch(path, 2, b"cde")
    assert (answer.status_code, "length=4" in answer.json()["error"]) == (413, True)
    assert uploads.offset(path) == 2
    assert uploads.ask("POST", "", b"abc", Upload_Length="2", Content_Type=BYTES).status_code == 413


def test_the_second_of_two_writers_is_refused(uploads: Uploads) -> None:
    path = uploads.create(4)
    with Wire(uploads.installation, control=True) as wire:
        wire.send(wire.head("PATCH", PATH + path, "Tus-Resumable: 1.0.0", "Upload-Offset: 0", f"Content-Type: {BYTES}", "Content-Length: 4") + b"ab")
        wait_until("it is being written", lambda: uploads.ask("GET", path).json()["in_use"])
        second = uploads.patch(path, 0, b"abcd")
        assert (second.status_code, "another connection is writing" in second.json()["error"]) == (423, True)
        wire.send(b"cd")
        assert wire.answer().status == 204
    assert uploads.offset(path) == 4


def test_a_file_that_is_not_the_announced_one(uploads: Uploads) -> None:
    path = uploads.create(3, Upload_Metadata=metadata(sha256=hashlib.sha256(b"abc").hexdigest()))
    answer = uploads.patch(path, 0, b"abd")
    assert (answer.status_code, "announced" in answer.json()["error"]) == (460, True)
    assert uploads.offset(path) == 0
    assert uploads.patch(path, 0, b"abc").status_code == 204


def test_uploads_of_others_are_not_there(uploads: Uploads, unique: Callable[[str], str]) -> None:
    name = unique("prof")
    uploads.installation.cli("subject", "add", name, "--role", "owner")
    token = uploads.installation.cli("token", "create", name, json=True)["token"]
    path = uploads.create(3)
    for method in ("HEAD", "GET", "DELETE"):
        assert uploads.ask(method, path, b"", token).status_code == 404
    assert uploads.ask("PATCH", path, b"abc", token, Upload_Offset="0", Content_Type=BYTES).status_code == 404
    assert uploads.ask("GET", "", b"", token).json()["uploads"] == []


def test_a_refused_piece_is_not_waited_for(uploads: Uploads) -> None:
    """A client that asks first is told before it sends anything."""
    path = uploads.create(4)
    with Wire(uploads.installation, control=True) as wire:
        wire.send(wire.head("PATCH", PATH + path, "Tus-Resumable: 1.0.0", "Upload-Offset: 3", f"Content-Type: {BYTES}", "Content-Length: 1",
                            "Expect: 100-continue"))
        assert b"100 Continue" not in wire.receive()
    with Wire(uploads.installation, control=True) as wire:
        wire.send(wire.head("PATCH", PATH + path, "Tus-Resumable: 1.0.0", "Upload-Offset: 0", f"Content-Type: {BYTES}", "Content-Length: 4",
                            "Expect: 100-continue"))
        assert b"100 Continue" in wire.receive()
        wire.send(b"abcd")
        assert wire.answer().status == 204


# ---- out again ----


@pytest.fixture(scope="module")
def kept(glasscase: Installation) -> tuple[str, bytes]:
    """A dataset's path for GET, and its bytes."""
    data = os.urandom(5_000_000)
    answer = glasscase.publish_files({"d.bin": data}, "to-take", kind="dataset")
    assert answer.status_code == 201, answer.text
    return f"/glasscase/v1/models/{answer.json()['model']['id']}/files/0", data


def test_a_file_is_given_whole_with_its_digest(glasscase: Installation, kept: tuple[str, bytes]) -> None:
    path, data = kept
    for where in (path, "/glasscase/v1/models/owner/to-take/files/0", "/glasscase/v1/models/to-take@1/files/0"):
        answer = glasscase.request("GET", where, control=True)
        assert (answer.status_code, answer.content) == (200, data)
    assert answer.headers["ETag"] == f'"{hashlib.sha256(data).hexdigest()}"'
    assert answer.headers["Accept-Ranges"] == "bytes"
    head = glasscase.request("HEAD", path, control=True)
    assert (head.status_code, head.content, int(head.headers["Content-Length"])) == (200, b"", len(data))
    assert head.headers["ETag"] == answer.headers["ETag"]
    assert glasscase.request("GET", path).status_code == 403, "not on the public address"


@pytest.mark.parametrize(
    ("text", "begin", "end"), [("bytes=0-0", 0, 1), ("bytes=10-19", 10, 20), ("bytes=4999990-", 4_999_990, 5_000_000), ("bytes=-7", 4_999_993, 5_000_000),
                               ("bytes=4000000-9999999", 4_000_000, 5_000_000)])
def test_a_part_of_a_file(glasscase: Installation, kept: tuple[str, bytes], text: str, begin: int, end: int) -> None:
    path, data = kept
    answer = glasscase.request("GET", path, control=True, headers={"Range": text})
    assert (answer.status_code, answer.content) == (206, data[begin:end])
    assert answer.headers["Content-Range"] == f"bytes {begin}-{end - 1}/{len(data)}"


def test_conditions_and_parts_that_are_not_there(glasscase: Installation, kept: tuple[str, bytes]) -> None:
    path, data = kept
    tag = f'"{hashlib.sha256(data).hexdigest()}"'

    def get(**fields: str) -> requests.Response:
        return glasscase.request("GET", path, control=True, headers={name.replace("_", "-"): value for name, value in fields.items()})

    beyond = get(Range="bytes=5000000-")
    assert (beyond.status_code, beyond.headers["Content-Range"]) == (416, "bytes */5000000")
    same = get(If_None_Match=f'"x", {tag}')
    assert (same.status_code, same.content, same.headers["ETag"]) == (304, b"", tag)
    assert get(If_None_Match='"x"').status_code == 200
    assert get(Range="bytes=0-9", If_Range=tag).status_code == 206
    assert get(Range="bytes=0-9", If_Range='"x"').content == data
    assert get(Range="bytes=0-1,4-5").content == data, "several parts: all of it"
    assert get(Range="lines=0-1").content == data


def test_a_slow_reader_holds_up_nobody_and_no_memory(glasscase: Installation, kept: tuple[str, bytes]) -> None:
    path, data = kept
    with Wire(glasscase, control=True) as wire:
        wire.send(wire.head("GET", path))
        time.sleep(0.3)
        assert glasscase.request("GET", path, control=True, headers={"Range": "bytes=0-9"}).content == data[:10]
        answer = wire.answer()
    assert answer.body == data


def test_a_withdrawn_right_ends_a_download(fresh_glasscase: Callable[..., Installation]) -> None:
    glasscase = fresh_glasscase()
    data = os.urandom(40_000_000)
    glasscase.publish_files({"d.bin": data}, "big", kind="dataset")
    glasscase.cli("subject", "add", "ada")
    token = glasscase.cli("token", "create", "ada", json=True)["token"]
    grant = glasscase.cli("grant", "ada", "take", "big", json=True)
    with Wire(glasscase, control=True) as wire:
        wire.token = token
        wire.send(wire.head("GET", "/glasscase/v1/models/owner%2Fbig/files/0"))
        got = len(wire.receive())
        glasscase.cli("revoke", "grant", grant["id"])
        time.sleep(1.5)
        wire.socket.settimeout(10)
        while chunk := read_or_end(wire):
            got += len(chunk)
    assert got < len(data)


def read_or_end(wire: Wire) -> bytes:
    try:
        return wire.socket.recv(1 << 20)
    except ConnectionResetError:
        return b""


def test_listing_shows_what_is_under_way(uploads: Uploads) -> None:
    path = uploads.create(10, Upload_Metadata=metadata(filename="x"))
    uploads.patch(path, 0, b"123")
    listed: list[dict[str, Any]] = uploads.ask("GET").json()["uploads"]
    assert [(u["id"], u["offset"], u["bytes"], u["in_use"]) for u in listed] == [(path[1:], 3, 10, False)]


def test_the_same_over_tls(fresh_glasscase: Callable[..., Installation], tmp_path: Path) -> None:
    """Where the bytes have to pass through the edge's memory."""
    glasscase = fresh_glasscase(scheme="https", init_words=("--tls-self-signed",))
    data = os.urandom(20_000_000)
    (tmp_path / "d.bin").write_bytes(data)
    glasscase.cli("dataset", "add", str(tmp_path / "d.bin"), "--name", "d")
    glasscase.cli("take", "d", "--output", str(tmp_path / "out.bin"))
    assert (tmp_path / "out.bin").read_bytes() == data
    (tmp_path / "part.bin.unfinished").write_bytes(data[:7_654_321])
    glasscase.cli("take", "d", "--output", str(tmp_path / "part.bin"))
    assert (tmp_path / "part.bin").read_bytes() == data
