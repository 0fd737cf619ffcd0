"""Writes what the examples and guides train on, from scikit-learn's own data sets, into a folder that is made if need be.

    .deps/runners/scikit-learn/bin/python examples/training/make_data.py FOLDER

digits.npz: X, float32 [1797, 64], and y. train.csv and test.csv: wines, thirteen numbers and the class last in each row. wine.json: the
first wine of test.csv, as `glasscase call --input` takes it.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy
from sklearn.datasets import load_digits, load_wine
from sklearn.model_selection import train_test_split


def write_digits(folder: Path) -> None:
    x, y = load_digits(return_X_y=True)
    numpy.savez(folder / "digits.npz", X=x.astype("float32"), y=y)


def write_wines(folder: Path) -> None:
    x, y = load_wine(return_X_y=True)
    train, test = train_test_split(numpy.column_stack([x, y]), random_state=1)
    for name, rows in (("train", train), ("test", test)):
        numpy.savetxt(folder / f"{name}.csv", rows, delimiter=",", fmt="%.9g")
    (folder / "wine.json").write_text(json.dumps([test[0, :-1].tolist()]) + "\n")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    target = Path(sys.argv[1])
    target.mkdir(parents=True, exist_ok=True)
    write_digits(target)
    write_wines(target)
