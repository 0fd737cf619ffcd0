"""Calls of a model over HTTP, beside two peers: the servers on one core, the load on another."""

from __future__ import annotations

import json
import os
import shutil
import socket
import struct
import subprocess
import sys
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from bench import where
from bench.measure import SERVER_CORE, Load, Sample, interleave, median, pin, wrk_words
from bench.table import Bench, say
from system.installation import Installation, free_ports
from system.models import Models

ROOT = Path(__file__).resolve().parent.parent
LEARNERS = 64


# ---- requests and loads ----


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


def one(glasscase: Installation, name: str) -> int:
    (process,) = glasscase.processes(name)
    return process.pid


def public_edge(glasscase: Installation) -> int:
    for process in glasscase.cli("status", json=True)["processes"]:
        if process["process"] == "public edge":
            return int(process["pid"])
    raise AssertionError("status names no public edge")


@dataclass(frozen=True)
class Target:
    """The digits model, published, its learners, and the processes that answer them, on their core."""

    glasscase: Installation
    models: Models
    model: str
    tokens: list[str]
    pids: tuple[int, ...]

    def requests(self, path: Path, *, binary: bool) -> Path:
        return write_requests(path, self.glasscase.ports[0], self.model.replace("/", "%2F"), self.tokens, self.models, binary)


def publish_target(bench: Bench, glasscase: Installation) -> Target:
    model = glasscase.publish(bench.models.digits, "digits")["model"]["name"]
    tokens = [glasscase.learner(f"learner-{n}", model, quota="1000000000/min") for n in range(LEARNERS)]
    answer = glasscase.infer(model, bench.models.digit_body(), tokens[0]).json()
    assert answer["outputs"][0]["data"] == [bench.models.labels[0]]
    pids = (public_edge(glasscase), one(glasscase, "glasscase-host"))
    for pid in pids:
        pin(pid, SERVER_CORE)
    return Target(glasscase, bench.models, model, tokens, pids)


def load_of_calls(bench: Bench, name: str, glasscase: Installation) -> Load:
    """JSON calls of 64 connections to the digits model, which is published for it."""
    target = publish_target(bench, glasscase)
    return Load(name, glasscase.url, target.requests(glasscase.folder / "calls", binary=False), 64, target.pids)


# ---- Glasscase and its peers in turn ----


def measure_calls(bench: Bench, glasscase: Installation, stack: ExitStack) -> dict[str, list[Sample]]:
    """The calls, beside the peers in turn; where a goal is missed, where the time goes."""
    say("\ncalls: 64-96-48-10, one core for the server, one for the load")
    target = publish_target(bench, glasscase)
    text = target.requests(bench.folder / "json", binary=False)
    raw = target.requests(bench.folder / "binary", binary=True)
    loads = [Load(f"JSON, {c} connections", glasscase.url, text, c, target.pids) for c in (64, 16, 1)]
    loads += [Load("binary, 64 connections", glasscase.url, raw, 64, target.pids)]
    peers = [start_fastapi(bench, target.tokens, stack), start_nginx(bench, target.tokens, stack)]
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
