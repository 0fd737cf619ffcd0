"""A machine of our own: Debian's kernel in QEMU, with a disk of what the tests need of this machine's programs."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
KERNEL = Path(os.environ.get("GLASSCASE_CGROUPS", ROOT / ".deps/cgroups")) / "kernel"
HERE = Path(__file__).resolve().parent

MODULES = ["virtio_ring", "virtio", "virtio_pci_modern_dev", "virtio_pci_legacy_dev", "virtio_pci", "virtio_blk", "overlay"]
PROGRAMS = """
    bash bwrap cat chmod cp dash dd echo env head hostname kill ls mkdir nproc prlimit pwd python3.11 rm seq setsid sleep sort stat
    tail touch tr true
""".split()
OF_PODMAN = "basename conmon dirname id ldd ln mktemp mount podman sed tar uniq".split()
LINKS = {"/bin": "usr/bin", "/sbin": "usr/sbin", "/lib": "usr/lib", "/lib64": "usr/lib64",
         "/usr/bin/sh": "dash", "/usr/bin/python3": "python3.11"}
FOLDERS = ["dev", "etc/alternatives", "home", "proc", "root", "run", "sys", "tests", "tmp", "usr/bin", "usr/sbin", "usr/lib", "usr/lib64", "var/tmp"]
NOT_OF_PYTHON = ["test", "idlelib", "tkinter", "lib2to3", "ensurepip", "distutils", "dist-packages", "config-*"]
PEOPLE = "root:x:0:0::/root:/bin/sh\nuser:x:1000:1000::/var/tmp:/bin/sh\n"


def libraries_of(programs: list[Path]) -> set[Path]:
    """What they are linked with, by the names that they look for."""
    found = set()
    for program in programs:
        said = subprocess.run(["ldd", program], capture_output=True, text=True, check=False).stdout
        assert "not found" not in said, f"{program}:\n{said}"
        for word in said.split():
            if word.startswith("/"):
                found.add(Path(word))
    return found


class Disk:
    """A folder that becomes the machine's disk."""

    def __init__(self, folder: Path) -> None:
        self.root = folder
        for below in FOLDERS:
            (folder / below).mkdir(parents=True, exist_ok=True)
        for link, target in LINKS.items():
            (folder / link.lstrip("/")).symlink_to(target)
        (folder / "etc/passwd").write_text(PEOPLE)
        (folder / "etc/group").write_text("root:x:0:\nuser:x:1000:\n")
        shutil.copytree("/usr/lib/python3.11", folder / "usr/lib/python3.11", ignore=shutil.ignore_patterns(*NOT_OF_PYTHON))
        self.add([Path("/usr/bin") / name for name in PROGRAMS], "/usr/bin")
        self.add([Path("/bin/busybox")], "/usr/bin")
        self.add_libraries(sorted((folder / "usr/lib/python3.11").rglob("*.so")))
        self.add([HERE / "inside.py"], "/tests")

    def add(self, files: list[Path], place: str) -> None:
        target = self.root / place.lstrip("/")
        target.mkdir(parents=True, exist_ok=True)
        for file in files:
            shutil.copy(file, target)
        self.add_libraries(files)

    def add_libraries(self, files: list[Path]) -> None:
        for library in libraries_of(files):
            if library.is_relative_to(self.root):
                continue
            real = "/usr" + str(library) if library.parts[1].startswith("lib") else str(library)
            target = self.root / real.lstrip("/")
            if not target.exists():
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(library, target)

    def add_installation(self, build: Path) -> None:
        place = self.root / "opt/glasscase"
        subprocess.run(["cmake", "--install", build, "--prefix", place], check=True, capture_output=True)
        programs = sorted((place / "bin").glob("glasscase*"))
        subprocess.run(["strip", "--strip-debug", *programs], check=True)
        self.add_libraries(programs)

    def add_podman(self, make_image: Path) -> None:
        self.add([Path("/usr/bin") / name for name in OF_PODMAN], "/usr/bin")
        self.add([Path("/usr/sbin/runc")], "/usr/sbin")
        self.add([make_image], "/tests")
        for folder in (Path("/etc/containers"), Path("/usr/share/containers")):
            if folder.is_dir():
                shutil.copytree(folder, self.root / str(folder).lstrip("/"))

    def add_runner(self, name: str) -> None:
        """One that is the machine's own Python."""
        folder = self.root / "tests/runners" / name
        (folder / "bin").mkdir(parents=True)
        (folder / "bin/python").symlink_to("/usr/bin/python3")
        (folder / "requirements.txt").write_text("none\n")

    def write_image(self, image: Path, mebibytes: int) -> None:
        subprocess.run(["/sbin/mke2fs", "-q", "-t", "ext4", "-E", "root_owner=0:0", "-d", self.root, image, f"{mebibytes}M"], check=True)


def write_initramfs(folder: Path, target: Path) -> None:
    (folder / "bin").mkdir(parents=True)
    (folder / "modules").mkdir()
    shutil.copy("/bin/busybox", folder / "bin/busybox")
    shutil.copy(HERE / "start", folder / "init")
    (folder / "init").chmod(0o755)
    for name in MODULES:
        shutil.copy(next(KERNEL.rglob(f"{name}.ko")), folder / "modules")
    names = "\n".join(str(path.relative_to(folder)) for path in [folder, *sorted(folder.rglob("*"))])
    with target.open("wb") as out:
        subprocess.run(["busybox", "cpio", "-o", "-H", "newc"], cwd=folder, input=names.encode(), stdout=out,
                       stderr=subprocess.DEVNULL, check=True)


def has_kvm() -> bool:
    """Not by /dev/kvm alone: there are hosts that run only guests made for them."""
    flags = set(Path("/proc/cpuinfo").read_text().split())
    return os.access("/dev/kvm", os.R_OK | os.W_OK) and bool(flags & {"vmx", "svm"})


def boot(image: Path, initramfs: Path, console: Path, limit_s: float, steps: str = "") -> None:
    """Until it turns itself off. Its processor is emulated where this machine has no KVM."""
    kernel = next((KERNEL / "boot").glob("vmlinuz-*"))
    words = [
        "qemu-system-x86_64", "-accel", "kvm" if has_kvm() else "tcg,thread=multi", "-cpu", "max", "-smp", "2", "-m", "1536",
        "-nodefaults", "-no-user-config", "-no-reboot", "-display", "none", "-serial", f"file:{console}",
        "-kernel", str(kernel), "-initrd", str(initramfs), "-append", f"console=ttyS0 quiet panic=-1 -- {steps}",
        "-drive", f"file={image},if=virtio,format=raw,snapshot=on"]
    done = subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=limit_s, check=False)
    assert done.returncode == 0, done.stderr
