"""Translation into ONNX in recorded runs: evidence, hosting, lineage, receipts, and what is refused."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import signal
import subprocess
import tempfile
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from system.installation import Installation, running, wait_until
from system.models import Models
from system.runners import ROOT, readable_programs
from system.training_examples import in_runner, readable_runners

SAMPLES = ROOT / "fuzz" / "corpus"
TREES = 12_000

# What glasscase_convert of the runner "fake" does: the source is the program.
CONVERTER = """
import argparse, hashlib, json, os, sys, time

words = argparse.ArgumentParser()
for name in ("source", "output", "evidence", "code", "data", "opset"):
    words.add_argument("--" + name)
words.add_argument("--exporter")
words.add_argument("--allow-pickle", action="store_true")
words.add_argument("--imports")
asked = words.parse_args()


def leave(onnx: bytes, **members: object) -> None:
    open(asked.output, "wb").write(onnx)
    json.dump({"format": "glasscase translation evidence", "version": 1, "holds": True, "rows_beyond": 0,
               "source": {"model": "fake", "sha256": "0" * 64}, "result": {"sha256": hashlib.sha256(onnx).hexdigest()},
               "evaluators": {"source": "fake 1", "result": "onnx reference"}, "inputs": {"rows": 10, "seed": 1},
               "difference": {"absolute_max": 0.25, "absolute_p999": 0, "relative_max": 0}} | members,
              open(asked.evidence, "w"))


exec(open(asked.source + "/convert.py").read())
"""


@pytest.fixture(scope="module")
def fake_runners() -> Iterator[Path]:
    """scikit-learn's and PyTorch's, and one whose converter does what the source says."""
    with readable_runners("scikit-learn", "pytorch") as runners, tempfile.TemporaryDirectory(dir="/var/tmp", prefix="glasscase-runners-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        for real in ("scikit-learn", "pytorch"):
            (folder / real).symlink_to(runners / real)
        packages = folder / "fake" / "lib" / "python3.11" / "site-packages"
        packages.mkdir(parents=True)
        (folder / "fake" / "bin").mkdir()
        (folder / "fake" / "bin" / "python").symlink_to("/usr/bin/python3")
        (folder / "fake" / "pyvenv.cfg").write_text("home = /usr/bin\ninclude-system-site-packages = false\n")
        (folder / "fake" / "requirements.txt").write_text("none\n")
        (packages / "glasscase_convert.py").write_text(CONVERTER)
        yield folder


@pytest.fixture(scope="module")
def glasscase(programs: Path, fake_runners: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    with (
        readable_programs(programs) as folder,
        running(folder, tmp_path_factory.mktemp("translating"), serve_words=("--workers", "1", "--runners", str(fake_runners))) as installation,
    ):
        wait_until("a worker is there", lambda: "worker" in installation.cli("status").stdout, 10)
        yield installation


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that takes seconds to compare: many trees, each with a threshold of its own to be tried."""
    model = json.loads((SAMPLES / "xgboost_json" / "binary").read_text())
    trees = model["learner"]["gradient_booster"]["model"]
    one = trees["trees"][0]
    trees["trees"] = [one | {"id": n, "split_conditions": [n / 64, -1e-4, 1e-4]} for n in range(TREES)]
    trees["tree_info"] = [0] * TREES
    trees["iteration_indptr"] = list(range(TREES + 1))
    trees["gbtree_model_param"]["num_trees"] = str(TREES)
    path = tmp_path_factory.mktemp("large") / "large.json"
    path.write_text(json.dumps(model))
    return path


def keep(glasscase: Installation, path: Path, name: str) -> dict[str, Any]:
    answer: dict[str, Any] = glasscase.cli("publish", str(path), "--name", name, "--kept", json=True)
    return answer


def keep_text(glasscase: Installation, folder: Path, name: str, file: str, text: str | bytes) -> None:
    path = folder / file
    path.write_bytes(text if isinstance(text, bytes) else textwrap.dedent(text).encode())
    keep(glasscase, path, name)


def translate(glasscase: Installation, name: str, *words: str) -> dict[str, Any]:
    answer = glasscase.cli("translate", name, *words, "--json", check=False)
    assert answer.stdout, answer.stderr
    return dict(json.loads(answer.stdout))


def show_run(glasscase: Installation, run: str) -> dict[str, Any]:
    shown: dict[str, Any] = glasscase.cli("runs", "show", run, json=True)
    return shown


def translating(glasscase: Installation) -> list[Any]:
    return glasscase.processes("glasscase-translator")


def test_a_version_is_translated_and_can_be_called(glasscase: Installation, tmp_path: Path) -> None:
    source = keep(glasscase, SAMPLES / "xgboost_json" / "binary", "rain")["model"]["versions"][0]
    run = translate(glasscase, "rain", "--evidence", str(tmp_path / "evidence.json"))
    assert (run["state"], run["kind"], run["translates"]) == ("succeeded", "translation", source["id"]), run
    body = {"inputs": [{"name": "x", "shape": [1, 3], "datatype": "FP32", "data": [1, 2, 3]}]}
    answer = glasscase.infer("owner/rain-onnx", body)  # at once: what has succeeded can be called
    assert answer.status_code == 200, answer.text

    asked = json.loads(run["recipe"])
    assert asked["source"] == {"sha256": source["sha256"], "version": source["id"]}
    assert asked["environment"].keys() == {"translator"}
    shown = glasscase.cli("show", "rain-onnx", json=True)["versions"][0]
    assert shown["hosted"] and shown["id"] == run["result"]
    assert [(edge["relation"], edge["by"], edge["name"]) for edge in shown["parents"]] == [("translated_from", "witnessed", "owner/rain@1")]
    (evidence,) = shown["evidence"]
    assert evidence["inputs"] > 1000 and evidence["absolute_max"] == 0 and evidence["top_class_same"] == evidence["inputs"]
    assert "ONNX Runtime" in evidence["result_evaluator"] and not evidence["in_sandbox"]
    text = glasscase.cli("show", "rain-onnx").stdout
    assert "same as its source on" in text and "translated from owner/rain@1 (witnessed)" in text
    assert "holds:" in glasscase.cli("runs", "show", run["id"]).stdout
    assert "translation  owner/rain-onnx@1" in glasscase.cli("runs", "list").stdout
    whole = (tmp_path / "evidence.json").read_bytes()
    assert hashlib.sha256(whole).hexdigest() == evidence["sha256"]
    assert glasscase.cli("runs", "evidence", run["id"]).stdout.encode() == whole
    assert json.loads(whole)["result"]["sha256"] == shown["sha256"]


def test_the_evidence_is_in_the_ledger_and_the_run_is_stated(glasscase: Installation, tmp_path: Path) -> None:
    keep(glasscase, SAMPLES / "lightgbm_text" / "binary", "proved")
    run = translate(glasscase, "proved", "--name", "proved-too", "--version", "first")
    assert (run["state"], run["model"], run["version"]) == ("succeeded", "owner/proved-too", "first"), run
    receipt, evidence, policy = tmp_path / "r.tlog-proof", tmp_path / "evidence.json", glasscase.data / "ledger-policy"
    glasscase.cli("runs", "evidence", run["id"], "-o", str(evidence))
    glasscase.cli("receipt", "proved-too", "--of", "translation", "--output", str(receipt))
    checked = glasscase.cli("verify", str(receipt), "--policy", str(policy), "--evidence", str(evidence), json=True)
    assert checked["type"] == "translation" and checked["version"] == run["result"]
    assert checked["disclosed"] == {"report": hashlib.sha256(evidence.read_bytes()).hexdigest()}
    evidence.write_text(evidence.read_text().replace('"holds":true', '"holds":trUe'))
    other = glasscase.cli("verify", str(receipt), "--policy", str(policy), "--evidence", str(evidence), check=False)
    assert other.returncode == 1 and "is not the evidence" in other.stderr
    without = glasscase.cli("receipt", "proved-too", "--of", "run", "--output", "-", check=False)
    assert without.returncode == 1 and "not made by a run" in without.stderr

    glasscase.cli("signature", "proved-too", "--provenance", "--output", str(tmp_path / "run.json"))
    bundle = json.loads((tmp_path / "run.json").read_text())["dsseEnvelope"]
    statement = json.loads(base64.b64decode(bundle["payload"]))
    assert statement["predicateType"] == "urn:glasscase:predicate:translation:v1"
    assert statement["subject"][0]["name"] == f"urn:uuid:{run['result']}"
    predicate = statement["predicate"]
    assert [(one["role"], one["name"]) for one in predicate["materials"]] == [("source", "owner/proved@1")]
    assert predicate["recipe"]["sha256"] == run["recipe_sha256"] and predicate["worker"]["machine"]["kernel"]
    assert predicate["run"]["uuid"] == run["id"] and predicate["ledger"]["index"] > 0
    # Its signature, with a tool of others.
    payload = base64.b64decode(bundle["payload"])
    signed = b"DSSEv1 %d %s %d %s" % (len(bundle["payloadType"]), bundle["payloadType"].encode(), len(payload), payload)
    (tmp_path / "signed").write_bytes(signed)
    (tmp_path / "sig").write_bytes(base64.b64decode(bundle["signatures"][0]["sig"]))
    subprocess.run(["openssl", "dgst", "-sha256", "-verify", glasscase.data / "signing.pem", "-signature", tmp_path / "sig", tmp_path / "signed"],
                   check=True, capture_output=True)


def test_a_recipe_translates_its_result(glasscase: Installation, tmp_path: Path) -> None:
    keep_text(glasscase, tmp_path, "trees-code", "train.py", """
        from sklearn.datasets import load_iris
        from sklearn.ensemble import RandomForestClassifier
        from glasscase_dump import dump
        x, y = load_iris(return_X_y=True)
        dump(RandomForestClassifier(n_estimators=5, random_state=0).fit(x.astype("float32"), y), "/out/model.json")
    """)
    recipe = tmp_path / "recipe.json"
    recipe.write_text(json.dumps({"environment": {"runner": "scikit-learn"}, "code": "trees-code", "data": {},
                                  "command": ["python", "/in/code/train.py"], "translate": "onnx"}))
    trained = glasscase.cli("train", str(recipe), "--name", "trees", json=True)
    assert trained["state"] == "succeeded", trained
    (queued,) = glasscase.cli("runs", "list", "--model", "trees-onnx", json=True)
    assert (queued["kind"], queued["translates"]) == ("translation", trained["result"])
    wait_until("it is translated", lambda: show_run(glasscase, queued["id"])["state"] == "succeeded", 20)
    body = {"inputs": [{"name": "x", "shape": [1, 4], "datatype": "FP32", "data": [6.3, 3.3, 6.0, 2.5]}]}
    outputs = {one["name"]: one["data"] for one in glasscase.infer("owner/trees-onnx", body).json()["outputs"]}
    assert outputs["label"] == [2]
    assert not glasscase.cli("show", "trees", json=True)["versions"][0]["hosted"]

    glasscase.cli("dataset", "add", str(recipe), "--name", "taken-onnx")
    refused = glasscase.cli("train", str(recipe), "--name", "taken", check=False)
    assert refused.returncode == 1 and "taken-onnx is the name of a dataset" in refused.stderr


@pytest.mark.parametrize("sound", [True, False])
def test_onnx_that_a_run_leaves_is_inspected_as_if_published(glasscase: Installation, models: Models, tmp_path: Path, sound: bool) -> None:
    name = f"made-{sound}".lower()
    (tmp_path / "given.onnx").write_bytes(models.scale.read_bytes() if sound else b"\x08\x07 no model")
    glasscase.cli("dataset", "add", str(tmp_path / "given.onnx"), "--name", f"{name}-data")
    keep_text(glasscase, tmp_path, f"{name}-code", "train.py", "import shutil; shutil.copy('/in/data/given/given.onnx', '/out/model.onnx')")
    recipe = tmp_path / "recipe.json"
    recipe.write_text(json.dumps({"environment": {"runner": "scikit-learn"}, "code": f"{name}-code", "command": ["python", "/in/code/train.py"],
                                  "data": {"given": {"version": f"{name}-data", "role": "train"}}, "translate": "onnx"}))
    run = json.loads(glasscase.cli("train", str(recipe), "--name", name, "--json", check=False).stdout)
    if sound:
        assert run["state"] == "succeeded", run
        body = {"inputs": [{"name": "x", "shape": [1, 4], "datatype": "FP32", "data": [1, 2, 3, 4]}]}
        assert glasscase.infer(f"owner/{name}", body).status_code == 200
        assert glasscase.cli("show", f"{name}-onnx", check=False).returncode == 1, "there is nothing to translate"
    else:
        assert (run["state"], run["result"]) == ("failed", "")
        assert "cannot be hosted" in run["reason"]
        assert glasscase.cli("show", name, json=True)["versions"] == []


# ---- the range of the data ----

# A line through numbers around 100,000: on -10 to 10 nothing of its use would be tried.
LINE = {"format": "glasscase sklearn dump", "version": 1, "scikit_learn": "1.9.1", "estimator": "Ridge", "features": 2, "task": "regressor",
        "transform": "identity", "kind": "linear", "mean": [], "scale": [], "coefficients": [0.5, -2], "intercepts": [1]}
TABLE = "pressure,height,target\n100000,-5,1\n101500,4000,2\n99000,12,3\n"


def train_line(glasscase: Installation, folder: Path, name: str) -> dict[str, Any]:
    (folder / "air.csv").write_text(TABLE)
    glasscase.cli("dataset", "add", str(folder / "air.csv"), "--name", f"{name}-air")
    keep_text(glasscase, folder, f"{name}-code", "train.py", f"import json; json.dump({LINE}, open('/out/model.json', 'w'))")
    recipe = folder / "recipe.json"
    recipe.write_text(json.dumps({"environment": {"runner": "fake"}, "code": f"{name}-code", "command": ["python", "/in/code/train.py"],
                                  "data": {"air": {"version": f"{name}-air", "role": "train"}}, "translate": "onnx"}))
    trained: dict[str, Any] = glasscase.cli("train", str(recipe), "--name", name, json=True)
    assert trained["state"] == "succeeded", trained
    return trained


def test_inputs_are_drawn_from_the_range_of_the_data(glasscase: Installation, tmp_path: Path) -> None:
    train_line(glasscase, tmp_path, "line")
    (queued,) = glasscase.cli("runs", "list", "--model", "line-onnx", json=True)
    wait_until("it is translated", lambda: show_run(glasscase, queued["id"])["state"] == "succeeded", 20)
    inputs = json.loads(show_run(glasscase, queued["id"])["evidence"])["inputs"]
    assert inputs["ranges"] == {"dataset": 2} and inputs["datasets"] == [{"name": "line-air/air.csv"}]
    assert "drawn from the data (2 features): line-air/air.csv" in glasscase.cli("runs", "show", queued["id"]).stdout
    glasscase.cli("signature", "line-onnx", "--provenance", "--output", str(tmp_path / "run.json"))
    statement = json.loads(base64.b64decode(json.loads((tmp_path / "run.json").read_text())["dsseEnvelope"]["payload"]))
    assert [(one["role"], one["name"]) for one in statement["predicate"]["materials"]] == [("source", "owner/line@1"), ("data", "owner/line-air@1")]

    again = translate(glasscase, "line")
    assert json.loads(again["recipe"])["data"].keys() == {"line-air"}
    assert json.loads(again["evidence"])["inputs"]["ranges"] == {"dataset": 2}


def test_data_that_a_borrower_may_not_take_tell_them_nothing(glasscase: Installation, tmp_path: Path) -> None:
    train_line(glasscase, tmp_path, "lent-line")
    glasscase.cli("subject", "add", "bea", "--role", "owner")
    token = glasscase.cli("token", "create", "bea", json=True)["token"]
    glasscase.cli("grant", "bea", "take", "lent-line")
    run = glasscase.cli("translate", "owner/lent-line", token=token, json=True)
    assert run["state"] == "succeeded" and "data" not in json.loads(run["recipe"])
    assert json.loads(run["evidence"])["inputs"]["ranges"] == {"guessed": 2}
    glasscase.cli("grant", "bea", "take", "lent-line-air")
    run = glasscase.cli("translate", "owner/lent-line", token=token, json=True)
    assert json.loads(run["evidence"])["inputs"]["ranges"] == {"dataset": 2}


def test_a_dataset_that_does_not_fit_is_said(glasscase: Installation, tmp_path: Path) -> None:
    (tmp_path / "other.csv").write_text("1,2,3,4,5\n")
    glasscase.cli("dataset", "add", str(tmp_path / "other.csv"), "--name", "other-data")
    (tmp_path / "line.json").write_text(json.dumps(LINE))
    glasscase.cli("publish", str(tmp_path / "line.json"), "--name", "claimed", "--kept", "--trained-on", "other-data")
    run = translate(glasscase, "claimed")
    inputs = json.loads(run["evidence"])["inputs"]
    assert inputs["ranges"] == {"guessed": 2}
    assert inputs["datasets"] == [{"name": "other-data/other.csv", "unread": "it has more than 3 columns, and the model takes 2 features"}]


# ---- PyTorch, by the runner that trains with it ----

NET = '''
import json, os, sys
import torch
from torch import nn


def build_model():
    return nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 3))


if __name__ == "__main__":
    torch.manual_seed(1)
    os.mkdir("/out/model")
    with open("/out/model/inputs.json", "w") as file:
        json.dump({"x": {"shape": ["n", 4]}}, file)
    if sys.argv[1] == "tensors":
        from glasscase_convert import tensors
        tensors.save("/out/model/model.safetensors", {name: one.numpy() for name, one in build_model().state_dict().items()})
    else:
        torch.save(build_model().state_dict(), "/out/model/model.pt")
'''
FOUR = {"inputs": [{"name": "x", "shape": [1, 4], "datatype": "FP32", "data": [6.3, 3.3, 6.0, 2.5]}]}


def train_net(glasscase: Installation, folder: Path, name: str, kind: str, **members: Any) -> dict[str, Any]:
    keep_text(glasscase, folder, f"{name}-code", "model.py", NET)
    (folder / "four.csv").write_text("a,b,c,d\n0,0,0,0\n8,5,7,3\n")
    glasscase.cli("dataset", "add", str(folder / "four.csv"), "--name", f"{name}-data")
    recipe = folder / "recipe.json"
    recipe.write_text(json.dumps({
        "environment": {"runner": "pytorch"}, "code": f"{name}-code", "command": ["python", "/in/code/model.py", kind],
        "data": {"four": {"version": f"{name}-data", "role": "train"}}} | members))
    trained: dict[str, Any] = glasscase.cli("train", str(recipe), "--name", name, json=True)
    assert trained["state"] == "succeeded", trained
    return trained


def test_what_a_recipe_leaves_is_translated_by_its_own_runner_with_its_own_code(glasscase: Installation, tmp_path: Path) -> None:
    train_net(glasscase, tmp_path, "own", "tensors", translate="onnx")
    (queued,) = glasscase.cli("runs", "list", "--model", "own-onnx", json=True)
    wait_until("it has ended", lambda: show_run(glasscase, queued["id"])["state"] in ("succeeded", "failed"), 90)
    run = show_run(glasscase, queued["id"])
    assert run["state"] == "succeeded", run["reason"]
    asked = json.loads(run["recipe"])
    assert asked["environment"]["runner"] == "pytorch" and asked.keys() >= {"code", "data"}
    evidence = json.loads(run["evidence"])
    assert evidence["holds"] and evidence["evaluated_in"] == "sandbox" and evidence["second"]["rows"] > 0
    assert evidence["inputs"]["ranges"] == {"dataset": 4} and evidence["inputs"]["datasets"] == [{"name": "own-data/four.csv"}]
    assert glasscase.infer("owner/own-onnx", FOUR).status_code == 200
    parents = {(edge["relation"], edge["name"]) for edge in glasscase.cli("show", "own-onnx", json=True)["versions"][0]["parents"]}
    assert parents == {("translated_from", "owner/own@1"), ("derived_from", "owner/own-code@1")}


def test_a_state_dict_is_translated_with_its_code_where_its_owner_lets_it_be_opened(glasscase: Installation, tmp_path: Path) -> None:
    train_net(glasscase, tmp_path, "state", "state_dict")
    refused = translate(glasscase, "state", "--runner", "pytorch", "--code", "state-code")
    assert refused["state"] == "failed" and "--allow-pickle" in refused["reason"], refused["reason"]
    assert "torch._utils._rebuild_tensor_v2" in refused["reason"] and "collections.OrderedDict" in refused["reason"], refused["reason"]
    assert "torch._utils._rebuild_tensor_v2" in refused["reason"], refused["reason"]
    without = translate(glasscase, "state", "--runner", "pytorch", "--allow-pickle")
    assert without["state"] == "failed" and "give the code that builds its model" in without["reason"], without["reason"]
    run = translate(glasscase, "state", "--runner", "pytorch", "--code", "state-code", "--allow-pickle")
    assert run["state"] == "succeeded", run["reason"]
    assert json.loads(run["evidence"])["holds"]
    assert glasscase.infer("owner/state-onnx", FOUR).status_code == 200


def test_a_converter_that_hangs_is_ended_when_its_time_is_over(glasscase: Installation, tmp_path: Path) -> None:
    keep_text(glasscase, tmp_path, "hangs", "convert.py", """
        for n in range(4):
            if os.fork() == 0:
                while True: time.sleep(1)
        while True: time.sleep(1)
    """)
    begun = time.monotonic()
    run = translate(glasscase, "hangs", "--runner", "fake", "--time", "3s")
    assert run["state"] == "failed" and "3 s" in run["reason"], run["reason"]
    assert time.monotonic() - begun < 30
    assert json.loads(run["recipe"])["limits"] == {"wall_s": 3}
    # The worker goes on, and the same time is enough for what ends.
    keep(glasscase, SAMPLES / "xgboost_json" / "binary", "after-hanging")
    assert translate(glasscase, "after-hanging", "--time", "5min")["state"] == "succeeded"
    too_much = glasscase.cli("translate", "after-hanging", "--time", "2000d", check=False)
    assert too_much.returncode != 0 and "time" in too_much.stderr
    more = glasscase.cli("translate", "after-hanging", "--time", "29d", check=False)
    assert more.returncode == 1 and "no worker gives more than 86400" in more.stderr, more.stderr


# ---- converters of runners ----


def test_a_converter_runs_in_the_sandbox(glasscase: Installation, models: Models, tmp_path: Path) -> None:
    onnx = base64.b64encode(models.scale.read_bytes()).decode()
    keep_text(glasscase, tmp_path, "net", "convert.py", f"""
        import base64
        assert asked.opset == "15" and open(asked.code + "/net.py").read() == "class Net: pass"
        assert not os.path.exists("/etc/passwd")
        print("progress 0.5 exporting", flush=True)
        leave(base64.b64decode("{onnx}"))
    """)
    keep_text(glasscase, tmp_path, "net-code", "net.py", "class Net: pass")
    run = translate(glasscase, "net", "--runner", "fake", "--code", "net-code", "--opset", "15")
    assert run["state"] == "succeeded", run
    assert json.loads(run["recipe"])["environment"].keys() == {"runner", "lock"}
    assert "progress 0.5 exporting" in glasscase.cli("runs", "logs", run["id"]).stdout
    shown = glasscase.cli("show", "net-onnx", json=True)["versions"][0]
    assert {(edge["relation"], edge["name"]) for edge in shown["parents"]} == {("translated_from", "owner/net@1"), ("derived_from", "owner/net-code@1")}
    assert shown["evidence"][0]["in_sandbox"] and shown["evidence"][0]["absolute_max"] == 0.25
    assert ", in the sandbox" in glasscase.cli("show", "net-onnx").stdout


def test_a_converter_is_told_what_its_owner_allows(glasscase: Installation, models: Models, tmp_path: Path) -> None:
    onnx = base64.b64encode(models.scale.read_bytes()).decode()
    keep_text(glasscase, tmp_path, "told", "convert.py", f"""
        import base64
        assert asked.allow_pickle and asked.exporter == "dynamo", asked
        leave(base64.b64decode("{onnx}"))
    """)
    run = translate(glasscase, "told", "--runner", "fake", "--exporter", "dynamo", "--allow-pickle")
    assert run["state"] == "succeeded", run
    recipe = json.loads(run["recipe"])
    assert recipe["allow_pickle"] is True and recipe["exporter"] == "dynamo"
    without = translate(glasscase, "told", "--runner", "fake", "--exporter", "dynamo")
    assert without["state"] == "failed" and "AssertionError" in without["reason"]


def test_a_pickle_is_opened_when_its_owner_says_so(glasscase: Installation, tmp_path: Path) -> None:
    in_runner("scikit-learn", f"""
        import joblib
        from sklearn.datasets import load_iris
        from sklearn.linear_model import LogisticRegression
        x, y = load_iris(return_X_y=True)
        joblib.dump(LogisticRegression(max_iter=500).fit(x.astype("float32"), y), {str(tmp_path / "iris.joblib")!r}, compress=3)
    """)
    keep(glasscase, tmp_path / "iris.joblib", "iris-pickle")
    refused = translate(glasscase, "iris-pickle", "--runner", "scikit-learn")
    assert refused["state"] == "failed" and "a pickle, which runs code" in refused["reason"] and "--allow-pickle" in refused["reason"]
    assert "it would import " in refused["reason"], refused["reason"]
    assert "sklearn.linear_model._logistic.LogisticRegression" in refused["reason"], "read by our own program, though it is compressed"
    run = translate(glasscase, "iris-pickle", "--runner", "scikit-learn", "--allow-pickle")
    assert run["state"] == "succeeded", run
    body = {"inputs": [{"name": "x", "shape": [1, 4], "datatype": "FP32", "data": [6.3, 3.3, 6.0, 2.5]}]}
    outputs = {one["name"]: one["data"] for one in glasscase.infer("owner/iris-pickle-onnx", body).json()["outputs"]}
    assert outputs["label"] == [2]

    glasscase.cli("subject", "add", "eve", "--role", "owner")
    token = glasscase.cli("token", "create", "eve", json=True)["token"]
    glasscase.cli("grant", "eve", "take", "iris-pickle")
    others = glasscase.cli("translate", "owner/iris-pickle", "--runner", "scikit-learn", "--allow-pickle", token=token, check=False)
    assert others.returncode == 1 and "only the owner of owner/iris-pickle" in others.stderr


def test_a_scaler_before_trees_is_refused_by_a_run_and_its_worst_input_kept(glasscase: Installation, tmp_path: Path) -> None:
    """Scaled in float32, inputs beside a threshold take the other branch: the source and the result are the real ones."""
    in_runner("scikit-learn", f"""
        import joblib
        from sklearn.datasets import load_breast_cancer
        from sklearn.ensemble import RandomForestClassifier
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import StandardScaler
        x, y = load_breast_cancer(return_X_y=True)
        model = make_pipeline(StandardScaler(), RandomForestClassifier(n_estimators=20, random_state=1)).fit(x, y)
        joblib.dump(model, {str(tmp_path / "trap.joblib")!r})
    """)
    keep(glasscase, tmp_path / "trap.joblib", "trap")
    run = translate(glasscase, "trap", "--runner", "scikit-learn", "--allow-pickle")
    assert (run["state"], run["result"]) == ("failed", ""), run
    assert "does not give what the source gives" in run["reason"] and "beyond the bound" in run["reason"], run["reason"]
    evidence = json.loads(glasscase.cli("runs", "evidence", run["id"]).stdout)
    assert evidence["holds"] is False and evidence["rows_beyond"] > 100 and evidence["evaluated_in"] == "sandbox"
    assert evidence["inputs"]["thresholds"] == evidence["inputs"]["thresholds_tried"] > 100
    worst = evidence["worst"]
    assert len(worst["input"]) == 30 and worst["source"] != worst["result"]
    assert f"worst: {worst['kind']} [" in glasscase.cli("runs", "show", run["id"]).stdout
    assert glasscase.cli("show", "trap-onnx", json=True)["versions"] == [], "nothing came of it"


def test_hosted_onnx_is_brought_to_another_opset(glasscase: Installation, models: Models) -> None:
    glasscase.publish(models.scale, "older")
    run = translate(glasscase, "older", "--runner", "scikit-learn", "--opset", "21")
    assert (run["state"], run["model"]) == ("succeeded", "owner/older-opset21"), run
    evidence = json.loads(run["evidence"])
    assert evidence["result"]["opset"] == 21 and evidence["difference"]["absolute_max"] == 0
    body = {"inputs": [{"name": "x", "shape": [1, 4], "datatype": "FP32", "data": [1, 2, 3, 4]}]}
    old, new = (glasscase.infer(f"owner/{name}", body).json()["outputs"] for name in ("older", "older-opset21"))
    assert [one["data"] for one in old] == [one["data"] for one in new]


@pytest.mark.parametrize(("program", "words", "keeps_evidence"), [
    ("leave(b'x', holds=False, worst={'kind': 'random', 'input': [1, 2], 'source': [1], 'result': [9]}); sys.exit('it differs: row 7')", "it differs: row 7", True),
    ("leave(b'x', holds=False)", "does not hold", True),
    ("leave(b'x', result={'sha256': '0' * 64})", "about another file", True),
    ("leave(b'no onnx')", "cannot be hosted", True),
    ("open(asked.output, 'w').write('x')", "left no evidence", False),
    ("leave(b'x'); os.remove(asked.evidence); os.symlink('/etc/passwd', asked.evidence)", "left no evidence", False),
    ("import torch", "No module named 'torch'", False),
    ("os.kill(os.getpid(), 9)", "signal 9", False),
    ("x = bytearray(12 << 30)", "memory", False),
])
def test_what_a_converter_does_wrong_is_said(glasscase: Installation, tmp_path: Path, program: str, words: str, keeps_evidence: bool) -> None:
    name = f"wrong-{hashlib.sha256(program.encode()).hexdigest()[:8]}"
    keep_text(glasscase, tmp_path, name, "convert.py", program)
    run = translate(glasscase, name, "--runner", "fake")
    assert (run["state"], words.lower() in run["reason"].lower()) == ("failed", True), run["reason"]
    assert bool(run["evidence"]) == keeps_evidence
    shown = glasscase.cli("runs", "show", run["id"]).stdout
    if "worst" in program:
        assert "worst: random [1, 2] gives [1], translated [9]" in shown
    missing = glasscase.cli("runs", "evidence", run["id"], check=False)
    assert missing.returncode == (0 if keeps_evidence else 1)


# ---- bad input ----


def damaged(sample: str, place: str, damage: str) -> bytes:
    text = (SAMPLES / sample).read_text()
    assert place in text
    return text.replace(place, damage, 1).encode()


@pytest.mark.parametrize(("content", "words"), [
    (b"\x80\x04\x95 pickle", "this is a pickle"),
    (b"PK\x03\x04 zip", "archive"),
    (b"\x08\x07", "looks like ONNX already"),
    (b"", "empty"),
    (damaged("xgboost_json/binary", '"left_children":[1,', '"left_children":[0,'), "two parents or is below itself"),
    (damaged("xgboost_json/binary", '"split_conditions":[', '"split_conditions":[NaN,'), '"split_conditions" holds NaN'),
    (SAMPLES.joinpath("xgboost_json", "categorical").read_bytes(), "categorical splits are not supported"),
    ("xgboost_json/binary", "not JSON as expected here: the file is cut off"),
    ("xgboost_ubj/binary", "not UBJSON as expected here: the file is cut off"),
    ("lightgbm_text/binary", 'LightGBM model: "end of trees" does not come: the file is cut off'),
])
def test_what_cannot_be_read_is_refused_by_name(glasscase: Installation, tmp_path: Path, content: bytes | str, words: str) -> None:
    """Names of samples: their first quarter."""
    data = content if isinstance(content, bytes) else (SAMPLES / content).read_bytes()[: (SAMPLES / content).stat().st_size // 4]
    name = f"bad-{hashlib.sha256(data).hexdigest()[:8]}"
    keep_text(glasscase, tmp_path, name, "model.bin", data)
    run = translate(glasscase, name)
    assert run["state"] == "failed" and run["result"] == ""
    assert words in run["reason"], run["reason"]


def test_what_cannot_be_asked_is_refused(glasscase: Installation, models: Models, tmp_path: Path) -> None:
    def refusal(*words: str) -> str:
        answer = glasscase.cli("translate", *words, check=False)
        assert answer.returncode != 0
        return answer.stderr

    glasscase.publish(models.scale, "already")
    assert "is ONNX already" in refusal("already")
    assert "no model" in refusal("nowhere")
    keep(glasscase, SAMPLES / "xgboost_json" / "binary", "asked")
    assert "has the runner fortran; there are: fake, pytorch, scikit-learn" in refusal("asked", "--runner", "fortran")
    assert "opset goes with a runner" in refusal("asked", "--opset", "17")
    assert "allow_pickle goes with a runner" in refusal("asked", "--allow-pickle")
    assert "exporter goes with a runner" in refusal("asked", "--exporter", "dynamo")
    assert "torchscript or dynamo" in refusal("asked", "--exporter", "fast", "--runner", "fake")
    assert "from 1 to 1000" in refusal("asked", "--runner", "fake", "--opset", "x")
    assert "leave out the one or the others" in refusal("asked", "--output", str(tmp_path / "a.onnx"), "--runner", "fake")
    (tmp_path / "m.json").write_text("{}")
    assert "is a file" in refusal(str(tmp_path / "m.json"))
    assert "there is no file asked" in refusal("asked", "--output", str(tmp_path / "a.onnx"))
    glasscase.cli("dataset", "add", str(tmp_path / "m.json"), "--name", "asked-onnx")
    assert "is the name of a dataset of yours" in refusal("asked")
    folder = tmp_path / "two"
    folder.mkdir()
    for part in ("a.json", "b.json"):
        (folder / part).write_text("{}")
    keep(glasscase, folder, "two")
    run = translate(glasscase, "two")
    assert run["state"] == "failed" and "name a runner" in run["reason"]


def test_others_models_are_translated_with_a_grant_to_take(glasscase: Installation) -> None:
    keep(glasscase, SAMPLES / "xgboost_json" / "binary", "lent")
    glasscase.cli("subject", "add", "ada", "--role", "owner")
    token = glasscase.cli("token", "create", "ada", json=True)["token"]
    assert glasscase.cli("translate", "owner/lent", token=token, check=False).returncode == 1
    glasscase.cli("grant", "ada", "predict", "lent")
    refused = glasscase.cli("translate", "owner/lent", token=token, check=False)
    assert refused.returncode == 1 and "no grant to take" in refused.stderr
    glasscase.cli("grant", "ada", "take", "lent")
    run = glasscase.cli("translate", "owner/lent", token=token, json=True)
    assert (run["state"], run["model"]) == ("succeeded", "ada/lent-onnx")
    stated = glasscase.cli("signature", "ada/lent-onnx", "--provenance", "--output", "-", check=False, token="")
    assert stated.returncode == 1, "materials are told to the version's owner alone"


def test_one_that_is_cancelled_or_killed_ends_and_the_worker_goes_on(glasscase: Installation, large: Path) -> None:
    keep(glasscase, large, "large")
    run = translate(glasscase, "large", "--detach")["id"]
    wait_until("it compares", lambda: show_run(glasscase, run)["progress"] > 0.05, 30)
    assert show_run(glasscase, run)["progress_text"] == "comparing"
    assert translating(glasscase)
    glasscase.cli("runs", "cancel", run)
    wait_until("it has ended", lambda: show_run(glasscase, run)["state"] == "cancelled", 10)
    assert translating(glasscase) == []

    run = translate(glasscase, "large", "--detach")["id"]
    wait_until("it compares", lambda: show_run(glasscase, run)["progress"] > 0.05, 30)
    os.kill(translating(glasscase)[0].pid, signal.SIGKILL)
    wait_until("it has ended", lambda: show_run(glasscase, run)["state"] == "failed", 10)
    assert "signal 9" in show_run(glasscase, run)["reason"]

    done = translate(glasscase, "large")
    assert done["state"] == "succeeded", done
    assert json.loads(done["evidence"])["holds"]


def test_a_source_that_is_erased_meanwhile_ends_it(glasscase: Installation, large: Path, tmp_path: Path) -> None:
    keep(glasscase, large, "fleeting")
    keep(glasscase, SAMPLES / "xgboost_json" / "binary", "gone")
    first = translate(glasscase, "fleeting", "--detach")["id"]
    second = translate(glasscase, "gone", "--detach")["id"]
    wait_until("the first compares", lambda: show_run(glasscase, first)["progress"] > 0, 30)
    assert show_run(glasscase, second)["state"] == "queued"
    for name in ("gone", "fleeting"):
        glasscase.cli("erase", f"{name}@1", "--yes")
    wait_until("both have ended", lambda: {show_run(glasscase, run)["state"] for run in (first, second)} == {"failed"}, 60)
    assert "erased meanwhile" in show_run(glasscase, first)["reason"]
    assert "not there any more" in show_run(glasscase, second)["reason"]


def test_a_worker_that_dies_in_mid_translation_loses_nothing(glasscase: Installation, large: Path) -> None:
    keep(glasscase, large, "resumed")
    run = translate(glasscase, "resumed", "--detach")["id"]
    wait_until("it compares", lambda: show_run(glasscase, run)["progress"] > 0.05, 30)
    os.kill(glasscase.processes("glasscase-worker")[0].pid, signal.SIGKILL)
    wait_until("it has ended", lambda: show_run(glasscase, run)["state"] == "succeeded", 60)
    assert show_run(glasscase, run)["attempts"] == 2
