"""Unmodified clients of the Open Inference Protocol: tritonclient (http and http.aio) and curl."""

from __future__ import annotations

import asyncio
import gzip
import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy
import pytest
import tritonclient.http
import tritonclient.http.aio
from tritonclient.utils import InferenceServerException

from system.installation import Installation
from system.models import DATATYPES, Models

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def token(glasscase: Installation, digits: str, models: Models) -> str:
    """A learner who may call the models used here."""
    for path, name in ((models.echo, "echo"), (models.add, "add")):
        glasscase.publish(path, name, "--version", "1")
    return glasscase.learner("client", digits, "echo", "add")


@pytest.fixture
def client(glasscase: Installation) -> Any:
    client = tritonclient.http.InferenceServerClient(glasscase.url.removeprefix("http://"), concurrency=4)
    yield client
    client.close()


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def pixels_input(models: Models, rows: int = 1, binary: bool = True) -> Any:
    tensor = tritonclient.http.InferInput("pixels", [rows, 64], "FP32")
    tensor.set_data_from_numpy(models.pixels[:rows], binary_data=binary)
    return tensor


def test_health_needs_no_token(client: Any) -> None:
    assert client.is_server_live()
    assert client.is_server_ready()


def test_metadata(client: Any, token: str, digits: str) -> None:
    server = client.get_server_metadata(headers=bearer(token))
    assert server["name"] == "glasscase"
    assert "binary_tensor_data" in server["extensions"]
    for name in ("digits", digits):
        assert client.is_model_ready(name, headers=bearer(token))
        assert client.is_model_ready(name, "1", headers=bearer(token))
        model = client.get_model_metadata(name, headers=bearer(token))
        assert model["inputs"] == [{"name": "pixels", "datatype": "FP32", "shape": [-1, 64]}]
        assert model["versions"] == ["1"]
    index = client.get_model_repository_index(headers=bearer(token))
    assert {m["name"].split("/")[1] for m in index} == {"digits", "echo", "add"}
    assert not client.is_model_ready("absent", headers=bearer(token))


@pytest.mark.parametrize("name_form", ["short", "full"])
@pytest.mark.parametrize("compression", [None, "gzip", "deflate"])
@pytest.mark.parametrize("binary", [True, False])
def test_infer(client: Any, token: str, digits: str, models: Models, binary: bool, compression: str | None, name_form: str) -> None:
    outputs = [tritonclient.http.InferRequestedOutput(n, binary_data=binary) for n in ("probabilities", "label")]
    answer = client.infer(
        "digits" if name_form == "short" else digits, [pixels_input(models, 8, binary)], outputs=outputs, request_id="seven",
        headers=bearer(token), request_compression_algorithm=compression, response_compression_algorithm=compression)
    assert answer.get_response()["id"] == "seven"
    assert [o["name"] for o in answer.get_response()["outputs"]] == ["probabilities", "label"]
    assert answer.as_numpy("label").tolist() == models.labels[:8].tolist()
    numpy.testing.assert_allclose(answer.as_numpy("probabilities"), models.probabilities[:8], rtol=1e-5, atol=1e-7)


def test_infer_without_naming_outputs_and_with_a_version(client: Any, token: str, models: Models) -> None:
    answer = client.infer("digits", [pixels_input(models)], model_version="1", headers=bearer(token))
    assert answer.as_numpy("label").tolist() == [models.labels[0]]
    assert answer.get_response()["model_version"] == "1"


def test_batched_answers_are_those_of_calls_alone(glasscase: Installation, client: Any, token: str, models: Models) -> None:
    alone = [client.infer("digits", [single(models, row)], headers=bearer(token)).as_numpy("probabilities") for row in range(16)]
    requests = [client.async_infer("digits", [single(models, row % 16)], headers=bearer(token)) for row in range(256)]
    for n, request in enumerate(requests):
        together = request.get_result().as_numpy("probabilities")
        numpy.testing.assert_allclose(together, alone[n % 16], rtol=1e-6, atol=1e-8)


def single(models: Models, row: int) -> Any:
    tensor = tritonclient.http.InferInput("pixels", [1, 64], "FP32")
    tensor.set_data_from_numpy(models.pixels[row : row + 1])
    return tensor


NUMPY = {
    "BOOL": numpy.bool_, "UINT8": numpy.uint8, "UINT16": numpy.uint16, "UINT32": numpy.uint32, "UINT64": numpy.uint64,
    "INT8": numpy.int8, "INT16": numpy.int16, "INT32": numpy.int32, "INT64": numpy.int64, "FP16": numpy.float16,
    "FP32": numpy.float32, "FP64": numpy.float64, "BYTES": numpy.object_,
}


@pytest.mark.parametrize("binary_output", [True, False])
def test_every_datatype_both_ways(client: Any, token: str, binary_output: bool) -> None:
    inputs, outputs = [], []
    sent: dict[str, Any] = {}
    for kind in DATATYPES:
        values: list[Any] = [b"a\0b", "grüße".encode()] if kind == "BYTES" else [1, 0]
        sent[kind] = numpy.array(values, dtype=NUMPY[kind])
        tensor = tritonclient.http.InferInput(f"x_{kind}", [2], kind)
        tensor.set_data_from_numpy(sent[kind], binary_data=True)
        inputs.append(tensor)
        in_json = not binary_output and kind not in ("FP16", "BYTES")
        outputs.append(tritonclient.http.InferRequestedOutput(f"y_{kind}", binary_data=not in_json))
    answer = client.infer("echo", inputs, outputs=outputs, headers=bearer(token))
    for kind, values_sent in sent.items():
        returned = answer.as_numpy(f"y_{kind}")
        assert returned.dtype == values_sent.dtype
        assert returned.tolist() == values_sent.tolist(), kind


def test_refusals_arrive_as_the_clients_exception(client: Any, token: str, models: Models) -> None:
    with pytest.raises(InferenceServerException) as refusal:
        client.infer("absent", [pixels_input(models)], headers=bearer(token))
    assert refusal.value.status() == "404"
    assert "absent" in refusal.value.message()
    with pytest.raises(InferenceServerException) as refusal:
        client.infer("digits", [pixels_input(models)])
    assert refusal.value.status() == "401"
    for ask in (client.get_system_shared_memory_status, client.get_cuda_shared_memory_status, client.get_trace_settings,
                client.get_log_settings, client.get_inference_statistics):
        with pytest.raises(InferenceServerException) as refusal:
            ask(headers=bearer(token))
        assert refusal.value.status() == "501"
        assert "not offered" in refusal.value.message()
    with pytest.raises(InferenceServerException) as refusal:
        client.load_model("digits", headers=bearer(token))
    assert refusal.value.status() == "403"
    with pytest.raises(InferenceServerException):
        client.register_system_shared_memory("r", "/x", 16, headers=bearer(token))


def test_plugins_that_add_the_token(glasscase: Installation, token: str, models: Models) -> None:
    class Bearer(tritonclient.http.InferenceServerClientPlugin):  # type: ignore[misc]
        def __call__(self, request: Any) -> None:
            request.headers["authorization"] = f"Bearer {token}"

    client = tritonclient.http.InferenceServerClient(glasscase.url.removeprefix("http://"))
    client.register_plugin(Bearer())
    assert client.infer("digits", [pixels_input(models)]).as_numpy("label").tolist() == [models.labels[0]]
    client.close()


def test_the_asynchronous_client(glasscase: Installation, token: str, models: Models) -> None:
    async def call() -> list[Any]:
        client = tritonclient.http.aio.InferenceServerClient(glasscase.url.removeprefix("http://"))
        try:
            assert await client.is_server_live()
            assert await client.is_model_ready("digits", headers=bearer(token))
            tensors = []
            for row in range(32):
                tensor = tritonclient.http.aio.InferInput("pixels", [1, 64], "FP32")
                tensor.set_data_from_numpy(models.pixels[row : row + 1])
                tensors.append(tensor)
            answers = await asyncio.gather(*(client.infer("digits", [t], headers=bearer(token)) for t in tensors))
            return [int(a.as_numpy("label")[0]) for a in answers]
        finally:
            await client.close()

    assert asyncio.run(call()) == models.labels[:32].tolist()


# ---- curl ----


def curl(*words: str, stdin: bytes = b"") -> tuple[int, bytes]:
    done = subprocess.run(["curl", "-sS", "-w", "%{stderr}%{http_code}", *words], input=stdin, capture_output=True, check=True)
    return int(done.stderr), done.stdout


def test_curl_json(glasscase: Installation, token: str, models: Models) -> None:
    url = f"{glasscase.url}/v2/models/digits/infer"
    authorization = ("-H", f"Authorization: Bearer {token}")
    body = json.dumps(models.digit_body()).encode()
    for more in ((), ("-H", "Content-Type: application/json"), ("-H", "Transfer-Encoding: chunked"), ("-H", "Expect: 100-continue"),
                 ("--compressed",), ("--http1.0",)):
        status, answer = curl(url, *authorization, *more, "--data-binary", "@-", stdin=body)
        assert status == 200, answer
        assert json.loads(answer)["outputs"][0]["data"] == [models.labels[0]]
    status, answer = curl(url, *authorization, "-H", "Content-Encoding: gzip", "--data-binary", "@-", stdin=gzip.compress(body))
    assert status == 200


def test_curl_raw_binary(glasscase: Installation, token: str, models: Models) -> None:
    status, answer = curl(
        f"{glasscase.url}/v2/models/digits/infer", "-H", f"Authorization: Bearer {token}", "-H", "Inference-Header-Content-Length: 0",
        "-H", "Content-Type: application/octet-stream", "-D", "/dev/null", "--data-binary", "@-", stdin=models.pixels[0].tobytes())
    assert status == 200
    assert answer.startswith(b'{"model_name"')
    assert b'"binary_data_size":8' in answer


def test_head_and_options_do_not_confuse_the_connection(glasscase: Installation) -> None:
    status, _ = curl("-I", f"{glasscase.url}/v2/health/live", "--max-time", "10")
    assert status in (200, 401, 404, 405)


# ---- the examples of the documentation ----


@pytest.mark.parametrize("script", ["call_with_requests.py", "call_with_tritonclient.py"])
def test_the_quickstart_examples_work(
    glasscase: Installation, programs: Path, token: str, models: Models, tmp_path: Path, script: str, unique: Callable[[str], str]
) -> None:
    import sys

    (tmp_path / "pixels.json").write_text(json.dumps([float(p) for p in models.pixels[0]]))
    words = [sys.executable, str(ROOT / "examples" / "quickstart" / script), glasscase.url, "digits", str(tmp_path / "pixels.json")]
    done = subprocess.run(words, env=glasscase.environment(token), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert f"label [{models.labels[0]}]" in done.stdout
    stranger = glasscase.learner(unique("stranger"))
    done = subprocess.run(words, env=glasscase.environment(stranger), capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "refused" in done.stderr
