"""Act as somebody who has taken a process over: make its own thread perform system calls of our choice.

`Attacker(pid)` stops the process with ptrace, points its main thread at a `syscall` instruction, steps over it and
reads the result; the kernel treats the call as the process's own, with its user, namespaces, Landlock domain and
seccomp filter. Everything is put back before the process goes on. x86-64 Linux; needs the right to trace (root).
"""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import signal
import struct
import time
from types import TracebackType

SUPPORTED = platform.system() == "Linux" and platform.machine() == "x86_64"

# Linux x86-64, <asm/unistd_64.h>.
NUMBERS = {
    "read": 0, "write": 1, "close": 3, "lseek": 8, "mmap": 9, "mprotect": 10, "munmap": 11, "ioctl": 16, "pipe": 22, "dup2": 33,
    "getpid": 39, "sendfile": 40, "socket": 41, "connect": 42, "accept": 43, "sendto": 44, "sendmsg": 46, "shutdown": 48,
    "bind": 49, "listen": 50, "socketpair": 53, "setsockopt": 54, "clone": 56, "fork": 57, "vfork": 58, "execve": 59,
    "kill": 62, "fcntl": 72, "chdir": 80, "fchdir": 81, "rename": 82, "mkdir": 83, "link": 86, "unlink": 87,
    "symlink": 88, "ptrace": 101, "getuid": 102, "syslog": 103, "setuid": 105, "mknod": 133, "personality": 135,
    "pivot_root": 155, "prctl": 157, "chroot": 161, "mount": 165, "umount2": 166, "reboot": 169, "init_module": 175,
    "tkill": 200, "io_setup": 206, "add_key": 248, "keyctl": 250, "tgkill": 234, "openat": 257, "unlinkat": 263,
    "unshare": 272, "perf_event_open": 298, "name_to_handle_at": 303, "open_by_handle_at": 304, "prlimit64": 302,
    "setns": 308, "process_vm_readv": 310, "process_vm_writev": 311, "kcmp": 312, "finit_module": 313, "seccomp": 317,
    "memfd_create": 319, "kexec_file_load": 320, "bpf": 321, "execveat": 322, "userfaultfd": 323, "pkey_mprotect": 329,
    "pidfd_send_signal": 424, "io_uring_setup": 425, "open_tree": 428, "move_mount": 429, "fsopen": 430,
    "pidfd_open": 434, "clone3": 435, "openat2": 437, "pidfd_getfd": 438, "process_madvise": 440,
    "landlock_create_ruleset": 444, "memfd_secret": 447,
}  # fmt: skip

AT_FDCWD = -100
AT_EMPTY_PATH = 0x1000

_PTRACE_GETREGS = 12
_PTRACE_SETREGS = 13
_PTRACE_SINGLESTEP = 9
_PTRACE_DETACH = 17
_PTRACE_SEIZE = 0x4206
_PTRACE_INTERRUPT = 0x4207
_WALL = 0x40000000
_SYSCALL_INSTRUCTION = b"\x0f\x05"
_RED_ZONE = 128
_SCRATCH_BYTES = 4096
_STOP_SECONDS_MAX = 5.0
_NO_SYSCALL = 2**64 - 1  # orig_rax when no call is under way: nothing to restart


class _Registers(ctypes.Structure):
    """struct user_regs_struct of <sys/user.h>."""

    _fields_ = [
        (name, ctypes.c_ulonglong)
        for name in (
            "r15", "r14", "r13", "r12", "rbp", "rbx", "r11", "r10", "r9", "r8", "rax", "rcx", "rdx", "rsi", "rdi",
            "orig_rax", "rip", "cs", "eflags", "rsp", "ss", "fs_base", "gs_base", "ds", "es", "fs", "gs",
        )
    ]  # fmt: skip


_libc = ctypes.CDLL(None, use_errno=True)
_libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
_libc.ptrace.restype = ctypes.c_long


def _ptrace(request: int, pid: int, data: object = None) -> None:
    if _libc.ptrace(request, pid, None, data) == -1:
        code = ctypes.get_errno()
        raise OSError(code, f"ptrace {request} of {pid}: {os.strerror(code)}")


class Attacker:
    """Use as `with Attacker(pid) as attacker: attacker.call("openat", AT_FDCWD, b"/etc/passwd", 0)`."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self._saved = _Registers()
        self._instruction = 0
        self._scratch = 0
        self._scratch_saved = b""

    def __enter__(self) -> Attacker:
        _ptrace(_PTRACE_SEIZE, self.pid)
        _ptrace(_PTRACE_INTERRUPT, self.pid)
        self._wait_for_stop()
        _ptrace(_PTRACE_GETREGS, self.pid, ctypes.byref(self._saved))
        self._instruction = self._find_instruction()
        self._scratch = (self._saved.rsp - _RED_ZONE - _SCRATCH_BYTES) & ~15
        self._scratch_saved = self._peek(self._scratch, _SCRATCH_BYTES)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        try:
            self._poke(self._scratch, self._scratch_saved)
            # With the call that we interrupted as it was, the kernel starts it again.
            _ptrace(_PTRACE_SETREGS, self.pid, ctypes.byref(self._saved))
            _ptrace(_PTRACE_DETACH, self.pid)
        except OSError as gone:
            if gone.errno not in (errno.ESRCH, errno.EIO):  # the process ended under the attack
                raise

    def call(self, name: str, *arguments: int | bytes) -> int:
        """The raw result: zero or more, or minus an errno value. Bytes are placed in the process's memory."""
        values = []
        place = self._scratch
        for argument in arguments:
            if isinstance(argument, bytes):
                self._poke(place, argument + b"\0")
                values.append(place)
                place += (len(argument) + 16) & ~15
                assert place <= self._scratch + _SCRATCH_BYTES
            else:
                values.append(argument & (2**64 - 1))
        values += [0] * (6 - len(values))
        registers = _Registers.from_buffer_copy(self._saved)
        registers.rax = NUMBERS[name]
        registers.orig_rax = _NO_SYSCALL
        registers.rip = self._instruction
        registers.rdi, registers.rsi, registers.rdx, registers.r10, registers.r8, registers.r9 = values
        _ptrace(_PTRACE_SETREGS, self.pid, ctypes.byref(registers))
        _ptrace(_PTRACE_SINGLESTEP, self.pid)
        self._wait_for_stop()
        _ptrace(_PTRACE_GETREGS, self.pid, ctypes.byref(registers))
        result: int = ctypes.c_longlong(registers.rax).value
        return result

    def pointers(self, *values: int) -> bytes:
        """An array of pointers, for a call that takes one."""
        return struct.pack(f"<{len(values)}Q", *values)

    @property
    def stack(self) -> int:
        """An address that the process can read and write."""
        return self._scratch

    def _wait_for_stop(self) -> None:
        deadline = time.monotonic() + _STOP_SECONDS_MAX
        while True:
            pid, status = os.waitpid(self.pid, os.WNOHANG | _WALL)
            if pid == self.pid:
                break
            if time.monotonic() > deadline:
                raise TimeoutError(f"process {self.pid} does not stop: the injected call blocks")
            time.sleep(0.0005)
        if not os.WIFSTOPPED(status):
            raise ProcessLookupError(errno.ESRCH, f"process {self.pid} ended under the attack (status {status:#x})")
        if os.WSTOPSIG(status) not in (signal.SIGTRAP, signal.SIGSTOP):
            raise RuntimeError(f"process {self.pid} got signal {os.WSTOPSIG(status)} under the attack")

    def _find_instruction(self) -> int:
        """Where a `syscall` instruction lies: behind us when we interrupted a call, else anywhere in the C library."""
        before: int = self._saved.rip - 2
        if self._peek(before, 2) == _SYSCALL_INSTRUCTION:
            return before
        with open(f"/proc/{self.pid}/maps", encoding="ascii", errors="replace") as maps:
            executable = [line.split()[0] for line in maps if " r-xp " in line]
        for area in executable:
            begin, end = (int(part, 16) for part in area.split("-"))
            try:
                found = self._peek(begin, end - begin).find(_SYSCALL_INSTRUCTION)
            except OSError:
                continue
            if found >= 0:
                return begin + found
        raise RuntimeError(f"no system call instruction in process {self.pid}")

    def _peek(self, address: int, length: int) -> bytes:
        with open(f"/proc/{self.pid}/mem", "rb", buffering=0) as memory:
            memory.seek(address)
            return memory.read(length)

    def _poke(self, address: int, data: bytes) -> None:
        with open(f"/proc/{self.pid}/mem", "wb", buffering=0) as memory:
            memory.seek(address)
            memory.write(data)
