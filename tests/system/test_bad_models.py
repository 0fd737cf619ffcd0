"""ONNX files that must not be published, and models that misbehave when they run."""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy
import pytest
from onnx import TensorProto, helper, numpy_helper

from system.installation import Installation, wait_until
from system.models import Models, external_graph, save, value


@pytest.fixture
def refusal(glasscase: Installation, unique: Callable[[str], str]) -> Iterator[Callable[[Path], str]]:
    """Publishes what must be refused; gives the sentence. The server is as it was before."""
    before = glasscase.cli("list", "models", json=True)
    family = sorted(p.pid for p in glasscase.processes())

    def publish(path: Path) -> str:
        begin = time.monotonic()
        done = glasscase.cli("publish", str(path), "--name", unique("bad"), check=False)
        assert done.returncode == 1, done.stdout
        assert time.monotonic() - begin < 100
        return done.stderr

    yield publish
    assert glasscase.cli("list", "models", json=True) == before
    assert sorted(p.pid for p in glasscase.processes()) == family


def upload(glasscase: Installation, files: list[tuple[str, bytes]]) -> tuple[int, str]:
    """Publishes files under paths that the command line would not send. Returns status and sentence."""
    answer = glasscase.publish_files(files, "uploaded")
    return answer.status_code, answer.json().get("error", "")


@pytest.mark.parametrize("cut", [0, 1, 100, 10_000, -1])
def test_truncated_files(refusal: Callable[[Path], str], models: Models, tmp_path: Path, cut: int) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(models.digits.read_bytes()[:cut])
    assert refusal(path)


@pytest.mark.parametrize("content", [b"x" * 1000, b"\x08" * 100_000, os.urandom(50_000), b"GIF89a", b"\x0a\xff\xff\xff\xff\x0f" + b"a" * 100])
def test_files_that_are_no_onnx(refusal: Callable[[Path], str], tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(content)
    assert refusal(path)


@pytest.mark.parametrize(
    "location", ["/etc/passwd", "../weights.bin", "a/../../weights.bin", "./../x", "C:\\x", "..\\weights.bin", "", "weights.bin/",
                 "//etc/passwd", "absent.bin", "model.onnx\0.bin", "/proc/self/environ", "a" * 5000])
def test_external_data_that_leads_elsewhere(
    refusal: Callable[[Path], str], models: Models, tmp_path: Path, location: str
) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "weights.bin").write_bytes(bytes(16))
    (tmp_path / "weights.bin").write_bytes(bytes(16))
    save(external_graph(location), folder / "model.onnx")
    said = refusal(folder)
    assert "weights" in said, said


def test_external_data_through_links(refusal: Callable[[Path], str], tmp_path: Path) -> None:
    folder = tmp_path / "model"
    save(external_graph("weights.bin"), folder / "model.onnx")
    (tmp_path / "secret").write_bytes(b"secret bytes....")
    (folder / "weights.bin").symlink_to(tmp_path / "secret")
    assert "leaves the folder" in refusal(folder)


def test_hard_links_are_bytes_like_others(glasscase: Installation, tmp_path: Path, unique: Callable[[str], str]) -> None:
    """What is published are the bytes that the owner sent: a hard link leads nowhere on the server."""
    folder = tmp_path / "model"
    save(external_graph("weights.bin"), folder / "model.onnx")
    (tmp_path / "original").write_bytes(numpy.array([4, 3, 2, 1], numpy.float32).tobytes())
    os.link(tmp_path / "original", folder / "weights.bin")
    model = glasscase.publish(folder, unique("linked"))["model"]["name"]
    (tmp_path / "original").write_bytes(bytes(16))
    body = {"inputs": [{"name": "x", "shape": [1, 4], "datatype": "FP32", "data": [1, 1, 1, 1]}]}
    assert glasscase.infer(model, body).json()["outputs"][0]["data"] == [4, 3, 2, 1]


@pytest.mark.parametrize("length", [15, 17, 2**40, 2**63 - 1])
def test_external_data_of_another_size(refusal: Callable[[Path], str], tmp_path: Path, length: int) -> None:
    folder = tmp_path / "model"
    save(external_graph("weights.bin", length=length), folder / "model.onnx")
    (folder / "weights.bin").write_bytes(bytes(16))
    assert "weights" in refusal(folder)


def test_paths_that_the_command_line_would_not_send(glasscase: Installation, models: Models) -> None:
    model = models.scale.read_bytes()
    for path in ("../model.onnx", "/model.onnx", "a/../model.onnx", "a//model.onnx", "model.onnx/", "a\0.onnx", "a\\model.onnx", "", "./model.onnx"):
        status, sentence = upload(glasscase, [(path, model)])
        assert status == 400, (path, sentence)
    twice = [("model.onnx", model), ("model.onnx", model)]
    assert upload(glasscase, twice)[0] == 400
    assert upload(glasscase, [("a.onnx", model), ("b.onnx", model)])[0] == 400
    assert upload(glasscase, [(f"{n}.bin", b"") for n in range(100_000)])[0] in (400, 413)


def test_a_tensor_that_claims_a_petabyte(refusal: Callable[[Path], str], tmp_path: Path) -> None:
    inline = TensorProto(name="huge", data_type=TensorProto.FLOAT, dims=[2**48])
    node = helper.make_node("Mul", ["x", "huge"], ["y"])
    graph = helper.make_graph([node], "g", [value("x", TensorProto.FLOAT, ["n", 4])], [value("y", TensorProto.FLOAT, ["m"])], [inline])
    assert "huge" in refusal(save(graph, tmp_path / "inline.onnx"))
    folder = tmp_path / "external"
    save(external_graph("weights.bin", length=2**50, dims=(2**48,)), folder / "model.onnx")
    (folder / "weights.bin").write_bytes(bytes(16))
    assert "weights" in refusal(folder)
    overflow = TensorProto(name="huge", data_type=TensorProto.FLOAT, dims=[2**40, 2**40])
    graph.initializer[0].CopyFrom(overflow)
    assert "huge" in refusal(save(graph, tmp_path / "overflow.onnx"))
    negative = TensorProto(name="huge", data_type=TensorProto.FLOAT, dims=[-4], raw_data=bytes(16))
    graph.initializer[0].CopyFrom(negative)
    assert "huge" in refusal(save(graph, tmp_path / "negative.onnx"))


def test_functions_that_call_themselves(refusal: Callable[[Path], str], tmp_path: Path) -> None:
    opset = [helper.make_opsetid("", 17), helper.make_opsetid("mine", 1)]
    functions = [
        helper.make_function("mine", "A", ["x"], ["y"], [helper.make_node("B", ["x"], ["y"], domain="mine")], opset),
        helper.make_function("mine", "B", ["x"], ["y"], [helper.make_node("A", ["x"], ["y"], domain="mine")], opset),
    ]
    graph = helper.make_graph([helper.make_node("A", ["x"], ["y"], domain="mine")], "g",
                              [value("x", TensorProto.FLOAT, ["n", 4])], [value("y", TensorProto.FLOAT, ["n", 4])])
    model = helper.make_model(graph, opset_imports=opset, functions=functions)
    model.ir_version = 8
    path = tmp_path / "model.onnx"
    path.write_bytes(model.SerializeToString())
    said = refusal(path)
    assert "A" in said or "recurs" in said


def field(number: int, content: bytes) -> bytes:
    """A length-delimited protobuf field: onnx's own library refuses to write graphs nested as deep as here."""
    length, text = len(content), b""
    while length > 127:
        text += bytes([length & 127 | 128])
        length >>= 7
    return bytes([number << 3 | 2]) + text + bytes([length]) + content


@pytest.mark.parametrize("depth", [70, 5000])
def test_subgraphs_in_subgraphs(refusal: Callable[[Path], str], tmp_path: Path, depth: int) -> None:
    inner = field(1, field(1, b"x") + field(2, b"y") + field(4, b"Identity"))  # GraphProto.node
    for _ in range(depth):
        attribute = field(1, b"then_branch") + field(6, inner) + b"\xa0\x01\x05"  # AttributeProto: name, g, type GRAPH
        inner = field(1, field(1, b"go") + field(2, b"y") + field(4, b"If") + field(5, attribute))
    # GraphProto.output, so that nothing but the depth is wrong
    inner += field(12, field(1, b"y") + field(2, field(1, b"\x08\x01" + field(2, b""))))
    model = b"\x08\x08" + field(7, inner) + field(8, b"\x10\x11")  # ModelProto: ir_version, graph, opset_import
    path = tmp_path / "deep.onnx"
    path.write_bytes(model)
    assert "nest" in refusal(path) or "deep" in refusal(path)


def test_unknown_domains_and_opsets_are_named(refusal: Callable[[Path], str], tmp_path: Path) -> None:
    graph = helper.make_graph([helper.make_node("Frobnicate", ["x"], ["y"], domain="com.example")], "g",
                              [value("x", TensorProto.FLOAT, ["n", 4])], [value("y", TensorProto.FLOAT, ["n", 4])])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17), helper.make_opsetid("com.example", 1)])
    model.ir_version = 8
    path = tmp_path / "domain.onnx"
    path.write_bytes(model.SerializeToString())
    assert "com.example" in refusal(path)
    model = helper.make_model(helper.make_graph([helper.make_node("Identity", ["x"], ["y"])], "g", graph.input, graph.output),
                              opset_imports=[helper.make_opsetid("", 9999)])
    model.ir_version = 8
    path.write_bytes(model.SerializeToString())
    assert "9999" in refusal(path)


def test_map_outputs_name_the_exporter_option(refusal: Callable[[Path], str], models: Models) -> None:
    assert "zipmap" in refusal(models.folder / "digits-zipmap.onnx")


def test_nodes_that_read_nothing_or_each_other(refusal: Callable[[Path], str], tmp_path: Path) -> None:
    inputs, outputs = [value("x", TensorProto.FLOAT, ["n", 4])], [value("y", TensorProto.FLOAT, ["n", 4])]
    missing = helper.make_graph([helper.make_node("Add", ["x", "nowhere"], ["y"], name="adder")], "g", inputs, outputs)
    assert "nowhere" in refusal(save(missing, tmp_path / "missing.onnx"))
    cycle = helper.make_graph([helper.make_node("Add", ["x", "b"], ["a"]), helper.make_node("Add", ["x", "a"], ["b"]),
                               helper.make_node("Identity", ["a"], ["y"])], "g", inputs, outputs)
    assert refusal(save(cycle, tmp_path / "cycle.onnx"))
    twice = helper.make_graph([helper.make_node("Identity", ["x"], ["y"]), helper.make_node("Neg", ["x"], ["y"])], "g", inputs, outputs)
    assert "y" in refusal(save(twice, tmp_path / "twice.onnx"))


# ---- models that pass and then misbehave ----


def spin_body(turns: int) -> dict[str, Any]:
    return {"inputs": [{"name": "turns", "shape": [], "datatype": "INT64", "data": [turns]}]}


def make_hungry(path: Path) -> Path:
    """Asks for half a terabyte when it is run."""
    shape = numpy_helper.from_array(numpy.array([2**20, 2**17], dtype=numpy.int64), "shape")
    nodes = [helper.make_node("Expand", ["x", "shape"], ["big"]), helper.make_node("ReduceSum", ["big"], ["y"], keepdims=0)]
    graph = helper.make_graph(nodes, "g", [value("x", TensorProto.FLOAT, [1])], [value("y", TensorProto.FLOAT, [])], [shape])
    return save(graph, path)


def make_growing(path: Path) -> Path:
    """Doubles a tensor in a loop: allocates without end when it is run."""
    two = numpy_helper.from_array(numpy.array([2], dtype=numpy.int64), "two")
    body = helper.make_graph(
        [helper.make_node("Identity", ["go_in"], ["go_out"]), helper.make_node("Tile", ["grow_in", "two"], ["grow_out"])], "body",
        [value("i", TensorProto.INT64, []), value("go_in", TensorProto.BOOL, []), value("grow_in", TensorProto.FLOAT, ["k"])],
        [value("go_out", TensorProto.BOOL, []), value("grow_out", TensorProto.FLOAT, ["m"])], [two])
    constants = [numpy_helper.from_array(numpy.array(2**40, dtype=numpy.int64), "turns"), numpy_helper.from_array(numpy.array(True), "go")]
    nodes = [helper.make_node("Loop", ["turns", "go", "x"], ["last"], body=body), helper.make_node("ReduceSum", ["last"], ["y"], keepdims=0)]
    return save(helper.make_graph(nodes, "g", [value("x", TensorProto.FLOAT, [1])], [value("y", TensorProto.FLOAT, [])], constants), path)


class Neighbours:
    """Another owner's model, called all the time; `disturbed` says what went wrong with it."""

    def __init__(self, glasscase: Installation, models: Models) -> None:
        self.glasscase = glasscase
        glasscase.cli("subject", "add", "grace", "--role", "owner")
        self.token = str(glasscase.cli("token", "create", "grace", json=True)["token"])
        self.model = str(glasscase.cli("publish", str(models.scale), "--name", "scale", token=self.token, json=True)["model"]["name"])
        self.ended = threading.Event()
        self.disturbed: list[str] = []
        self.thread = threading.Thread(target=self.run)

    def run(self) -> None:
        body = {"inputs": [{"name": "x", "shape": [1, 4], "datatype": "FP32", "data": [1, 2, 3, 4]}]}
        while not self.ended.is_set():
            answer = self.glasscase.infer(self.model, body, self.token)
            if answer.status_code != 200:
                self.disturbed.append(answer.text)

    def __enter__(self) -> Neighbours:
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.ended.set()
        self.thread.join()


def state_of(glasscase: Installation, model: str) -> str:
    (version,) = glasscase.cli("show", model, json=True)["versions"]
    return str(version["state"])


def test_a_model_that_loops_is_stopped_at_its_deadline(
    fresh_glasscase: Callable[..., Installation], models: Models
) -> None:
    glasscase = fresh_glasscase()
    glasscase.publish(models.digits, "digits")
    model = glasscase.publish(models.spin, "spin")["model"]["name"]
    with Neighbours(glasscase, models) as neighbours:
        before = sorted(p.pid for p in glasscase.processes("glasscase-host"))
        for _ in range(4):
            started = time.monotonic()
            answer = glasscase.infer(model, spin_body(2**62) | {"parameters": {"timeout": 700_000}})
            assert answer.status_code == 504, answer.text
            assert time.monotonic() - started < 10
    # The runtime gave way at the deadline, so nobody had to die, and callers with hard questions disable nothing.
    assert neighbours.disturbed == []
    assert sorted(p.pid for p in glasscase.processes("glasscase-host")) == before
    assert state_of(glasscase, model) == "published"


@pytest.mark.timeout(300)
def test_a_model_that_takes_all_memory_costs_nobody_else(
    fresh_glasscase: Callable[..., Installation], models: Models, tmp_path: Path
) -> None:
    glasscase = fresh_glasscase()
    digits = glasscase.publish(models.digits, "digits")["model"]["name"]
    done = glasscase.cli("publish", str(make_growing(tmp_path / "growing.onnx")), "--name", "growing", "--json", check=False)
    if done.returncode == 1:
        return  # refused at once is better still
    model = json.loads(done.stdout)["model"]["name"]
    body = {"inputs": [{"name": "x", "shape": [1], "datatype": "FP32", "data": [1]}]}
    for _ in range(3):
        answer = glasscase.infer(model, body)
        assert answer.status_code in (503, 504, 507), answer.text
        wait_until("the others answer", lambda: glasscase.infer(digits, models.digit_body()).status_code == 200, 60)


def test_a_model_that_asks_for_half_a_terabyte(glasscase: Installation, tmp_path: Path, digits: str, models: Models) -> None:
    done = glasscase.cli("publish", str(make_hungry(tmp_path / "hungry.onnx")), "--name", "hungry", "--json", check=False)
    if done.returncode == 0:
        answer = glasscase.infer("hungry", {"inputs": [{"name": "x", "shape": [1], "datatype": "FP32", "data": [1]}]})
        assert answer.status_code >= 400, answer.text
    wait_until("calls are answered", lambda: glasscase.infer(digits, models.digit_body()).status_code == 200, 30)


def test_a_caller_who_gives_up_disturbs_nobody(glasscase: Installation, models: Models) -> None:
    spin = glasscase.publish(models.spin, "spin", "--version", "1")["model"]["id"]
    answer = glasscase.infer(spin, spin_body(3_000_000) | {"parameters": {"timeout": 100_000}})
    assert answer.status_code in (200, 503, 504)
    wait_until("calls are answered", lambda: glasscase.infer(spin, spin_body(5)).status_code == 200, 30)
