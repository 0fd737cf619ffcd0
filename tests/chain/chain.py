"""A real node (anvil) and the chain adapter, driven line by line; the test plays the custodian's outbox."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
import uuid
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
NODE_MODULES = ROOT / ".deps" / "chain" / "node_modules"
ANVIL = NODE_MODULES / "@foundry-rs" / "anvil-linux-amd64" / "bin" / "anvil"
TOOL = Path(os.environ.get("GLASSCASE_BIN", ROOT / "build" / "release" / "bin")) / "evm_tool"

# The first two accounts that anvil gives money to; their keys are published with it.
KEY = "ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80"
ACCOUNT = "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266"
OTHER_KEY = "59c6995e998f97a5a0044966f0945389dc9e86dae88c7a8412f4603b6b78690d"
OTHER_ACCOUNT = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8"
POOR_KEY = "11" * 32
POOR_ACCOUNT = "0x19E7E376E7C213B7E7e7e46cc70A5dD086DAff2A"

CHAIN_ID = 31337
ORIGIN = "log.example/asset-registry"
FULL = "ff" * 32
FULL_ID = "ffffffff-ffff-ffff-ffff-ffffffffffff"

Json = dict[str, Any]


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


class NodeRefused(Exception):
    """An error of the node."""

    def __init__(self, error: Json) -> None:
        super().__init__(error["message"])
        self.data: Any = error.get("data")


@dataclass
class Node:
    """anvil, with blocks made as transactions come unless `words` say otherwise."""

    words: tuple[str, ...] = ()
    port: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> Node:
        assert ANVIL.is_file(), f"{ANVIL} is not there: run tools/bootstrap"
        self.process = subprocess.Popen(
            [ANVIL, "--port", str(self.port), "--silent", *self.words], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL
        )
        deadline = time.monotonic() + 30
        while True:
            try:
                self.ask("eth_chainId")
                return self
            except (urllib.error.URLError, ConnectionError):
                assert self.process.poll() is None, "anvil ended"
                assert time.monotonic() < deadline, "anvil does not answer"
                time.sleep(0.02)

    def stop(self, how: signal.Signals = signal.SIGKILL) -> None:
        if self.process is not None:
            self.process.send_signal(how)
            self.process.wait(30)
            self.process = None

    def ask(self, method: str, *parameters: Any) -> Any:
        body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": parameters}).encode()
        request = urllib.request.Request(self.url, body, {"Content-Type": "application/json"})
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=20) as answer:
            parsed: Json = json.load(answer)
        if "error" in parsed:
            raise NodeRefused(parsed["error"])
        return parsed["result"]

    def mine(self, blocks: int = 1) -> None:
        self.ask("anvil_mine", hex(blocks))

    def receipt(self, transaction: str) -> Json:
        """Waits for it: a transaction is in its block a moment after it was taken."""
        deadline = time.monotonic() + 20
        while (receipt := self.ask("eth_getTransactionReceipt", transaction)) is None:
            assert time.monotonic() < deadline, f"{transaction} is not mined"
            time.sleep(0.01)
        read: Json = receipt
        return read


class Refused(Exception):
    """An error of the adapter."""

    def __init__(self, error: Json) -> None:
        super().__init__(f"{error['code']}: {error['message']}")
        self.code: str = error["code"]
        self.message: str = error["message"]


class Adapter:
    """The adapter in a process of its own, configured for a node."""

    def __init__(self, url: str, **options: Any) -> None:
        assert TOOL.is_file(), f"{TOOL} is not built: run `make build`, or set GLASSCASE_BIN to where the programs are"
        self.options = {"url": url, "chain_id": CHAIN_ID, "key": KEY, "finality": "immediate"} | options
        self.process = self._start()

    def _start(self) -> subprocess.Popen[str]:
        # A proxy of the environment must not be asked.
        environment = os.environ | {"http_proxy": "http://127.0.0.1:1"}
        self.process = subprocess.Popen([TOOL], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment)
        self.do("configure", **self.options)
        return self.process

    def configure(self, **options: Any) -> None:
        self.options |= options
        self.do("configure", **self.options)

    def crash(self) -> None:
        """As a custodian that is killed: nothing is left but what the caller kept."""
        self.process.kill()
        self.process.wait()
        self._start()

    def close(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        assert self.process.wait(30) == 0

    def do(self, what: str, **order: Any) -> Json:
        assert self.process.stdin is not None and self.process.stdout is not None
        self.process.stdin.write(json.dumps({"do": what, **order}) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        assert line, f"the adapter ended while asked to {what}"
        answer: Json = json.loads(line)
        if "error" in answer:
            raise Refused(answer["error"])
        return answer

    # ---- acts ----

    def prepare(self, act: str, open_ones: list[str] | None = None, **members: Any) -> str:
        return str(self.do("prepare", act=act, open=open_ones or [], **members)["kept"])

    def submit(self, kept: str) -> None:
        self.do("submit", kept=kept)

    def poll(self, kept: str) -> Json:
        return self.do("poll", kept=kept)

    def write(self, kept: str) -> Json:
        """Submits and waits until nothing can change the outcome."""
        self.submit(kept)
        return self.finish(kept)

    def finish(self, kept: str) -> Json:
        deadline = time.monotonic() + 30
        while not (status := self.poll(kept))["final"]:
            assert time.monotonic() < deadline, status
            time.sleep(0.05)
        return status

    def checkpoint(self, size: int, root: str = "ab" * 32, open_ones: list[str] | None = None, **members: Any) -> str:
        return self.prepare("checkpoint", open_ones, origin=ORIGIN, size=size, root=root, **members)

    def record(self, asset: str, open_ones: list[str] | None = None, kind: int = 1, commitment: str = "cd" * 32) -> str:
        return self.prepare("record", open_ones, asset=asset, kind=kind, commitment=commitment, log_index=7)

    def last(self, **view: Any) -> Json:
        return self.do("last", origin=ORIGIN, **view)

    def deploy(self) -> Adapter:
        """Makes both contracts and configures their addresses."""
        anchor = self.write(self.do("make_anchor", origin=ORIGIN)["kept"])
        registry = self.write(self.do("make_registry")["kept"])
        assert anchor["state"] == registry["state"] == "mined"
        self.configure(anchor=anchor["contract"], registry=registry["contract"])
        return self


def some_id() -> str:
    return str(uuid.uuid4())
