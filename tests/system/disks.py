"""Small disks, which fill up at once, and disks that fail."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from system.installation import wait_until


@contextmanager
def small_disk(folder: Path, *, kibibytes: int, files: int = 0) -> Iterator[Path]:
    """A tmpfs over `folder`, with the owner and the mode that it had; room for so many `files` when given.

    Mounting needs root, or a user namespace which the programs would not share.
    """
    before = folder.stat()
    options = f"size={kibibytes}k,mode={before.st_mode & 0o777:o},uid={before.st_uid},gid={before.st_gid}"
    options += f",nr_inodes={files}" if files else ""
    mounted = os.geteuid() == 0 and subprocess.run(
        ["mount", "-t", "tmpfs", "-o", options, "tmpfs", folder], capture_output=True, check=False
    ).returncode == 0
    if not mounted:
        pytest.skip("cannot mount a small tmpfs here (needs root)")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", folder], check=True)


def fill(filler: Path) -> None:
    """Writes until nothing more fits."""
    with filler.open("wb", buffering=0) as file:
        size = 1 << 20
        while size >= 1:
            try:
                file.write(bytes(size))
            except OSError:
                size //= 2


def fill_with_files(folder: Path) -> None:
    """Makes empty files until there is room for no more."""
    folder.mkdir()
    for number in range(1 << 20):
        try:
            (folder / str(number)).touch()
        except OSError:
            return
    raise AssertionError("there is room for a million files")


@dataclass
class FailingDisk:
    """What the kernel answered in the place of the disk."""

    record: Path

    def failures(self) -> int:
        return self.record.read_text().count("(INJECTED)")


@contextmanager
def failing_disk(process: psutil.Process, call: str, file: Path, record: Path) -> Iterator[FailingDisk]:
    """Each such system call on `file` fails with EIO: of the process, and of those that it starts from now on."""
    if os.geteuid() != 0 or shutil.which("strace") is None:
        pytest.skip("cannot let system calls of others fail here (needs root and strace)")
    record.write_text("")
    tracer = subprocess.Popen(
        ["strace", "-f", "-y", "-o", record, "-e", f"trace={call}", "-e", f"inject={call}:error=EIO", "-P", file,
         "-p", str(process.pid)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_until("it is traced", lambda: f"TracerPid:\t{tracer.pid}" in Path(f"/proc/{process.pid}/status").read_text())
        yield FailingDisk(record)
    finally:
        tracer.terminate()
        tracer.wait(10)
