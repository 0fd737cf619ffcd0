"""The contracts by themselves: what they cost, and what they refuse."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from typing import Any

import pytest

from chain.chain import ACCOUNT, FULL, FULL_ID, OTHER_ACCOUNT, OTHER_KEY, ROOT, Adapter, Json, Node, NodeRefused, Refused, some_id
from chain.gas import GAS_MAX, measure_gas

AskPeer = Callable[..., list[Any]]

def test_the_artefacts_are_what_the_sources_give() -> None:
    done = subprocess.run(["node", ROOT / "contracts" / "compile.js", "--check"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_gas_is_within_the_goals(node: Node, adapter: Adapter, capsys: pytest.CaptureFixture[str]) -> None:
    used = measure_gas(node, adapter)
    with capsys.disabled():
        print()
        for what, gas in used.items():
            print(f"{what}: {gas:,} gas (goal: at most {GAS_MAX[what]:,})")
    assert {what for what, gas in used.items() if gas > GAS_MAX[what]} == set()


class Contracts:
    """Calls without our adapter, which would refuse most of these before they are sent."""

    def __init__(self, node: Node, adapter: Adapter, ask_peer: AskPeer) -> None:
        self.node, self.ask_peer = node, ask_peer
        self.addresses = {"CheckpointAnchor": adapter.options["anchor"], "AssetRegistry": adapter.options["registry"]}

    def data(self, contract: str, function: str, *arguments: Any) -> str:
        order = {"do": "call", "contract": contract, "function": function, "arguments": arguments}
        return "0x" + str(self.ask_peer(order)[0])

    def send(self, sender: str, contract: str, function: str, *arguments: Any) -> Json:
        transaction = self.node.ask("eth_sendTransaction", {
            "from": sender, "to": self.addresses[contract], "gas": "0x30000",
            "data": self.data(contract, function, *arguments),
        })
        return self.node.receipt(transaction)

    def refusal(self, sender: str, contract: str, function: str, *arguments: Any) -> list[str]:
        """Sends it, sees it fail, and gives the reason."""
        receipt = self.send(sender, contract, function, *arguments)
        assert receipt["status"] == "0x0" and receipt["logs"] == []
        call = {"from": sender, "to": self.addresses[contract], "data": self.data(contract, function, *arguments)}
        with pytest.raises(NodeRefused) as failure:
            self.node.ask("eth_call", call, "latest")
        order = {"do": "refusal", "contract": contract, "data": failure.value.data}
        answer: list[str] = self.ask_peer(order)[0]
        return answer


@pytest.fixture
def contracts(node: Node, adapter: Adapter, ask_peer: AskPeer) -> Contracts:
    return Contracts(node, adapter, ask_peer)


ROOT_HASH = "0x" + "ab" * 32
ID = "0x" + "12" * 16


def test_only_the_publisher_anchors(contracts: Contracts) -> None:
    assert contracts.refusal(OTHER_ACCOUNT, "CheckpointAnchor", "anchor", 1, ROOT_HASH) == ["NotPublisher", ACCOUNT]


def test_the_size_only_grows(contracts: Contracts) -> None:
    assert contracts.refusal(ACCOUNT, "CheckpointAnchor", "anchor", 0, ROOT_HASH) == ["NotLarger", "0"]
    assert contracts.send(ACCOUNT, "CheckpointAnchor", "anchor", 10, ROOT_HASH)["status"] == "0x1"
    assert contracts.refusal(ACCOUNT, "CheckpointAnchor", "anchor", 10, "0x" + "cd" * 32) == ["NotLarger", "10"]
    assert contracts.refusal(ACCOUNT, "CheckpointAnchor", "anchor", 9, ROOT_HASH) == ["NotLarger", "10"]


def test_the_anchor_is_handed_over_by_its_publisher_alone_and_to_somebody(contracts: Contracts) -> None:
    assert contracts.refusal(OTHER_ACCOUNT, "CheckpointAnchor", "handOver", OTHER_ACCOUNT) == ["NotPublisher", ACCOUNT]
    assert contracts.refusal(ACCOUNT, "CheckpointAnchor", "handOver", "0x" + "00" * 20) == ["NoPublisher"]
    assert len(contracts.send(ACCOUNT, "CheckpointAnchor", "handOver", OTHER_ACCOUNT)["logs"]) == 1
    assert contracts.refusal(ACCOUNT, "CheckpointAnchor", "anchor", 1, ROOT_HASH) == ["NotPublisher", OTHER_ACCOUNT]
    assert contracts.send(OTHER_ACCOUNT, "CheckpointAnchor", "anchor", 1, ROOT_HASH)["status"] == "0x1"


def test_only_the_publisher_registers_and_changes(contracts: Contracts) -> None:
    refusal = contracts.refusal(OTHER_ACCOUNT, "AssetRegistry", "register", ID, 1, ROOT_HASH, 0)
    assert refusal == ["NotPublisher", ACCOUNT]
    assert contracts.refusal(OTHER_ACCOUNT, "AssetRegistry", "change", ID, ROOT_HASH, 0) == ["NotPublisher", ACCOUNT]


def test_a_record_is_written_once(contracts: Contracts) -> None:
    assert len(contracts.send(ACCOUNT, "AssetRegistry", "register", ID, 1, ROOT_HASH, 0)["logs"]) == 1
    for kind, root in ((1, ROOT_HASH), (2, "0x" + "00" * 32)):
        assert contracts.refusal(ACCOUNT, "AssetRegistry", "register", ID, kind, root, 1) == ["AlreadyRegistered", ID]


def test_only_recorded_assets_change(contracts: Contracts) -> None:
    assert contracts.refusal(ACCOUNT, "AssetRegistry", "change", ID, ROOT_HASH, 0) == ["NotRegistered", ID]


@pytest.mark.parametrize("kind", [0, 3, 255])
def test_other_kinds_are_refused(contracts: Contracts, kind: int) -> None:
    assert contracts.refusal(ACCOUNT, "AssetRegistry", "register", ID, kind, ROOT_HASH, 0) == ["NoSuchKind", str(kind)]


def test_the_adapter_says_so_in_words(node: Node, adapter: Adapter, make_adapter: Callable[..., Adapter]) -> None:
    stranger = make_adapter(node.url, key=OTHER_KEY, anchor=adapter.options["anchor"], registry=adapter.options["registry"])
    asset = some_id()
    adapter.write(adapter.checkpoint(10))
    adapter.write(adapter.record(asset))
    refusals: tuple[tuple[Callable[[], object], str, str], ...] = (
        (lambda: stranger.checkpoint(11), "permission_denied", ACCOUNT),
        (lambda: stranger.record(some_id()), "permission_denied", ACCOUNT),
        (lambda: adapter.checkpoint(10), "already_exists", "size=10"),
        (lambda: adapter.record(asset), "already_exists", "once"),
        (lambda: adapter.record(some_id(), kind=3), "invalid_argument", "kind of asset: 3"),
        (lambda: adapter.prepare("change", asset=some_id(), commitment=FULL), "not_found", "no record"),
        (lambda: adapter.prepare("dataset", asset=asset, commitment=FULL, uri="x" * 2049), "invalid_argument", "2048"),
    )
    for act, code, words in refusals:
        with pytest.raises(Refused) as refusal:
            act()
        assert refusal.value.code == code and words in refusal.value.message
    assert stranger.do("examine")["complaints"] == [
        f"the contract {address} has another publisher: {ACCOUNT}"
        for address in (adapter.options["anchor"], adapter.options["registry"])
    ]
