"""From a dataset to an ONNX model on a chain, in the five steps of docs/guides/five-steps.md."""

from __future__ import annotations

import json
import subprocess
import textwrap
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from chain.chain import Node
from chain.test_installation import acts, node, on_chain, written
from system.installation import Installation, wait_until
from system.runners import ROOT, RUNNERS, readable_programs

__all__ = ["node"]
EXAMPLE = ROOT / "examples" / "training" / "wine-trees"


@pytest.fixture
def programs(programs: Path) -> Iterator[Path]:
    """Where the worker's user may start them."""
    with readable_programs(programs) as folder:
        yield folder


def write_data(folder: Path) -> None:
    subprocess.run([RUNNERS / "scikit-learn" / "bin" / "python", "-c", textwrap.dedent("""
        import sys, numpy
        from sklearn.datasets import load_wine
        from sklearn.model_selection import train_test_split
        x, y = load_wine(return_X_y=True)
        for part, rows in zip(("train", "test"), train_test_split(numpy.column_stack([x, y]), random_state=1)):
            numpy.savetxt(f"{sys.argv[1]}/{part}.csv", rows, delimiter=",", fmt="%.9g")
    """), folder], check=True)


def identity(asset: dict[str, Any]) -> str:
    return str(uuid.UUID(asset["id"]))


def contract_of(glasscase: Installation, asset: str) -> str:
    (contract,) = [act["contract"] for act in acts(glasscase, asset) if act["kind"] == "contract"]
    return str(contract)


@pytest.mark.timeout(240)
def test_from_a_dataset_to_onnx_with_a_contract_for_each(
    fresh_glasscase: Any, runners: Path, node: Node, tmp_path: Path
) -> None:
    glasscase = on_chain(fresh_glasscase(serve_words=("--workers", "1", "--runners", str(runners))), node.url)
    wait_until("a worker is there", lambda: "worker" in glasscase.cli("status").stdout, 10)
    write_data(tmp_path)

    # 1. Datasets, each with a UUID.
    for part in ("train", "test"):
        glasscase.cli("dataset", "add", str(tmp_path / f"{part}.csv"), "--name", f"wine-{part}")
    data = {part: identity(glasscase.cli("show", f"wine-{part}", json=True)) for part in ("train", "test")}
    assert len(set(data.values())) == 2

    # 2. The model: its code, its data and its environment queue its training. It has a UUID at once.
    glasscase.cli("dataset", "add", str(EXAMPLE / "train.py"), "--name", "wine-code")
    queued = glasscase.cli("train", str(EXAMPLE / "recipe.json"), "--name", "wine", "--detach", json=True)
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
    row = [float(number) for number in (tmp_path / "test.csv").read_text().splitlines()[0].split(",")]
    body = {"inputs": [{"name": "x", "shape": [1, 13], "datatype": "FP32", "data": row[:-1]}]}
    outputs = {one["name"]: one["data"] for one in glasscase.infer("owner/wine-onnx", body).json()["outputs"]}
    assert outputs["label"] == [int(row[-1])]

    # And the proofs, for whoever does not trust us.
    glasscase.cli("runs", "evidence", translation["id"], "-o", str(tmp_path / "evidence.json"))
    glasscase.cli("receipt", "wine-onnx", "--of", "translation", "--output", str(tmp_path / "proof"))
    policy = str(glasscase.data / "ledger-policy")
    checked = glasscase.cli("verify", str(tmp_path / "proof"), "--policy", policy, "--evidence", str(tmp_path / "evidence.json"), json=True)
    assert checked["valid"] and checked["version"] == version["id"]
    glasscase.cli("signature", "wine", "--provenance", "--output", str(tmp_path / "run.json"))
