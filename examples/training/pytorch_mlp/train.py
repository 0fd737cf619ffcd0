"""Train a small network on the digits with PyTorch, as a recorded run does it.

Reads /in/data/digits/digits.npz (X: float32 [n, 64], y: int64 [n]), writes the folder /out/model: model.safetensors (named tensors,
without code, names or times of archives: torch.save would keep a pickle in a zip) and inputs.json, which says what the model takes. In
/out/predictions.npy is what it answers on the rows that it was not trained with, which are compared when the run is verified.
`build_model` is what a translation calls to put the tensors back.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import torch
from glasscase_convert import tensors
from torch import nn

EPOCHS = 8
BATCH = 64
PIXEL_MAX = 16.0
INPUTS = {"x": {"shape": ["n", 64], "range": [0, PIXEL_MAX]}}


def build_model() -> nn.Module:
    return nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 10))


def train(model: nn.Module, x: torch.Tensor, y: torch.Tensor) -> None:
    optimizer = torch.optim.Adam(model.parameters(), lr=0.005)
    model.train()
    for epoch in range(EPOCHS):
        for rows in torch.randperm(len(x)).split(BATCH):
            optimizer.zero_grad()
            loss = nn.functional.cross_entropy(model(x[rows]), y[rows])
            loss.backward()
            optimizer.step()
        print(f"progress {(epoch + 1) / EPOCHS:.2f} epoch {epoch + 1}: loss {loss.item():.3f}", flush=True)


def main() -> None:
    torch.manual_seed(int(os.environ["TRAIN_SEED"]))
    torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
    torch.use_deterministic_algorithms(True)
    rows = np.load("/in/data/digits/digits.npz")
    x, y = torch.from_numpy(rows["X"]), torch.from_numpy(rows["y"])
    order = torch.randperm(len(x))
    train_rows, test_rows = order[len(x) // 4:], order[:len(x) // 4]
    model = build_model()
    train(model, x[train_rows], y[train_rows])
    model.eval()
    with torch.no_grad():
        predictions = model(x[test_rows])
    accuracy = float((predictions.argmax(1) == y[test_rows]).float().mean())
    out = Path("/out/model")
    out.mkdir()
    tensors.save(out / "model.safetensors", {name: tensor.numpy() for name, tensor in model.state_dict().items()})
    (out / "inputs.json").write_text(json.dumps(INPUTS, sort_keys=True))
    np.save("/out/predictions.npy", predictions.numpy())
    Path("/out/metrics.json").write_text(json.dumps({"accuracy": accuracy, "rows": len(rows["y"])}))


if __name__ == "__main__":
    main()
