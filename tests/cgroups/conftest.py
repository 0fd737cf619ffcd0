"""One machine for all tests here: it runs all that there is to run and says what became of it."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from cgroups.machine import KERNEL, ROOT, Disk, boot, write_initramfs

DISK_MEBIBYTES = 1024
BOOTED_SECONDS_MAX = 1_500.0


@dataclass
class Machine:
    """What it said on its console."""

    console: str

    def step(self, name: str) -> str:
        found = re.search(rf"^:: begin {name}$(.*?)^:: end {name}$", self.console, re.DOTALL | re.MULTILINE)
        assert found, f"the machine did not come to the end of {name}:\n{self.console[-4000:]}"
        return found[1]

    def said(self, what: str) -> str:
        found = re.search(rf"^:: {what} (.*)$", self.console, re.MULTILINE)
        assert found, f"the machine did not say: {what}\n{self.console[-4000:]}"
        return found[1]


@pytest.fixture(scope="session")
def machine() -> Iterator[Machine]:
    contracts = [ROOT / f"build/plain/bin/jobs_{executor}_cgroups" for executor in ("bubblewrap", "podman")]
    for needed in (KERNEL / "made", *contracts, ROOT / "build/release/bin/glasscase"):
        if not needed.exists():
            pytest.fail(f"there is no {needed}: run `make test-cgroups`")
    folder = Path(tempfile.mkdtemp(prefix="gc-machine-", dir="/var/tmp"))
    try:
        disk = Disk(folder / "disk")
        disk.add([*contracts], "/tests")
        disk.add_installation(ROOT / "build/release")
        disk.add_runner("plain")
        disk.add_podman(ROOT / "src/execution/jobs/podman/testing/make_image")
        disk.write_image(folder / "image", DISK_MEBIBYTES)
        write_initramfs(folder / "initramfs", folder / "start")
        boot(folder / "image", folder / "start", folder / "console", BOOTED_SECONDS_MAX)
        yield Machine((folder / "console").read_text(errors="replace").replace("\r", ""))
    finally:
        if "GC_KEEP" not in os.environ:
            shutil.rmtree(folder)
