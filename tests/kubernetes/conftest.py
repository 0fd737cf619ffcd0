"""One cluster, with one node that the tests play, for all tests here."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from kubernetes.api import Api
from kubernetes.argo import Controller
from kubernetes.cluster import ROOT, SERVERS, Cluster, in_folder, make_argo_kinds, remove
from kubernetes.kubelet import Node


@dataclass
class World:
    cluster: Cluster
    node: Node
    token: Path  # of the worker's service account

    def renew_token(self) -> None:
        self.token.write_text(self.cluster.token())


@pytest.fixture(scope="session")
def world() -> Iterator[World]:
    if not (SERVERS / "kube-apiserver").exists():
        pytest.fail(f"there is no kube-apiserver in {SERVERS}: run `make test-kubernetes`, or tools/kubernetes")
    folder = Path(tempfile.mkdtemp(prefix="gc-kubernetes-"))
    folder.chmod(0o755)
    files = in_folder(folder / "files", 0o755, 0)
    cluster = Cluster(folder, files)
    node = None
    try:
        cluster.start()
        node = Node(cluster.api, cluster.node)
        world = World(cluster, node, folder / "token")
        world.renew_token()
        world.token.chmod(0o644)
        yield world
    finally:
        if node is not None:
            node.stop()
        cluster.stop()
        if "GC_KEEP" not in os.environ:
            remove(folder)


@pytest.fixture(scope="session")
def argo(world: World) -> Iterator[Controller]:
    make_argo_kinds(world.cluster.api)
    account = Api(world.cluster.url, world.cluster.authority.certificate, token=world.cluster.token("glasscase-workflow"))
    controller = Controller(world.cluster.api, account)
    yield controller
    controller.stop()


@pytest.fixture(scope="session")
def contract_program() -> Path:
    path = Path(os.environ.get("GLASSCASE_KUBERNETES_CONTRACT", ROOT / "build/debug/bin/jobs_kubernetes_contract"))
    if not path.exists():
        pytest.fail(f"there is no {path}: run `make test-kubernetes`")
    return path
