"""api/http/openapi.yaml is true to the server: same routes, and real answers that fit its schemas."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
import yaml
from jsonschema import Draft202012Validator
from openapi_spec_validator import validate
from referencing import Registry
from referencing.jsonschema import DRAFT202012

from system.installation import Installation, running, wait_until
from system.models import Models
from system.runners import readable_programs
from system.runs import ENDED, plain_recipe, plain_runners

ROOT = Path(__file__).resolve().parents[2]
SPEC: dict[str, Any] = yaml.safe_load((ROOT / "api" / "http" / "openapi.yaml").read_text())
METHODS = ("get", "post", "put", "patch", "delete", "options")
OPERATIONS = {(method.upper(), path): item[method] for path, item in SPEC["paths"].items() for method in METHODS if method in item}
REGISTRY: Registry[Any] = Registry().with_resource("spec:", DRAFT202012.create_resource(SPEC))


def resolved(value: Any) -> Any:
    """Follows a $ref into the components."""
    while isinstance(value, dict) and "$ref" in value:
        target: Any = SPEC
        for part in value["$ref"].removeprefix("#/").split("/"):
            target = target[part]
        value = target
    return value


def assert_as_described(method: str, path: str, answer: requests.Response) -> None:
    """Checks status, content type, announced headers and body of a real answer against the description."""
    responses = OPERATIONS[method, path]["responses"]
    described = resolved(responses.get(str(answer.status_code), responses.get("default")))
    assert described is not None, f"{method} {path} answers {answer.status_code}, which is not described: {answer.text}"
    assert answer.status_code < 400 or str(answer.status_code) in responses or "default" in responses
    if answer.status_code == 204:
        assert answer.content == b"" and "content" not in described
        return
    content_type = answer.headers["Content-Type"].split(";")[0]
    assert content_type in described["content"], f"{method} {path}: {content_type}"
    schema = described["content"][content_type].get("schema")
    if content_type.endswith("json"):
        reference = absolute(schema)
        errors = [f"{'/'.join(map(str, e.absolute_path))}: {e.message}" for e in Draft202012Validator(reference, registry=REGISTRY).iter_errors(answer.json())]
        assert errors == [], f"{method} {path} {answer.status_code}: {answer.text}"
    if answer.status_code == 401:
        assert answer.headers["WWW-Authenticate"].startswith("Bearer")
    if answer.status_code in (429, 503):
        assert int(answer.headers["Retry-After"]) >= 0


def absolute(schema: Any) -> Any:
    """The schema with references that the registry can follow from anywhere."""
    if isinstance(schema, dict):
        return {k: f"spec:{v}" if k == "$ref" else absolute(v) for k, v in schema.items()}
    return [absolute(v) for v in schema] if isinstance(schema, list) else schema


def test_it_is_valid() -> None:
    validate(SPEC)
    identifiers = [o["operationId"] for o in OPERATIONS.values() if "operationId" in o]
    assert len(identifiers) == len(set(identifiers))
    for (method, path), operation in OPERATIONS.items():
        assert operation["x-glasscase-listener"] in ("public", "control", "both"), (method, path)


def test_it_has_exactly_the_routes_of_the_binary(programs: Path) -> None:
    printed = subprocess.run([programs / "glasscase-edge", "--print-routes"], capture_output=True, text=True, check=True).stdout
    # The one parameter that takes slashes has dots in the route table.
    table = {(r["method"], r["path"].replace("...}", "}")): r for r in map(json.loads, printed.splitlines())}
    assert set(table) == set(OPERATIONS)
    for key, operation in OPERATIONS.items():
        route = table[key]
        assert route["listener"] == operation["x-glasscase-listener"], key
        presents = [name for scheme in operation.get("security", SPEC["security"]) for name in scheme] or ["none"]
        assert [route["token"]] == presents, key


# Members of a request that its route has in its path.
IN_PATHS = {"EditModelRequest": {"model"}, "VerifyRunRequest": {"run"}}


def messages_of_the_contract() -> dict[str, set[str]]:
    """The members of each message between the processes."""
    text = re.sub(r"//.*", "", (ROOT / "api" / "grpc" / "control.proto").read_text())
    return {name: set(re.findall(r"(\w+) = \d+;", body)) for name, body in re.findall(r"message (\w+) \{([^{}]*)\}", text)}


def test_names_of_members_are_those_of_the_contract_between_the_processes() -> None:
    messages, schemas = messages_of_the_contract(), SPEC["components"]["schemas"]
    both = messages.keys() & schemas.keys()
    assert {name for name in messages if name.endswith("Answer")} - both <= {"OpenFileAnswer", "LogFileAnswer"}, "bytes, no JSON"
    assert {"Run", "RunLog", "QueuedRun", "Worker", "Evidence", "Version", "Model", "Token", "Grant", "ProcessStatus"} <= both
    for name in both:
        assert schemas[name]["properties"].keys() == messages[name] - IN_PATHS.get(name, set()), name


# ---- the walk ----

NEEDS_A_CHAIN = {("POST", "/glasscase/v1/anchors")}
NEEDS_A_WORKER = {
    ("POST", "/glasscase/v1/runs"), ("POST", "/glasscase/v1/runs/batch"), ("GET", "/glasscase/v1/runs/{run}"),
    ("DELETE", "/glasscase/v1/runs/{run}"), ("GET", "/glasscase/v1/runs/{run}/log"), ("POST", "/glasscase/v1/runs/{run}/verifications"),
    ("POST", "/glasscase/v1/translations"),
}


class Walk:
    """Real requests, each checked against the description, and a note of which operations were seen to succeed."""

    def __init__(self, installation: Installation) -> None:
        self.installation = installation
        self.succeeded: set[tuple[str, str]] = set()
        self.names: dict[str, str] = {}

    def __call__(self, method: str, path: str, token: str | None = None, query: str = "", **arguments: Any) -> requests.Response:
        operation = OPERATIONS[method, path]
        control = arguments.pop("control", operation["x-glasscase-listener"] == "control")
        names = self.names | arguments.pop("names", {})
        concrete = path
        for name, value in names.items():
            concrete = concrete.replace("{" + name + "}", value)
        assert "{" not in concrete, concrete
        answer = self.installation.request(method, concrete + query, token, control=control, **arguments)
        assert_as_described(method, path, answer)
        if answer.ok:
            self.succeeded.add((method, path))
        return answer


def publish(walk: Walk, data: bytes, version: str) -> dict[str, Any]:
    fields = {"Tus-Resumable": "1.0.0", "Upload-Length": str(len(data))}
    upload = walk("POST", "/glasscase/v1/uploads", headers=fields).json()["id"]
    walk("PATCH", "/glasscase/v1/uploads/{id}", names={"id": upload}, data=data,
         headers={"Tus-Resumable": "1.0.0", "Upload-Offset": "0", "Content-Type": "application/offset+octet-stream"})
    walk("GET", "/glasscase/v1/uploads/{id}", names={"id": upload})
    named = [{"path": "scale.onnx", "upload": upload, "sha256": hashlib.sha256(data).hexdigest()}]
    answer = walk("POST", "/glasscase/v1/models", json={"files": named, "name": "walked", "version": version, "card": "# Walked"})
    assert answer.status_code == 201, answer.text
    published: dict[str, Any] = answer.json()
    return published


def walk_access(walk: Walk) -> tuple[str, str]:
    """Subjects, tokens, invitations and grants. Returns a learner's token and name."""
    assert walk("POST", "/glasscase/v1/subjects", json={"name": "ada"}).status_code == 201
    assert walk("POST", "/glasscase/v1/subjects", json={"name": ""}).status_code == 400
    token = walk("POST", "/glasscase/v1/tokens", json={"subject": "ada", "expires": "1h"}).json()["token"]
    token = walk("POST", "/glasscase/v1/tokens/rotate", token).json()["token"]
    other = walk("POST", "/glasscase/v1/tokens", json={"subject": "ada"}).json()
    invitation = walk("POST", "/glasscase/v1/invitations", json={"subject": "eve"}).json()["invitation"]
    walk("POST", "/glasscase/v1/invitations/redeem", invitation)
    assert walk("POST", "/glasscase/v1/invitations/redeem", invitation).status_code == 401
    grant = walk("POST", "/glasscase/v1/grants", json={"subject": "ada", "action": "predict", "model": "walked", "quota": "3/h"}).json()
    more = walk("POST", "/glasscase/v1/grants", json={"subject": "eve", "action": "predict", "model": "walked@1"}).json()
    walk("GET", "/glasscase/v1/grants", query="?subject=ada&model=walked")
    walk("GET", "/glasscase/v1/tokens", query="?subject=ada")
    walk("GET", "/glasscase/v1/subjects")
    walk("DELETE", "/glasscase/v1/grants/{id}", names={"id": more["id"]})
    walk("DELETE", "/glasscase/v1/tokens/{id}", names={"id": other["id"]})
    walk("DELETE", "/glasscase/v1/subjects/{subject}", names={"subject": "eve"})
    assert walk("DELETE", "/glasscase/v1/subjects/{subject}", names={"subject": "nobody"}).status_code == 404
    assert grant["state"] == "active"
    return str(token), "ada"


def walk_protocol(walk: Walk, token: str) -> None:
    body = {"inputs": [{"name": "x", "shape": [1, 4], "datatype": "FP32", "data": [1, 2, 3, 4]}]}
    for path in ("/v2", "/v2/models/{model}", "/v2/models/{model}/versions/{version}", "/v2/models/{model}/ready",
                 "/v2/models/{model}/versions/{version}/ready"):
        assert walk("GET", path, token).ok, path
    walk("POST", "/v2/repository/index", token, json={})
    assert walk("POST", "/v2/models/{model}/infer", token, json=body | {"id": "a"}).ok
    assert walk("POST", "/v2/models/{model}/infer", token, json=body | {"parameters": {"binary_data_output": True}}).ok
    assert walk("POST", "/v2/models/{model}/infer", token, json={}).status_code == 400
    walk("POST", "/v2/models/{model}/versions/{version}/infer", json=body)
    assert walk("POST", "/v2/models/{model}/infer", names={"model": "absent"}, json=body).status_code == 404
    assert walk("POST", "/v2/models/{model}/infer", token, data=b"x", headers={"Content-Encoding": "br"}).status_code == 415
    while (answer := walk("POST", "/v2/models/{model}/infer", token, json=body)).ok:
        pass
    assert answer.status_code == 429


@pytest.mark.timeout(240)
def test_every_route_answers_as_described(fresh_glasscase: Callable[..., Installation], models: Models) -> None:
    glasscase = fresh_glasscase()
    walk = Walk(glasscase)
    for path in ("/", "/v2/health/live", "/v2/health/ready"):
        assert walk("GET", path, "").ok
    for path in ("/v2/health/live", "/v2/health/ready"):
        assert walk("GET", path, "", control=True).ok
    published = publish(walk, models.scale.read_bytes(), "1")
    publish(walk, models.scale_more.read_bytes(), "2")
    # A grant that names no version covers the default one, so that is the one that the learner asks for.
    model = published["model"]["name"].replace("/", "%2F")
    default = glasscase.cli("show", published["model"]["name"], json=True)["default_version"]
    walk.names = {"model": model, "version": default, "region": "r"}
    token, _ = walk_access(walk)
    for control in (False, True):
        for path in ("/glasscase/v1/whoami", "/glasscase/v1/models", "/glasscase/v1/models/{model}",
                     "/glasscase/v1/models/{model}/receipt", "/glasscase/v1/models/{model}/history",
                     "/glasscase/v1/models/{model}/statement", "/glasscase/v1/models/{model}/lineage"):
            assert walk("GET", path, token, control=control).ok
        for name in ("checkpoint", "tile/0/000.p/3", "tile/entries/000.p/3"):
            assert walk("GET", "/log/{path}", "", names={"path": name}, control=control).ok
        assert walk("GET", "/log/{path}", "", names={"path": "tile/9/000"}, control=control).status_code == 404
    assert walk("GET", "/glasscase/v1/models/{model}/signature").ok
    assert walk("GET", "/glasscase/v1/models/{model}/signature", token).status_code == 403
    assert walk("GET", "/glasscase/v1/models/{model}/files").json()["files"][0]["path"] == "scale.onnx"
    assert walk("GET", "/glasscase/v1/models/{model}/files/{file}", names={"file": "0"}).content == models.scale_more.read_bytes()
    assert walk("GET", "/glasscase/v1/models/{model}/files/{file}", token, names={"file": "0"}).status_code == 403
    assert walk("GET", "/glasscase/v1/models/{model}/files/{file}", names={"file": "7"}).status_code == 404
    walk_protocol(walk, token)
    tus = {"Tus-Resumable": "1.0.0"}
    dropped = walk("POST", "/glasscase/v1/uploads", headers=tus | {"Upload-Length": "1"}).json()["id"]
    assert walk("GET", "/glasscase/v1/uploads").json()["uploads"][0]["id"] == dropped
    walk("OPTIONS", "/glasscase/v1/uploads")
    walk("OPTIONS", "/glasscase/v1/uploads/{id}", names={"id": dropped})
    walk("DELETE", "/glasscase/v1/uploads/{id}", names={"id": dropped}, headers=tus)
    assert walk("POST", "/glasscase/v1/models/{model}/edit", json={"card": "# Edited", "tag": ["small"], "field": [{"key": "site", "value": "north"}]}).ok
    assert walk("POST", "/glasscase/v1/models/{model}/edit", json={"tag": ["a\nb"]}).status_code == 400
    assert len(walk("GET", "/glasscase/v1/models", query="?tag=small&field=site%3Dnorth&limit=1").json()["models"]) == 1
    assert walk("GET", "/glasscase/v1/models", query="?limit=none").status_code == 400
    walk("PUT", "/glasscase/v1/models/{model}/default", json={"version": "2"})
    walk.names["version"] = "1"
    walk("POST", "/glasscase/v1/models/{model}/versions/{version}/retire")
    walk("DELETE", "/glasscase/v1/models/{model}/versions/{version}")
    walk("GET", "/glasscase/v1/status")
    assert walk("GET", "/glasscase/v1/anchors").json() == {"place": "", "trouble": "", "acts": [], "anchored": None}
    assert walk("GET", "/glasscase/v1/models/{model}/chain").json()["acts"] == []
    # Queued only where a chain is configured: tests/chain/test_installation.py.
    assert "chain init" in walk("POST", "/glasscase/v1/anchors", json={}).json()["error"]
    assert walk("GET", "/glasscase/v1/runs", query="?open=true&limit=5").json() == {"runs": [], "next": ""}
    assert walk("GET", "/glasscase/v1/runs/{run}", names={"run": "none"}).status_code == 404
    assert walk("GET", "/glasscase/v1/runs/{run}/log", names={"run": "none"}).status_code == 404
    assert walk("POST", "/glasscase/v1/runs/{run}/verifications", names={"run": "none"}, json={}).status_code == 404
    pin = "sha256//" + base64.b64encode(bytes(32)).decode()
    assert walk("POST", "/glasscase/v1/workers", json={"name": "far", "key": "none"}).status_code == 400
    assert walk("POST", "/glasscase/v1/workers", json={"name": "far", "key": pin}).json()["workers"][0]["key"] == pin
    assert walk("GET", "/glasscase/v1/workers").json()["workers"][0]["connected"] is False
    assert walk("DELETE", "/glasscase/v1/workers/{name}", names={"name": "far"}).status_code == 200
    assert walk("DELETE", "/glasscase/v1/workers/{name}", names={"name": "far"}).status_code == 404
    # Those that succeed need a worker: the next walk.
    assert walk("POST", "/glasscase/v1/runs", json={"model": "m", "recipe": "{}"}).status_code == 400
    assert walk("POST", "/glasscase/v1/runs/batch", json={"runs": [{"model": "m", "recipe": "{}", "seeds": [1, 2]}]}).status_code == 400
    assert walk("POST", "/glasscase/v1/translations", json={"source": "none"}).status_code == 404
    assert walk("GET", "/glasscase/v1/models/{model}/receipt", query="?of=translation").status_code == 404
    assert walk("GET", "/glasscase/v1/models/{model}/statement", query="?about=run").status_code == 404
    refused = {key for key, operation in OPERATIONS.items() if operation.get("tags") == ["not offered"]}
    for method, path in sorted(refused):
        answer = walk(method, path, json={} if method == "POST" else None)
        assert answer.status_code == (403 if "/repository/" in path else 501), (method, path)
        assert len(answer.json()["error"]) > 20
    for (method, path), operation in OPERATIONS.items():
        if operation.get("security", SPEC["security"]) != []:
            walk_without_token(walk, method, path)
            walk_on_the_other_listener(walk, method, path, operation["x-glasscase-listener"])
    assert walk("POST", "/glasscase/v1/stop").ok
    assert set(OPERATIONS) - refused - NEEDS_A_CHAIN - NEEDS_A_WORKER - walk.succeeded == set()


# ---- with a worker ----

PROGRAM = """
import sys, time
print("progress 0.5 half way", flush=True)
if sys.argv[1:] == ["forever"]:
    time.sleep(600)
open("/out/model.txt", "w").write("done")
open("/out/metrics.json", "w").write('{"loss": 0.25}')
"""


@pytest.fixture
def with_worker(programs: Path, tmp_path: Path) -> Iterator[Walk]:
    """A walk through an installation with one worker and the runner "plain", a dataset "code" and a kept model "trees"."""
    with (
        readable_programs(programs) as readable, plain_runners() as runners,
        running(readable, tmp_path, serve_words=("--workers", "1", "--runners", str(runners))) as installation,
    ):
        walk = Walk(installation)
        wait_until("a worker is there", lambda: walk("GET", "/glasscase/v1/workers").json()["workers"], 10)
        (tmp_path / "train.py").write_text(PROGRAM)
        installation.cli("dataset", "add", str(tmp_path / "train.py"), "--name", "code")
        installation.cli("publish", str(ROOT / "fuzz" / "corpus" / "xgboost_json" / "binary"), "--name", "trees", "--kept")
        yield walk


def walk_to_the_end(walk: Walk, run: dict[str, Any]) -> dict[str, Any]:
    """The run, once it has ended, with every state that it was seen in as described."""
    def seen() -> dict[str, Any]:
        shown: dict[str, Any] = walk("GET", "/glasscase/v1/runs/{run}", names={"run": run["id"]}).json()
        walk("GET", "/glasscase/v1/runs/{run}/log", names={"run": run["id"]})
        walk("GET", "/glasscase/v1/runs")
        return shown

    wait_until("it has ended", lambda: seen()["state"] in ENDED, 60)
    return seen()


def queue(walk: Walk, path: str, body: dict[str, Any], **names: str) -> dict[str, Any]:
    answer = walk("POST", path, json=body, names=names)
    assert answer.status_code == 202, answer.text
    queued: dict[str, Any] = answer.json()
    return queued


@pytest.mark.timeout(180)
def test_runs_and_translations_answer_as_described(with_worker: Walk) -> None:
    walk, recipe = with_worker, plain_recipe("code", "train.py")
    run = walk_to_the_end(walk, queue(walk, "/glasscase/v1/runs", {"model": "trained", "recipe": recipe}))
    assert (run["state"], run["kind"]) == ("succeeded", "training"), run
    log = walk("GET", "/glasscase/v1/runs/{run}/log", names={"run": run["id"]}, query="?from=9").json()
    assert (log["text"], log["ended"], log["state"]) == ("0.5 half way\n", False, "succeeded"), log
    rest = f"?from={log['next']}&from_event=1"
    wait_until("nothing follows", lambda: walk("GET", "/glasscase/v1/runs/{run}/log", names={"run": run["id"]}, query=rest).json()["ended"], 10)
    log = walk("GET", "/glasscase/v1/runs/{run}/log", names={"run": run["id"]}, query=rest).json()
    assert log["text"] == "" and log["events"] == run["events"][1:] != [], log
    (worker,) = walk("GET", "/glasscase/v1/workers").json()["workers"]
    assert (worker["name"], worker["connected"], worker["runners"]) == (run["worker"], True, ["plain"]), worker

    again = walk_to_the_end(walk, queue(walk, "/glasscase/v1/runs/{run}/verifications", {}, run=run["id"]))
    assert (again["kind"], again["repeats"], json.loads(again["evidence"])["class"]) == ("verification", run["id"], "B"), again
    translated = walk_to_the_end(walk, queue(walk, "/glasscase/v1/translations", {"source": "trees"}))
    assert (translated["state"], translated["kind"]) == ("succeeded", "translation"), translated
    sweep = [{"model": "swept", "version": "seed-{seed}", "recipe": recipe, "seeds": [1, 2]}, {"model": "alone", "recipe": recipe}]
    queued = queue(walk, "/glasscase/v1/runs/batch", {"runs": sweep})["runs"]
    assert [(one["model"], one["version"], one["seed"]) for one in queued] == [
        ("owner/swept", "seed-1", 1), ("owner/swept", "seed-2", 2), ("owner/alone", "", 0)]
    assert [walk_to_the_end(walk, one)["state"] for one in queued] == ["succeeded"] * 3

    forever = plain_recipe("code", "train.py", command=["python", "/in/code/train.py", "forever"])
    ending = queue(walk, "/glasscase/v1/runs", {"model": "ended", "recipe": forever})
    assert walk("DELETE", "/glasscase/v1/runs/{run}", names={"run": ending["id"]}).status_code == 202
    assert walk_to_the_end(walk, ending)["state"] == "cancelled"
    assert walk("DELETE", "/glasscase/v1/runs/{run}", names={"run": ending["id"]}).status_code == 409
    page = walk("GET", "/glasscase/v1/runs", query="?limit=2").json()
    assert len(page["runs"]) == 2 and walk("GET", "/glasscase/v1/runs", query=f"?after={page['next']}").json()["runs"]

    for model, kind in (("trained", "run"), ("trees-onnx", "translation")):
        (version,) = walk("GET", "/glasscase/v1/models/{model}", names={"model": model}).json()["versions"]
        assert [one["kind"] for one in version["evidence"]] == ["verification" if kind == "run" else kind]
        wait_until("its entry is published", lambda of=f"?of={kind}", model=model: walk(
            "GET", "/glasscase/v1/models/{model}/receipt", names={"model": model}, query=of).ok, 10)
        assert walk("GET", "/glasscase/v1/models/{model}/statement", names={"model": model}, query="?about=run").ok
    assert NEEDS_A_WORKER <= walk.succeeded


def walk_without_token(walk: Walk, method: str, path: str) -> None:
    answer = walk(method, path, "", names={"id": "x", "subject": "x", "file": "0", "run": "x", "name": "x"})
    assert answer.status_code == 401, (method, path)


def walk_on_the_other_listener(walk: Walk, method: str, path: str, listener: str) -> None:
    if listener == "both" or path == "/glasscase/v1/invitations/redeem":
        return
    concrete = path
    for name, value in (walk.names | {"id": "x", "subject": "x", "file": "0", "run": "x", "name": "x"}).items():
        concrete = concrete.replace("{" + name + "}", value)
    answer = walk.installation.request(method, concrete, control=listener == "public")
    assert answer.status_code in (403, 404, 405), (method, path, answer.text)
