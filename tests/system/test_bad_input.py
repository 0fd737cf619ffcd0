"""Requests that are wrong in every way we could think of: the right 4xx with a sentence that names what is wrong,
and a server that goes on as if nothing had been."""

from __future__ import annotations

import gzip
import json
import struct
import time
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from system.installation import Installation
from system.models import Models
from system.wire import Closed, Wire

GOOD: dict[str, Any] = {"inputs": [{"name": "x", "shape": [1, 4], "datatype": "FP32", "data": [1, 2, 3, 4]}]}


def text(**changes: Any) -> bytes:
    """A good request whose one input has these members changed (None: left out)."""
    tensor = dict(GOOD["inputs"][0]) | changes
    return json.dumps({"inputs": [{k: v for k, v in tensor.items() if v is not None}]}).encode()


@pytest.fixture(scope="module")
def path(glasscase: Installation, models: Models) -> str:
    """Where the model `scale` is called."""
    glasscase.publish(models.scale, "scale", "--version", "1")
    return str(glasscase.cli("show", "owner/scale", json=True)["id"]).join(("/v2/models/", "/infer"))


@pytest.fixture
def wire(glasscase: Installation) -> Iterator[Wire]:
    with Wire(glasscase) as connection:
        yield connection


@pytest.fixture(autouse=True)
def nothing_happened(glasscase: Installation, path: str) -> Iterator[None]:
    """After each test the same processes run, and a good call is answered."""
    before = sorted(p.pid for p in glasscase.processes())
    yield
    with Wire(glasscase) as connection:
        answer = connection.post(path, text())
        assert answer.status == 200
        assert json.loads(answer.body)["outputs"][0]["data"] == [2, 4, 6, 8]
    assert sorted(p.pid for p in glasscase.processes()) == before


# ---- JSON ----

DEEP = b"[" * 10_000 + b"]" * 10_000


@pytest.mark.parametrize(
    ("body", "named"),
    [
        (b"", ""), (b"{", "JSON"), (b"null", ""), (b"[]", ""), (b"{}", "inputs"), (b'{"inputs": []}', "x"),
        (b'{"inputs": {}}', "inputs"), (b'{"inputs": [1]}', "inputs[0]"), (b'{"inputs": null}', "inputs"),
        (text() + b"}", "JSON"), (text() + b" {}", ""), (text()[:-1], "JSON"), (b"\xff\xfe" + text(), "JSON"),
        (b'{"inputs": ' + DEEP + b"}", "inputs"), (b'{"id": ' + DEEP + b"," + text()[1:], ""),
        (b'{"inputs":[{"name":"x","shape":[1,4],"datatype":"FP32","data":' + DEEP + b"}]}", "data"),
        (b'{"id": 7, ' + text()[1:], "id"),
        (b'{"parameters": [], ' + text()[1:], "parameters"),
        (b'{"inputs":[{"name":"\xff","shape":[1,4],"datatype":"FP32","data":[1,2,3,4]}]}', ""),
        (b'{"inputs":[{"name":"x","shape":[1,4],"datatype":"FP32","data":[NaN,1,1,1]}]}', "data"),
        (b'{"inputs":[{"name":"x","shape":[1,4],"datatype":"FP32","data":[Infinity,1,1,1]}]}', "data"),
        (b'{"inputs":[{"name":"x","shape":[1,4],"datatype":"FP32","data":[nan,1,1,1]}]}', "data"),
        (b'{"inputs":[{"name":"x","shape":[1,4],"datatype":"FP32","data":[1e400,1,1,1]}]}', "data"),
        (b'{"inputs":[{"name":"x","shape":[1,4],"datatype":"FP32","data":[01,1,1,1]}]}', "data"),
        (b'{"inputs":[{"name":"x","shape":[1,4],"datatype":"FP32","data":[1,1,1,1,]}]}', "data"),
    ],
)
def test_broken_json(wire: Wire, path: str, body: bytes, named: str) -> None:
    answer = wire.post(path, body)
    assert answer.status == 400, answer.body
    assert named in answer.sentence
    assert len(answer.body) < 2000


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"name": None}, "name"), ({"name": "y"}, "y"), ({"name": 1}, "name"), ({"name": ""}, ""), ({"name": "x\0"}, ""),
        ({"name": "x" * 5000}, ""),
        ({"datatype": None}, "datatype"), ({"datatype": "FP64"}, "FP32"), ({"datatype": "FLOAT"}, "FLOAT"), ({"datatype": 32}, "datatype"),
        ({"shape": None}, "shape"), ({"shape": "1,4"}, "shape"), ({"shape": [4]}, "shape"), ({"shape": [1, 5]}, "shape"),
        ({"shape": [2, 4]}, ""), ({"shape": [-1, 4]}, "shape"), ({"shape": [1, -4]}, "shape"), ({"shape": [1.0, 4]}, "shape"),
        ({"shape": [2**62, 4]}, "shape"), ({"shape": [2**63, 4]}, "shape"), ({"shape": [2**64, 4]}, "shape"),
        ({"shape": [2**40, 4]}, ""), ({"shape": [1] * 40}, "shape"), ({"shape": [1, 4, 1]}, "shape"), ({"shape": []}, "shape"),
        ({"shape": [0, 4]}, ""),
        ({"data": None}, "data"), ({"data": [1, 2, 3]}, "data"), ({"data": [1, 2, 3, 4, 5]}, "data"), ({"data": []}, "data"),
        ({"data": 1}, "data"), ({"data": "1234"}, "data"), ({"data": [1, 2, 3, "4"]}, "data"), ({"data": [1, 2, 3, None]}, "data"),
        ({"data": [1, 2, 3, True]}, "data"), ({"data": [[1, 2], [3, 4]]}, "data"), ({"data": [[1, 2, 3], [4]]}, "data"),
        ({"data": {"0": 1}}, "data"), ({"data": [[[1]], 2, 3, 4]}, "data"),
    ],
)
def test_wrong_inputs(wire: Wire, path: str, changes: dict[str, Any], named: str) -> None:
    answer = wire.post(path, text(**changes))
    assert answer.status == 400, answer.body
    assert named in answer.sentence, answer.sentence


def test_numbers_out_of_range_are_named(glasscase: Installation, models: Models, wire: Wire) -> None:
    model = glasscase.publish(models.add, "add", "--version", "1")["model"]["id"]
    for value in (2**31, -(2**31) - 1, 2**63, 2**64, 1.5, 1e10, -0.5):
        data = [0] * 15 + [value]
        tensors = [{"name": n, "shape": [1, 16], "datatype": "INT32", "data": data} for n in ("a", "b")]
        answer = wire.post(f"/v2/models/{model}/infer", json.dumps({"inputs": tensors}).encode())
        assert answer.status == 400, (value, answer.body)
        assert "data" in answer.sentence and "INT32" in answer.sentence


def test_missing_repeated_and_unknown_tensors(glasscase: Installation, models: Models, wire: Wire, path: str) -> None:
    model = glasscase.publish(models.add, "add", "--version", "1")["model"]["id"]
    a, b = ({"name": n, "shape": [1, 16], "datatype": "INT32", "data": [0] * 16} for n in ("a", "b"))
    for inputs, named in (([a], "b"), ([a, b, a], "a"), ([a, dict(a, name="c")], "c"), ([a, a], "a"), ([], "a")):
        answer = wire.post(f"/v2/models/{model}/infer", json.dumps({"inputs": inputs}).encode())
        assert answer.status == 400
        assert f'"{named}"' in answer.sentence
    wrong: list[Any] = [[{"name": "y"}, {"name": "y"}], [{"name": "z"}], [{}], [1], {"name": "y"}, "y"]
    for outputs in wrong:
        answer = wire.post(path, json.dumps(GOOD | {"outputs": outputs}).encode())
        assert answer.status == 400, (outputs, answer.body)
        assert "output" in answer.sentence


# ---- binary tensors ----


def binary(size: Any, raw: bytes, **more: Any) -> tuple[bytes, int]:
    """A request with raw bytes after the JSON, and the length of the JSON part."""
    tensor = {"name": "x", "shape": [1, 4], "datatype": "FP32", "parameters": {"binary_data_size": size}} | more
    head = json.dumps({"inputs": [tensor]}).encode()
    return head + raw, len(head)


FLOATS = struct.pack("<4f", 1, 2, 3, 4)


@pytest.mark.parametrize(
    ("body", "header"),
    [
        (binary(16, FLOATS)[0], "99999"), (binary(16, FLOATS)[0], "-1"), (binary(16, FLOATS)[0], "1e2"),
        (binary(16, FLOATS)[0], str(2**64)), (binary(16, FLOATS)[0], ""), (binary(16, FLOATS)[0], "0x10"),
        (binary(16, FLOATS)[0], str(binary(16, FLOATS)[1] - 1)), (binary(16, FLOATS)[0], str(binary(16, FLOATS)[1] + 1)),
        (binary(16, FLOATS[:-1])[0], str(binary(16, b"")[1])), (binary(16, FLOATS + b"x")[0], str(binary(16, b"")[1])),
        (binary(12, FLOATS)[0], str(binary(12, b"")[1])), (binary(20, FLOATS + b"1234")[0], str(binary(20, b"")[1])),
        (binary(2**63, FLOATS)[0], str(binary(2**63, b"")[1])), (binary(-16, FLOATS)[0], str(binary(-16, b"")[1])),
        (binary("16", FLOATS)[0], str(binary("16", b"")[1])), (binary(16.0, FLOATS)[0], str(binary(16.0, b"")[1])),
        (binary(16, FLOATS, data=[1, 2, 3, 4])[0], str(binary(16, b"", data=[1, 2, 3, 4])[1])),
        (FLOATS[:-1], "0"), (FLOATS + b"12345", "0"),
    ],
)
def test_binary_sizes_that_disagree(wire: Wire, path: str, body: bytes, header: str) -> None:
    answer = wire.post(path, body, f"Inference-Header-Content-Length: {header}")
    assert answer.status == 400, answer.body
    assert answer.sentence


def test_strings_whose_lengths_leave_the_tensor(glasscase: Installation, models: Models, wire: Wire) -> None:
    model = glasscase.publish(models.echo, "echo", "--version", "1")["model"]["id"]
    for raw in (b"\xff\xff\xff\xff", struct.pack("<I", 3) + b"ab", b"\1\0\0", struct.pack("<I", 0) * 2, b""):
        tensor = {"name": "x_BYTES", "shape": [1], "datatype": "BYTES", "parameters": {"binary_data_size": len(raw)}}
        head = json.dumps({"inputs": [tensor]}).encode()
        answer = wire.post(f"/v2/models/{model}/infer", head + raw, f"Inference-Header-Content-Length: {len(head)}")
        assert answer.status == 400
        assert "x_BYTES" in answer.sentence


# ---- encodings and sizes ----


def test_compressed_bodies_are_understood(wire: Wire, path: str) -> None:
    assert wire.post(path, gzip.compress(text()), "Content-Encoding: gzip").status == 200
    assert wire.post(path, zlib.compress(text()), "Content-Encoding: deflate").status == 200


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
def test_decompression_bombs(wire: Wire, path: str, encoding: str) -> None:
    plain = b" " * (1 << 30)
    body = gzip.compress(plain, 9) if encoding == "gzip" else zlib.compress(plain, 9)
    begin = time.monotonic()
    answer = wire.post(path, body, f"Content-Encoding: {encoding}")
    assert answer.status == 413
    assert "33554432" in answer.sentence
    assert time.monotonic() - begin < 10


@pytest.mark.parametrize("body", [gzip.compress(text())[:-5], b"not gzip", gzip.compress(text()) + b"x", b""])
def test_damaged_compression(wire: Wire, path: str, body: bytes) -> None:
    assert wire.post(path, body, "Content-Encoding: gzip").status == 400


@pytest.mark.parametrize("encoding", ["br", "zstd", "gzip, gzip", "x" * 500])
def test_unknown_content_encodings_are_415(wire: Wire, path: str, encoding: str) -> None:
    answer = wire.post(path, text(), f"Content-Encoding: {encoding}")
    assert answer.status == 415
    assert "gzip" in answer.sentence


def test_bodies_over_the_limit_are_413_before_they_are_sent(wire: Wire, path: str) -> None:
    wire.send(wire.head("POST", path, "Content-Length: 33554433"))
    answer = wire.answer()
    assert answer.status == 413
    assert "33554433" in answer.sentence and "33554432" in answer.sentence


@pytest.mark.parametrize("length", ["2199023255552", "9223372036854775807", "18446744073709551615"])
def test_absurd_lengths(wire: Wire, path: str, length: str) -> None:
    wire.send(wire.head("POST", path, f"Content-Length: {length}"))
    assert wire.answer().status in (400, 413)


def test_a_chunked_body_over_the_limit_is_413(wire: Wire, path: str) -> None:
    wire.send(wire.head("POST", path, "Transfer-Encoding: chunked"))
    chunk = b"100000\r\n" + b" " * 0x100000 + b"\r\n"
    for _ in range(40):
        wire.send(chunk)
    assert wire.answer().status == 413


# ---- framing ----


def test_chunked_bodies_are_understood(wire: Wire, path: str) -> None:
    pieces = b"".join(b"%x\r\n%c\r\n" % (1, byte) for byte in text())
    wire.send(wire.head("POST", path, "Transfer-Encoding: chunked") + pieces + b"0\r\n\r\n")
    assert wire.answer().status == 200


def test_chunk_floods_are_400(wire: Wire, path: str) -> None:
    wire.send(wire.head("POST", path, "Transfer-Encoding: chunked") + b"1\r\n \r\n" * 70_000)
    answer = wire.answer()
    assert answer.status == 400
    assert "chunks" in answer.sentence


@pytest.mark.parametrize(
    "fields",
    [
        ("Content-Length: 5", "Transfer-Encoding: chunked"), ("Transfer-Encoding: chunked", "Content-Length: 5"),
        ("Content-Length: 5", "Content-Length: 6"), ("Content-Length: 5, 6",), ("Content-Length: +5",), ("Content-Length: 0x5",),
        ("Content-Length: -5",), ("Content-Length: 5 5",), ("Transfer-Encoding: gzip, chunked",), ("Transfer-Encoding: identity",),
        ("Transfer-Encoding: chunked, chunked",), ("Transfer-Encoding: xchunked",), ("Transfer-Encoding : chunked",),
        ("Host: second",), ("Authorization: Bearer x",), ("Bad Name: x",), (" folded: x",), ("X: a\x00b",), ("X: a\x7fb",),
        ("Transfer-Encoding: chunked", "Transfer-Encoding: chunked"),
    ],
)
def test_conflicting_framing_is_refused_and_the_connection_closed(wire: Wire, path: str, fields: tuple[str, ...]) -> None:
    smuggled = b"GET /v2/health/live HTTP/1.1\r\nHost: x\r\n\r\n"
    wire.send(wire.head("POST", path, *fields) + b"0\r\n\r\n" + smuggled)
    answer = wire.answer()
    assert 400 <= answer.status <= 501, answer
    assert answer.status in (400, 401, 411, 501)
    assert wire.is_closed(), "what follows could be taken for another request"


@pytest.mark.parametrize("size", [b"zz", b"-1", b"ffffffffffffffffff", b"1;" + b"x" * 100_000, b""])
def test_broken_chunks(wire: Wire, path: str, size: bytes) -> None:
    wire.send(wire.head("POST", path, "Transfer-Encoding: chunked") + size + b"\r\nx\r\n0\r\n\r\n")
    assert wire.answer().status == 400
    assert wire.is_closed()


@pytest.mark.parametrize(
    "head",
    [b"GET\r\n\r\n", b"GET / HTTP/3.0\r\n\r\n", b"\x16\x03\x01\x02\x00\x01\x00", b"GET /v2 HTTP/1.1\r\n\r\n", b"\r\n" * 50 + b"x\r\n\r\n",
     b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"GET /" + b"a" * 20_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
     b"GET / HTTP/1.1\r\nHost: x\r\n" + b"A: b\r\n" * 10_000 + b"\r\n"],
)
def test_heads_that_are_not_http(wire: Wire, head: bytes) -> None:
    wire.send(head)
    try:
        assert 400 <= wire.answer().status <= 505
    except Closed:
        pass


@pytest.mark.parametrize("target", ["/v2/models/%00/infer", "/v2/models/%zz/infer", "/v2/models/%/infer", "/v2/models/a%0ab/infer", "/v2//models", "/v2/models//infer", "http://x/v2", "*"])
def test_odd_targets(wire: Wire, target: str) -> None:
    assert wire.post(target, text()).status in (400, 404, 405)


def test_methods_that_a_path_does_not_have(glasscase: Installation, path: str) -> None:
    for method in ("GET", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "CONNECT", "BREW"):
        with Wire(glasscase) as wire:
            wire.send(wire.head(method, path, "Content-Length: 0"))
            answer = wire.answer()
        assert answer.status in (400, 404, 405, 501), (method, answer)
        if answer.status == 405:
            assert "POST" in answer.headers["allow"]


# ---- time ----


def test_pipelined_requests_are_answered_in_order(wire: Wire, path: str) -> None:
    bodies = [text(data=[n, 0, 0, 0]) for n in range(50)]
    wire.send(b"".join(wire.head("POST", path, f"Content-Length: {len(b)}") + b for b in bodies))
    for n in range(50):
        answer = wire.answer()
        assert answer.status == 200
        assert json.loads(answer.body)["outputs"][0]["data"][0] == 2 * n


def test_a_request_in_single_bytes_is_understood(wire: Wire, path: str) -> None:
    body = text()
    for byte in wire.head("POST", path, f"Content-Length: {len(body)}") + body:
        wire.send(bytes([byte]))
    assert wire.answer().status == 200


def test_half_sent_requests_that_end(glasscase: Installation, path: str) -> None:
    whole = text()
    with Wire(glasscase) as measure:
        request = measure.head("POST", path, f"Content-Length: {len(whole)}") + whole
    for cut in range(1, len(request), 7):
        with Wire(glasscase) as connection:
            connection.send(request[:cut])


@pytest.mark.timeout(180)
def test_slow_senders_are_cut_off_and_do_not_disturb(glasscase: Installation, path: str) -> None:
    heads = [Wire(glasscase, timeout=120) for _ in range(20)]
    bodies = [Wire(glasscase, timeout=120) for _ in range(20)]
    for wire in heads:
        wire.send(wire.head("POST", path)[:40])
    for wire in bodies:
        wire.send(wire.head("POST", path, "Content-Length: 100") + b"{")
    begin = time.monotonic()
    with Wire(glasscase) as good:
        assert good.post(path, text()).status == 200
    assert time.monotonic() - begin < 1
    for wire in heads + bodies:
        with wire:
            try:
                assert wire.answer().status == 408
            except Closed:
                pass
    assert time.monotonic() - begin < 90


def test_a_thousand_idle_connections_do_not_disturb(glasscase: Installation, path: str) -> None:
    idle = [Wire(glasscase) for _ in range(1000)]
    try:
        begin = time.monotonic()
        with Wire(glasscase) as good:
            for _ in range(20):
                assert good.post(path, text()).status == 200
        assert time.monotonic() - begin < 2
        assert idle[500].post(path, text()).status == 200
    finally:
        for wire in idle:
            wire.socket.close()


def test_a_caller_that_does_not_read_disturbs_nobody(glasscase: Installation, models: Models, path: str) -> None:
    rows = 20_000
    body = json.dumps({"inputs": [{"name": "x", "shape": [rows, 4], "datatype": "FP32", "data": [0.123456] * 4 * rows}]}).encode()
    stuck = [Wire(glasscase) for _ in range(4)]
    for wire in stuck:
        wire.socket.setblocking(False)
        request = wire.head("POST", path, f"Content-Length: {len(body)}") + body
        deadline = time.monotonic() + 10
        while request and time.monotonic() < deadline:
            try:
                request = request[wire.socket.send(request) :]
            except BlockingIOError:
                time.sleep(0.01)
    with Wire(glasscase) as good:
        begin = time.monotonic()
        assert good.post(path, text()).status == 200
        assert time.monotonic() - begin < 5
    for wire in stuck:
        wire.socket.close()


# ---- our own routes ----


@pytest.mark.parametrize(
    ("route", "body", "named"),
    [
        ("/glasscase/v1/subjects", {"name": ""}, "name"), ("/glasscase/v1/subjects", {}, "name"),
        ("/glasscase/v1/subjects", {"name": "a/b"}, "name"), ("/glasscase/v1/subjects", {"name": "a\nb"}, "name"),
        ("/glasscase/v1/subjects", {"name": "x" * 5000}, "name"), ("/glasscase/v1/subjects", {"name": 1}, "name"),
        ("/glasscase/v1/subjects", {"name": "ok", "role": "king"}, "role"), ("/glasscase/v1/subjects", {"name": "ok", "role": "operator"}, "role"),
        ("/glasscase/v1/subjects", {"name": "ok", "admin": True}, "admin"), ("/glasscase/v1/subjects", [], "object"),
        ("/glasscase/v1/tokens", {"subject": "owner", "expires": "soon"}, "expires"), ("/glasscase/v1/tokens", {"subject": ""}, "subject"),
        ("/glasscase/v1/grants", {"subject": "x", "action": "train", "model": "scale"}, "action"),
        ("/glasscase/v1/models", {"files": [], "name": "m"}, "files"), ("/glasscase/v1/models", {"files": [{"upload": "x"}], "name": "m"}, "path"),
        ("/glasscase/v1/models", {"files": [{"path": "../m.onnx", "upload": "x"}], "name": "m"}, "path"),
        ("/glasscase/v1/models", {"files": [{"path": "/m.onnx", "upload": "x"}], "name": "m"}, "path"),
        ("/glasscase/v1/models", {"files": [{"path": "m\n.onnx", "upload": "x"}], "name": "m"}, "path"),
        ("/glasscase/v1/models", {"files": [{"path": "m.onnx", "upload": "x"}], "name": "m"}, "upload"),
        ("/glasscase/v1/models", {"files": [{"path": "m.onnx", "bytes": 1}], "name": "m"}, "bytes"),
    ],
)
def test_wrong_members_of_control_acts_are_named(glasscase: Installation, route: str, body: Any, named: str) -> None:
    answer = glasscase.request("POST", route, control=True, json=body)
    assert answer.status_code in (400, 404, 413), answer.text
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert named in answer.json()["error"], answer.text


def test_quotas_and_expiries_have_their_form(glasscase: Installation, unique: Callable[[str], str]) -> None:
    name = unique("ada")
    glasscase.cli("subject", "add", name)
    for member, value in (("quota", "0/min"), ("quota", "many"), ("quota", "1/fortnight"), ("quota", "-1/s"), ("expires", "-1d"), ("expires", "9" * 30 + "d")):
        body = {"subject": name, "action": "predict", "model": "owner/scale", member: value}
        answer = glasscase.request("POST", "/glasscase/v1/grants", control=True, json=body)
        assert answer.status_code == 400, answer.text
        assert value[:20] in answer.json()["error"] or member in answer.json()["error"]


def test_a_file_that_is_not_what_was_announced(glasscase: Installation) -> None:
    upload = glasscase.upload(b"1234")
    body = {"files": [{"path": "m.onnx", "upload": upload, "sha256": "00" * 32}], "name": "announced"}
    refused = glasscase.request("POST", "/glasscase/v1/models", control=True, json=body)
    assert (refused.status_code, "changed on its way" in refused.json()["error"]) == (400, True)
    body["files"] = [{"path": "m.onnx", "upload": upload, "sha256": "xyz"}]
    assert "sha256" in glasscase.request("POST", "/glasscase/v1/models", control=True, json=body).json()["error"]
    assert "announced" not in {m["name"].split("/")[1] for m in glasscase.cli("list", "models", json=True)}


def test_names_that_collide_on_other_systems(glasscase: Installation) -> None:
    for first, second in (("Data.bin", "data.BIN"), ("r\u00e9seau", "re\u0301seau"), ("stra\u00dfe", "STRASSE"), ("a", "A/b")):
        answer = glasscase.publish_files({first: b"1", second: b"2"}, "colliding", kind="dataset")
        assert answer.status_code == 400, (first, second)
        assert "one file on systems" in answer.json()["error"] or "folder" in answer.json()["error"]
    body = b'{"files": [{"path": "\xff.bin", "upload": "x"}], "name": "m"}'
    answer = glasscase.request("POST", "/glasscase/v1/models", control=True, data=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == 400, "a name that is not UTF-8"


def test_a_card_of_a_hundred_megabytes(glasscase: Installation, tmp_path: Path) -> None:
    """Refused by the command before it is sent, and by the edge before it is read."""
    (tmp_path / "data.csv").write_text("1\n")
    with (tmp_path / "card.md").open("wb") as card:
        card.truncate(100_000_000)
    done = glasscase.cli("dataset", "add", str(tmp_path / "data.csv"), "--name", "carded", "--card", str(tmp_path / "card.md"), check=False)
    assert (done.returncode, "card" in done.stderr) == (1, True), done.stderr
    with Wire(glasscase, control=True) as connection:
        connection.send(connection.head("POST", "/glasscase/v1/models", "Content-Type: application/json", "Content-Length: 100000000"))
        assert connection.answer().status == 413
    upload = glasscase.upload(b"1")
    answer = glasscase.request("POST", "/glasscase/v1/models", control=True, json={
        "files": [{"path": "data.csv", "upload": upload}], "name": "carded", "kind": "dataset", "card": "x" * 300_000})
    assert (answer.status_code, "256 KiB" in answer.json()["error"]) == (400, True)

