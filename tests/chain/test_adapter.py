"""The adapter on a real chain, through everything that happens to a custodian, a node and a chain."""

from __future__ import annotations

import json
import random
import signal
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from chain.chain import ACCOUNT, OTHER_ACCOUNT, OTHER_KEY, POOR_ACCOUNT, POOR_KEY, Adapter, Node, Refused, free_port, some_id

StartNode = Callable[..., Node]
MakeAdapter = Callable[..., Adapter]


def refused(act: Callable[[], object], code: str, *words: str) -> None:
    with pytest.raises(Refused) as refusal:
        act()
    assert refusal.value.code == code, refusal.value
    for word in words:
        assert word in refusal.value.message, refusal.value


def quiet_node(start_node: StartNode, make_adapter: MakeAdapter, *words: str) -> tuple[Node, Adapter]:
    """Contracts made, and from then on blocks only when the test asks for them."""
    node = start_node(*words)
    adapter = make_adapter(node.url).deploy()
    node.ask("evm_setAutomine", False)
    return node, adapter


# ---- the way it should be ----


def test_what_is_written_is_read_back(adapter: Adapter) -> None:
    assert adapter.last() == {}
    adapter.write(adapter.checkpoint(5, "11" * 32))
    adapter.write(adapter.checkpoint(2**63, "22" * 32))
    assert adapter.last() == adapter.last(final=True) == {"size": 2**63, "root": "22" * 32}

    asset, dataset, image = some_id(), some_id(), "33" * 32
    assert adapter.do("find", asset=asset) == {}
    adapter.write(adapter.record(asset, commitment="44" * 32))
    found = adapter.do("find", asset=asset)
    assert abs(found.pop("time") - time.time()) < 600
    assert found == {"kind": 1, "commitment": "44" * 32, "log_index": 7}

    made = adapter.write(adapter.prepare("model", asset=asset, commitment="44" * 32, trained_on=dataset, image=image,
                                         log_index=8))
    assert adapter.do("read", contract=made["contract"], kind=1) == {
        "asset": asset, "commitment": "44" * 32, "trained_on": dataset, "image": image, "log_index": 8,
        "tested_with": "00000000-0000-0000-0000-000000000000", "publisher": ACCOUNT,
    }
    made = adapter.write(adapter.prepare("dataset", asset=dataset, commitment="55" * 32, uri="s3://ü/ö", log_index=9))
    assert adapter.do("read", contract=made["contract"], kind=2) == {
        "asset": dataset, "commitment": "55" * 32, "uri": "s3://ü/ö", "log_index": 9, "publisher": ACCOUNT,
    }


def test_changes_come_back_in_their_order_however_many_questions_it_takes(adapter: Adapter) -> None:
    asset, other = some_id(), some_id()
    adapter.write(adapter.record(asset))
    adapter.write(adapter.record(other))
    for index in range(5):
        adapter.write(adapter.prepare("change", asset=asset, commitment=f"{index:064x}", log_index=index))
        adapter.write(adapter.prepare("change", asset=other, commitment="99" * 32, log_index=99))
    for blocks in (1, 3, 100_000):
        adapter.configure(events_per_question_blocks=blocks)
        changes = adapter.do("changes", asset=asset)["changes"]
        assert changes == [{"commitment": f"{index:064x}", "log_index": index} for index in range(5)]


def test_contracts_that_an_outbox_forgot_are_found(node: Node, adapter: Adapter, make_adapter: MakeAdapter) -> None:
    asset = some_id()
    other = make_adapter(node.url, key=OTHER_KEY)
    for one in (adapter, other):
        assert one.do("contracts", asset=asset, kind=1) == {"contracts": []}
    made = [one.write(one.prepare("model", asset=asset, commitment="ab" * 32))["contract"] for one in (adapter, adapter, other)]
    assert adapter.do("contracts", asset=asset, kind=1) == {"contracts": made[:2]}
    assert other.do("contracts", asset=asset, kind=1) == {"contracts": made[2:]}
    assert adapter.do("contracts", asset=asset, kind=2) == {"contracts": []}


def test_an_event_that_names_us_makes_no_contract_ours(node: Node, adapter: Adapter) -> None:
    asset = some_id()
    made = adapter.write(adapter.prepare("model", asset=asset, commitment="ab" * 32))
    (event,) = node.receipt(made["transaction"])["logs"]
    # Code that writes the same event (LOG3) and ends, run as somebody else's creation of a contract.
    words = "".join("7f" + topic[2:] for topic in reversed(event["topics"]))
    forged = node.ask("eth_sendTransaction", {"from": OTHER_ACCOUNT, "data": "0x" + words + "60006000a300"})
    (copy,) = node.receipt(forged)["logs"]
    assert copy["topics"] == event["topics"] and copy["address"] != event["address"]
    assert adapter.do("contracts", asset=asset, kind=1) == {"contracts": [made["contract"]]}


def test_a_change_is_prepared_while_its_record_is_under_way(start_node: StartNode, make_adapter: MakeAdapter) -> None:
    node, adapter = quiet_node(start_node, make_adapter)
    asset = some_id()
    record = adapter.record(asset)
    change = adapter.prepare("change", [record], asset=asset, commitment="ee" * 32, log_index=1)
    refused(lambda: adapter.record(asset, [record]), "already_exists", "on its way")
    for kept in (change, record):
        adapter.submit(kept)
    node.mine()
    assert [adapter.finish(kept)["state"] for kept in (record, change)] == ["mined", "mined"]


def test_the_condition_is_told(adapter: Adapter, make_adapter: MakeAdapter) -> None:
    condition = adapter.do("examine")
    assert condition["account"] == ACCOUNT and condition["newest_block"] == 2 and condition["complaints"] == []
    poor = make_adapter(adapter.options["url"], key=POOR_KEY, anchor=OTHER_ACCOUNT)
    complaints = poor.do("examine")["complaints"]
    assert complaints == [
        f"out of funds: send something to {POOR_ACCOUNT}",
        f"there is no contract of ours at {OTHER_ACCOUNT} on chain 31337",
    ]


# ---- crashes of ours ----


@pytest.mark.parametrize("seed", range(5))
def test_a_custodian_that_crashes_anywhere_writes_each_act_once(node: Node, adapter: Adapter, seed: int) -> None:
    """The outbox is what survives. Every step may be lost, and every step is repeated after a crash."""
    source = random.Random(seed)
    acts = [some_id() for _ in range(6)]
    outbox: dict[str, str] = {}

    def crash_sometimes() -> None:
        if source.random() < 0.5:
            adapter.crash()

    for asset in acts:
        crash_sometimes()
        lost = source.random() < 0.3  # prepared, and the crash came before it was durable
        kept = adapter.record(asset, list(outbox.values()))
        if lost:
            adapter.crash()
            kept = adapter.record(asset, list(outbox.values()))
        outbox[asset] = kept
        crash_sometimes()
        for row in source.sample(list(outbox.values()), k=source.randint(0, len(outbox))):
            adapter.submit(row)
            crash_sometimes()
    for _ in range(2):
        for kept in outbox.values():
            adapter.submit(kept)
    assert {adapter.finish(kept)["state"] for kept in outbox.values()} == {"mined"}
    # Two contracts and one transaction per act: no other has ever been written.
    assert int(node.ask("eth_getTransactionCount", ACCOUNT, "latest"), 16) == 2 + len(acts)
    assert all(adapter.do("find", asset=asset) for asset in acts)


def test_submissions_take_their_turns_whatever_the_order_they_are_sent_in(
    start_node: StartNode, make_adapter: MakeAdapter
) -> None:
    node, adapter = quiet_node(start_node, make_adapter)
    rows: list[str] = []
    for size in (10, 20, 30):
        rows.append(adapter.checkpoint(size, open_ones=rows))
    for kept in reversed(rows):
        adapter.submit(kept)
    assert [adapter.poll(kept)["state"] for kept in rows] == ["pending"] * 3
    node.mine()
    assert [adapter.finish(kept)["state"] for kept in rows] == ["mined"] * 3
    assert adapter.last()["size"] == 30


def test_a_lost_row_of_the_outbox_does_not_hold_up_the_others(start_node: StartNode, make_adapter: MakeAdapter) -> None:
    node, adapter = quiet_node(start_node, make_adapter)
    lost = adapter.checkpoint(10)
    waiting = adapter.checkpoint(20, open_ones=[lost])
    adapter.submit(waiting)  # and waits for the turn of the lost one
    node.mine()
    assert adapter.poll(waiting)["state"] == "pending"
    other = adapter.record(some_id(), [waiting])
    adapter.submit(other)
    node.mine()
    assert [adapter.finish(kept)["state"] for kept in (other, waiting)] == ["mined", "mined"]


def test_a_turn_that_something_else_took_is_displaced_and_prepared_anew(
    start_node: StartNode, make_adapter: MakeAdapter
) -> None:
    node, adapter = quiet_node(start_node, make_adapter)
    adapter.configure(finality="confirmations", confirmations=2)
    kept = adapter.checkpoint(10)
    node.ask("eth_sendTransaction", {"from": ACCOUNT, "to": OTHER_ACCOUNT, "value": "0x1"})
    node.mine()
    adapter.submit(kept)  # which says nothing
    status = adapter.poll(kept)
    assert (status["state"], status["final"]) == ("displaced", False)
    node.mine(2)
    assert adapter.poll(kept)["final"]
    again = adapter.checkpoint(10)
    adapter.submit(again)
    node.mine(3)
    assert adapter.finish(again)["state"] == "mined"


# ---- fees ----


def test_a_stuck_transaction_is_replaced_and_written_once(start_node: StartNode, make_adapter: MakeAdapter) -> None:
    node, adapter = quiet_node(start_node, make_adapter)
    kept = adapter.checkpoint(10)
    adapter.submit(kept)
    assert adapter.poll(kept)["state"] == "pending"
    replaced = str(adapter.do("replace", kept=kept)["kept"])
    adapter.crash()
    adapter.submit(replaced)
    refused(lambda: adapter.submit(kept), "failed_precondition", "underpriced")  # an old copy of the row harms nothing
    assert adapter.poll(replaced)["state"] == "pending"
    node.mine()
    status = adapter.finish(replaced)
    assert status["state"] == "mined"
    assert status["transaction"] == adapter.poll(replaced)["transaction"] != adapter.poll(kept)["transaction"]
    assert adapter.poll(kept)["state"] == "displaced"


def test_a_fee_that_became_too_low_is_said_and_raised(start_node: StartNode, make_adapter: MakeAdapter) -> None:
    node, adapter = quiet_node(start_node, make_adapter)
    kept = adapter.checkpoint(10)
    node.ask("anvil_setNextBlockBaseFeePerGas", hex(50 * 10**9))  # far above what it pays
    node.mine()
    refused(lambda: adapter.submit(kept), "failed_precondition", "fee is lower", "replace")
    replaced = str(adapter.do("replace", kept=kept)["kept"])
    adapter.submit(replaced)
    node.mine()
    assert adapter.finish(replaced)["state"] == "mined"


def test_the_first_attempt_may_win(start_node: StartNode, make_adapter: MakeAdapter) -> None:
    node, adapter = quiet_node(start_node, make_adapter)
    kept = adapter.checkpoint(10)
    adapter.submit(kept)
    replaced = str(adapter.do("replace", kept=kept)["kept"])
    node.mine()
    adapter.submit(replaced)
    status = adapter.finish(replaced)
    assert status["state"] == "mined" and status["transaction"] == adapter.poll(kept)["transaction"]


def test_fees_stop_at_the_configured_highest(node: Node, adapter: Adapter) -> None:
    node.ask("evm_setAutomine", False)
    kept = adapter.checkpoint(10)
    adapter.configure(max_fee_per_gas_wei=1)
    refused(lambda: adapter.checkpoint(10), "resource_exhausted", "configured max_fee_per_gas_wei of 1")
    refused(lambda: adapter.do("replace", kept=kept), "resource_exhausted", "max_fee_per_gas_wei")


def test_a_transaction_costs_at_most_what_is_configured(node: Node, adapter: Adapter) -> None:
    adapter.configure(max_transaction_fee_wei=1)
    refused(lambda: adapter.checkpoint(10), "resource_exhausted", "configured max_transaction_fee_wei of 1", "ETH for")
    ceiling = 100_000_000_000_000
    adapter.configure(max_transaction_fee_wei=ceiling)
    status = adapter.write(adapter.checkpoint(10))
    sent = node.ask("eth_getTransactionByHash", status["transaction"])
    assert int(sent["gas"], 16) * int(sent["maxFeePerGas"], 16) <= ceiling


def test_the_priority_fee_stops_at_the_configured_highest(node: Node, adapter: Adapter) -> None:
    adapter.configure(max_priority_fee_per_gas_wei=7)
    status = adapter.write(adapter.checkpoint(10))
    assert node.ask("eth_getTransactionByHash", status["transaction"])["maxPriorityFeePerGas"] == "0x7"
    node.ask("evm_setAutomine", False)
    stuck = adapter.checkpoint(11)
    refused(lambda: adapter.do("replace", kept=stuck), "resource_exhausted", "max_priority_fee_per_gas_wei of 7")


def test_a_price_of_zero_needs_no_money(start_node: StartNode, make_adapter: MakeAdapter) -> None:
    node = start_node("--block-base-fee-per-gas", "0", "--gas-price", "0", "--disable-min-priority-fee")
    adapter = make_adapter(node.url, key=POOR_KEY, free_of_fees=True).deploy()
    status = adapter.write(adapter.checkpoint(10))
    assert int(node.receipt(status["transaction"])["effectiveGasPrice"], 16) == 0
    assert int(node.ask("eth_getBalance", POOR_ACCOUNT, "latest"), 16) == 0
    assert adapter.do("examine")["complaints"] == []
    refused(lambda: adapter.do("replace", kept=adapter.checkpoint(11)), "failed_precondition", "no fees")


# ---- refusals that name their reason ----


def test_an_account_without_money_is_named_with_what_it_needs(node: Node, make_adapter: MakeAdapter) -> None:
    adapter = make_adapter(node.url, key=POOR_KEY)
    refused(lambda: adapter.do("make_registry"), "failed_precondition", "out of funds", POOR_ACCOUNT, "has 0 ETH", "needs up to")
    node.ask("anvil_setBalance", POOR_ACCOUNT, hex(10**18))
    kept = adapter.do("make_registry")["kept"]
    node.ask("anvil_setBalance", POOR_ACCOUNT, "0x0")
    refused(lambda: adapter.submit(kept), "failed_precondition", "out of funds", POOR_ACCOUNT)
    node.ask("anvil_setBalance", POOR_ACCOUNT, hex(10**18))
    assert adapter.write(kept)["state"] == "mined"


def test_out_of_gas_is_said(adapter: Adapter) -> None:
    adapter.configure(gas_percent=97)
    status = adapter.write(adapter.record(some_id()))
    assert status["state"] == "refused" and "out of gas" in status["reason"]
    adapter.configure(gas_percent=125)
    assert adapter.write(adapter.record(some_id()))["state"] == "mined"


def test_a_refusal_at_writing_tells_the_contracts_reason(start_node: StartNode, make_adapter: MakeAdapter) -> None:
    node, adapter = quiet_node(start_node, make_adapter)
    adapter.configure(finality="confirmations", confirmations=1)
    # In the order of their turns 20 comes before 15, though neither knew of the other.
    never_sent = adapter.record(some_id())
    smaller = adapter.checkpoint(15, open_ones=[never_sent])
    larger = adapter.checkpoint(20)
    for kept in (smaller, larger):
        adapter.submit(kept)
    node.mine()
    status = adapter.poll(smaller)
    assert (status["state"], status["final"]) == ("refused", False)
    assert status["reason"] == "the checkpoint that stands there is as large: size=20"
    node.mine()
    assert adapter.poll(smaller)["final"]
    assert adapter.finish(larger)["state"] == "mined"
    refused(lambda: adapter.checkpoint(20, open_ones=[larger]), "already_exists", "on its way")


def test_a_node_of_another_chain_is_refused_before_anything_is_signed(
    start_node: StartNode, adapter: Adapter
) -> None:
    kept = adapter.checkpoint(10)
    url = adapter.options["url"]
    other = start_node("--chain-id", "1337")
    adapter.configure(url=other.url)
    said = ("is of chain 1337", "configured chain 31337")
    for act in (
        lambda: adapter.checkpoint(11),
        lambda: adapter.submit(kept),
        lambda: adapter.poll(kept),
        lambda: adapter.do("replace", kept=kept),
        lambda: adapter.do("make_registry"),
        lambda: adapter.last(),
        lambda: adapter.do("examine"),
    ):
        refused(act, "failed_precondition", *said)
    adapter.configure(chain_id=1337)
    refused(lambda: adapter.submit(kept), "failed_precondition", "for chain 31337")
    adapter.configure(url=url, chain_id=31337)
    assert adapter.write(kept)["state"] == "mined"


def test_addresses_that_are_not_our_contracts_are_refused(adapter: Adapter) -> None:
    anchor, registry = adapter.options["anchor"], adapter.options["registry"]
    adapter.configure(anchor=OTHER_ACCOUNT, registry=OTHER_ACCOUNT)
    refused(lambda: adapter.last(), "failed_precondition", "no contract of ours", OTHER_ACCOUNT)
    refused(lambda: adapter.checkpoint(1), "failed_precondition", "no contract of ours")
    refused(lambda: adapter.do("find", asset=some_id()), "failed_precondition", "no contract of ours")
    refused(lambda: adapter.do("read", contract=OTHER_ACCOUNT, kind=1), "not_found", "no contract stands")
    adapter.configure(anchor=registry, registry=anchor)
    refused(lambda: adapter.checkpoint(1), "failed_precondition")
    refused(lambda: adapter.record(some_id()), "failed_precondition")
    adapter.configure(anchor="", registry="")
    refused(lambda: adapter.checkpoint(1), "failed_precondition", "no anchor contract is configured")
    refused(lambda: adapter.record(some_id()), "failed_precondition", "no registry contract is configured")


def test_the_anchor_of_another_log_is_refused(adapter: Adapter) -> None:
    for act in (
        lambda: adapter.prepare("checkpoint", origin="log.example/other", size=1, root="ab" * 32),
        lambda: adapter.do("last", origin="log.example/other"),
    ):
        refused(act, "failed_precondition", "of another log than log.example/other")


def test_damaged_rows_of_the_outbox_are_refused(adapter: Adapter) -> None:
    kept = adapter.checkpoint(10)
    for damaged in ("", "00", kept[:-2], kept + "00", "b9" + kept[2:]):
        refused(partial(adapter.poll, damaged), "invalid_argument", "not a kept chain submission")
        refused(partial(adapter.checkpoint, 11, open_ones=[damaged]), "invalid_argument")


# ---- the chain and the node ----


def test_finality_is_waited_for(start_node: StartNode, make_adapter: MakeAdapter) -> None:
    node, adapter = quiet_node(start_node, make_adapter, "--slots-in-an-epoch", "1")
    adapter.configure(finality="tag")
    kept = adapter.checkpoint(10)
    adapter.submit(kept)
    assert (adapter.poll(kept)["state"], adapter.poll(kept)["final"]) == ("pending", False)
    node.mine()
    for _ in range(2):
        assert (adapter.poll(kept)["state"], adapter.poll(kept)["final"]) == ("mined", False)
        assert adapter.last() == {"size": 10, "root": "ab" * 32}
        assert adapter.last(final=True) == {}
        node.mine()
    assert adapter.poll(kept)["final"]
    assert adapter.last(final=True) == adapter.last()


def test_confirmations_are_counted(start_node: StartNode, make_adapter: MakeAdapter) -> None:
    node, adapter = quiet_node(start_node, make_adapter)
    adapter.configure(finality="confirmations", confirmations=3)
    kept = adapter.checkpoint(10)
    adapter.submit(kept)
    node.mine()
    for _ in range(3):
        assert adapter.poll(kept)["state"] == "mined" and not adapter.poll(kept)["final"]
        node.mine()
    assert adapter.poll(kept)["final"]


def test_what_a_reorganisation_takes_is_submitted_again(start_node: StartNode, make_adapter: MakeAdapter) -> None:
    node, adapter = quiet_node(start_node, make_adapter)
    adapter.configure(finality="confirmations", confirmations=3)
    kept = adapter.checkpoint(10)
    adapter.submit(kept)
    node.mine(2)
    assert adapter.poll(kept)["state"] == "mined"
    node.ask("anvil_reorg", 2, [])
    adapter.crash()
    status = adapter.poll(kept)
    assert status["state"] in ("unknown", "pending") and not status["final"]
    assert adapter.last() == {}
    adapter.submit(kept)
    node.mine(4)
    assert adapter.finish(kept)["state"] == "mined"
    assert adapter.last()["size"] == 10


def test_a_contract_that_a_reorganisation_took_comes_back_at_its_address(
    start_node: StartNode, make_adapter: MakeAdapter
) -> None:
    node, adapter = quiet_node(start_node, make_adapter)
    adapter.configure(finality="confirmations", confirmations=1)
    snapshot = node.ask("evm_snapshot")
    asset = some_id()
    kept = adapter.prepare("model", asset=asset, commitment="ab" * 32, log_index=1)
    adapter.submit(kept)
    node.mine()
    contract = adapter.poll(kept)["contract"]
    assert node.ask("evm_revert", snapshot)
    assert adapter.poll(kept)["state"] == "unknown"
    refused(lambda: adapter.do("read", contract=contract, kind=1), "not_found")
    adapter.submit(kept)
    node.mine(2)
    assert adapter.finish(kept)["contract"] == contract
    assert adapter.do("read", contract=contract, kind=1)["asset"] == asset


def test_a_node_that_is_killed_and_started_again_goes_on(
    start_node: StartNode, make_adapter: MakeAdapter, tmp_path: Path
) -> None:
    node = start_node("--state", str(tmp_path / "state.json"), "--state-interval", "1")
    adapter = make_adapter(node.url).deploy()
    written = adapter.checkpoint(10)
    adapter.write(written)
    node.ask("evm_setAutomine", False)
    waiting = adapter.checkpoint(20)
    adapter.submit(waiting)
    node.stop(signal.SIGTERM)
    refused(lambda: adapter.poll(waiting), "unavailable", f"127.0.0.1:{node.port}")
    refused(lambda: adapter.submit(waiting), "unavailable", "no connection")
    refused(lambda: adapter.checkpoint(30), "unavailable")
    node.start()
    assert adapter.last()["size"] == 10
    # Its waiting transactions died with it.
    assert adapter.poll(waiting)["state"] == "unknown"
    later = adapter.record(some_id(), [waiting])
    adapter.submit(later)
    assert adapter.poll(later)["state"] == "pending"
    adapter.submit(waiting)
    assert {adapter.finish(kept)["state"] for kept in (waiting, later)} == {"mined"}
    assert adapter.last()["size"] == 20


def test_what_a_killed_node_forgot_is_submitted_again(
    start_node: StartNode, make_adapter: MakeAdapter, tmp_path: Path
) -> None:
    """The node writes its state now and then; SIGKILL takes all that came since, mined or not."""
    state = tmp_path / "state.json"
    node = start_node("--state", str(state), "--state-interval", "1")
    adapter = make_adapter(node.url).deploy()
    deadline = time.monotonic() + 20
    while (written := whole_state(state, str(adapter.options["registry"]))) is None:
        assert time.monotonic() < deadline, "the node does not write its state"
        time.sleep(0.05)
    kept = adapter.checkpoint(10)
    assert adapter.write(kept)["state"] == "mined"
    node.stop(signal.SIGKILL)
    state.write_text(written)  # it may have been killed while writing, or have written once more
    node.start()
    assert adapter.poll(kept)["state"] == "unknown" and adapter.last() == {}
    adapter.submit(kept)
    assert adapter.finish(kept)["state"] == "mined"
    assert adapter.last()["size"] == 10
    assert int(node.ask("eth_getTransactionCount", ACCOUNT, "latest"), 16) == 3


def whole_state(path: Path, contract: str) -> str | None:
    """The state that the node wrote, once it is whole and knows that contract."""
    text = path.read_text() if path.exists() else ""
    try:
        json.loads(text)
    except json.JSONDecodeError:
        return None
    return text if contract[2:].lower() in text.lower() else None


def test_a_node_that_never_was_is_unavailable(make_adapter: MakeAdapter) -> None:
    port = free_port()
    adapter = make_adapter(f"http://127.0.0.1:{port}")
    refused(lambda: adapter.do("examine"), "unavailable", f"127.0.0.1:{port}")
