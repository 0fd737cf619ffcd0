"""Translation into ONNX in recorded runs: evidence, hosting, lineage, receipts, and what is refused."""

from __future__ import annotations

import hashlib
import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from system.installation import Installation, wait_until
from system.models import Models
from system.statements import signed_statement
from system.translations import SAMPLES, keep, keep_text, show_run, translate, translating_installation

TREES = 12_000


@pytest.fixture(scope="module")
def glasscase(programs: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    with translating_installation(programs, tmp_path_factory.mktemp("translating")) as installation:
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
    statement = signed_statement(tmp_path / "run.json", glasscase.data / "signing.pem", tmp_path)
    assert statement["predicateType"] == "urn:glasscase:predicate:translation:v1"
    assert statement["subject"][0]["name"] == f"urn:uuid:{run['result']}"
    predicate = statement["predicate"]
    assert [(one["role"], one["name"]) for one in predicate["materials"]] == [("source", "owner/proved@1")]
    assert predicate["recipe"]["sha256"] == run["recipe_sha256"] and predicate["worker"]["machine"]["kernel"]
    assert predicate["run"]["uuid"] == run["id"] and predicate["ledger"]["index"] > 0


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
    assert trained["translation"] == queued["id"]
    assert f"glasscase runs logs -f {queued['id']}" in glasscase.cli("runs", "show", trained["id"]).stdout
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
    statement = signed_statement(tmp_path / "run.json", glasscase.data / "signing.pem", tmp_path)
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
    unknown = refusal("nowhere")
    assert 'no asset "nowhere"' in unknown and "glasscase list datasets" in unknown
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
