"""Examples and conversions of the frameworks whose runners are made only for this: `make test-frameworks`.

GLASSCASE_FRAMEWORKS=pytorch-current,jax tests those alone; what is left out is said as a warning.
"""

from __future__ import annotations

import json
import os
import subprocess
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest

from conformance.converting import RUNNERS, convert
from system.installation import Installation, wait_until
from system.training_examples import EXAMPLES, train, train_twice, training
from system.training_runs import add, recipe

SOURCES = Path(__file__).parents[1] / "conformance" / "converter_sources.py"
# (runner, example)
EXAMPLES_OF = [("catboost", "catboost"), ("keras", "keras"), ("jax", "jax"), ("pytorch-current", "pytorch_mlp"), ("pytorch-current", "pytorch_cnn")]
ALL = list(dict.fromkeys(runner for runner, _ in EXAMPLES_OF))
WANTED = os.environ.get("GLASSCASE_FRAMEWORKS", ",".join(ALL)).split(",")
TRAINED = [(runner, example) for runner, example in EXAMPLES_OF if runner in WANTED]
with_pytorch = pytest.mark.skipif("pytorch-current" not in WANTED, reason="GLASSCASE_FRAMEWORKS leaves pytorch-current out")
with_keras = pytest.mark.skipif("keras" not in WANTED, reason="GLASSCASE_FRAMEWORKS leaves keras out")
pytestmark = pytest.mark.timeout(600)


def name_of(runner: str, example: str) -> str:
    return example if runner == example else f"{example}-on-{runner}"


@pytest.fixture(scope="module")
def glasscase(programs: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    runners = dict.fromkeys([*WANTED, "pytorch"] if "pytorch-current" in WANTED else WANTED)
    with training(programs, tmp_path_factory.mktemp("frameworks"), "scikit-learn", *runners) as installation:
        yield installation


def test_no_framework_is_left_out_unseen() -> None:
    unknown = [runner for runner in WANTED if runner not in ALL]
    assert not unknown, f"GLASSCASE_FRAMEWORKS knows {', '.join(ALL)}, not {', '.join(unknown)}"
    missing = [runner for runner in WANTED if not (RUNNERS / runner / "bin" / "python").exists()]
    assert not missing, f"there is no runner {', '.join(missing)}: run tools/runners {' '.join(missing)}, or name those that are there in GLASSCASE_FRAMEWORKS"
    left_out = [runner for runner in ALL if runner not in WANTED]
    if left_out:
        warnings.warn(f"NOT TESTED, by GLASSCASE_FRAMEWORKS: {', '.join(left_out)}", stacklevel=1)


@pytest.mark.parametrize(("runner", "example"), TRAINED)
def test_an_example_trains_twice_to_the_same_bytes_and_converts(
        glasscase: Installation, tmp_path: Path, runner: str, example: str) -> None:
    recipe = json.loads((EXAMPLES / example / "recipe.json").read_text()) | {"environment": {"runner": runner}}
    recipe["limits"]["memory_bytes"] = 4 << 30
    (tmp_path / "recipe.json").write_text(json.dumps(recipe))
    model = name_of(runner, example)
    train_twice(glasscase, example, tmp_path / "recipe.json", model)
    # In a recorded run: with the seccomp, limits, user and watcher of the worker.
    code = ("--code", f"{example}-code") if example in ("jax", "pytorch_mlp", "pytorch_cnn") else ()
    queued = glasscase.cli("translate", model, "--runner", runner, *code, "--time", "540s", "--detach", json=True)["id"]
    wait_until("it has ended", lambda: glasscase.cli("runs", "show", queued, json=True)["state"] in ("succeeded", "failed"), 550)
    run = glasscase.cli("runs", "show", queued, json=True)
    assert run["state"] == "succeeded", run["reason"]
    evidence = json.loads(run["evidence"])
    assert evidence["holds"] is True and evidence["second"].get("rows", 0) > 0 and evidence["evaluated_in"] == "sandbox"
    assert set(evidence["inputs"]["ranges"]) <= {"dataset", "inputs.json"}, "each example has the digits in its lineage"
    hosted = glasscase.cli("show", run["model"], json=True)["versions"][-1]
    assert hosted["id"] == run["result"] and hosted["hosted"]
    print(f"{model:32} {evidence['source']['model']:48} opset {evidence['result']['opset']:2}  {evidence['inputs']['rows']} inputs, "
          f"largest difference {evidence['difference']['ordinary_max']:.2g}")


# XLA writes down what it was told where it is asked to; that it knows the pin's flag at all decides whether it starts.
@pytest.mark.parametrize(("runner", "program"), [(runner, program) for runner, program in [
    ("jax", "import jax; jax.jit(lambda x: x * 2 + 1)(jax.numpy.ones(1000)).block_until_ready()"),
    ("keras", "import tensorflow as tf; tf.function(lambda x: tf.tanh(x * 2), jit_compile=True)(tf.ones(1000)).numpy()")] if runner in WANTED])
def test_xla_is_held_to_the_pin(glasscase: Installation, tmp_path: Path, runner: str, program: str) -> None:
    code = add(glasscase, tmp_path, f"{runner}-pinned-code", {"train.py": f"""
        import glob, os, shutil
        os.environ["XLA_FLAGS"] += " --xla_dump_to=/tmp/dump"
        {program}
        shutil.copy(glob.glob("/tmp/dump/*debug_options")[0], "/out/model.txt")
    """})
    run = train(glasscase, Path(recipe(tmp_path, code, environment={"runner": runner}, limits={"memory_bytes": 4 << 30})), f"{runner}-pinned")
    assert run["state"] == "succeeded", run
    glasscase.cli("take", f"{runner}-pinned", "--output", str(tmp_path / "taken.txt"))
    taken = tmp_path / "taken.txt"
    assert 'xla_cpu_max_isa: "AVX2"' in (taken if taken.is_file() else next(taken.rglob("*.txt"))).read_text()


@with_keras
def test_a_file_of_keras_with_code_of_its_own_is_refused(tmp_path: Path) -> None:
    subprocess.run([RUNNERS / "keras" / "bin" / "python", "-c", f"""
import keras
model = keras.Sequential([keras.Input((3,)), keras.layers.Lambda(lambda x: x * 2)])
model.save({str(tmp_path / "model.keras")!r})
"""], check=True, capture_output=True)
    refused = convert("keras", tmp_path / "model.keras", tmp_path / "out")
    assert refused.code == 1 and "lambda" in refused.last.lower(), refused.last
    assert not refused.onnx.exists()


@with_pytorch
@pytest.mark.parametrize("name", ["tensors", "module"])
def test_both_exporters_of_pytorch_give_the_same(tmp_path: Path, name: str) -> None:
    subprocess.run([RUNNERS / "pytorch-current" / "bin" / "python", SOURCES, "pytorch", tmp_path], check=True, capture_output=True)
    models = tmp_path / name
    for exporter in ("torchscript", "dynamo"):
        words = ("--allow-pickle", "--exporter", exporter)
        made = convert("pytorch-current", models / "source", tmp_path / exporter, *words, code=models / "code", timeout_s=250)
        assert made.code == 0, made.last
        assert f"({exporter})" in made.evidence["converter"]
        print(f"{name:32} {made.evidence['converter']:48} opset {made.evidence['result']['opset']:2}  "
              f"largest difference {made.evidence['difference']['ordinary_max']:.2g}")


@with_pytorch
@pytest.mark.parametrize("name", ["tensors", "module", "script"])
def test_both_ages_of_pytorch_convert_the_same_model(tmp_path: Path, name: str) -> None:
    for runner in ("pytorch", "pytorch-current"):
        subprocess.run([RUNNERS / runner / "bin" / "python", SOURCES, "pytorch", tmp_path / runner], check=True, capture_output=True)
        models = tmp_path / runner / name
        made = convert(runner, models / "source", tmp_path / f"out-{runner}", "--allow-pickle", code=models / "code", timeout_s=250)
        assert made.code == 0, made.last
