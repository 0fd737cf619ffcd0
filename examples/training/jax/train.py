"""Train a small network on the digits with JAX, as a recorded run does it.

Reads /in/data/digits/digits.npz (X: float32 [n, 64], y: int64 [n]), writes the folder /out/model: model.safetensors (named tensors,
without code or times) and inputs.json, which says what the model takes. `build_model` is what a translation calls to put the tensors
back.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from glasscase_convert import tensors

Weights = dict[str, Any]
INPUTS = {"x": {"shape": ["n", 64], "range": [0, 16]}}
STEPS = 600
BATCH = 64
RATE = 0.05


def answer(weights: Weights, x: Any) -> Any:
    hidden = jnp.maximum(x / 16.0 @ weights["first"] + weights["first_bias"], 0.0)
    return hidden @ weights["last"] + weights["last_bias"]


def build_model(weights: Weights) -> Callable[[Any], Any]:
    held = {name: jnp.asarray(array) for name, array in weights.items()}
    return lambda x: answer(held, x)


def loss(weights: Weights, x: Any, y: Any) -> Any:
    return -jax.nn.log_softmax(answer(weights, x))[jnp.arange(len(y)), y].mean()


def step(weights: Weights, x: Any, y: Any) -> Weights:
    slopes = jax.grad(loss)(weights, x, y)
    return {name: array - RATE * slopes[name] for name, array in weights.items()}


def main() -> None:
    compiled = jax.jit(step)
    random = np.random.default_rng(int(os.environ["TRAIN_SEED"]))
    rows = np.load("/in/data/digits/digits.npz")
    order = random.permutation(len(rows["y"]))
    train, test = order[len(order) // 4:], order[:len(order) // 4]
    weights: Weights = {
        "first": random.normal(0, 0.15, (64, 64)).astype(np.float32), "first_bias": np.zeros(64, dtype=np.float32),
        "last": random.normal(0, 0.15, (64, 10)).astype(np.float32), "last_bias": np.zeros(10, dtype=np.float32)}
    print("progress 0.1 read", len(order), "rows", flush=True)
    for _ in range(STEPS):
        chosen = random.choice(train, BATCH, replace=False)
        weights = compiled(weights, rows["X"][chosen], rows["y"][chosen])
    print("progress 0.9 trained", flush=True)
    accuracy = float((np.asarray(build_model(weights)(rows["X"][test])).argmax(1) == rows["y"][test]).mean())
    out = Path("/out/model")
    out.mkdir()
    tensors.save(out / "model.safetensors", {name: np.asarray(array) for name, array in weights.items()})
    (out / "inputs.json").write_text(json.dumps(INPUTS, sort_keys=True))
    Path("/out/metrics.json").write_text(json.dumps({"accuracy": accuracy, "rows": len(order)}))


if __name__ == "__main__":
    main()
