"""A cluster without nodes: etcd, kube-apiserver and kube-controller-manager as .deps/kubernetes has them, on loopback."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path
from typing import IO, Any

import requests
import yaml

from kubernetes.api import Api, ApiError, Object
from kubernetes.certificates import Authority, Pair
from system.installation import free_ports, wait_until

ROOT = Path(__file__).resolve().parents[2]
SERVERS = ROOT / ".deps" / "kubernetes" / "bin"
DEPLOY = ROOT / "deploy" / "kubernetes"
NAMESPACE = "runs"
CLAIM = "run-files"
# Those that play no part are left out: of nodes there is only the test's.
CONTROLLERS = "job-controller,garbage-collector-controller,persistentvolume-binder-controller,serviceaccount-controller," \
    "namespace-controller,ttl-after-finished-controller,root-ca-certificate-publisher-controller"

PATHS = {
    "ServiceAccount": "/api/v1/namespaces/{0}/serviceaccounts",
    "Role": "/apis/rbac.authorization.k8s.io/v1/namespaces/{0}/roles",
    "RoleBinding": "/apis/rbac.authorization.k8s.io/v1/namespaces/{0}/rolebindings",
}


class Cluster:
    """`files` is the folder that the claim run-files of the namespace runs is."""

    def __init__(self, folder: Path, files: Path) -> None:
        self.folder, self.files = folder, files
        self.etcd_port, self.etcd_peers, self.port, self.controllers_port = free_ports(4)
        self.url = f"https://127.0.0.1:{self.port}"
        self.authority = Authority(folder / "certificates")
        self.server = self.authority.sign("server", "/CN=kube-apiserver")
        self.node = self.authority.sign("node", "/CN=node")
        admin = self.authority.sign("admin", "/O=system:masters/CN=admin")
        self.admin_pair = admin
        self.api = Api(self.url, self.authority.certificate, admin)
        self.processes: dict[str, subprocess.Popen[bytes]] = {}

    # ---- its life ----

    def start(self) -> None:
        self.start_one("etcd", ["etcd", "--data-dir", str(self.folder / "etcd"), "--unsafe-no-fsync",
                                "--listen-client-urls", f"http://127.0.0.1:{self.etcd_port}",
                                "--advertise-client-urls", f"http://127.0.0.1:{self.etcd_port}",
                                "--listen-peer-urls", f"http://127.0.0.1:{self.etcd_peers}"])
        self.start_server()
        self.start_one("controllers", [str(SERVERS / "kube-controller-manager"), "--kubeconfig", str(self.kubeconfig()),
                                       "--controllers", CONTROLLERS, "--leader-elect=false", "--bind-address=127.0.0.1",
                                       f"--secure-port={self.controllers_port}",
                                       "--service-account-private-key-file", str(self.authority.folder / "accounts.key"),
                                       "--root-ca-file", str(self.authority.certificate)])
        self.settle()

    def start_server(self) -> None:
        keys = self.authority.folder
        self.start_one("server", [
            str(SERVERS / "kube-apiserver"), f"--etcd-servers=http://127.0.0.1:{self.etcd_port}", "--bind-address=127.0.0.1",
            f"--secure-port={self.port}", f"--tls-cert-file={self.server.certificate}",
            f"--tls-private-key-file={self.server.key}", f"--client-ca-file={self.authority.certificate}",
            f"--service-account-key-file={keys / 'accounts.pub'}",
            f"--service-account-signing-key-file={keys / 'accounts.key'}",
            "--service-account-issuer=https://kubernetes.default.svc", "--authorization-mode=RBAC",
            "--service-cluster-ip-range=10.0.0.0/24", "--endpoint-reconciler-type=none",
            f"--kubelet-certificate-authority={self.authority.certificate}",
            f"--kubelet-client-certificate={self.server.certificate}", f"--kubelet-client-key={self.server.key}",
            "--kubelet-preferred-address-types=InternalIP", "--shutdown-delay-duration=0s"])
        wait_until("the API server is ready", self.is_ready, 90)

    def is_ready(self) -> bool:
        assert self.processes["server"].poll() is None, self.log_tail("server")
        try:
            return self.api.session().get(self.url + "/readyz", timeout=5).ok
        except requests.RequestException:
            time.sleep(0.1)
            return False

    def stop_server(self, how: signal.Signals = signal.SIGKILL) -> None:
        self.processes["server"].send_signal(how)
        self.processes.pop("server").wait(60)

    def stop(self) -> None:
        for process in reversed(self.processes.values()):
            process.kill()
            process.wait(20)
        self.processes.clear()

    def start_one(self, name: str, words: list[str]) -> None:
        log: IO[bytes]
        with (self.folder / f"{name}.log").open("ab") as log:
            self.processes[name] = subprocess.Popen(words, stdout=log, stderr=log, stdin=subprocess.DEVNULL, cwd=self.folder)

    def log_tail(self, name: str) -> str:
        return (self.folder / f"{name}.log").read_text(errors="replace")[-4000:]

    def kubeconfig(self) -> Path:
        path = self.folder / "controllers.conf"
        path.write_text(json.dumps({  # JSON is YAML
            "apiVersion": "v1", "kind": "Config", "current-context": "one",
            "clusters": [{"name": "one", "cluster": {"server": self.url, "certificate-authority": str(self.authority.certificate)}}],
            "users": [{"name": "one", "user": {"client-certificate": str(self.admin_pair.certificate),
                                               "client-key": str(self.admin_pair.key)}}],
            "contexts": [{"name": "one", "context": {"cluster": "one", "user": "one"}}]}))
        return path

    # ---- what is in it ----

    def settle(self) -> None:
        """The namespace, as strict as Kubernetes has them, the claim on the volume, and the worker's account."""
        self.api.create("/api/v1/namespaces", {"metadata": {
            "name": NAMESPACE, "labels": {"pod-security.kubernetes.io/enforce": "restricted"}}})
        size, modes = {"storage": "10Gi"}, ["ReadWriteMany"]
        self.api.create("/api/v1/persistentvolumes", {"metadata": {"name": CLAIM}, "spec": {
            "capacity": size, "accessModes": modes, "hostPath": {"path": str(self.files)}, "storageClassName": "",
            "claimRef": {"namespace": NAMESPACE, "name": CLAIM}}})
        self.api.create(f"/api/v1/namespaces/{NAMESPACE}/persistentvolumeclaims", {"metadata": {"name": CLAIM}, "spec": {
            "accessModes": modes, "resources": {"requests": size}, "storageClassName": "", "volumeName": CLAIM}})
        for file in ("worker.yaml", "workflows.yaml"):
            self.apply(DEPLOY / file)
        wait_until("the namespace has its own account", lambda: self.has_account("default"), 30)

    def apply(self, file: Path) -> None:
        for one in yaml.safe_load_all(file.read_text()):
            self.api.create(PATHS[one["kind"]].format(NAMESPACE), one)

    def has_account(self, name: str) -> bool:
        try:
            self.api.get(f"/api/v1/namespaces/{NAMESPACE}/serviceaccounts/{name}")
        except ApiError:
            return False
        return True

    def token(self, account: str = "glasscase") -> str:
        """A token as the kubelet asks for one; it is good for ten minutes."""
        answer = self.api.create(f"/api/v1/namespaces/{NAMESPACE}/serviceaccounts/{account}/token",
                                 {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest",
                                  "spec": {"expirationSeconds": 600}})
        return str(answer["status"]["token"])

    def objects(self, group: str, kind: str) -> list[Object]:
        return self.api.items(f"/apis/{group}/namespaces/{NAMESPACE}/{kind}")

    def jobs(self) -> list[Object]:
        return self.objects("batch/v1", "jobs")

    def pods(self) -> list[Object]:
        return self.api.items(f"/api/v1/namespaces/{NAMESPACE}/pods")

    def certificate(self, name: str, subject: str) -> Pair:
        return self.authority.sign(name, subject)


def make_argo_kinds(api: Api) -> None:
    """Argo's kinds, as a cluster with Argo knows them; what is in a Workflow is not looked at."""
    for kind, plural in (("Workflow", "workflows"), ("WorkflowTaskResult", "workflowtaskresults")):
        api.create("/apis/apiextensions.k8s.io/v1/customresourcedefinitions", {
            "metadata": {"name": f"{plural}.argoproj.io"},
            "spec": {"group": "argoproj.io", "scope": "Namespaced",
                     "names": {"kind": kind, "plural": plural, "singular": kind.lower()},
                     "versions": [{"name": "v1alpha1", "served": True, "storage": True, "schema": {"openAPIV3Schema": {
                         "type": "object", "x-kubernetes-preserve-unknown-fields": True}}}]}})


def in_folder(folder: Path, mode: int, owner: int) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(mode)
    if os.geteuid() == 0:
        os.chown(folder, owner, owner)
    return folder


def remove(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)


def describe(thing: Any) -> str:
    return json.dumps(thing, indent=1)[:4000]
