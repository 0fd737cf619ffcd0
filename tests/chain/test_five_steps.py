"""From a dataset to an ONNX model on a chain, in the five steps of docs/guides/five-steps.md."""

from __future__ import annotations

import hashlib
import json
import platform
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from chain.chain import Node
from chain.test_installation import acts, node, on_chain, written
from system.installation import Installation, wait_until
from system.registry import layer_of_this_machine, registry
from system.runners import ROOT, readable_programs
from system.statements import signed_statement
from system.test_images import kept_images
from system.training_examples import make_data

__all__ = ["node"]
EXAMPLES = ROOT / "examples" / "training"


@dataclass(frozen=True)
class Way:
    """Where the model is trained: how a worker is started for it, the example's code and recipe."""

    serve_words: tuple[str, ...]
    code: Path
    recipe: Path
    environment: dict[str, str]  # of it, in what is recorded


@pytest.fixture(params=("runner", "image"))
def way(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Way]:
    if request.param == "runner":
        example, runners = EXAMPLES / "wine-trees", request.getfixturevalue("runners")
        yield Way(("--workers", "1", "--runners", str(runners)), example / "train.py", example / "recipe.json", {"runner": "scikit-learn"})
        return
    example = EXAMPLES / "wine_image"
    with registry() as server, kept_images() as kept:
        image = server.push("group/python", layer_of_this_machine(), ["PATH=/usr/bin"])
        recipe = json.loads((example / "recipe.json").read_text())
        recipe["environment"]["image"] = image
        (tmp_path / "recipe.json").write_text(json.dumps(recipe))
        yield Way(("--workers", "1", "--registries", server.host, "--registry-auth", str(server.credentials(tmp_path)), "--images", str(kept)),
                  example / "train.py", tmp_path / "recipe.json", {"image": image})


@pytest.fixture
def programs(programs: Path) -> Iterator[Path]:
    """Where the worker's user may start them."""
    with readable_programs(programs) as folder:
        yield folder


def identity(asset: dict[str, Any]) -> str:
    return str(uuid.UUID(asset["id"]))


def contract_of(glasscase: Installation, asset: str) -> str:
    (contract,) = [act["contract"] for act in acts(glasscase, asset) if act["kind"] == "contract"]
    return str(contract)


def sha256_of(glasscase: Installation, asset: str) -> str:
    (version,) = glasscase.cli("show", asset, json=True)["versions"]
    return str(version["sha256"])


def assert_stated(glasscase: Installation, run: dict[str, Any], way: Way, folder: Path) -> None:
    """The signed statement of the run: its code, its data, its recipe, its machine, its entry."""
    glasscase.cli("signature", "wine", "--provenance", "--output", str(folder / "run.json"), "--public-key", str(folder / "signing.pem"))
    assert (folder / "signing.pem").read_text() == (glasscase.data / "signing.pem").read_text()
    stated = signed_statement(folder / "run.json", folder / "signing.pem", folder)
    assert (stated["_type"], stated["predicateType"]) == ("https://in-toto.io/Statement/v1", "urn:glasscase:predicate:run:v1")
    manifest = hashlib.sha256(f"{sha256_of(glasscase, 'wine')}  model.json\n".encode()).hexdigest()  # api/formats/manifest.md
    assert stated["subject"] == [{"name": f"urn:uuid:{run['result']}", "digest": {"sha256": manifest}}]
    said = stated["predicate"]
    assert said["manifest"] == {"sha256": manifest}
    materials = {(one["role"], one["name"], one["digest"]["sha256"]) for one in said["materials"]}
    assert materials == {(role, f"owner/wine-{role}@1", sha256_of(glasscase, f"wine-{role}")) for role in ("code", "train", "test")}
    assert said["run"]["uuid"] == run["id"] and said["recipe"] == {"sha256": run["recipe_sha256"]}
    assert said["environment"].items() >= way.environment.items()
    assert said["worker"]["name"] == run["worker"] and said["worker"]["machine"]["kernel"] == platform.release()
    entries = {json.loads(row["entry"])["type"]: row["index"] for row in glasscase.cli("history", "wine", json=True)["entries"]}
    assert said["ledger"]["index"] == entries["run"]


@pytest.mark.timeout(240)
def test_from_a_dataset_to_onnx_with_a_contract_for_each(fresh_glasscase: Any, way: Way, node: Node, tmp_path: Path) -> None:
    glasscase = on_chain(fresh_glasscase(serve_words=way.serve_words), node.url)
    wait_until("a worker is there", lambda: "worker" in glasscase.cli("status").stdout, 10)
    make_data(tmp_path)

    # 1. Datasets, each with a UUID.
    for part in ("train", "test"):
        glasscase.cli("dataset", "add", str(tmp_path / f"{part}.csv"), "--name", f"wine-{part}")
    data = {part: identity(glasscase.cli("show", f"wine-{part}", json=True)) for part in ("train", "test")}
    assert len(set(data.values())) == 2

    # 2. The model: its code, its data and its environment queue its training. It has a UUID at once.
    glasscase.cli("dataset", "add", str(way.code), "--name", "wine-code")
    queued = glasscase.cli("train", str(way.recipe), "--name", "wine", "--detach", json=True)
    model = identity(glasscase.cli("show", "wine", json=True))
    assert queued["model_id"] == model

    # 3. How far it is.
    def state(run: str) -> str:
        return str(glasscase.cli("runs", "show", run, json=True)["state"])

    wait_until("it is trained", lambda: state(queued["id"]) in ("succeeded", "failed"), 60)
    run = glasscase.cli("runs", "show", queued["id"], json=True)
    assert run["state"] == "succeeded", run
    assert json.loads(run["record"])["metrics"]["accuracy"] > 0.8

    # 4. The trained model, with what it was made from, and its contract.
    glasscase.cli("take", "wine", "--output", str(tmp_path / "taken"))
    shown = glasscase.cli("show", "wine", json=True)["versions"][0]
    edges = {(edge["relation"], edge["by"], edge["name"]) for edge in shown["parents"]}
    assert edges == {("trained_on", "witnessed", "owner/wine-train@1"), ("tested_on", "witnessed", "owner/wine-test@1"),
                     ("derived_from", "witnessed", "owner/wine-code@1")}
    wait_until("all is written", lambda: all(written(glasscase, asset) for asset in ("wine", "wine-train", "wine-test")), 90)
    assert len(node.ask("eth_getCode", contract_of(glasscase, "wine"), "latest")) > 100

    # 5. Its translation, with a UUID of its own: the recipe asked for it.
    (translation,) = glasscase.cli("runs", "list", "--model", "wine-onnx", json=True)
    assert translation["translates"] == run["result"]
    wait_until("it is translated", lambda: state(translation["id"]) in ("succeeded", "failed"), 60)
    translated = glasscase.cli("show", "wine-onnx", json=True)
    assert len({identity(translated), model, *data.values()}) == 4
    (version,) = translated["versions"]
    assert [(edge["relation"], edge["by"], edge["name"]) for edge in version["parents"]] == [("translated_from", "witnessed", "owner/wine@1")]
    (evidence,) = version["evidence"]
    assert evidence["inputs"] > 100 and evidence["top_class_same"] + evidence["top_class_ties"] == evidence["inputs"]
    wait_until("its contract is written", lambda: written(glasscase, "wine-onnx"), 90)
    assert contract_of(glasscase, "wine-onnx") != contract_of(glasscase, "wine")
    called = glasscase.cli("call", "wine-onnx", "--input", str(tmp_path / "wine.json"), json=True)
    outputs = {one["name"]: one["data"] for one in called["outputs"]}
    assert outputs["label"] == [int((tmp_path / "test.csv").read_text().splitlines()[0].rpartition(",")[2])]

    # And the proofs, for whoever does not trust us.
    glasscase.cli("runs", "evidence", translation["id"], "-o", str(tmp_path / "evidence.json"))
    glasscase.cli("receipt", "wine-onnx", "--of", "translation", "--output", str(tmp_path / "proof"))
    policy = str(glasscase.data / "ledger-policy")
    checked = glasscase.cli("verify", str(tmp_path / "proof"), "--policy", policy, "--evidence", str(tmp_path / "evidence.json"), json=True)
    assert checked["valid"] and checked["version"] == version["id"]
    assert_stated(glasscase, run, way, tmp_path)
    again = json.loads(glasscase.cli("runs", "verify", run["id"], "--json").stdout)
    assert json.loads(again["evidence"])["class"] == "B", again
