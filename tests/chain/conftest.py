from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from chain.chain import Adapter, Node


@pytest.fixture
def start_node() -> Iterator[Callable[..., Node]]:
    """Starts nodes that end with the test."""
    started: list[Node] = []

    def start(*words: str) -> Node:
        started.append(Node(words))
        return started[-1].start()

    yield start
    for node in started:
        node.stop()


@pytest.fixture
def node(start_node: Callable[..., Node]) -> Node:
    """One that makes a block of each transaction."""
    return start_node()


@pytest.fixture
def make_adapter() -> Iterator[Callable[..., Adapter]]:
    """Starts adapters; each must end well (no leak, no word of a sanitizer)."""
    made: list[Adapter] = []

    def make(url: str, **options: Any) -> Adapter:
        made.append(Adapter(url, **options))
        return made[-1]

    yield make
    for adapter in made:
        adapter.close()


@pytest.fixture
def adapter(node: Node, make_adapter: Callable[..., Adapter]) -> Adapter:
    """With both contracts made."""
    return make_adapter(node.url).deploy()


@pytest.fixture(scope="session")
def ask_peer() -> Callable[..., list[Any]]:
    """Asks ethers; see peer.js."""

    def ask(*orders: dict[str, Any]) -> list[Any]:
        done = subprocess.run(
            ["node", Path(__file__).parent / "peer.js"], input=json.dumps(orders), capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        answers: list[Any] = json.loads(done.stdout)
        return answers

    return ask
