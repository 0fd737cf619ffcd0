"""A node that a test plays: scheduler, kubelet and container runtime in one, against the real API server.

It takes every pod, runs the command of its container for real (by bubblewrap, with this machine's /usr as the image) with the
folders of its volumes and as its user, and sets the pod's status as a kubelet does. The API server fetches logs from it over
TLS. What an image's repository is called says what becomes of it: see `IMAGES`.
"""

from __future__ import annotations

import os
import re
import signal
import ssl
import subprocess
import tempfile
import threading
import time
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import psutil
import requests

from kubernetes.api import Api, ApiError, Object
from kubernetes.certificates import Pair

NODE = "node-1"
# How fetching an image ends, by the last part of its repository; others are there.
IMAGES = {
    "absent": ("ErrImagePull", 'rpc error: code = NotFound desc = failed to pull and unpack image: not found'),
    "unreachable": ("ErrImagePull", "rpc error: code = Unavailable desc = dial tcp: i/o timeout"),
    "unmade": ("CreateContainerError", "the runtime has no memory for it"),
}
ROOM_BYTES = 64 << 30
CHUNK = 16 * 1024  # of a line, as runtimes cut them
EVERY = 0.05


def now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def unescaped(text: str) -> str:
    """What a kubelet makes of $$ and $(NAME); there are no variables that are named here."""
    return re.sub(r"\$(\$|\([^)]*\))", lambda found: "$" if found[1] == "$" else found[0], text)


class Log:
    """As `kubectl logs --timestamps` prints it, in a file."""

    def __init__(self) -> None:
        self.file = tempfile.NamedTemporaryFile(prefix="gc-log-", delete=True)  # noqa: SIM115
        self.size = 0
        self.begins_line = True
        self.is_whole = False
        self.last = 0
        self.lock = threading.Lock()

    def add(self, text: bytes) -> None:
        out = bytearray()
        for line in text.splitlines(keepends=True):
            if self.begins_line:
                self.last = max(self.last + 1, time.time_ns())
                stamp = datetime.fromtimestamp(self.last // 10**9, UTC).strftime("%Y-%m-%dT%H:%M:%S")
                out += f"{stamp}.{self.last % 10**9:09d}Z ".encode()
            out += line
            self.begins_line = line.endswith(b"\n")
        with self.lock:
            self.file.write(out)
            self.file.flush()
            self.size += len(out)


class Container:
    """The one container of a pod, from its making to its end."""

    def __init__(self, node: Node, pod: Object) -> None:
        self.node, self.pod = node, pod
        self.name: str = pod["metadata"]["name"]
        self.path = f"/api/v1/namespaces/{pod['metadata']['namespace']}/pods/{self.name}"
        self.spec: Object = pod["spec"]["containers"][0]
        self.log = Log()
        self.process: subprocess.Popen[bytes] | None = None
        self.grace: float | None = None
        self.is_over_memory = False
        self.is_done = False
        self.begun = now()
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self) -> None:
        try:
            failure = IMAGES.get(self.spec["image"].split("@")[0].rpartition("/")[2])
            if failure:
                self.say("Pending", {"waiting": {"reason": failure[0], "message": failure[1]}})
                return
            program = unescaped(self.spec["command"][0])
            if program.startswith("/") and not Path(program).exists():
                self.end(128, "StartError", f'exec: "{program}": stat {program}: no such file or directory: unknown')
                return
            self.start()
            self.say("Running", {"running": {"startedAt": now()}})
            self.begin_time_limit()
            self.read()
        finally:
            self.log.is_whole = True
            self.is_done = True

    def start(self) -> None:
        security = self.pod["spec"]["securityContext"]
        assert security["runAsNonRoot"] and self.spec["securityContext"]["readOnlyRootFilesystem"]
        words = ["bwrap", "--unshare-all", "--die-with-parent", "--hostname", self.pod["spec"]["hostname"], "--clearenv",
                 "--ro-bind", "/usr", "/usr", "--symlink", "usr/bin", "/bin", "--symlink", "usr/sbin", "/sbin",
                 "--symlink", "usr/lib", "/lib", "--symlink", "usr/lib64", "/lib64", "--dir", "/etc", "--proc", "/proc",
                 "--dev", "/dev"]
        for mount in self.spec["volumeMounts"]:
            words += self.mounted(mount)
        words += ["--setenv", "PATH", "/usr/bin"]  # the image's
        for one in self.spec.get("env", []):
            words += ["--setenv", one["name"], unescaped(one["value"])]
        words += ["--chdir", self.spec["workingDir"], *map(unescaped, self.spec["command"])]
        user, group = security["runAsUser"], security["runAsGroup"]
        if os.geteuid() == 0:
            words = ["setpriv", f"--reuid={user}", f"--regid={group}", "--clear-groups", *words]
        self.process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)

    def mounted(self, mount: Object) -> list[str]:
        volume = next(one for one in self.pod["spec"]["volumes"] if one["name"] == mount["name"])
        if "emptyDir" in volume:
            return ["--size", volume["emptyDir"]["sizeLimit"], "--tmpfs", mount["mountPath"]]
        folder = self.node.folder_of(self.pod["metadata"]["namespace"], volume["persistentVolumeClaim"]["claimName"])
        return ["--ro-bind" if mount.get("readOnly") else "--bind", str(folder / mount["subPath"]), mount["mountPath"]]

    def begin_time_limit(self) -> None:
        seconds = self.pod["spec"]["activeDeadlineSeconds"]
        timer = threading.Timer(seconds, self.kill)
        timer.daemon = True
        timer.start()

    def read(self) -> None:
        assert self.process is not None and self.process.stdout is not None
        threading.Thread(target=self.watch_memory, daemon=True).start()
        while piece := os.read(self.process.stdout.fileno(), CHUNK):
            self.log.add(piece)
        code = self.process.wait()
        if self.is_over_memory:
            self.end(137, "OOMKilled")
        else:
            self.end(code if code >= 0 else 128 - code, "Completed" if code == 0 else "Error")

    def members(self) -> list[psutil.Process]:
        assert self.process is not None
        try:
            return psutil.Process(self.process.pid).children(recursive=True)
        except psutil.NoSuchProcess:
            return []

    def watch_memory(self) -> None:
        assert self.process is not None
        most = int(self.spec["resources"]["limits"]["memory"])
        while self.process.poll() is None:
            used = 0
            for one in self.members():
                try:
                    used += one.memory_info().rss
                except psutil.NoSuchProcess:
                    pass
            if used > most:
                self.is_over_memory = True
                self.kill()
            time.sleep(EVERY)

    def kill(self) -> None:
        for one in self.members():
            try:
                one.kill()
            except psutil.NoSuchProcess:
                pass

    def terminate(self, grace: float) -> None:
        """Once: SIGTERM to the program, SIGKILL to all after the grace."""
        if self.grace is not None:
            return
        self.grace = grace
        if self.process is None:
            self.is_done = True
            return
        for one in self.members()[1:2]:  # the first is the pod's own first process
            one.send_signal(signal.SIGTERM)
        timer = threading.Timer(grace, self.kill)
        timer.daemon = True
        timer.start()

    def end(self, code: int, reason: str, message: str = "") -> None:
        self.log.is_whole = True
        self.say("Succeeded" if code == 0 else "Failed", {"terminated": {
            "exitCode": code, "reason": reason, "message": message, "startedAt": self.begun, "finishedAt": now()}})

    def say(self, phase: str, state: Object) -> None:
        status = {"phase": phase, "startTime": self.begun, "hostIP": "127.0.0.1", "containerStatuses": [{
            "name": self.spec["name"], "image": self.spec["image"], "imageID": self.spec["image"], "restartCount": 0,
            "ready": "running" in state, "started": "running" in state, "state": state}]}
        self.node.persist(lambda: self.node.api.patch(self.path + "/status", {"status": status}))


class Node:
    """Registers itself and serves pods until `stop`."""

    def __init__(self, api: Api, identity: Pair) -> None:
        self.api = api
        self.containers: dict[str, Container] = {}
        self.stopping = threading.Event()
        self.server = self.make_log_server(identity)
        port = self.server.server_address[1]
        room = {"cpu": "64", "memory": str(ROOM_BYTES), "pods": "100", "ephemeral-storage": "100Gi"}
        api.create("/api/v1/nodes", {"metadata": {"name": NODE}})
        api.patch(f"/api/v1/nodes/{NODE}/status", {"status": {
            "capacity": room, "allocatable": room, "addresses": [{"type": "InternalIP", "address": "127.0.0.1"}],
            "daemonEndpoints": {"kubeletEndpoint": {"Port": port}}, "conditions": [{"type": "Ready", "status": "True"}]}})
        self.threads = [threading.Thread(target=target, daemon=True) for target in (self.server.serve_forever, self.run)]
        for thread in self.threads:
            thread.start()

    def stop(self) -> None:
        self.stopping.set()
        for one in self.containers.values():
            if one.process is not None:
                one.kill()
        self.server.shutdown()
        for thread in self.threads:
            thread.join(10)

    def persist(self, ask: Any) -> None:
        """A node goes on where the API server left off."""
        while not self.stopping.is_set():
            try:
                ask()
                return
            except (requests.RequestException, ApiError) as error:
                if isinstance(error, ApiError) and error.status in (404, 409):
                    return
                time.sleep(0.2)

    def run(self) -> None:
        while not self.stopping.wait(EVERY):
            try:
                for pod in self.api.items("/api/v1/pods"):
                    self.look_at(pod)
            except (requests.RequestException, ApiError):
                continue

    def look_at(self, pod: Object) -> None:
        uid, metadata = pod["metadata"]["uid"], pod["metadata"]
        path = f"/api/v1/namespaces/{metadata['namespace']}/pods/{metadata['name']}"
        container = self.containers.get(uid)
        if "deletionTimestamp" in metadata:
            if container is not None:
                container.terminate(metadata["deletionGracePeriodSeconds"])
            if container is None or container.is_done:
                self.persist(lambda: self.api.delete(path, gracePeriodSeconds=0, preconditions={"uid": uid}))
        elif not pod["spec"].get("nodeName"):
            self.schedule(pod, path)
        elif container is None:
            self.containers[uid] = Container(self, pod)

    def schedule(self, pod: Object, path: str) -> None:
        if int(pod["spec"]["containers"][0]["resources"]["requests"]["memory"]) > ROOM_BYTES:
            self.persist(lambda: self.api.patch(path + "/status", {"status": {"conditions": [{
                "type": "PodScheduled", "status": "False", "reason": "Unschedulable",
                "message": "0/1 nodes are available: 1 Insufficient memory."}]}}))
        else:
            self.persist(lambda: self.api.create(path + "/binding", {
                "metadata": {"name": pod["metadata"]["name"]}, "target": {"kind": "Node", "name": NODE}}))

    def folder_of(self, namespace: str, claim: str) -> Path:
        volume = self.api.get(f"/api/v1/namespaces/{namespace}/persistentvolumeclaims/{claim}")["spec"]["volumeName"]
        return Path(self.api.get(f"/api/v1/persistentvolumes/{volume}")["spec"]["hostPath"]["path"])

    # ---- logs ----

    def make_log_server(self, identity: Pair) -> ThreadingHTTPServer:
        node = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                parts = urlsplit(self.path)
                query = {name: values[0] for name, values in parse_qs(parts.query).items()}
                name = parts.path.split("/")[3]
                container = next((one for one in node.containers.values() if one.name == name), None)
                if not parts.path.startswith("/containerLogs/") or container is None:
                    self.send_error(404)
                    return
                self.send_response(200)
                self.end_headers()
                node.write_log(container, query, self.wfile)

            def log_message(self, *_: Any) -> None:
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        server.daemon_threads = True
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(identity.certificate, identity.key)
        server.socket = context.wrap_socket(server.socket, server_side=True)
        return server

    def write_log(self, container: Container, query: dict[str, str], out: Any) -> None:
        since = datetime.fromisoformat(query["sinceTime"]) if "sinceTime" in query else None
        assert query.get("timestamps") == "true"
        try:
            with Path(container.log.file.name).open("rb") as file:
                if since is not None:
                    skip_to(file, since)
                while not self.stopping.is_set():
                    is_last = container.log.is_whole or query.get("follow") != "true"
                    while piece := file.read(1 << 20):
                        out.write(piece)
                    out.flush()
                    if is_last:
                        return
                    time.sleep(EVERY / 5)
        except OSError:
            return


def skip_to(file: Any, since: datetime) -> None:
    """To the first line of that time or later."""
    while True:
        at = file.tell()
        line = file.readline()
        if not line or datetime.fromisoformat(line[:19].decode() + "+00:00") >= since:
            file.seek(at)
            return
