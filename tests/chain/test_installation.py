"""A running installation writes to a real chain by itself: contracts, records, checkpoints."""

from __future__ import annotations

from collections.abc import Callable
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


def on_chain(glasscase: Installation, node: Node) -> Installation:
    """Stops it, gives it the account that has funds, makes the contracts, starts it."""
    assert glasscase.stop() == 0
    key = glasscase.data / "keys" / "chain.key"
    key.write_text(KEY)
    key.chmod(0o600)
    said = glasscase.cli(
        "chain", "init", "--data", str(glasscase.data), "--url", node.url, "--chain-id", str(CHAIN_ID),
        "--finality", "1", "--every", "0").stdout
    assert ACCOUNT in said and "contract 0x" in said
    return glasscase.start()


def acts(glasscase: Installation, *asset: str) -> list[dict[str, Any]]:
    answer: list[dict[str, Any]] = glasscase.cli("chain", "show", *asset, json=True)["acts"]
    return answer


def written(glasscase: Installation, *asset: str) -> bool:
    found = acts(glasscase, *asset)
    return bool(found) and all(act["state"] == "written" and act["final"] for act in found)


def test_what_is_registered_is_written_by_itself(
    fresh_glasscase: Any, models: Models, node: Node, tmp_path: Path
) -> None:
    glasscase = on_chain(fresh_glasscase(), node)
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


def test_a_node_that_is_down_delays_and_loses_nothing(fresh_glasscase: Any, models: Models, node: Node) -> None:
    glasscase = on_chain(fresh_glasscase(), node)
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
