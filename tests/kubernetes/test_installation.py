"""Runs of an installation on a cluster, as an owner begins them: `serve --executor kubernetes`, `train`, `runs`."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from kubernetes.api import Api, ApiError
from kubernetes.argo import Controller
from kubernetes.cluster import CLAIM, NAMESPACE, describe, in_folder
from kubernetes.conftest import World
from system.installation import Installation, running, wait_until
from system.training_runs import add, recipe, state, train

IMAGE = "registry.example/{}@sha256:" + "a" * 64
WORKER = 60_606  # the user of workers that root started


def place(world: World) -> Path:
    """The folder of runs' files, which is a folder in the claim."""
    return in_folder(world.cluster.files / "glasscase" / "runs", 0o755, WORKER)


def words(world: World) -> tuple[str, ...]:
    world.renew_token()
    return ("--workers", "1", "--executor", "kubernetes", "--registries", "registry.example", "--jobs", str(place(world)),
            "--kubernetes-url", world.cluster.url, "--kubernetes-ca", str(world.cluster.authority.certificate),
            "--kubernetes-token", str(world.token), "--kubernetes-namespace", NAMESPACE,
            "--kubernetes-claim", f"{CLAIM}/glasscase/runs")


@contextmanager
def serving(programs: Path, folder: Path, serve_words: tuple[str, ...]) -> Iterator[Installation]:
    with running(programs, folder, serve_words=serve_words) as installation:
        wait_until("a worker is there", lambda: "worker" in installation.cli("status").stdout, 20)
        yield installation


@pytest.fixture(scope="module")
def glasscase(programs: Path, world: World, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    with serving(programs, tmp_path_factory.mktemp("cluster"), words(world)) as installation:
        yield installation


def on_cluster(folder: Path, code: str, repository: str = "trainer", **more: Any) -> str:
    environment = {"image": IMAGE.format(repository)}
    return recipe(folder, code, environment=environment, command=["python3", "/in/code/train.py"], **more)


def begin(glasscase: Installation, folder: Path, code: str, name: str) -> str:
    """A run that has printed something."""
    answer = glasscase.cli("train", on_cluster(folder, code), "--name", name, "--detach", "--json").stdout
    run = str(json.loads(answer)["id"])
    wait_until("it runs", lambda: "begun" in glasscase.cli("runs", "logs", run).stdout, 30)
    return run


def wait_for_end(glasscase: Installation, run: str, seconds: float = 60) -> dict[str, Any]:
    wait_until("it ends", lambda: state(glasscase, run) in ("succeeded", "failed", "cancelled"), seconds)
    return dict(glasscase.cli("runs", "show", run, json=True))


def nothing_is_left(world: World) -> bool:
    return world.cluster.jobs() == [] and world.cluster.pods() == []


LONG = "import time\nfor i in range({0}):\n    print('begun', i, flush=True)\n    time.sleep(0.1)\n" \
       "open('/out/model.txt', 'w').write('x')\n"


def test_a_run_on_the_cluster_registers_its_result(glasscase: Installation, world: World, tmp_path: Path) -> None:
    code = add(glasscase, tmp_path, "on-cluster", {"train.py": """
        import os, pathlib
        print(os.getuid(), os.path.exists("/in/recipe.json"))
        pathlib.Path("/out/model.txt").write_text("x")
    """})
    begun = time.monotonic()
    run = train(glasscase, on_cluster(tmp_path, code), "of-cluster")
    print(f"made, run, recorded and removed in {time.monotonic() - begun:.2f} s")
    assert run["state"] == "succeeded", run
    record = json.loads(run["record"])
    assert record["executor"] == "kubernetes"
    assert record["image"] == "sha256:" + "a" * 64
    assert record["machine"] == {"cluster": f"127.0.0.1:{world.cluster.port}", "node": "node-1"}
    assert any("network plugin" in line for line in record["missing"])
    user = WORKER if os.geteuid() == 0 else os.geteuid()
    assert glasscase.cli("runs", "logs", run["id"]).stdout == f"{user} True\n"
    assert nothing_is_left(world), describe(world.cluster.jobs())
    policy = world.cluster.api.get(f"/apis/networking.k8s.io/v1/namespaces/{NAMESPACE}/networkpolicies/glasscase-jobs")
    assert policy["spec"]["policyTypes"] == ["Ingress", "Egress"] and "egress" not in policy["spec"]


def test_a_run_that_fails_says_so_once(glasscase: Installation, tmp_path: Path) -> None:
    code = add(glasscase, tmp_path, "failing", {"train.py": "raise SystemExit('no such column')"})
    run = train(glasscase, on_cluster(tmp_path, code), "failing-one")
    assert (run["state"], run["attempts"]) == ("failed", 1)
    assert "exit code 1" in run["reason"] and "no such column" in run["reason"]


def test_an_image_that_is_not_there_fails_the_run_once(glasscase: Installation, world: World, tmp_path: Path) -> None:
    code = add(glasscase, tmp_path, "no-image", {"train.py": "pass"})
    run = train(glasscase, on_cluster(tmp_path, code, "absent"), "none")
    assert (run["state"], run["attempts"], "not found" in run["reason"]) == ("failed", 1, True), run
    assert nothing_is_left(world)


def test_a_run_is_cancelled(glasscase: Installation, world: World, tmp_path: Path) -> None:
    code = add(glasscase, tmp_path, "sleeper", {"train.py": "print('begun', flush=True)\nimport time\ntime.sleep(600)"})
    run = begin(glasscase, tmp_path, code, "sleeping")
    glasscase.cli("runs", "cancel", run)
    assert wait_for_end(glasscase, run, 20)["state"] == "cancelled"
    wait_until("its worker has ended it", lambda: nothing_is_left(world), 20)


def test_a_run_outlives_a_crash_of_the_api_server(glasscase: Installation, world: World, tmp_path: Path) -> None:
    code = add(glasscase, tmp_path, "long", {"train.py": LONG.format(150)})
    run = begin(glasscase, tmp_path, code, "outlives")
    world.cluster.stop_server()
    time.sleep(3)
    world.cluster.start_server()
    ended = wait_for_end(glasscase, run)
    assert (ended["state"], ended["attempts"]) == ("succeeded", 1), ended
    log = glasscase.cli("runs", "logs", run).stdout
    assert log.splitlines() == [f"begun {i}" for i in range(150)], "no line is lost or there twice"
    wait_until("nothing is left", lambda: nothing_is_left(world), 20)


def test_a_token_that_is_replaced_counts(glasscase: Installation, world: World, tmp_path: Path) -> None:
    code = add(glasscase, tmp_path, "renewed", {"train.py": LONG.format(60)})
    run = begin(glasscase, tmp_path, code, "renewing")
    world.token.write_text("no token at all")
    time.sleep(1.5)
    world.renew_token()
    ended = wait_for_end(glasscase, run)
    assert ended["state"] == "succeeded", ended
    assert len(glasscase.cli("runs", "logs", run).stdout.splitlines()) == 60


def test_a_pod_that_somebody_else_deletes_is_tried_again(glasscase: Installation, world: World, tmp_path: Path) -> None:
    code = add(glasscase, tmp_path, "deleted", {"train.py": LONG.format(40)})
    run = begin(glasscase, tmp_path, code, "deleted-once")
    pod = world.cluster.pods()[0]["metadata"]["name"]
    world.cluster.api.delete(f"/api/v1/namespaces/{NAMESPACE}/pods/{pod}", gracePeriodSeconds=1)
    ended = wait_for_end(glasscase, run, 90)
    assert (ended["state"], ended["attempts"]) == ("succeeded", 2), ended


def test_what_a_worker_that_was_killed_left_behind_is_removed(glasscase: Installation, world: World, tmp_path: Path) -> None:
    code = add(glasscase, tmp_path, "orphan", {"train.py": "print('begun', flush=True)\nimport time\ntime.sleep(600)"})
    run = begin(glasscase, tmp_path, code, "orphaned")
    first = world.cluster.jobs()[0]["metadata"]["name"]
    for worker in glasscase.processes("glasscase-worker"):
        worker.send_signal(signal.SIGKILL)
    wait_until("the job of the dead worker is gone",
               lambda: first not in {job["metadata"]["name"] for job in world.cluster.jobs()}, 40)
    wait_until("it runs again", lambda: len(world.cluster.pods()) == 1 and state(glasscase, run) == "running", 60)
    glasscase.cli("runs", "cancel", run)
    assert wait_for_end(glasscase, run)["state"] == "cancelled"


def test_jobs_of_others_are_let_be(world: World, programs: Path, tmp_path: Path) -> None:
    """A worker whose volume is another one removes nothing of this one, and one that begins nothing that lives."""
    name = "glasscase-of-somebody-else"
    path = f"/apis/batch/v1/namespaces/{NAMESPACE}/jobs"
    world.cluster.api.create(path, {"metadata": {"name": name, "labels": {
        "glasscase/job": name, "glasscase/volume": "another", "glasscase/worker": "gone"}}, "spec": {"suspend": True, "template": {
            "metadata": {}, "spec": {"restartPolicy": "Never", "containers": [{"name": "job", "image": "x"}]}}}})
    with serving(programs, tmp_path, words(world)):
        time.sleep(2)
        assert [job["metadata"]["name"] for job in world.cluster.jobs()] == [name]
    world.cluster.api.delete(f"{path}/{name}", propagationPolicy="Background")
    wait_until("it is gone", lambda: world.cluster.jobs() == [], 20)


def test_a_run_by_a_workflow_of_argo(programs: Path, world: World, argo: Controller, tmp_path: Path) -> None:
    serve_words = (*words(world), "--kubernetes-object", "workflow", "--kubernetes-account", "glasscase-workflow")
    with serving(programs, tmp_path / "installation", serve_words) as glasscase:
        code = add(glasscase, tmp_path, "by-argo", {"train.py": "open('/out/model.txt', 'w').write('x')\nprint('begun')"})
        run = train(glasscase, on_cluster(tmp_path, code), "of-argo")
        assert run["state"] == "succeeded", run
        assert glasscase.cli("runs", "logs", run["id"]).stdout == "begun\n"
    assert world.cluster.objects("argoproj.io/v1alpha1", "workflows") == []
    assert any(spec["serviceAccountName"] == "glasscase-workflow" for spec in argo.seen.values())


def test_a_certificate_serves_instead_of_a_token(programs: Path, world: World, tmp_path: Path) -> None:
    pair = world.cluster.certificate("owner", "/O=system:masters/CN=worker")
    token = words(world).index("--kubernetes-token")
    serve_words = words(world)[:token] + ("--kubernetes-cert", str(pair.certificate), "--kubernetes-key", str(pair.key)) \
        + words(world)[token + 2:]
    with serving(programs, tmp_path / "installation", serve_words) as glasscase:
        code = add(glasscase, tmp_path, "by-certificate", {"train.py": "open('/out/model.txt', 'w').write('x')"})
        assert train(glasscase, on_cluster(tmp_path, code), "of-certificate")["state"] == "succeeded"


def test_the_workers_role_opens_nothing_else(world: World) -> None:
    api = Api(world.cluster.url, world.cluster.authority.certificate, token=world.cluster.token())
    for path in ("/api/v1/namespaces/runs/secrets", "/api/v1/namespaces/kube-system/pods", "/api/v1/nodes",
                 "/apis/batch/v1/jobs", "/api/v1/namespaces/runs/configmaps"):
        with pytest.raises(ApiError) as refused:
            api.get(path)
        assert refused.value.status == 403, path
    with pytest.raises(ApiError) as refused:
        api.create(f"/api/v1/namespaces/{NAMESPACE}/pods", {"metadata": {"name": "x"}, "spec": {
            "containers": [{"name": "x", "image": "x"}]}})
    assert refused.value.status == 403


def test_the_network_policy_is_there_whenever_a_run_is(glasscase: Installation, world: World, tmp_path: Path) -> None:
    api, path = world.cluster.api, f"/apis/networking.k8s.io/v1/namespaces/{NAMESPACE}/networkpolicies/glasscase-jobs"
    api.delete(path)
    code = add(glasscase, tmp_path, "denied", {"train.py": "open('/out/model.txt', 'w').write('x')"})
    assert train(glasscase, on_cluster(tmp_path, code), "denied-one")["state"] == "succeeded"
    assert api.get(path)["spec"]["policyTypes"] == ["Ingress", "Egress"]
    api.patch(path, {"spec": {"egress": [{}]}})
    try:
        run = train(glasscase, on_cluster(tmp_path, code), "opened")
        assert run["state"] == "failed" and "does not deny all" in run["reason"], run
    finally:
        api.delete(path)


def test_no_token_is_in_a_command_line_or_a_log(glasscase: Installation, world: World) -> None:
    token = world.token.read_text()
    for process in glasscase.processes():
        assert token not in " ".join(process.cmdline())
    assert token not in glasscase.log.read_text()


def test_what_is_missing_is_said_before_anything_starts(glasscase: Installation, tmp_path: Path) -> None:
    for serve_words, said in [
        (("--executor", "kubernetes"), "--registries"),
        (("--executor", "kubernetes", "--registries", "a", "--jobs", "/x"), "--kubernetes-claim"),
        (("--executor", "kubernetes", "--registries", "a", "--jobs", "/x", "--kubernetes-claim", "c", "--kubernetes-url",
          "https://a"), "--kubernetes-token"),
        (("--kubernetes-claim", "c"), "--executor kubernetes"),
    ]:
        answer = glasscase.cli("serve", "--data", str(tmp_path / "none"), *serve_words, check=False)
        assert answer.returncode != 0 and said in answer.stderr, (serve_words, answer.stderr)
