"""A running installation writes to a real chain by itself: contracts, records, checkpoints."""

from __future__ import annotations

import json
import threading
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from chain.chain import ACCOUNT, CHAIN_ID, KEY, Node
from system.installation import Installation, wait_until
from system.models import Models


@pytest.fixture
def node(start_node: Callable[..., Node]) -> Node:
    """One that makes a block each second: a block can then become final."""
    return start_node("--block-time", "1")


def write_key(glasscase: Installation, name: str, text: str) -> None:
    key = glasscase.data / "keys" / name
    key.write_text(text)
    key.chmod(0o600)


def chain_init(glasscase: Installation, url: str, *words: str) -> Any:
    return glasscase.cli(
        "chain", "init", "--data", str(glasscase.data), "--url", url, "--chain-id", str(CHAIN_ID),
        "--finality", "1", "--every", "0", *words, check=False)


def on_chain(glasscase: Installation, url: str, *words: str) -> Installation:
    """Stops it, gives it the account that has funds, makes the contracts, starts it."""
    assert glasscase.stop() == 0
    write_key(glasscase, "chain.key", KEY)
    made = chain_init(glasscase, url, *words)
    assert made.returncode == 0, made.stderr
    assert ACCOUNT in made.stdout and "contract 0x" in made.stdout
    return glasscase.start()


def configure(glasscase: Installation, **members: Any) -> None:
    """Changes chain.json, as its operator would."""
    assert glasscase.stop() == 0
    path = glasscase.data / "chain.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | members))
    glasscase.start()


def chain_status(glasscase: Installation) -> dict[str, Any]:
    answer: dict[str, Any] = glasscase.cli("status", json=True)["chain"]
    return answer


class Guard(ThreadingHTTPServer):
    """Stands before a node as a hosted provider does: whoever has not the token is refused, and told what it sent."""

    def __init__(self, node: Node, token: str) -> None:
        self.refused = 0
        guard = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                given = self.headers["Authorization"]
                if given != f"Bearer {token}":
                    guard.refused += 1
                    error = {"code": -32000, "message": f"no such credential: {given}"}
                    return self.answer(401, json.dumps({"jsonrpc": "2.0", "id": None, "error": error}).encode())
                request = urllib.request.Request(node.url, body, {"Content-Type": "application/json"})
                with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=20) as answer:
                    self.answer(200, answer.read())

            def answer(self, status: int, body: bytes) -> None:
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: Any) -> None:
                pass

        super().__init__(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server_port}"


@contextmanager
def guarding(node: Node, token: str) -> Iterator[Guard]:
    with Guard(node, token) as guard:
        threading.Thread(target=guard.serve_forever, args=(0.02,), daemon=True).start()
        yield guard
        guard.shutdown()


def acts(glasscase: Installation, *asset: str) -> list[dict[str, Any]]:
    answer: list[dict[str, Any]] = glasscase.cli("chain", "show", *asset, json=True)["acts"]
    return answer


def written(glasscase: Installation, *asset: str) -> bool:
    found = acts(glasscase, *asset)
    return bool(found) and all(act["state"] == "written" and act["final"] for act in found)


def test_what_is_registered_is_written_by_itself(
    fresh_glasscase: Any, models: Models, node: Node, tmp_path: Path
) -> None:
    glasscase = on_chain(fresh_glasscase(), node.url)
    data = tmp_path / "digits.csv"
    data.write_text("1,2,3\n")
    glasscase.cli("dataset", "add", str(data), "--name", "digits-data")
    glasscase.publish(models.digits, "digits", "--trained-on", "digits-data")
    glasscase.cli("anchor")
    wait_until("all is written", lambda: written(glasscase, "digits") and written(glasscase, "digits-data")
               and written(glasscase), 60)
    kinds = [act["kind"] for act in acts(glasscase, "digits")]
    assert kinds == ["record", "contract"]
    contract = acts(glasscase, "digits")[1]["contract"]
    assert len(node.ask("eth_getCode", contract, "latest")) > 100
    assert "chain 31337 through 127.0.0.1" in glasscase.cli("chain", "show", "digits").stdout
    # A later version is a change of the same record, and after a restart nothing is written twice.
    glasscase.publish(models.scale, "digits", "--version", "2")
    wait_until("the change is written", lambda: written(glasscase, "digits"), 60)
    before = acts(glasscase, "digits")
    glasscase.restart()
    wait_until("it answers", lambda: written(glasscase, "digits"), 30)
    assert acts(glasscase, "digits") == before
    assert [act["kind"] for act in before] == ["record", "contract", "change"]


def test_the_last_anchored_checkpoint_is_shown_with_its_transaction(
    fresh_glasscase: Any, models: Models, node: Node
) -> None:
    glasscase = on_chain(fresh_glasscase(), node.url)
    assert chain_status(glasscase)["anchored"] is None
    assert "no checkpoint is there yet" in glasscase.cli("chain", "show").stdout
    glasscase.publish(models.digits, "digits")
    wait_until("it is in the log", lambda: glasscase.cli("status", json=True)["ledger_size"] > 0)
    size = glasscase.cli("status", json=True)["ledger_size"]
    glasscase.cli("anchor")
    wait_until("all is final", lambda: (
        lambda chain: chain["anchored"] is not None and chain["anchored"]["final"] and chain["open"] == 0
    )(chain_status(glasscase)), 60)
    anchored = chain_status(glasscase)["anchored"]
    act = acts(glasscase)[0]
    assert anchored == {"size": size, "transaction": act["transaction"], "final": True} and act["size"] == size
    assert node.ask("eth_getTransactionReceipt", anchored["transaction"])["status"] == "0x1"
    words = f"last checkpoint there: {size} entries in {anchored['transaction']}, final"
    assert words in glasscase.cli("chain", "show").stdout and words in glasscase.cli("status").stdout
    glasscase.restart()
    assert chain_status(glasscase)["anchored"] == anchored


def test_a_fee_above_the_limit_makes_a_record_wait(fresh_glasscase: Any, models: Models, node: Node) -> None:
    glasscase = on_chain(fresh_glasscase(), node.url, "--max-fee-per-gas", "400000000000")
    assert json.loads((glasscase.data / "chain.json").read_text())["max_fee_per_gas_wei"] == 400_000_000_000
    configure(glasscase, max_fee_per_gas_wei=1)
    glasscase.publish(models.digits, "digits")
    wait_until("the limit is named", lambda: "max_fee_per_gas_wei of 1" in chain_status(glasscase)["trouble"], 30)
    for said in (glasscase.cli("status").stdout, glasscase.cli("chain", "show", "digits").stdout):
        assert "wei per gas, more than the configured max_fee_per_gas_wei of 1; it waits" in said
    assert {act["state"] for act in acts(glasscase, "digits")} == {"waiting"}
    assert glasscase.infer("digits", models.digit_body()).status_code == 200
    configure(glasscase, max_fee_per_gas_wei=500_000_000_000)
    wait_until("it is written", lambda: written(glasscase, "digits"), 60)


def test_a_limit_with_a_mistyped_name_stops_the_start(fresh_glasscase: Any, node: Node) -> None:
    glasscase = on_chain(fresh_glasscase(), node.url)
    assert glasscase.stop() == 0
    path = glasscase.data / "chain.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"max_fee": 1}))
    glasscase.launch()
    wait_until("the member is named", lambda: 'there is no member "max_fee"' in glasscase.log_tail(), 30)


def test_a_node_behind_a_token(fresh_glasscase: Any, models: Models, node: Node) -> None:
    glasscase = fresh_glasscase()
    assert glasscase.stop() == 0
    token, wrong = "eyJhbGciOiJIUzI1NiJ9.hush", "eyJhbGciOiJIUzI1NiJ9.wrong"
    with guarding(node, token) as guard:
        without = chain_init(glasscase, guard.url)
        assert without.returncode == 1 and "it wants an authorization, and none is configured" in without.stderr
        write_key(glasscase, "chain-node.token", wrong + "\n")
        refused = chain_init(glasscase, guard.url)
        assert refused.returncode == 1 and guard.refused > 0
        assert "another authorization" in refused.stderr and wrong not in refused.stderr + refused.stdout
        elsewhere = chain_init(glasscase, "http://192.0.2.7:8545")
        assert elsewhere.returncode == 1 and "over plain HTTP" in elsewhere.stderr
        glasscase.start()
        write_key(glasscase, "chain-node.token", token + "\n")
        on_chain(glasscase, guard.url)
        glasscase.publish(models.digits, "digits")
        glasscase.cli("anchor")
        wait_until("all is written", lambda: written(glasscase, "digits") and written(glasscase), 60)
        lines = [word for process in glasscase.processes() for word in process.cmdline()]
        assert not any(token in line for line in lines)
        assert glasscase.stop() == 0
        write_key(glasscase, "chain-node.token", wrong + "\n")
        glasscase.start()
        wait_until("the refusal is said", lambda: "another authorization" in chain_status(glasscase)["trouble"], 30)
        said = glasscase.log.read_text() + json.dumps(chain_status(glasscase)) + (glasscase.data / "chain.json").read_text()
        assert token not in said and wrong not in said


def test_a_node_that_is_down_delays_and_loses_nothing(fresh_glasscase: Any, models: Models, node: Node) -> None:
    glasscase = on_chain(fresh_glasscase(), node.url)
    state = node.ask("anvil_dumpState")
    node.stop()
    glasscase.publish(models.digits, "digits")
    assert glasscase.infer("digits", models.digit_body()).status_code == 200
    wait_until("the trouble is shown", lambda: glasscase.cli("chain", "show", "digits", json=True)["trouble"] != "", 30)
    assert {act["state"] for act in acts(glasscase, "digits")} == {"waiting"}
    node.start()
    node.ask("anvil_loadState", state)
    wait_until("it is written", lambda: written(glasscase, "digits"), 60)


def test_without_a_chain_it_says_so(fresh_glasscase: Any, models: Models) -> None:
    glasscase = fresh_glasscase()
    refused = glasscase.cli("anchor", check=False)
    assert refused.returncode == 1 and "glasscase chain init" in refused.stderr
    assert "no chain is configured" in glasscase.cli("chain", "show").stdout


def test_an_account_without_funds_is_named(fresh_glasscase: Any, node: Node) -> None:
    glasscase = fresh_glasscase()
    assert glasscase.stop() == 0
    refused = glasscase.cli(
        "chain", "init", "--data", str(glasscase.data), "--url", node.url, "--chain-id", str(CHAIN_ID), check=False)
    assert refused.returncode == 1
    assert "0x" in refused.stdout + refused.stderr and "fund" in (refused.stdout + refused.stderr).lower()
    wrong = glasscase.cli(
        "chain", "init", "--data", str(glasscase.data), "--url", node.url, "--chain-id", "5", check=False)
    assert wrong.returncode == 1 and "5" in wrong.stderr
