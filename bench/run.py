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
import signal
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from types import FrameType
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from bench import executors, full_queue, reexecution, translation, upload  # noqa: E402
from bench.calls import measure_calls, one, public_edge  # noqa: E402
from bench.measure import Sample, machine, median, pss_megabytes  # noqa: E402
from bench.table import Bench, print_table, say, write_results  # noqa: E402
from chain.chain import Adapter, Node  # noqa: E402
from chain.gas import GAS_MAX, measure_gas  # noqa: E402
from system.installation import Installation, running  # noqa: E402
from system.models import make_models  # noqa: E402

IDLE_CONNECTIONS = 10_000


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


def end_on_signal(number: int, _frame: FrameType | None) -> None:
    raise SystemExit(128 + number)


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--bin", type=Path, default=ROOT / "build" / "release" / "bin", help="where the programs lie")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=4, help="of each run of the calls")
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
    queue = full_queue.measure_queue(bench)
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
