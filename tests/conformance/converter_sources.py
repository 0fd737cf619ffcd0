"""Trains small models and keeps them as their libraries do. Run in a runner: PYTHON converter_sources.py RUNNER|wrapped OUT."""

from __future__ import annotations

import json
import sys
import warnings
from pathlib import Path
from typing import Any

import numpy

SEED = 1


class Harmful:
    """Leaves a file where it is opened."""

    def __reduce__(self) -> tuple[Any, tuple[str, str]]:
        return open, ("/out/opened", "w")


def sklearn_models(out: Path) -> None:
    import joblib
    from sklearn import datasets, ensemble, linear_model, neural_network, svm
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    cancer, malignant = datasets.load_breast_cancer(return_X_y=True)
    iris, species = datasets.load_iris(return_X_y=True)
    names = numpy.array(["setosa", "versicolor", "virginica"])[species]
    diabetes, progress = datasets.load_diabetes(return_X_y=True)
    some = {"n_estimators": 20, "random_state": SEED}
    for name, model in {
        "logistic": make_pipeline(StandardScaler(), linear_model.LogisticRegression()).fit(iris, names),
        "network": make_pipeline(StandardScaler(), neural_network.MLPClassifier(max_iter=60, random_state=SEED)).fit(iris, species),
        "ridge": linear_model.Ridge().fit(diabetes, progress),
        "vectors": svm.SVC(probability=True, random_state=SEED).fit(iris, species),
        "forest": ensemble.RandomForestClassifier(**some).fit(cancer.astype(numpy.float32), malignant),
        "trap": make_pipeline(StandardScaler(), ensemble.RandomForestClassifier(**some)).fit(cancer, malignant),
        "histogram": ensemble.HistGradientBoostingClassifier(max_iter=5).fit(cancer, malignant),
        "harmful": Harmful(),
    }.items():
        joblib.dump(model, out / f"{name}.joblib")


def wrapped_models(out: Path) -> None:
    """Trees inside of other models: behind a scaler, and without one."""
    import joblib
    from sklearn import calibration, datasets, decomposition, ensemble, linear_model, model_selection, tree
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    cancer, malignant = datasets.load_breast_cancer(return_X_y=True)
    narrow = cancer.astype(numpy.float32)
    diabetes, progress = datasets.load_diabetes(return_X_y=True)
    some: dict[str, Any] = {"n_estimators": 8, "random_state": SEED}
    few: dict[str, Any] = {"n_estimators": 5, "random_state": SEED}

    def forest() -> Any:
        return ensemble.RandomForestClassifier(**some)

    def scaled() -> Any:
        return make_pipeline(StandardScaler(), forest())

    def linear() -> Any:
        return make_pipeline(StandardScaler(), linear_model.LogisticRegression())

    def one(depth: int | None = None) -> Any:
        return tree.DecisionTreeClassifier(max_depth=depth, random_state=SEED)

    depth = {"randomforestclassifier__max_depth": [5]}
    traps = {
        "search": model_selection.GridSearchCV(scaled(), depth, cv=2),
        "random-search": model_selection.RandomizedSearchCV(scaled(), depth, n_iter=1, cv=2),
        "calibrated": calibration.CalibratedClassifierCV(scaled(), cv=2),
        "stack": ensemble.StackingClassifier([("trees", scaled()), ("linear", linear())], cv=2),
        "stack-end": make_pipeline(StandardScaler(), ensemble.StackingClassifier(
            [("linear", linear_model.LogisticRegression())], forest(), passthrough=True, cv=2)),
        "vote": ensemble.VotingClassifier([("trees", scaled()), ("linear", linear())], voting="soft", flatten_transform=False),
        "bag": ensemble.BaggingClassifier(make_pipeline(StandardScaler(), one()), **few),
        "bag-of-some": make_pipeline(StandardScaler(), ensemble.BaggingClassifier(one(), max_features=0.5, **few)),
        "adaptive": make_pipeline(StandardScaler(), ensemble.AdaBoostClassifier(one(3), **few)),
    }
    for name, model in traps.items():
        joblib.dump(model.fit(cancer, malignant), out / f"trap-{name}.joblib")
    for name, model in {
        "bag-of-some": ensemble.BaggingClassifier(one(), max_features=0.5, **few),
        "stack": ensemble.StackingClassifier([("trees", forest()), ("linear", linear())], cv=2),
        "behind": make_pipeline(decomposition.PCA(5), forest()),
    }.items():
        joblib.dump(model.fit(narrow, malignant), out / f"right-{name}.joblib")
    vote = ensemble.VotingRegressor([("trees", ensemble.RandomForestRegressor(**few)), ("linear", linear_model.Ridge())])
    joblib.dump(vote.fit(diabetes.astype(numpy.float32), progress), out / "right-vote.joblib")
    small = ensemble.RandomForestRegressor(**few).fit(diabetes.astype(numpy.float32), numpy.column_stack([progress * 1e-9, -progress]))
    joblib.dump(small, out / "right-small.joblib")
    categories = numpy.arange(600).reshape(-1, 2) % 3
    (out / "categories").mkdir()
    numpy.save(out / "categories" / "rows.npy", categories.astype(numpy.float64))
    joblib.dump(make_pipeline(OneHotEncoder(), linear_model.LogisticRegression()).fit(categories, categories.sum(axis=1) > 2), out / "categories.joblib")


def boosted_models(library: str, out: Path) -> None:
    import pickle

    from sklearn import datasets
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    cancer, malignant = datasets.load_breast_cancer(return_X_y=True)
    some: dict[str, Any] = {"n_estimators": 50, "random_state": SEED, "n_jobs": 1}
    if library == "xgboost":
        from xgboost import XGBClassifier as Classifier
    else:
        from lightgbm import LGBMClassifier as Classifier
        some["verbosity"] = -1
    kinds = {"plain": Classifier(**some), "trap": make_pipeline(StandardScaler(), Classifier(**some))}
    if library == "xgboost":
        kinds["dart"] = make_pipeline(StandardScaler(), Classifier(booster="dart", **some))
    for name, model in kinds.items():
        (out / f"{library}-{name}.pkl").write_bytes(pickle.dumps(model.fit(cancer, malignant)))


NETWORK = """
from torch import nn

def build_model():
    return nn.Sequential(nn.Conv2d(1, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(256, 10))
"""
SORTS = """
import torch

class Unusual(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.scale = torch.nn.Parameter(torch.ones(1))

    def forward(self, x):
        return torch.linalg.svdvals(x) * self.scale

def build_model():
    return Unusual()
"""


# Beyond every float32 for large inputs, and nowhere else.
GROWS = """
import torch

class Grows(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.scale = torch.nn.Parameter(torch.ones(1))

    def forward(self, x):
        return torch.exp(x.flatten(1) * self.scale)

def build_model():
    return Grows()
"""


LOOKS_UP = """
import torch

class Looks(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.table = torch.nn.Embedding(7, 3)

    def forward(self, x):
        return self.table(x).sum(1)

def build_model():
    return Looks()
"""


def torch_models(out: Path) -> None:
    import torch
    from glasscase_convert import tensors

    torch.manual_seed(SEED)
    inputs = {"x": {"shape": ["n", 1, 8, 8], "range": [0, 16]}}

    def folder(name: str, code: str, shape: Any = inputs) -> Path:
        (out / name / "code").mkdir(parents=True)
        (out / name / "source").mkdir()
        (out / name / "code" / "model.py").write_text(code)
        if shape:
            (out / name / "code" / "inputs.json").write_text(json.dumps(shape))
        return out / name / "source"

    scope: dict[str, Any] = {}
    exec(NETWORK, scope)  # the same text is the code of the asset
    network = scope["build_model"]().eval()
    state = {name: tensor.numpy() for name, tensor in network.state_dict().items()}
    tensors.save(folder("tensors", NETWORK) / "model.safetensors", state)
    torch.save(network.state_dict(), folder("state", NETWORK) / "model.pt")
    torch.save(network, folder("module", NETWORK) / "model.pt")
    torch.jit.script(network).save(str(folder("script", "") / "model.pt"))
    tensors.save(folder("other-code", NETWORK.replace("256, 10", "256, 9")) / "model.safetensors", state)
    tensors.save(folder("no-inputs", NETWORK, None) / "model.safetensors", state)
    tensors.save(folder("no-function", "build = None\n") / "model.safetensors", state)
    tensors.save(folder("unusual", SORTS) / "model.safetensors", {"scale": numpy.ones(1, dtype=numpy.float32)})
    tensors.save(folder("nowhere", GROWS) / "model.safetensors", {"scale": numpy.full(1, numpy.nan, dtype=numpy.float32)})
    tensors.save(folder("sometimes", GROWS) / "model.safetensors", {"scale": numpy.ones(1, dtype=numpy.float32)})
    for name, said in {"index": {}, "index-range": {"range": [0, 6]}}.items():
        taken = {"x": {"shape": ["n", 4], "datatype": "int64"} | said}
        tensors.save(folder(name, LOOKS_UP, taken) / "model.safetensors", {"table.weight": numpy.arange(21, dtype=numpy.float32).reshape(7, 3)})
    (folder("cut", NETWORK) / "model.safetensors").write_bytes((out / "tensors/source/model.safetensors").read_bytes()[:-5])


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    runner, target = sys.argv[1], Path(sys.argv[2])
    target.mkdir(exist_ok=True)
    if runner == "scikit-learn":
        sklearn_models(target)
    elif runner == "wrapped":
        wrapped_models(target)
    elif runner == "pytorch":
        torch_models(target)
    else:
        boosted_models(runner, target)
