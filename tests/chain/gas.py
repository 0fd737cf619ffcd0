"""What each act costs on a chain, with the dearest values: a zero byte costs a quarter of another."""

from __future__ import annotations

from chain.chain import FULL, FULL_ID, Adapter, Node

GAS_MAX = {
    "anchor, the first": 55_000,
    "anchor, after the first": 35_000,
    "registry record": 70_000,
    "change of a record": 30_000,
    "model contract": 212_000,
    "dataset contract, URI of 39 bytes": 310_000,
}
URI = "s3://bucket.example/datasets/digits.zip"


def measure_gas(node: Node, adapter: Adapter) -> dict[str, int]:
    """Writes each act once; gives the gas that its receipt names."""
    huge = 2**64 - 2
    assert len(URI) == 39

    def used(kept: str) -> int:
        status = adapter.write(kept)
        assert status["state"] == "mined", status
        return int(node.receipt(status["transaction"])["gasUsed"], 16)

    return {
        "anchor, the first": used(adapter.checkpoint(huge - 1, FULL)),
        "anchor, after the first": used(adapter.checkpoint(huge, "fe" * 32)),
        "registry record": used(adapter.prepare("record", asset=FULL_ID, kind=2, commitment=FULL, log_index=huge)),
        "change of a record": used(adapter.prepare("change", asset=FULL_ID, commitment=FULL, log_index=huge)),
        "model contract": used(adapter.prepare("model", asset=FULL_ID, commitment=FULL, trained_on=FULL_ID, tested_with=FULL_ID,
                                               image=FULL, log_index=huge)),
        "dataset contract, URI of 39 bytes": used(adapter.prepare("dataset", asset=FULL_ID, commitment=FULL, uri=URI, log_index=huge)),
    }
