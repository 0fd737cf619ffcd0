"""Where a process spends its time, by function: stacks taken at random moments under load.

callgrind cannot follow confined processes (it would have to be allowed their every system call), so a debugger looks
from outside. It needs the right to trace them: root, as `make bench` in a container or on a test machine has it.
"""

from __future__ import annotations

import re
import subprocess
import tempfile
from collections import Counter
from pathlib import Path

SAMPLER = """
import gdb, random, time
PID, SAMPLES = {pid}, {samples}
for _ in range(SAMPLES):
    gdb.execute("detach", to_string=True)
    time.sleep(random.uniform(0.005, 0.03))
    gdb.execute("attach %d" % PID, to_string=True)
    print("STACK", flush=True)
    for thread in gdb.selected_inferior().threads():
        thread.switch()
        frame, names = gdb.newest_frame(), []
        while frame is not None and len(names) < 40:
            names.append(frame.name() or "?")
            frame = frame.older()
        print("THREAD " + " <- ".join(names), flush=True)
"""
# Threads that wait are not where time goes.
WAITING = re.compile(r"[_A-Z]*(epoll_p?wait|futex|pthread_cond|poll|clock_nanosleep)")


def stacks(pid: int, samples: int) -> list[list[str]]:
    """Stacks of threads that were at work, innermost function first."""
    with tempfile.TemporaryDirectory() as folder:
        script = Path(folder) / "sampler.py"
        script.write_text(SAMPLER.format(pid=pid, samples=samples))
        done = subprocess.run(["gdb", "-nx", "-batch", "-p", str(pid), "-x", str(script)], capture_output=True, text=True, check=False)
    found = []
    for line in done.stdout.splitlines():
        names = line.removeprefix("THREAD ")
        if line.startswith("THREAD ") and not WAITING.match(names):
            found.append([re.sub(r"\(.*|<.*", "", name) for name in names.split(" <- ")])
    return found


def table(pid: int, samples: int = 150) -> str:
    """The functions in which, and below which, most stacks were found."""
    found = stacks(pid, samples)
    if not found:
        return "   (no stacks: the debugger may not trace this process, or it was idle)"
    own = Counter(names[0] for names in found)
    below = Counter(name for names in found for name in set(names))
    rows = [f"   {share / len(found):5.0%} in      {name}" for name, share in own.most_common(12)]
    rows += [f"   {share / len(found):5.0%} below   {name}" for name, share in below.most_common(25) if name not in dict(own.most_common(12))]
    return "\n".join(rows)
