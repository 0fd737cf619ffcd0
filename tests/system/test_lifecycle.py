"""Publish, grant, call, and what becomes of models, versions and the installation itself."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy
import psutil
import pytest
import requests
from onnx import TensorProto, helper

from system.installation import Installation, wait_until
from system.models import Models, save, value


def test_publish_grant_call_gives_the_engines_own_answer(
    glasscase: Installation, digits: str, models: Models, unique: Callable[[str], str]
) -> None:
    token = glasscase.learner(unique("ada"), digits)
    for row in range(8):
        answer = glasscase.infer(digits, models.digit_body(row) | {"id": f"call {row}"}, token)
        assert answer.status_code == 200, answer.text
        body = answer.json()
        assert body["id"] == f"call {row}"
        assert body["model_version"] == "1"
        outputs = {o["name"]: o for o in body["outputs"]}
        assert outputs["label"]["data"] == [models.labels[row]]
        assert outputs["label"]["shape"] == [1]
        numpy.testing.assert_allclose(outputs["probabilities"]["data"], models.probabilities[row], rtol=1e-5, atol=1e-7)


def test_rows_of_one_call_are_answered_together(
    glasscase: Installation, digits: str, models: Models, unique: Callable[[str], str]
) -> None:
    token = glasscase.learner(unique("ada"), digits)
    rows = [[float(p) for p in row] for row in models.pixels[:32]]
    body = {"inputs": [{"name": "pixels", "shape": [32, 64], "datatype": "FP32", "data": rows}]}
    outputs = {o["name"]: o for o in glasscase.infer(digits, body, token).json()["outputs"]}
    assert outputs["label"]["data"] == models.labels[:32].tolist()
    assert outputs["probabilities"]["shape"] == [32, 10]


def test_the_answer_to_publish_is_a_call_that_works(
    glasscase: Installation, models: Models, unique: Callable[[str], str]
) -> None:
    done = glasscase.cli("publish", str(models.scale), "--name", unique("scale"))
    line = next(line for line in done.stdout.splitlines() if line.strip().startswith("curl "))
    environment = glasscase.environment(glasscase.owner_token)
    called = subprocess.run(["bash", "-c", line], env=environment, capture_output=True, text=True, check=True)
    assert "outputs" in json.loads(called.stdout)


VALUES: dict[str, list[Any]] = {
    "BOOL": [True, False], "BYTES": ["grüße", ""], "FP16": [0, 0], "FP32": [0.1, -2.5], "FP64": [0.1, 1e300],
    "INT8": [-128, 127], "INT16": [-(2**15), 2**15 - 1], "INT32": [-(2**31), 2**31 - 1], "INT64": [-(2**63), 2**63 - 1],
    "UINT8": [0, 255], "UINT16": [0, 2**16 - 1], "UINT32": [0, 2**32 - 1], "UINT64": [0, 2**64 - 1],
}


@pytest.fixture(scope="module")
def echo(glasscase: Installation, models: Models) -> str:
    """The full name of a model that gives back its inputs, one of each datatype."""
    return str(glasscase.publish(models.echo, "echo", "--version", "1")["model"]["name"])


def test_every_datatype_comes_back_as_it_was_sent(glasscase: Installation, echo: str) -> None:
    inputs: list[dict[str, Any]] = [
        {"name": f"x_{kind}", "datatype": kind, "shape": [2], "data": data} for kind, data in VALUES.items()]
    # FP16 has no JSON form: it goes as raw bytes after the JSON, and comes back so.
    half = next(t for t in inputs if t["datatype"] == "FP16")
    del half["data"]
    half["parameters"] = {"binary_data_size": 4}
    outputs: list[dict[str, Any]] = [{"name": f"y_{kind}"} for kind in VALUES]
    next(o for o in outputs if o["name"] == "y_FP16")["parameters"] = {"binary_data": True}
    text = json.dumps({"inputs": inputs, "outputs": outputs}).encode()
    answer = glasscase.request(
        "POST", f"/v2/models/{echo.replace('/', '%2F')}/infer", data=text + b"\x01\x02\x03\x04",
        headers={"Inference-Header-Content-Length": str(len(text))})
    assert answer.status_code == 200, answer.text
    json_bytes = int(answer.headers["Inference-Header-Content-Length"])
    assert answer.content[json_bytes:] == b"\x01\x02\x03\x04"
    returned = {o["datatype"]: o for o in json.loads(answer.content[:json_bytes])["outputs"]}
    assert list(returned) == list(VALUES)
    assert returned["FP16"]["parameters"] == {"binary_data_size": 4}
    for kind, data in VALUES.items():
        if kind == "FP32":
            assert numpy.array(returned[kind]["data"], numpy.float32).tolist() == numpy.array(data, numpy.float32).tolist()
        elif kind != "FP16":
            assert returned[kind]["data"] == data, kind


def test_fp16_has_no_json_form_and_the_refusal_says_so(glasscase: Installation, echo: str) -> None:
    inputs = [{"name": f"x_{kind}", "datatype": kind, "shape": [2], "data": data} for kind, data in VALUES.items()]
    answer = glasscase.infer(echo, {"inputs": inputs})
    assert answer.status_code == 400
    assert "FP16" in answer.json()["error"]


def test_external_data_is_published_with_its_folder(
    glasscase: Installation, models: Models, unique: Callable[[str], str]
) -> None:
    name = glasscase.publish(models.external, unique("external"))["model"]["name"]
    body = {"inputs": [{"name": "x", "shape": [1, 4], "datatype": "FP32", "data": [1, 1, 1, 1]}]}
    assert glasscase.infer(name, body).json()["outputs"][0]["data"] == [1, 2, 3, 4]
    refused = glasscase.cli("publish", str(models.external / "model.onnx"), "--name", unique("alone"), check=False)
    assert refused.returncode == 1
    assert "weights.bin" in refused.stderr


def test_a_model_of_a_hundred_files(glasscase: Installation, tmp_path: Path, unique: Callable[[str], str]) -> None:
    """Exporters may write a file per tensor."""
    names = [f"weight{i}" for i in range(100)]
    tensors, nodes, before = [], [], "x"
    for i, name in enumerate(names):
        (tmp_path / name).write_bytes(numpy.full(4, i % 3, dtype=numpy.float32).tobytes())
        tensor = TensorProto(name=name, data_type=TensorProto.FLOAT, dims=[4], data_location=TensorProto.EXTERNAL)
        tensor.external_data.add(key="location", value=name)
        tensors.append(tensor)
        after = "y" if i == len(names) - 1 else f"sum{i}"
        nodes.append(helper.make_node("Add", [before, name], [after]))
        before = after
    rows = [value(name, TensorProto.FLOAT, ["n", 4]) for name in ("x", "y")]
    save(helper.make_graph(nodes, "many", [rows[0]], [rows[1]], tensors), tmp_path / "model.onnx")
    name = glasscase.publish(tmp_path, unique("many"))["model"]["name"]
    body = {"inputs": [{"name": "x", "shape": [1, 4], "datatype": "FP32", "data": [1, 1, 1, 1]}]}
    assert glasscase.infer(name, body).json()["outputs"][0]["data"] == [100.0] * 4


def test_the_first_model_of_a_second_owner_answers_at_once(
    fresh_glasscase: Callable[..., Installation], models: Models
) -> None:
    glasscase = fresh_glasscase()
    body = {"inputs": [{"name": "x", "shape": [1, 4], "datatype": "FP32", "data": [1, 2, 3, 4]}]}
    for owner in ("ada", "bob", "cyd"):
        glasscase.cli("subject", "add", owner, "--role", "owner")
        token = glasscase.cli("token", "create", owner, json=True)["token"]
        done = glasscase.cli("publish", str(models.scale), "--name", "scale", json=True, token=token)
        answer = glasscase.infer(done["model"]["name"], body, token)
        assert answer.status_code == 200, answer.text


@pytest.mark.parametrize("kind", ["glasscase-edge", "glasscase-host"])
def test_a_process_that_hangs_is_replaced(
    fresh_glasscase: Callable[..., Installation], models: Models, kind: str
) -> None:
    glasscase = fresh_glasscase()
    digits = glasscase.publish(models.digits, "digits")["model"]["name"]
    assert glasscase.infer(digits, models.digit_body()).status_code == 200
    hung = glasscase.processes(kind)[0]
    hung.send_signal(signal.SIGSTOP)
    wait_until("it is gone", lambda: not psutil.pid_exists(hung.pid), 15)
    wait_until("calls answer", lambda: answers(glasscase, digits, models), 5)


def answers(glasscase: Installation, model: str, models: Models) -> bool:
    try:
        return glasscase.infer(model, models.digit_body()).status_code == 200
    except requests.ConnectionError:
        return False


def test_versions_are_immutable_and_the_default_moves_only_when_told(
    glasscase: Installation, models: Models, unique: Callable[[str], str]
) -> None:
    name = unique("versions")
    body = {"inputs": [{"name": "x", "shape": [1, 4], "datatype": "FP32", "data": [1, 2, 3, 4]}]}
    first = glasscase.publish(models.scale, name)
    assert first["already_published"] is False
    model = first["model"]["name"]
    again = glasscase.publish(models.scale, name, "--version", "1")
    assert again["already_published"] is True
    assert again["model"]["versions"][0]["id"] == first["model"]["versions"][0]["id"]
    other_bytes = glasscase.cli("publish", str(models.scale_more), "--name", name, "--version", "1", check=False)
    assert other_bytes.returncode == 1

    token = glasscase.learner(unique("ada"), model)
    pinned = glasscase.learner(unique("pinned"), f"{model}@1")
    glasscase.publish(models.scale_more, name, "--version", "2")
    glasscase.cli("default", f"{model}@2")
    assert glasscase.infer(model, body, token).json()["outputs"][0]["data"] == [3, 6, 9, 12]
    assert glasscase.infer(f"{model}", body, pinned).status_code == 404
    path = f"/v2/models/{model.replace('/', '%2F')}/versions"
    assert glasscase.request("POST", f"{path}/1/infer", pinned, json=body).json()["outputs"][0]["data"] == [2, 4, 6, 8]
    assert glasscase.request("POST", f"{path}/2/infer", pinned, json=body).status_code == 404
    glasscase.cli("default", f"{model}@1")
    assert glasscase.infer(model, body, token).json()["outputs"][0]["data"] == [2, 4, 6, 8]

    identifiers = (first["model"]["id"], first["model"]["versions"][0]["id"])
    for identifier in identifiers:
        assert glasscase.infer(identifier, body, token).status_code == 200, identifier
        glasscase.cli("show", identifier)

    glasscase.cli("retire", f"{model}@1")
    assert glasscase.request("POST", f"{path}/1/infer", pinned, json=body).status_code == 404
    versions = {v["version"]: v["state"] for v in glasscase.cli("show", model, json=True)["versions"]}
    assert versions["1"] == "retired"


def test_erasing_removes_the_bytes_and_keeps_the_record(
    fresh_glasscase: Callable[..., Installation], models: Models
) -> None:
    glasscase = fresh_glasscase()
    model = glasscase.publish(models.digits, "digits")["model"]["name"]
    probe = models.digits.read_bytes()[2000:2400]

    def files_with_the_bytes() -> list[Path]:
        return [p for p in glasscase.data.rglob("*") if p.is_file() and probe in p.read_bytes()]

    assert files_with_the_bytes()
    assert glasscase.infer(model, models.digit_body()).status_code == 200
    glasscase.cli("erase", f"{model}@1", "--yes")
    assert not files_with_the_bytes()
    assert glasscase.infer(model, models.digit_body()).status_code == 404
    (version,) = glasscase.cli("show", model, json=True)["versions"]
    assert version["state"] == "erased"
    assert version["sha256"]


def test_a_restart_keeps_everything(fresh_glasscase: Callable[..., Installation], models: Models) -> None:
    glasscase = fresh_glasscase()
    model = glasscase.publish(models.digits, "digits")["model"]["name"]
    token = glasscase.learner("ada", model, quota="1000/d")
    revoked = glasscase.learner("eve", model)
    (grant,) = glasscase.cli("list", "grants", "--subject", "eve", json=True)
    glasscase.cli("revoke", "grant", grant["id"])
    before = {what: glasscase.cli("list", what, json=True) for what in ("models", "subjects", "grants")}
    glasscase.restart()
    assert {what: glasscase.cli("list", what, json=True) for what in ("models", "subjects", "grants")} == before
    assert glasscase.infer(model, models.digit_body(), token).status_code == 200
    assert glasscase.infer(model, models.digit_body(), revoked).status_code == 404


@pytest.mark.parametrize("way", ["stop", "stop --data", "SIGTERM", "SIGINT", "SIGKILL"])
def test_nothing_is_left_running(fresh_glasscase: Callable[..., Installation], models: Models, way: str) -> None:
    glasscase = fresh_glasscase()
    model = glasscase.publish(models.digits, "digits")["model"]["name"]
    assert glasscase.infer(model, models.digit_body()).status_code == 200
    assert glasscase.process is not None
    wait_until("the inspector has ended", lambda: not glasscase.processes("glasscase-inspector"))
    family = glasscase.processes()
    assert {p.name() for p in family} == {"glasscased", "glasscase-custodian", "glasscase-edge", "glasscase-host"}
    if way.startswith("stop"):
        glasscase.cli(*way.split(), *([str(glasscase.data)] if "--data" in way else []))
    else:
        glasscase.process.send_signal(signal.Signals[way])
    assert glasscase.process.wait(20) == (-signal.SIGKILL if way == "SIGKILL" else 0)
    _, alive = psutil.wait_procs(family, timeout=10)
    assert alive == []
    assert glasscase.cli("stop", "--data", str(glasscase.data)).returncode == 0  # safe to repeat


def test_serve_says_why_it_cannot(glasscase: Installation, tmp_path: Path) -> None:
    nothing = glasscase.cli("serve", "--data", str(tmp_path / "none"), check=False)
    assert nothing.returncode == 1
    assert "glasscase init" in nothing.stderr
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        done = glasscase.cli("serve", "--data", str(glasscase.data), "--http", address, check=False)
    assert done.returncode == 1
    assert address in done.stderr and "--http" in done.stderr
    second = Installation(glasscase.programs, glasscase.folder)
    done = glasscase.cli("serve", "--data", str(glasscase.data), "--http", second.url.split("//")[1], "--control",
                         second.control_url.split("//")[1], check=False)
    assert done.returncode == 1
    assert "serve.lock" in done.stderr or "already" in done.stderr


def test_init_can_be_repeated(programs: Path, tmp_path: Path) -> None:
    glasscase = Installation(programs, tmp_path)
    first = glasscase.cli("init", "--data", str(glasscase.data), "--owner", "ada", json=True)
    assert first["created"] is True
    token = glasscase.owner_token
    profile = tmp_path / "config" / "glasscase" / "default.json"
    assert profile.stat().st_mode & 0o777 == 0o600
    again = glasscase.cli("init", "--data", str(glasscase.data), json=True)
    assert (again["created"], again["installation"]) == (False, first["installation"])
    assert glasscase.owner_token == token
    profile.unlink()
    glasscase.cli("init", "--data", str(glasscase.data))
    assert glasscase.owner_token not in ("", token)
    glasscase.cli("init", "--data", str(tmp_path / "other"))
    assert json.loads(profile.with_name("default-1.json").read_text())["data"] == str(glasscase.data)
    try:
        glasscase.cli("init", "--data", str(glasscase.data), "--profile", "default-1")
        glasscase.start()
        kept = json.loads(profile.with_name("default-1.json").read_text())["token"]
        for one in (token, kept):  # the first token was lost with its profile, but it was not withdrawn
            subject = glasscase.request("GET", "/glasscase/v1/whoami", one).json()["subject"]
            assert (subject["name"], subject["roles"]) == ("ada", ["operator", "owner"])
    finally:
        glasscase.kill_all()


def test_settings_come_from_the_config_file_too(programs: Path, tmp_path: Path) -> None:
    glasscase = Installation(programs, tmp_path).init()
    settings = glasscase.data / "glasscase.conf"
    settings.write_text(f"# of the test\nhttp = {glasscase.url.split('//')[1]}\ncontrol = {glasscase.control_url.split('//')[1]}\n")
    log = (tmp_path / "log").open("wb")
    process = subprocess.Popen([programs / "glasscase", "serve"], env=glasscase.environment(), stdout=log, stderr=log)
    try:
        wait_until("ready", lambda: b"ready:" in (tmp_path / "log").read_bytes(), 60)
        # The profile follows, so that commands in another window find it.
        assert glasscase.profile["url"] == glasscase.url
        assert glasscase.cli("whoami", json=True)["subject"]["roles"] == ["operator", "owner"]
    finally:
        process.terminate()
        assert process.wait(30) == 0
        log.close()
    settings.write_text("htp = 127.0.0.1:1\n")
    done = glasscase.cli("serve", check=False)
    assert done.returncode == 2
    assert "glasscase.conf" in done.stderr and "did you mean http?" in done.stderr


def test_the_page_says_what_this_is(glasscase: Installation) -> None:
    page = glasscase.request("GET", "/", "")
    assert page.status_code == 200
    assert page.headers["Content-Type"].startswith("text/html")
    assert "Glasscase" in page.text
    assert "Content-Security-Policy" in page.headers or "<script" not in page.text


def test_an_upload_that_is_dropped_leaves_nothing(fresh_glasscase: Callable[..., Installation]) -> None:
    glasscase = fresh_glasscase()

    def bytes_kept() -> int:
        return sum(p.stat().st_size for p in glasscase.data.rglob("*") if p.is_file() and "glasscase.conf" not in p.name)

    before = bytes_kept()
    upload = glasscase.upload(os.urandom(4_000_000))
    glasscase.restart()
    assert bytes_kept() > 4_000_000
    dropped = glasscase.request("DELETE", f"/glasscase/v1/uploads/{upload}", control=True, headers={"Tus-Resumable": "1.0.0"})
    assert dropped.status_code == 204
    assert bytes_kept() < before + 1_000_000
    refused = glasscase.request("POST", "/glasscase/v1/models", control=True,
                                json={"files": [{"path": "m.onnx", "upload": upload}], "name": "gone"})
    assert refused.status_code == 404
    assert glasscase.cli("list", "models", json=True) == []
