"""Train a linear classifier of the wines in an image that has nothing but Python, and leave it as numbers that become ONNX.

Reads /in/data/train/train.csv and /in/data/test/test.csv (the class last in each row), writes /out/model.json (a dump without
code, api/formats/sklearn-dump.md: the recipe's "translate": "onnx" makes ONNX of it, whatever is in the image) and
/out/metrics.json.
"""

from __future__ import annotations

import csv
import json
import math
import os
import random
from pathlib import Path

STEPS = 300
RATE = 0.5

Rows = list[list[float]]


def read(part: str) -> tuple[Rows, list[int]]:
    with open(f"/in/data/{part}/{part}.csv", newline="") as file:
        rows = [[float(text) for text in row] for row in csv.reader(file)]
    return [row[:-1] for row in rows], [int(row[-1]) for row in rows]


def dot(a: list[float], b: list[float]) -> float:
    return math.fsum(x * y for x, y in zip(a, b))


def probabilities(logits: list[float]) -> list[float]:
    powers = [math.exp(logit - max(logits)) for logit in logits]
    return [power / math.fsum(powers) for power in powers]


def train(rows: Rows, labels: list[int], classes: int) -> tuple[Rows, list[float]]:
    """Coefficients and intercepts, by gradient descent on the cross-entropy."""
    chance = random.Random(int(os.environ["TRAIN_SEED"]))
    weights = [[chance.gauss(0, 0.01) for _ in rows[0]] for _ in range(classes)]
    biases = [0.0] * classes
    for step in range(STEPS):
        found = [probabilities([dot(w, row) + b for w, b in zip(weights, biases)]) for row in rows]
        for one in range(classes):
            errors = [p[one] - (label == one) for p, label in zip(found, labels)]
            biases[one] -= RATE * math.fsum(errors) / len(rows)
            weights[one] = [w - RATE * dot(errors, [row[n] for row in rows]) / len(rows) for n, w in enumerate(weights[one])]
        if step % 100 == 0:
            print(f"progress {step / STEPS} step {step}", flush=True)
    return weights, biases


train_rows, train_labels = read("train")
columns = list(zip(*train_rows))
mean = [math.fsum(column) / len(column) for column in columns]
scale = [1 / math.sqrt(math.fsum((x - m) ** 2 for x in column) / len(column)) for column, m in zip(columns, mean)]


def scaled(rows: Rows) -> Rows:
    return [[(x - m) * s for x, m, s in zip(row, mean, scale)] for row in rows]


classes = sorted(set(train_labels))
weights, biases = train(scaled(train_rows), [classes.index(label) for label in train_labels], len(classes))
test_rows, test_labels = read("test")
answers = []
for row in scaled(test_rows):
    logits = [dot(w, row) + b for w, b in zip(weights, biases)]
    answers.append(classes[logits.index(max(logits))])
Path("/out/model.json").write_text(json.dumps({
    "format": "glasscase sklearn dump", "version": 1, "scikit_learn": "none", "estimator": "LogisticRegression", "features": len(mean),
    "task": "classifier", "classes": classes, "transform": "softmax", "kind": "linear", "mean": mean, "scale": scale,
    "coefficients": [w for row in weights for w in row], "intercepts": biases,
}))
accuracy = sum(answer == label for answer, label in zip(answers, test_labels)) / len(test_labels)
Path("/out/metrics.json").write_text(json.dumps({"accuracy": accuracy}))
