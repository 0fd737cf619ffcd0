"""Whether training again gives the same: each example with its pins, without them, and on two threads.

The class of a second execution is the product's own: `glasscase runs verify`, with its evidence. That two recipes which differ in
their pins give the same model is no verification of either; for that the digests of the two models are compared.

    bench/reexecution.py [--bin build/release/bin]
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "tests")]

from system.installation import Installation  # noqa: E402
from system.training_examples import EXAMPLES, RUNNERS, train, training  # noqa: E402

# example: its runner
NAMES = {"digits": "scikit-learn", "xgboost": "xgboost", "lightgbm": "lightgbm", "pytorch_mlp": "pytorch", "pytorch_cnn": "pytorch"}
OFF = {"pins": {"blas": "off", "numpy": "off", "onednn": "off", "torch": "off"}}
VARIANTS: dict[str, dict[str, Any]] = {
    "pins on": {}, "pins off": OFF,
    "two threads": {"threads": 2, "limits": {"cpus": 2, "memory_bytes": 2 << 30, "wall_s": 300}},
}
VERIFIED = ("pins on", "pins off")
Table = dict[str, dict[str, str]]  # example -> variant -> digest of what it left; "VARIANT, class" -> class of doing that once more


def is_ready() -> bool:
    return all((RUNNERS / runner / "bin" / "python").exists() for runner in NAMES.values())


def measure(programs: Path) -> Table:
    """Trains each example in each variant, in recorded runs."""
    with tempfile.TemporaryDirectory(prefix="glasscase-reexecution-") as name, training(programs, Path(name), *set(NAMES.values())) as glasscase:
        return {example: _digests(glasscase, Path(name), example) for example in NAMES}


def _digests(glasscase: Installation, folder: Path, example: str) -> dict[str, str]:
    glasscase.cli("dataset", "add", str(EXAMPLES / example / "train.py"), "--name", f"{example}-code")
    recipe = json.loads((EXAMPLES / example / "recipe.json").read_text())
    digests = {}
    for variant, change in VARIANTS.items():
        (folder / "recipe.json").write_text(json.dumps(recipe | change))
        run = train(glasscase, folder / "recipe.json", example)
        if run["state"] != "succeeded":
            raise RuntimeError(f"{example}, {variant}: {run['reason']}")
        digests[variant] = max(glasscase.cli("show", example, json=True)["versions"], key=lambda version: int(version["version"]))["sha256"]
        if variant in VERIFIED:
            digests[f"{variant}, class"] = _verified_class(glasscase, run["id"])
    return digests


def _verified_class(glasscase: Installation, run: str) -> str:
    """"B", "T" or "N", as `glasscase runs verify` records it."""
    again = json.loads(glasscase.cli("runs", "verify", run, "--json", check=False).stdout)
    if again["state"] != "succeeded":
        raise RuntimeError(f"verifying {run}: {again['reason']}")
    return str(json.loads(again["evidence"])["class"])


def repeats(row: dict[str, str]) -> bool:
    """Class B with pins."""
    return row["pins on, class"] == "B"


def text(table: Table) -> str:
    """For people: the classes, and which recipes give the same model."""
    lines = [f"{'example':14}{'class, pins on':>18}{'class, pins off':>18}{'off like on':>14}{'two threads like one':>24}"]
    for example, row in table.items():
        words = ["same bits" if row["pins on"] == row[other] else "DIFFERS" for other in ("pins off", "two threads")]
        lines.append(f"{example:14}{row['pins on, class']:>18}{row['pins off, class']:>18}{words[0]:>14}{words[1]:>24}")
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--bin", type=Path, default=ROOT / "build" / "release" / "bin", help="where the programs lie")
    table = measure(parser.parse_args().bin.resolve())
    print(text(table))
    return 0 if all(map(repeats, table.values())) else 1


if __name__ == "__main__":
    sys.exit(main())
