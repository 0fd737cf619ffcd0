"""Runs in images: by digest, from a registry that asks for a password which no run sees."""

from __future__ import annotations

import json
import os
import shutil
import signal
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest

from system.installation import Installation, running, wait_until
from system.training_examples import readable_runners
from system.registry import Registry, layer_of_this_machine, registry
from system.training_runs import state
from system.training_runs import add, recipe, train


@pytest.fixture(scope="module")
def images() -> Iterator[tuple[Registry, str]]:
    """A registry, and the image in it."""
    with registry() as server:
        yield server, server.push("group/trainer", layer_of_this_machine(), ["PATH=/usr/bin", "FROM_IMAGE=yes"])


@contextmanager
def kept_images() -> Iterator[Path]:
    """A folder for images, of the user that workers are."""
    folder = Path(tempfile.mkdtemp(prefix="gc-kept-", dir="/var/tmp"))
    if os.geteuid() == 0:
        os.chown(folder, 60_606, 60_606)
    try:
        yield folder
    finally:
        for path in folder.rglob("*"):  # the kernel leaves folders that only root may enter
            if path.is_dir() and not path.is_symlink():
                path.chmod(0o700)
        shutil.rmtree(folder)


@contextmanager
def serving(programs: Path, folder: Path, server: Registry, credentials: Path) -> Iterator[Installation]:
    with kept_images() as kept, readable_runners("pytorch") as runners:
        words = ("--workers", "1", "--runners", str(runners), "--registries", f"registry.invalid,{server.host}",
                 "--registry-auth", str(credentials), "--images", str(kept))
        with running(programs, folder, serve_words=words) as installation:
            wait_until("a worker is there", lambda: "worker" in installation.cli("status").stdout, 10)
            yield installation


@pytest.fixture(scope="module")
def glasscase(programs: Path, images: tuple[Registry, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    folder = tmp_path_factory.mktemp("images")
    with serving(programs, folder, images[0], images[0].credentials(folder)) as installation:
        yield installation


def in_image(folder: Path, image: str, code: str, **more: Any) -> str:
    return recipe(folder, code, environment={"image": image}, command=["python3", "/in/code/train.py"], **more)


def test_a_run_in_an_image_is_recorded_with_its_digest(glasscase: Installation, images: tuple[Registry, str], tmp_path: Path) -> None:
    code = add(glasscase, tmp_path, "in-image", {"train.py": """
        import json, os, pathlib
        text = json.dumps([sorted(os.environ), sorted(os.listdir("/")), os.getuid(), os.path.exists("/in/recipe.json")])
        pathlib.Path("/out/model.txt").write_text(text)
        print(os.environ["FROM_IMAGE"])
    """})
    begun = time.monotonic()
    run = train(glasscase, in_image(tmp_path, images[1], code), "of-image")
    assert run["state"] == "succeeded", run
    record = json.loads(run["record"])
    assert record["executor"] == "podman"
    assert record["image"] == "sha256:" + images[1].split("sha256:")[1]
    assert record["machine"]["kernel"]
    assert not {"system", "libraries"} & set(record["machine"]), "an image has libraries of its own"
    assert json.loads(run["recipe"])["environment"] == {"image": images[1], "platform": "linux/amd64"}
    assert glasscase.cli("runs", "logs", run["id"]).stdout == "yes\n"
    glasscase.cli("take", "of-image", "--output", str(tmp_path / "taken"))
    taken = tmp_path / "taken"
    text = (taken if taken.is_file() else next(path for path in taken.rglob("*") if path.is_file())).read_text()
    names, folders, user, has_recipe = json.loads(text)
    assert {"TRAIN_SEED", "FROM_IMAGE", "PATH", "MKL_CBWR"} <= set(names)
    assert "XLA_FLAGS" not in names, "an older XLA would end the program"
    assert not [name for name in names if "AUTH" in name or "CONTAINER" in name or "XDG" in name]
    assert folders == ["bin", "dev", "etc", "in", "lib", "lib64", "out", "proc", "sbin", "tmp", "usr"]
    assert (user, has_recipe) == (1000, True)
    print(f"fetched and run in {time.monotonic() - begun:.1f} s")
    again = train(glasscase, in_image(tmp_path, images[1], code), "of-image")
    assert again["recipe_sha256"] == run["recipe_sha256"]


# Tensors in a file without code, written by the image's Python alone.
NET = """
    import json, os, struct

    def build_model():
        from torch import nn
        return nn.Linear(2, 1)

    if __name__ == "__main__":
        header = json.dumps({"bias": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}, "weight": {"dtype": "F32", "shape": [1, 2], "data_offsets": [4, 12]}})
        header += " " * (-len(header) % 8)
        os.mkdir("/out/model")
        with open("/out/model/model.safetensors", "wb") as file:
            file.write(struct.pack("<Q", len(header)) + header.encode() + struct.pack("<3f", 1, 2, 3))
        with open("/out/model/inputs.json", "w") as file:
            json.dump({"x": {"shape": ["n", 2], "range": [0, 1]}}, file)
"""


def test_what_an_image_leaves_is_translated_by_the_runner_that_its_recipe_names(
    glasscase: Installation, images: tuple[Registry, str], tmp_path: Path,
) -> None:
    code = add(glasscase, tmp_path, "net-in-image", {"train.py": NET})
    wish = {"to": "onnx", "runner": "pytorch", "wall_s": 300}
    run = train(glasscase, in_image(tmp_path, images[1], code, translate=wish), "imaged")
    assert run["state"] == "succeeded", run
    assert json.loads(run["recipe"])["translate"].keys() == {"to", "runner", "lock", "wall_s"}
    (queued,) = glasscase.cli("runs", "list", "--model", "imaged-onnx", json=True)
    wait_until("it has ended", lambda: state(glasscase, queued["id"]) in ("succeeded", "failed"), 90)
    translated = glasscase.cli("runs", "show", queued["id"], json=True)
    assert translated["state"] == "succeeded", translated["reason"]
    asked = json.loads(translated["recipe"])
    assert asked["environment"]["runner"] == "pytorch" and asked["limits"] == {"wall_s": 300}
    body = {"inputs": [{"name": "x", "shape": [1, 2], "datatype": "FP32", "data": [1, 1]}]}
    assert glasscase.infer("owner/imaged-onnx", body).json()["outputs"][0]["data"] == [6]

    unnamed = train(glasscase, in_image(tmp_path, images[1], code, translate="onnx"), "unnamed")
    assert unnamed["state"] == "succeeded" and '"translate": {"to": "onnx", "runner": "pytorch"}' in unnamed["reason"], unnamed
    assert glasscase.cli("show", "unnamed-onnx", check=False).returncode == 1, "nothing is queued that cannot end well"
    other = in_image(tmp_path, images[1], code, translate={"to": "onnx", "runner": "fortran"})
    refused = glasscase.cli("train", other, "--name", "refused", check=False)
    assert refused.returncode == 1 and "no worker has the runner fortran" in refused.stderr


def test_what_is_no_image_here_is_refused(glasscase: Installation, images: tuple[Registry, str], tmp_path: Path) -> None:
    code = add(glasscase, tmp_path, "refused-image", {"train.py": "pass"})
    digest = images[1].split("@")[1]
    for image, words in [(images[1].split("@")[0] + ":1", "digest"), ("other.example/trainer@" + digest, images[0].host),
                         ("trainer@" + digest, "takes images from")]:
        answer = glasscase.cli("train", in_image(tmp_path, image, code), "--name", "refused", check=False)
        assert (answer.returncode, words in answer.stderr) == (1, True), answer.stderr


def test_an_image_that_is_not_there_fails_the_run_with_the_registrys_words(
    glasscase: Installation, images: tuple[Registry, str], tmp_path: Path,
) -> None:
    code = add(glasscase, tmp_path, "no-image", {"train.py": "pass"})
    run = train(glasscase, in_image(tmp_path, images[1].split("@")[0] + "@sha256:" + "0" * 64, code), "none")
    assert (run["state"], "manifest unknown" in run["reason"], run["attempts"]) == ("failed", True, 1), run["reason"]


def test_an_image_for_another_processor_is_said(glasscase: Installation, images: tuple[Registry, str], tmp_path: Path) -> None:
    code = add(glasscase, tmp_path, "other-cpu", {"train.py": "pass"})
    environment = {"image": images[1], "platform": "linux/s390x"}
    run = train(glasscase, recipe(tmp_path, code, environment=environment, command=["python3"]), "other-cpu-model")
    assert (run["state"], "linux/s390x" in run["reason"]) == ("failed", True), run["reason"]


def test_nothing_of_a_container_is_left(glasscase: Installation, images: tuple[Registry, str], tmp_path: Path) -> None:
    mark = "54321.75"
    code = add(glasscase, tmp_path, "stubborn", {"train.py": f"""
        import signal, subprocess
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        print("begun", flush=True)
        subprocess.run(["sleep", "{mark}"])
    """})

    def lives() -> bool:
        return any(mark in (process.info["cmdline"] or []) for process in psutil.process_iter(["cmdline"]))

    def begin(name: str) -> str:
        answer = glasscase.cli("train", in_image(tmp_path, images[1], code, limits={"wall_s": 600}), "--name", name, "--detach", "--json")
        run = str(json.loads(answer.stdout)["id"])
        wait_until("it runs", lives, 20)
        return run

    run = begin("stubborn-model")
    glasscase.cli("runs", "cancel", run)
    assert state(glasscase, run) == "cancelled"
    wait_until("nothing of it is left", lambda: not lives(), 20)
    run = begin("stubborn-model")
    worker = next(p for p in psutil.Process(glasscase.pid).children(recursive=True) if p.name() == "glasscase-worker")
    worker.send_signal(signal.SIGKILL)
    wait_until("nothing of it lives", lambda: not lives(), 5)
    wait_until("it runs once more", lives, 20)
    glasscase.cli("runs", "cancel", run)
    assert state(glasscase, run) == "cancelled"
    wait_until("nothing of it is left", lambda: not lives(), 20)


def test_a_wrong_password_is_said_and_not_shown(programs: Path, images: tuple[Registry, str], tmp_path: Path) -> None:
    with serving(programs, tmp_path, images[0], images[0].credentials(tmp_path, "wrong password")) as glasscase:
        code = add(glasscase, tmp_path, "no-way-in", {"train.py": "pass"})
        run = train(glasscase, in_image(tmp_path, images[1], code), "no-way-in-model")
        assert run["state"] == "failed"
        assert "could not be fetched" in run["reason"]
        assert "unauthorized" in run["reason"] or "authentication required" in run["reason"]
        assert "wrong password" not in glasscase.log.read_text() + json.dumps(run)
