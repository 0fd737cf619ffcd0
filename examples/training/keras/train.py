"""Train a small network on the digits with Keras on TensorFlow, as a recorded run does it.

Reads /in/data/digits/digits.npz (X: float32 [n, 64], y: int64 [n]), writes /out/model.keras and /out/metrics.json. A .keras file is
a zip: it and its metadata hold the time, and its settings hold addresses in memory as numbers of objects. So it is written again with
a fixed time, and with these numbers counted from 1.
"""

from __future__ import annotations

import json
import os
import re
import zipfile
from pathlib import Path

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"

import keras  # noqa: E402
import numpy as np  # noqa: E402
import tensorflow as tf  # noqa: E402

EARLIEST = (1980, 1, 1, 0, 0, 0)  # what a zip can hold


def save_without_times(model: keras.Model, path: Path) -> None:
    scratch = Path("/tmp/model.keras")
    model.save(scratch)
    with zipfile.ZipFile(scratch) as source, zipfile.ZipFile(path, "w") as target:
        for name in sorted(source.namelist()):
            data = source.read(name)
            if name == "config.json":
                seen: dict[bytes, int] = {}
                data = re.sub(rb'(?<="shared_object_id": )\d+', lambda found: b"%d" % seen.setdefault(found[0], len(seen) + 1), data)
            if name == "metadata.json":
                data = json.dumps({key: value for key, value in json.loads(data).items() if key != "date_saved"}, sort_keys=True).encode()
            target.writestr(zipfile.ZipInfo(name, EARLIEST), data)


def main() -> None:
    threads = int(os.environ["OMP_NUM_THREADS"])
    tf.config.threading.set_intra_op_parallelism_threads(threads)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    seed = int(os.environ["TRAIN_SEED"])
    keras.utils.set_random_seed(seed)
    tf.config.experimental.enable_op_determinism()
    rows = np.load("/in/data/digits/digits.npz")
    order = np.random.default_rng(seed).permutation(len(rows["y"]))
    train, test = order[len(order) // 4:], order[:len(order) // 4]
    model = keras.Sequential([
        keras.Input((64,), name="x"), keras.layers.Dense(64, activation="relu", name="first"), keras.layers.Dense(10, activation="softmax", name="last")])
    model.compile(keras.optimizers.Adam(0.003), "sparse_categorical_crossentropy")
    print("progress 0.1 read", len(order), "rows", flush=True)
    model.fit(rows["X"][train], rows["y"][train], batch_size=64, epochs=8, verbose=0)
    print("progress 0.9 trained", flush=True)
    save_without_times(model, Path("/out/model.keras"))
    accuracy = float((model.predict(rows["X"][test], verbose=0).argmax(1) == rows["y"][test]).mean())
    Path("/out/metrics.json").write_text(json.dumps({"accuracy": accuracy, "rows": len(order)}))


if __name__ == "__main__":
    main()
