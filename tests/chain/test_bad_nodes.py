"""Nodes that answer anything but what they should: an error that names the node, and never a crash or a wrong belief."""

from __future__ import annotations

import json
import ssl
import subprocess
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from chain.chain import Adapter, Json, Node, Refused

MakeAdapter = Callable[..., Adapter]
Reply = Callable[[Json], "bytes | tuple[int, bytes]"]


class BadNode:
    """Answers what `reply` gives, or passes the question on to a good node and changes the result."""

    def __init__(self) -> None:
        self.reply: Reply = lambda request: b""
        bad_node = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                given = bad_node.reply(request)
                status, body = given if isinstance(given, tuple) else (200, given)
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True)
        self.thread.start()

    def stop(self) -> None:
        self.server.shutdown()
        self.server.server_close()

    def answer_all(self, result: Any) -> None:
        """The right chain id, and the same result to everything else."""
        self.reply = lambda request: json.dumps({
            "jsonrpc": "2.0", "id": request["id"],
            "result": "0x7a69" if request["method"] == "eth_chainId" else result,
        }).encode()

    def pass_on(self, node: Node, **lies: Any) -> None:
        """The good node's answers, but these results in place of its own."""

        def reply(request: Json) -> bytes:
            result = lies.get(request["method"], ...)
            if result is ...:
                result = node.ask(request["method"], *request["params"])
            return json.dumps({"jsonrpc": "2.0", "id": request["id"], "result": result}).encode()

        self.reply = reply


@pytest.fixture
def bad_node() -> Iterator[BadNode]:
    node = BadNode()
    yield node
    node.stop()


GARBAGE: dict[str, Reply] = {
    "nothing": lambda request: b"",
    "HTML": lambda request: b"<html>It works!</html>",
    "half": lambda request: b'{"jsonrpc":"2.0","id":1,"resu',
    "a list": lambda request: b"[]",
    "a number": lambda request: b"1e400",
    "deep": lambda request: b"[" * 10_000,
    "another id": lambda request: b'{"jsonrpc":"2.0","id":4711,"result":"0x7a69"}',
    "no id": lambda request: b'{"jsonrpc":"2.0","result":"0x7a69"}',
    "no version": lambda request: json.dumps({"id": request["id"], "result": "0x7a69"}).encode(),
    "no result": lambda request: json.dumps({"jsonrpc": "2.0", "id": request["id"]}).encode(),
    "not UTF-8": lambda request: b'{"jsonrpc":"2.0","id":1,"result":"\xff\xfe"}',
    "an error that is text": lambda request: json.dumps({"jsonrpc": "2.0", "id": request["id"], "error": "no"}).encode(),
    "an id that is no number": lambda request: json.dumps({"jsonrpc": "2.0", "id": request["id"], "result": "0xzz"}).encode(),
    "an id without end": lambda request: json.dumps(
        {"jsonrpc": "2.0", "id": request["id"], "result": "0x" + "1" * 1000}
    ).encode(),
}


@pytest.mark.parametrize("garbage", GARBAGE)
def test_garbage_is_data_loss(bad_node: BadNode, make_adapter: MakeAdapter, garbage: str) -> None:
    bad_node.reply = GARBAGE[garbage]
    with pytest.raises(Refused) as refusal:
        make_adapter(bad_node.url).do("examine")
    assert refusal.value.code == "data_loss" and "not understood" in refusal.value.message


@pytest.mark.parametrize(
    ("status", "code"), [(500, "unavailable"), (503, "unavailable"), (429, "unavailable"), (404, "failed_precondition"),
                         (401, "failed_precondition"), (301, "failed_precondition")]
)
def test_an_http_status_is_told(bad_node: BadNode, make_adapter: MakeAdapter, status: int, code: str) -> None:
    bad_node.reply = lambda request: (status, b"<html>no</html>")
    with pytest.raises(Refused) as refusal:
        make_adapter(bad_node.url).do("examine")
    assert refusal.value.code == code
    assert f"127.0.0.1:{bad_node.server.server_port} answered {status}" in refusal.value.message


def test_a_refusal_of_the_node_is_shown_without_its_control_characters(bad_node: BadNode, make_adapter: MakeAdapter) -> None:
    error = {"code": -32601, "message": "no such\n\x1b[31m method" + "x" * 5000}
    bad_node.reply = lambda request: (400, json.dumps({"jsonrpc": "2.0", "id": request["id"], "error": error}).encode())
    with pytest.raises(Refused) as refusal:
        make_adapter(bad_node.url).do("examine")
    assert refusal.value.code == "failed_precondition"
    assert "\x1b" not in refusal.value.message and "\n" not in refusal.value.message and len(refusal.value.message) < 500


def test_a_slow_node_meets_the_deadline(bad_node: BadNode, make_adapter: MakeAdapter) -> None:
    release = threading.Event()
    bad_node.reply = lambda request: b"" if release.wait(20) else b""
    with pytest.raises(Refused) as refusal:
        make_adapter(bad_node.url, timeout_ms=300).do("examine")
    release.set()
    assert refusal.value.code == "deadline_exceeded"


RESULTS: tuple[Any, ...] = (
    None, True, 0, 1.5, "", "0x", "0x0", "0xg", "abc", "0x" + "ff" * 32, "0x" + "00" * 64, [], [None], [[]], {}, {"number": "0x1"},
    {"number": "0x1", "hash": "0x" + "00" * 31}, {"baseFeePerGas": []}, {"baseFeePerGas": ["0x1"], "reward": [[]]},
    {"number": "0xffffffffffffffff", "hash": "0x" + "00" * 32}, [{"topics": "0x"}], [{"topics": [], "data": 1}],
)


@pytest.mark.parametrize("result", RESULTS, ids=repr)
def test_results_of_the_wrong_kind_never_become_beliefs(
    node: Node, adapter: Adapter, bad_node: BadNode, result: Any
) -> None:
    adapter.write(adapter.checkpoint(10))
    kept = adapter.checkpoint(20)
    bad_node.answer_all(result)
    adapter.configure(url=bad_node.url)
    asks: tuple[Callable[[], Json | str], ...] = (
        lambda: adapter.last(),
        lambda: adapter.checkpoint(30),
        lambda: adapter.do("find", asset="00" * 4 + "-0000-0000-0000-" + "00" * 6),
        lambda: adapter.do("changes", asset="00" * 4 + "-0000-0000-0000-" + "00" * 6),
        lambda: adapter.do("examine"),
        lambda: adapter.do("replace", kept=kept),
        lambda: adapter.do("read", contract=adapter.options["anchor"], kind=2),
    )
    for ask in asks:
        try:
            answer = ask()
        except Refused as refusal:
            assert refusal.code in ("data_loss", "failed_precondition", "unavailable", "resource_exhausted", "not_found")
        else:
            # Zeros are what an empty registry answers.
            assert answer in ({}, {"changes": []}), (result, answer)
    try:
        assert not adapter.poll(kept)["final"]
    except Refused as refusal:
        assert refusal.code in ("data_loss", "failed_precondition", "unavailable")


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("tls")
    certificate, key = folder / "certificate.pem", folder / "key.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "1",
         "-subj", "/CN=a node", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", certificate],
        check=True, capture_output=True,
    )
    return certificate, key


def test_certificates_are_checked(
    node: Node, adapter: Adapter, bad_node: BadNode, certificate: tuple[Path, Path]
) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    bad_node.server.socket = context.wrap_socket(bad_node.server.socket, server_side=True)
    bad_node.pass_on(node)
    port = bad_node.server.server_port
    adapter.configure(url=f"https://127.0.0.1:{port}")
    with pytest.raises(Refused) as refusal:
        adapter.last()
    assert refusal.value.code == "failed_precondition"
    assert f"the certificate of 127.0.0.1:{port} is not trusted" in refusal.value.message
    adapter.configure(ca_pem=certificate[0].read_text())
    assert adapter.last() == {}
    adapter.configure(url=f"https://localhost:{port}")
    with pytest.raises(Refused) as refusal:
        adapter.last()
    assert "is not trusted" in refusal.value.message, "another host's certificate"
    adapter.configure(ca_pem="no certificate")
    with pytest.raises(Refused) as refusal:
        adapter.last()
    assert refusal.value.code == "failed_precondition"


def test_a_node_that_took_another_transaction_is_found_out(node: Node, adapter: Adapter, bad_node: BadNode) -> None:
    kept = adapter.checkpoint(10)
    bad_node.pass_on(node, eth_sendRawTransaction="0x" + "12" * 32)
    adapter.configure(url=bad_node.url)
    with pytest.raises(Refused) as refusal:
        adapter.submit(kept)
    assert refusal.value.code == "data_loss" and "another transaction" in refusal.value.message


def test_a_receipt_of_a_block_that_is_not_in_the_chain_is_not_final(
    node: Node, adapter: Adapter, bad_node: BadNode
) -> None:
    kept = adapter.checkpoint(10)
    status = adapter.write(kept)
    receipt = node.receipt(status["transaction"]) | {"blockHash": "0x" + "12" * 32}
    bad_node.pass_on(node, eth_getTransactionReceipt=receipt)
    adapter.configure(url=bad_node.url)
    assert adapter.poll(kept)["state"] == "mined" and not adapter.poll(kept)["final"]


@pytest.mark.parametrize("question", range(9))
def test_a_block_that_comes_in_the_middle_of_a_look_displaces_nothing(
    node: Node, adapter: Adapter, bad_node: BadNode, question: int
) -> None:
    """A look is several questions; whichever the block comes before, the transaction in it stays ours."""
    node.ask("evm_setAutomine", False)
    kept = adapter.checkpoint(10)
    adapter.submit(kept)
    bad_node.pass_on(node)
    pass_on, asked = bad_node.reply, 0

    def mine_before(request: Json) -> bytes | tuple[int, bytes]:
        nonlocal asked
        if asked == question:
            node.mine()
        asked += 1
        return pass_on(request)

    bad_node.reply = mine_before
    adapter.configure(url=bad_node.url)
    assert adapter.poll(kept)["state"] in ("pending", "mined")
    assert adapter.finish(kept)["state"] == "mined"


def test_a_chain_without_finality_asks_for_another_rule(node: Node, adapter: Adapter, bad_node: BadNode) -> None:
    bad_node.pass_on(node)
    pass_on = bad_node.reply

    def without_finality(request: Json) -> bytes | tuple[int, bytes]:
        if "finalized" in request["params"]:
            error = {"code": -32000, "message": "finalized block not found"}
            return json.dumps({"jsonrpc": "2.0", "id": request["id"], "error": error}).encode()
        return pass_on(request)

    bad_node.reply = without_finality
    adapter.configure(url=bad_node.url, finality="tag")
    kept = adapter.checkpoint(10)
    adapter.submit(kept)
    node.receipt(adapter.poll(kept)["transaction"])
    assert not adapter.poll(kept)["final"]
    with pytest.raises(Refused) as refusal:
        adapter.last(final=True)
    assert "configure confirmations or immediate finality" in refusal.value.message
    assert any("no final block" in complaint for complaint in adapter.do("examine")["complaints"])
