"""What a sandbox costs: /bin/true as a job of each executor, over /bin/true run bare."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
MAKE_IMAGE = ROOT / "src/execution/jobs/podman/testing/make_image"
CLUSTER = ROOT / "src/execution/jobs/slurm/testing/cluster"
WORKER_USER = 60_606

IMPORT = """set -e
podman() {
  command podman --root "$IMAGES/store" --runroot /dev/shm/run --tmpdir /dev/shm/tmp --storage-driver overlay \
    --storage-opt overlay.ignore_chown_errors=true --cgroup-manager cgroupfs --events-backend none "$@"
}
podman import --quiet "$IMAGES/root.tar" localhost/bench:1 >/dev/null
podman image inspect --format '{{.Digest}}' localhost/bench:1
"""


def measure(programs: Path) -> dict[str, Any]:
    """By executor; one that this machine does not have is None."""
    folder = Path(tempfile.mkdtemp(prefix="gc-exec-", dir="/tmp"))
    folder.chmod(0o755)
    try:
        return {"bubblewrap": run(programs, folder, "bubblewrap"), "podman": measure_podman(programs, folder),
                "slurm": measure_slurm(programs, folder)}
    finally:
        subprocess.run(["chmod", "-R", "u+rwx", folder], check=False)
        shutil.rmtree(folder, ignore_errors=True)


def run(programs: Path, folder: Path, *words: str) -> dict[str, float]:
    answer = subprocess.run([programs / "executor_bench", folder, *words], capture_output=True, text=True, check=False)
    if answer.returncode != 0:
        raise RuntimeError(f"executor_bench {words[0]}: {answer.stderr.strip()}")
    result: dict[str, float] = json.loads(answer.stdout)
    return result


def measure_podman(programs: Path, folder: Path) -> dict[str, float] | None:
    if shutil.which("podman") is None:
        return None
    images = folder / "images"
    images.mkdir(mode=0o700)
    enclose = folder / "glasscase-enclose"  # the clone may lie where the worker's user does not get to
    shutil.copy(programs / "glasscase-enclose", enclose)
    subprocess.run([MAKE_IMAGE, images / "root.tar"], check=True)
    as_worker: dict[str, Any] = {}
    if os.geteuid() == 0:
        for path in (images, images / "root.tar"):
            os.chown(path, WORKER_USER, WORKER_USER)
        as_worker = {"user": WORKER_USER, "group": WORKER_USER, "extra_groups": []}
    environment = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "IMAGES": str(images), "HOME": str(images), "TMPDIR": str(images),
                   "XDG_RUNTIME_DIR": "/dev/shm", "_CONTAINERS_USERNS_CONFIGURED": "done",
                   "_CONTAINERS_ROOTLESS_UID": "1", "_CONTAINERS_ROOTLESS_GID": "1"}
    said = subprocess.run([enclose, "outside", "2", "", "/bin/sh", "-c", IMPORT], cwd=images, env=environment,
                          stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=True, **as_worker).stdout
    return run(programs, folder, "podman", str(enclose), str(images), "localhost/bench@" + said.strip())


def measure_slurm(programs: Path, folder: Path) -> dict[str, float] | None:
    if shutil.which("sbatch") is None:
        return None
    cluster = folder / "cluster"
    subprocess.run([CLUSTER, "start", cluster], check=True)
    try:
        return run(programs, folder, "slurm", str(programs / "glasscase-worker"), str(cluster / "slurm.conf"))
    finally:
        subprocess.run([CLUSTER, "stop", cluster], check=False)
