"""A real registry of images on loopback, with a name and a password, and an image of this machine's own programs."""

from __future__ import annotations

import base64
import hashlib
import json
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import requests

from system.installation import free_ports, wait_until

ROOT = Path(__file__).resolve().parents[2]
MAKE_IMAGE = ROOT / "src/execution/jobs/podman/testing/make_image"
NAME, PASSWORD = "trainers", "only for this test"
HASH = "$2b$04$1ea5brWnCO9nUiep5s55Lue./Dh3p1eBAFONcPVduvL0rDOxEMJXq"  # bcrypt of PASSWORD


@dataclass
class Registry:
    folder: Path
    port: int
    process: subprocess.Popen[bytes] | None = None

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.port}"

    def start(self) -> None:
        (self.folder / "htpasswd").write_text(f"{NAME}:{HASH}\n")
        (self.folder / "config.yml").write_text(json.dumps({  # JSON is YAML
            "version": "0.1", "log": {"level": "error", "accesslog": {"disabled": True}},
            "storage": {"filesystem": {"rootdirectory": str(self.folder / "images")}},
            "http": {"addr": self.host}, "auth": {"htpasswd": {"realm": "test", "path": str(self.folder / "htpasswd")}}}))
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(["docker-registry", "serve", self.folder / "config.yml"], stdout=log, stderr=log)
        wait_until("the registry answers", self._answers, 30)

    def _answers(self) -> bool:
        try:
            return requests.get(f"http://{self.host}/v2/", timeout=5).status_code == 401
        except requests.ConnectionError:
            time.sleep(0.05)
            return False

    def stop(self) -> None:
        assert self.process is not None
        self.process.terminate()
        self.process.wait(20)

    def credentials(self, folder: Path, password: str = PASSWORD) -> Path:
        """A file such as `podman login --authfile` writes, for its owner alone."""
        path = folder / "auth.json"
        token = base64.b64encode(f"{NAME}:{password}".encode()).decode()
        path.write_text(json.dumps({"auths": {self.host: {"auth": token}}}))
        path.chmod(0o600)
        return path

    def push(self, repository: str, layer: bytes, environment: list[str] | None = None) -> str:
        """An image of one layer; its name by digest."""
        api = requests.Session()
        api.auth = (NAME, PASSWORD)
        url = f"http://{self.host}/v2/{repository}"

        def upload(blob: bytes, media: str) -> dict[str, str | int]:
            digest = "sha256:" + hashlib.sha256(blob).hexdigest()
            place = api.post(f"{url}/blobs/uploads/", timeout=30).headers["Location"]
            api.put(place, params={"digest": digest}, data=blob, timeout=60).raise_for_status()
            return {"mediaType": f"application/vnd.oci.image.{media}", "digest": digest, "size": len(blob)}

        config = json.dumps({
            "architecture": "amd64", "os": "linux", "config": {"Env": environment or []},
            "rootfs": {"type": "layers", "diff_ids": ["sha256:" + hashlib.sha256(layer).hexdigest()]}}).encode()
        media = "application/vnd.oci.image.manifest.v1+json"
        manifest = json.dumps({"schemaVersion": 2, "mediaType": media, "config": upload(config, "config.v1+json"),
                               "layers": [upload(layer, "layer.v1.tar")]}).encode()
        api.put(f"{url}/manifests/1", data=manifest, headers={"Content-Type": media}, timeout=30).raise_for_status()
        return f"{self.host}/{repository}@sha256:{hashlib.sha256(manifest).hexdigest()}"


@contextmanager
def registry() -> Iterator[Registry]:
    folder = Path(tempfile.mkdtemp(prefix="gc-registry-"))
    server = Registry(folder, free_ports(1)[0])
    try:
        server.start()
        yield server
    finally:
        if server.process is not None and server.process.poll() is None:
            server.stop()
        shutil.rmtree(folder, ignore_errors=True)


def layer_of_this_machine() -> bytes:
    """A shell, the usual tools and Python."""
    with tempfile.TemporaryDirectory(prefix="gc-layer-") as folder:
        path = Path(folder) / "layer.tar"
        subprocess.run([MAKE_IMAGE, path], check=True, timeout=60)
        return path.read_bytes()
