"""Translation by converters of runners, in the sandbox: what they are told, and what they do wrong."""

from __future__ import annotations

import base64
import hashlib
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from system.installation import Installation, wait_until
from system.models import Models
from system.training_examples import in_runner
from system.translations import SAMPLES, keep, keep_text, show_run, translate, translating_installation

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


@pytest.fixture(scope="module")
def glasscase(programs: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    with translating_installation(programs, tmp_path_factory.mktemp("translating")) as installation:
        yield installation


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
