#!/usr/bin/env python3
"""Measurements of a fresh installation beside two peers, on one core, with the load on another.

    bench/run.py --bin build/release/bin [--rounds 5] [--seconds 4]

CPU is user and system time of public edge and host together, divided by answered calls; figures are medians of
interleaved runs. Prints a table with each goal and writes bench/results.json.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from bench import executors, full_queue, reexecution, translation, upload, where  # noqa: E402
from bench.measure import SERVER_CORE, Load, Sample, interleave, machine, median, pin, pss_megabytes, wrk_words  # noqa: E402
from chain.chain import Adapter, Node  # noqa: E402
from chain.gas import GAS_MAX, measure_gas  # noqa: E402
from system.installation import Installation, free_ports, running  # noqa: E402
from system.models import Models, make_models  # noqa: E402

LEARNERS = 64
IDLE_CONNECTIONS = 10_000


@dataclass
class Figure:
    """One line of the table."""

    what: str
    value: float | None
    unit: str
    goal: float | None = None
    at_least: bool = False
    note: str = ""

    @property
    def verdict(self) -> str:
        if self.value is None:
            return "not measured"
        if self.goal is None:
            return ""
        return "reached" if (self.value >= self.goal if self.at_least else self.value <= self.goal) else "MISSED"


@dataclass
class Bench:
    programs: Path
    folder: Path
    models: Models
    rounds: int
    seconds: float
    figures: list[Figure] = field(default_factory=list)
    load_before: float = field(default_factory=lambda: os.getloadavg()[0])

    def add(self, what: str, value: float | None, unit: str, goal: float | None = None, **more: Any) -> None:
        self.figures.append(Figure(what, value, unit, goal, **more))


def say(text: str) -> None:
    print(text, flush=True)


# ---- requests ----


def write_requests(path: Path, port: int, model: str, tokens: list[str], models: Models, binary: bool) -> Path:
    """Whole requests for wrk, one per token, with different images."""
    with path.open("wb") as file:
        for n, token in enumerate(tokens):
            pixels = models.pixels[n % len(models.pixels)]
            if binary:
                tensor = {"name": "pixels", "shape": [1, 64], "datatype": "FP32", "parameters": {"binary_data_size": 256}}
                head = json.dumps({"inputs": [tensor], "parameters": {"binary_data_output": True}}, separators=(",", ":")).encode()
                body = head + struct.pack("<64f", *pixels)
                more = f"Inference-Header-Content-Length: {len(head)}\r\n"
            else:
                # Sixteenths, as the images have: 348 bytes or so, like the prototype's.
                data = [int(p) if p == int(p) else round(float(p), 4) for p in pixels]
                tensor = {"name": "pixels", "shape": [1, 64], "datatype": "FP32", "data": data}
                body = json.dumps({"inputs": [tensor]}, separators=(",", ":")).encode()
                more = "Content-Type: application/json\r\n"
            request = (f"POST /v2/models/{model}/infer HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nAuthorization: Bearer {token}\r\n"
                       f"{more}Content-Length: {len(body)}\r\n\r\n").encode() + body
            file.write(f"{len(request)} ".encode() + request)
    return path


# ---- what is measured ----


def measure_idle_memory(bench: Bench) -> None:
    """Empty tables first; the host after a restart, when it has a model to serve but has not loaded it."""
    say("\nidle memory: empty tables")
    empty = bench.folder / "empty"
    empty.mkdir()
    with running(bench.programs, empty) as glasscase:
        time.sleep(1)
        edges = [pss_megabytes(p.pid) for p in glasscase.processes("glasscase-edge")]
        bench.add("idle PSS, custodian", pss_megabytes(one(glasscase, "glasscase-custodian")), "MB", 40)
        bench.add("idle PSS, edge (the larger of two)", max(edges), "MB", 25)
        bench.add("idle PSS, supervisor", pss_megabytes(one(glasscase, "glasscased")), "MB", 5)
        glasscase.publish(bench.models.digits, "digits")
        glasscase.restart()
        time.sleep(1)
        hosts = [pss_megabytes(p.pid) for p in glasscase.processes("glasscase-host")]
        bench.add("idle PSS, host without loaded models", max(hosts) if hosts else None, "MB", 60)


def one(glasscase: Installation, name: str) -> int:
    (process,) = glasscase.processes(name)
    return process.pid


def public_edge(glasscase: Installation) -> int:
    for process in glasscase.cli("status", json=True)["processes"]:
        if process["process"] == "public edge":
            return int(process["pid"])
    raise AssertionError("status names no public edge")


def measure_calls(bench: Bench, glasscase: Installation, stack: ExitStack) -> dict[str, list[Sample]]:
    """The calls, beside the peers in turn; where a goal is missed, where the time goes."""
    say("\ncalls: 64-96-48-10, one core for the server, one for the load")
    model = glasscase.publish(bench.models.digits, "digits")["model"]["name"]
    tokens = [glasscase.learner(f"learner-{n}", model, quota="1000000000/min") for n in range(LEARNERS)]
    assert glasscase.infer(model, bench.models.digit_body(), tokens[0]).json()["outputs"][0]["data"] == [bench.models.labels[0]]
    pids = (public_edge(glasscase), one(glasscase, "glasscase-host"))
    for pid in pids:
        pin(pid, SERVER_CORE)
    path = model.replace("/", "%2F")
    text = write_requests(bench.folder / "json", glasscase.ports[0], path, tokens, bench.models, binary=False)
    raw = write_requests(bench.folder / "binary", glasscase.ports[0], path, tokens, bench.models, binary=True)
    loads = [Load(f"JSON, {c} connections", glasscase.url, text, c, pids) for c in (64, 16, 1)]
    loads += [Load("binary, 64 connections", glasscase.url, raw, 64, pids)]
    peers = [start_fastapi(bench, tokens, stack), start_nginx(bench, tokens, stack)]
    samples = interleave([*loads, *peers], bench.rounds, bench.seconds)
    add_call_figures(bench, samples)
    print_where_time_goes(bench, loads)
    return samples


def add_call_figures(bench: Bench, samples: dict[str, list[Sample]]) -> None:
    def cpu(name: str) -> float:
        return median(s.cpu_us for s in samples[name])

    bench.add("CPU per call, JSON, 64 connections", cpu("JSON, 64 connections"), "µs", 20)
    bench.add("CPU per call, JSON, 16 connections", cpu("JSON, 16 connections"), "µs", 20)
    bench.add("requests per second on one core, JSON, 64 connections", median(s.per_second for s in samples["JSON, 64 connections"]), "/s", 50_000, at_least=True)
    bench.add("CPU per call, binary tensors, 64 connections", cpu("binary, 64 connections"), "µs", 16)
    bench.add("one call at a time, client to client, p50", median(s.p50_us for s in samples["JSON, 1 connections"]), "µs", 80)
    bench.add("CPU per call, JSON, one at a time", cpu("JSON, 1 connections"), "µs")
    bench.add("p99, JSON, 64 connections", median(s.p99_us for s in samples["JSON, 64 connections"]), "µs")
    for name in ("FastAPI + uvicorn + onnxruntime", "nginx, a constant"):
        bench.add(f"peer: CPU per call, {name}", cpu(name), "µs")
        bench.add(f"peer: requests per second, {name}", median(s.per_second for s in samples[name]), "/s")


def print_where_time_goes(bench: Bench, loads: list[Load]) -> None:
    """When a goal of the calls is missed: functions of both processes, under the load of that goal."""
    missed = [f.what for f in bench.figures if f.verdict == "MISSED"]
    for load in loads:
        if not any(load.name.split(",")[0] in what for what in missed) or load.connections != 64:
            continue
        say(f"\nwhere the time goes: {load.name}")
        for process, pid in zip(("public edge", "host"), load.pids, strict=True):
            with subprocess.Popen(wrk_words(load, 60), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as wrk:
                say(f"  {process}\n{where.table(pid)}")
                wrk.terminate()


def start_fastapi(bench: Bench, tokens: list[str], stack: ExitStack) -> Load:
    (port,) = free_ports(1)
    (bench.folder / "tokens").write_text("\n".join(tokens))
    process = start(
        stack, [sys.executable, "-m", "uvicorn", "--app-dir", str(ROOT / "bench" / "peers"), "fastapi_app:app", "--no-access-log",
                "--log-level", "warning", "--port", str(port)],
        BENCH_MODEL=str(bench.models.digits), BENCH_TOKENS=str(bench.folder / "tokens"))
    wait_for_port(port)
    pin(process.pid, SERVER_CORE)
    requests = write_requests(bench.folder / "fastapi", port, "digits", tokens, bench.models, binary=False)
    return Load("FastAPI + uvicorn + onnxruntime", f"http://127.0.0.1:{port}", requests, 64, (process.pid,))


def start_nginx(bench: Bench, tokens: list[str], stack: ExitStack) -> Load:
    (port,) = free_ports(1)
    settings = (ROOT / "bench" / "peers" / "nginx.conf").read_text()
    path = bench.folder / "nginx.conf"
    path.write_text(settings.replace("FOLDER", str(bench.folder)).replace("PORT", str(port)))
    program = shutil.which("nginx") or "/usr/sbin/nginx"
    process = start(stack, [program, "-c", str(path), "-e", str(bench.folder / "nginx.log")])
    wait_for_port(port)
    workers = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    pids = tuple(int(pid) for pid in workers)
    for pid in pids:
        pin(pid, SERVER_CORE)
    requests = write_requests(bench.folder / "nginx-requests", port, "digits", tokens, bench.models, binary=False)
    return Load("nginx, a constant", f"http://127.0.0.1:{port}", requests, 64, pids)


def start(stack: ExitStack, words: list[str], **environment: str) -> subprocess.Popen[bytes]:
    process = subprocess.Popen(words, env=os.environ | environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def end() -> None:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    stack.callback(end)
    return process


def wait_for_port(port: int) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
            return
        except ConnectionRefusedError:
            time.sleep(0.05)
    raise AssertionError(f"nothing listens on port {port}")


def measure_revocation(bench: Bench, glasscase: Installation) -> None:
    say("\nrevocation: from catalog commit to the last acknowledgement")
    times = []
    for n in range(50):
        token = glasscase.request("POST", "/glasscase/v1/tokens", control=True, json={"subject": "learner-0"}).json()
        answer = glasscase.request("DELETE", f"/glasscase/v1/tokens/{token['id']}", control=True).json()
        times.append(float(answer["acknowledged_ms"]))
        assert glasscase.request("GET", "/v2", token["token"]).status_code == 401, n
    bench.add("revocation, commit to last acknowledgement, median of 50", median(times), "ms", 5, note=f"longest {max(times):.2f} ms")


def measure_idle_connections(bench: Bench, glasscase: Installation) -> None:
    say(f"\n{IDLE_CONNECTIONS} idle connections")
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, IDLE_CONNECTIONS + 1000), hard))
    edge = public_edge(glasscase)
    before = pss_megabytes(edge)
    connections: list[socket.socket] = []
    request = f"GET /v2 HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {glasscase.owner_token}\r\n\r\n".encode()
    try:
        for _ in range(IDLE_CONNECTIONS):
            connection = socket.create_connection(("127.0.0.1", glasscase.ports[0]))
            connection.sendall(request)
            assert connection.recv(4096).startswith(b"HTTP/1.1 200")
            connections.append(connection)
        bench.add(f"{IDLE_CONNECTIONS} idle connections, more in the edge", pss_megabytes(edge) - before, "MB", 100)
    except OSError as error:
        bench.add(f"{IDLE_CONNECTIONS} idle connections, more in the edge", None, "MB", 100, note=f"only {len(connections)}: {error}")
    finally:
        for connection in connections:
            connection.close()


def measure_decision(bench: Bench) -> Any:
    """A program of its own, which loads 100,000 tokens and 10,000 grants."""
    program = bench.programs / "decision_bench"
    goal = 0.6 if machine()["sha_instructions"] else 1.5
    if not program.exists():
        bench.add("each decision, 100,000 tokens and 10,000 grants", None, "µs", goal, note=f"{program.name} is not built")
        return None
    say("\ndecisions")
    result = json.loads(subprocess.run([program], capture_output=True, text=True, check=True).stdout.strip().splitlines()[-1])
    for name, value in result.items():
        if isinstance(value, (int, float)) and (name.endswith("_us") or name.endswith("_ns")):
            bench.add(f"decision: {name[:-3].replace('_', ' ')}", value / (1000 if name.endswith("_ns") else 1), "µs", goal)
    return result


def measure_ledger(bench: Bench) -> Any:
    """A program of its own: entries over SQLite and a folder, receipts, the work of fsck on the log's files."""
    program = bench.programs / "ledger_bench"
    if not program.exists():
        bench.add("ledger entries published", None, "1/s", 50_000, at_least=True, note=f"{program.name} is not built")
        return None
    say("\nledger")
    # On a real disk: the temporary folder may be memory.
    with tempfile.TemporaryDirectory(prefix="glasscase-ledger-", dir=ROOT / "build") as folder:
        run = subprocess.run([program, Path(folder) / "data", "200000"], capture_output=True, text=True, check=True)
    result = json.loads(run.stdout)
    bench.add("ledger entries made durable and published, batches of 100", result["published_per_s_batches_of_100"], "1/s", 50_000, at_least=True)
    bench.add("ledger entries made durable and published, batches of 1,000", result["published_per_s_batches_of_1000"], "1/s", 100_000, at_least=True)
    bench.add("proof hashes at 10^9 entries", result["proof_bytes_at_1e9"], "B", 960)
    bench.add("whole receipt at 10^9 entries", result["receipt_bytes_at_1e9"], "B", 2_048)
    bench.add("verify a receipt, beyond its Ed25519 signature", result["verify_us"] - result["ed25519_verify_us"], "µs", 50)
    bench.add("receipt ready at 1,000 entries/s, p99", result["receipt_ready_ms_p99"], "ms", 50)
    result["fsck"] = measure_fsck(bench)
    return result


def measure_fsck(bench: Bench) -> Any:
    """The whole command over a directory of a million entries: 100,000 assets with three versions and six grants each."""
    entries = 1_000_000
    say(f"fsck (filling a directory with {entries:,} entries takes a while)")
    with tempfile.TemporaryDirectory(prefix="glasscase-fsck-", dir=ROOT / "build") as folder:
        installation = Installation(bench.programs, Path(folder)).init()
        subprocess.run([bench.programs / "fill_directory", installation.data, str(entries)], check=True)
        begin = time.monotonic()
        done = installation.cli("fsck", "--data", str(installation.data))
        seconds = time.monotonic() - begin
    bench.add("fsck of 1,000,000 entries", seconds, "s", 15)
    return {"seconds": seconds, "said": done.stdout.strip()}


def measure_upload(bench: Bench) -> Any:
    say("\nupload of 1 GiB over loopback")
    # On a real disk: the temporary folder may be memory.
    with tempfile.TemporaryDirectory(prefix="glasscase-upload-", dir=ROOT / "build") as name, running(bench.programs, Path(name)) as glasscase:
        result = upload.measure(glasscase, Path(name), bench.rounds)
    bench.add("upload 1 GiB, durable and digested, of the slower of the two below", 100 * result.share, "%", 70, at_least=True)
    bench.add("upload 1 GiB, durable and digested", result.rate(result.upload_s), "MB/s")
    bench.add("SHA-256 alone", result.rate(result.digest_s), "MB/s")
    bench.add("write and fsync alone", result.rate(result.write_s), "MB/s")
    bench.add("upload 1 GiB, PSS of the custodian, peak", result.custodian_pss_mb, "MB", 64)
    bench.add("upload 1 GiB, CPU of the custodian", result.custodian_cpu_s, "s")
    bench.add("upload 1 GiB, CPU of the control edge", result.edge_cpu_s, "s")
    return asdict(result)


def load_of_calls(bench: Bench, name: str, glasscase: Installation) -> Load:
    """JSON calls of 64 connections to the digits model, which is published for it."""
    model = glasscase.publish(bench.models.digits, "digits")["model"]["name"]
    tokens = [glasscase.learner(f"learner-{n}", model, quota="1000000000/min") for n in range(LEARNERS)]
    pids = (public_edge(glasscase), one(glasscase, "glasscase-host"))
    for pid in pids:
        pin(pid, SERVER_CORE)
    requests = write_requests(glasscase.folder / "calls", glasscase.ports[0], model.replace("/", "%2F"), tokens, bench.models, binary=False)
    return Load(name, glasscase.url, requests, 64, pids)


def measure_chain(bench: Bench) -> Any:
    """What each act costs, on a real node."""
    say("\ngas")
    node = Node().start()
    try:
        adapter = Adapter(node.url).deploy()
        used = measure_gas(node, adapter)
        adapter.close()
    finally:
        node.stop()
    for what, gas in used.items():
        bench.add(f"gas: {what}", gas, "", GAS_MAX[what])
    return used


def measure_queue(bench: Bench, pairs: int = full_queue.PAIRS) -> Any:
    """Runs submitted in batches, and what a full queue costs those who call models."""
    say("\nthe queue of runs")
    # On a real disk: the temporary folder may be memory.
    with tempfile.TemporaryDirectory(prefix="glasscase-queue-", dir=ROOT / "build") as name:
        submitted, beside = full_queue.measure(
            bench.programs, Path(name), lambda what, glasscase: load_of_calls(bench, what, glasscase), pairs)
    bench.add("runs submitted durably over HTTP, batches of 1,000 seeds", submitted.by_seeds, "1/s", 2_000, at_least=True)
    bench.add("runs submitted durably over HTTP, batches of 1,000 recipes", submitted.by_recipes, "1/s", 2_000, at_least=True)
    bench.add("runs submitted durably over HTTP, batches of 100 seeds", submitted.by_hundreds, "1/s", 2_000, at_least=True,
              note=f"longest request {1000 * submitted.longest_seconds:.0f} ms")
    low, high = beside.quartiles_of_share
    bench.add("calls beside 10,000 queued runs, of those without", beside.share, "%", 97, at_least=True,
              note=f"{low:.1f} to {high:.1f} of the middle half of {pairs} pairs")
    bench.add("of one processor, 10,000 runs queued and one running", beside.quiet_share, "%")
    bench.add("CPU per call beside 10,000 queued runs", beside.full_cpu_us, "µs", note=f"{beside.empty_cpu_us:.2f} µs without")
    return {"submitted": asdict(submitted), "beside": asdict(beside)}


def measure_search(bench: Bench) -> Any:
    """Search among 100,000 assets, one figure per kind of query."""
    program = bench.programs / "catalog_bench"
    if not program.exists():
        bench.add("catalog search among 100,000 assets, p99", None, "ms", 5, note=f"{program.name} is not built")
        return {}
    say("\nsearch")
    with tempfile.TemporaryDirectory(prefix="glasscase-search-", dir=ROOT / "build") as folder:
        run = subprocess.run([program, Path(folder) / "data", "100000"], capture_output=True, text=True, check=True)
    result = json.loads(run.stdout)
    for kind, times in result["kinds"].items():
        bench.add(f"search among 100,000 assets, p99: {kind}", times["p99_ms"], "ms", 5)
    return result


def measure_translation(bench: Bench) -> Any:
    """A model of 1,000 trees and a million nodes and more; onnxmltools, the usual converter, beside it."""
    if not all((translation.RUNNERS / library).exists() for library in translation.FILES):
        bench.add("native translation of 1,000 trees", None, "s", 3, note="run tools/runners")
        return {}
    say("\nnative translation (trains two models first, some minutes)")
    result = translation.measure(bench.programs)
    size, leaves = result["size"], result["leaves"]
    for kind, native in size["native"].items():
        nodes = f"{size['nodes']:,} nodes, {kind}"
        bench.add(f"native translation of 1,000 trees, {nodes}", native["seconds"], "s", 3)
        bench.add(f"native translation, peak memory by the file's size, {kind}", native["peak_bytes"] / native["file_bytes"], "x", 6)
    bench.add("the same by onnxmltools", size["onnxmltools"]["seconds"], "s")
    bench.add("native translation with its evidence", size["with_evidence_seconds"], "s")
    bench.add(f"other leaves than XGBoost's in {leaves['leaves_compared']:,}", leaves["other_leaves"], "", 0)
    bench.add("sums beside XGBoost's", leaves["largest_ulps"], "ulp", 4)
    for library, other in result["others"].items():
        bench.add(f"other leaves than those of {library} in {other['leaves_compared']:,}", other["other_leaves"], "", 0)
        bench.add(f"sums beside those of {library}", other["largest_ulps"], "ulp", 4)
    return result


def measure_reexecution(bench: Bench) -> Any:
    """The class that `runs verify` gives each training example, with pins and without; and whether other pins give the same."""
    if not reexecution.is_ready():
        bench.add("re-execution: examples of class B with pins", None, "", 5, at_least=True, note="run tools/runners")
        return {}
    say("\nre-execution class")
    table = reexecution.measure(bench.programs)
    say(reexecution.text(table))
    bench.add("re-execution: examples of class B with pins", sum(map(reexecution.repeats, table.values())), "", len(table), at_least=True)
    return table


def measure_executors(bench: Bench) -> Any:
    """What it costs to begin and end a job, beyond what the program takes."""
    say("\nexecutors of jobs")
    result = executors.measure(bench.programs)
    for name, goal in (("bubblewrap", 60), ("podman", 1_500), ("slurm", None)):
        cost = result[name]
        if cost is None:
            bench.add(f"a job beyond its program: {name}", None, "ms", goal, note="not installed")
            continue
        bench.add(f"a job beyond its program: {name}", cost["wall_ms"] - cost["bare_wall_ms"], "ms", goal)
        if name != "slurm":  # its CPU is the cluster's
            bench.add(f"its CPU: {name}", cost["cpu_ms"] - cost["bare_cpu_ms"], "ms")
    return result


# ---- the table ----


def print_table(bench: Bench) -> None:
    computer = machine()
    say(f"\n{computer['processor']}, {computer['cores']} cores, Linux {computer['kernel']}, "
        f"{'with' if computer['sha_instructions'] else 'without'} SHA instructions\n")
    width = max(len(f.what) for f in bench.figures)
    for f in bench.figures:
        value = "-" if f.value is None else f"{f.value:,.0f}" if abs(f.value) >= 1000 else f"{f.value:.2f}"
        goal = "" if f.goal is None else f"{'≥' if f.at_least else '≤'} {f.goal:,g}"
        say(f"{f.what:{width}}  {value:>10} {f.unit:3} {goal:>10}  {f.verdict:12} {f.note}".rstrip())
    measured = [f for f in bench.figures if f.goal is not None]
    reached = [f for f in measured if f.verdict == "reached"]
    say(f"\n{len(reached)} of {len(measured)} goals reached")
    if bench.load_before > 0.5:
        say(f"other work shared this machine (load average {bench.load_before:.1f} before the start): times are longer than they need be")


def write_results(bench: Bench, samples: dict[str, list[Sample]], programs: dict[str, Any]) -> None:
    results = {
        "machine": machine(), "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), "rounds": bench.rounds, "seconds": bench.seconds,
        "figures": [asdict(f) | {"verdict": f.verdict} for f in bench.figures],
        "samples": {name: [asdict(s) for s in runs] for name, runs in samples.items()}, **programs,
    }
    path = ROOT / "bench" / "results.json"
    path.write_text(json.dumps(results, indent=1) + "\n")
    say(f"written to {path.relative_to(ROOT)}")


def end_on_signal(number: int, _frame: FrameType | None) -> None:
    raise SystemExit(128 + number)


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--bin", type=Path, default=ROOT / "build" / "release" / "bin", help="where the programs lie")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=4, help="of each run")
    words = parser.parse_args()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, end_on_signal)
    if (os.cpu_count() or 1) < 2:
        parser.error("two cores are needed: one for the server, one for the load")
    samples: dict[str, list[Sample]] = {}
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="glasscase-bench-")))
        bench = Bench(words.bin.resolve(), folder, make_models(), words.rounds, words.seconds)
        measure_idle_memory(bench)
        (folder / "run").mkdir()
        glasscase = stack.enter_context(running(bench.programs, folder / "run"))
        samples = measure_calls(bench, glasscase, stack)
        measure_revocation(bench, glasscase)
        measure_idle_connections(bench, glasscase)
        decision = measure_decision(bench)
        ledger = measure_ledger(bench)
        search = measure_search(bench)
    gas = measure_chain(bench)
    queue = measure_queue(bench)
    uploaded = measure_upload(bench)
    translated = measure_translation(bench)
    reexecuted = measure_reexecution(bench)
    executed = measure_executors(bench)
    print_table(bench)
    more = {"decision": decision, "ledger": ledger, "search": search, "gas": gas, "queue": queue, "upload": uploaded, "translation": translated,
            "reexecution": reexecuted, "executors": executed}
    write_results(bench, samples, more)
    return 0


if __name__ == "__main__":
    sys.exit(main())
