"""What we send is, byte for byte, what ethers would send."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable
from typing import Any

from chain.chain import ACCOUNT, CHAIN_ID, KEY, ORIGIN, Adapter, Json, some_id

AskPeer = Callable[..., list[Any]]
MakeAdapter = Callable[..., Adapter]
NOWHERE = "http://127.0.0.1:1"


def some_transactions(seed: int, count: int) -> list[Json]:
    """Short and long members, and those where a leading zero or a length of its own begins."""
    print(f"seed {seed}")
    source = random.Random(seed)
    numbers = [0, 1, 127, 128, 255, 256, 2**16, 2**32 - 1, 2**53 - 1]
    sizes = [0, 1, 2, 31, 32, 54, 55, 56, 57, 255, 256, 1000, 70_000]
    transactions: list[Json] = []
    for _ in range(count):
        data = source.randbytes(source.choice(sizes))
        if len(data) == 1:
            data = bytes([source.choice([0, 1, 0x7F, 0x80, 0xFF])])
        priority = source.choice(numbers)
        transactions.append({
            "key": source.randbytes(32).hex(),
            "chain_id": source.choice([1, 127, 128, 1337, 31337, 11155111]),
            "nonce": source.choice(numbers[:-1]),
            "priority": priority,
            "max": max(priority, source.choice(numbers)),
            "gas": source.choice(numbers),
            # Without a receiver ethers wants a contract's code.
            "to": "0x" + source.randbytes(20).hex() if not data or source.random() < 0.8 else None,
            "data": data.hex(),
        })
    return transactions


def test_signed_transactions_are_those_of_ethers(make_adapter: MakeAdapter, ask_peer: AskPeer) -> None:
    adapter = make_adapter(NOWHERE)
    transactions = some_transactions(seed=41, count=200)
    theirs = ask_peer(*({"do": "sign", **transaction} for transaction in transactions))
    for transaction, their in zip(transactions, theirs, strict=True):
        order = {name: value for name, value in transaction.items() if value is not None}
        assert adapter.do("sign", **order) == their, transaction


def test_what_is_kept_holds_the_transaction_that_the_act_means(adapter: Adapter, ask_peer: AskPeer) -> None:
    asset, dataset = some_id(), some_id()
    raw_asset, raw_dataset = ("0x" + name.replace("-", "") for name in (asset, dataset))
    digest, other = "ab" * 32, "cd" * 32
    uri = "s3://bucket.example/datasets/digits.zip"
    adapter.write(adapter.record(asset))
    kept = [
        adapter.checkpoint(2**40, digest),
        adapter.record(dataset, kind=2, commitment=digest),
        adapter.prepare("change", asset=asset, commitment=other, log_index=2**40),
        adapter.prepare("model", asset=asset, commitment=digest, trained_on=dataset, image=other, log_index=9),
        adapter.prepare("dataset", asset=dataset, commitment=digest, uri=uri, log_index=9),
        adapter.prepare("dataset", asset=dataset, commitment=digest, uri="", log_index=9),
        adapter.prepare("dataset", asset=dataset, commitment=digest, uri="ü" * 1024, log_index=9),
        adapter.do("make_anchor", origin=ORIGIN)["kept"],
        adapter.do("make_registry")["kept"],
    ]
    zero_id = "0x" + "00" * 16
    dataset_arguments = [raw_dataset, "0x" + digest, 9]
    means = ask_peer(
        {"do": "call", "contract": "CheckpointAnchor", "function": "anchor", "arguments": [2**40, "0x" + digest]},
        {"do": "call", "contract": "AssetRegistry", "function": "register",
         "arguments": [raw_dataset, 2, "0x" + digest, 7]},
        {"do": "call", "contract": "AssetRegistry", "function": "change", "arguments": [raw_asset, "0x" + other, 2**40]},
        {"do": "creation", "contract": "ModelAsset",
         "arguments": [raw_asset, "0x" + digest, raw_dataset, zero_id, "0x" + other, 9]},
        {"do": "creation", "contract": "DatasetAsset", "arguments": [*dataset_arguments, uri]},
        {"do": "creation", "contract": "DatasetAsset", "arguments": [*dataset_arguments, ""]},
        {"do": "creation", "contract": "DatasetAsset", "arguments": [*dataset_arguments, "ü" * 1024]},
        {"do": "creation", "contract": "CheckpointAnchor",
         "arguments": ["0x" + hashlib.sha256(ORIGIN.encode()).hexdigest()]},
        {"do": "creation", "contract": "AssetRegistry", "arguments": []},
    )
    read = ask_peer(*({"do": "kept", "kept": one} for one in kept))
    for one, meant in zip(read, means, strict=True):
        assert one["version"] == 1 and one["chain_id"] == CHAIN_ID and one["sender"] == ACCOUNT
        assert one["data"] == meant
        (attempt,) = one["attempts"]
        assert attempt["from"] == ACCOUNT and attempt["same_gas"]
        assert (attempt["nonce"], attempt["to"], attempt["data"]) == (one["nonce"], one["to"], one["data"])
    assert [one["to"] for one in read[:3]] == [adapter.options["anchor"]] + [adapter.options["registry"]] * 2
    assert [one["to"] for one in read[3:]] == [None] * 6


def test_the_same_inputs_give_the_same_bytes(make_adapter: MakeAdapter) -> None:
    order = {"key": KEY, "chain_id": 1, "nonce": 0, "priority": 1, "max": 2, "gas": 3, "data": "00"}
    assert make_adapter(NOWHERE).do("sign", **order) == make_adapter(NOWHERE).do("sign", **order)
