"""Trains small models with one library, in that library's runner, and writes what it answers. Run as a script:

    .deps/runners/xgboost/bin/python sources.py xgboost OUT

For each model NAME: the file to translate (NAME.json, NAME.ubj or NAME.txt), NAME.inputs.npy (float32), NAME.outputs.npy (what
predict or predict_proba gives), NAME.leaves.npy (rows by trees: the leaf's number in its tree) and for classifiers
NAME.labels.npy; of XGBoost also NAME.margins.npy, the sums before the transform. The library gets exactly these float32 numbers.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy
from sklearn.datasets import load_breast_cancer, load_diabetes, load_iris

Array = Any
SEED = 7
HOLES = 0.2


# As many of either class, at x = 0 as well: there every sum is exactly 0.
EVEN = (
    numpy.repeat(numpy.array([[-1.0], [0.0], [1.0]], dtype=numpy.float32), 40, axis=0),
    numpy.concatenate([numpy.zeros(40, int), numpy.arange(40) % 2, numpy.ones(40, int)]),
)


def fewer_of_some(classes: Array) -> Array:
    """Rows of which each class has another share, so that what the sums start from differs."""
    return numpy.concatenate([numpy.flatnonzero(classes == one)[: 50 - 15 * one] for one in numpy.unique(classes)])


def with_holes(inputs: Array) -> Array:
    inputs = inputs.copy()
    inputs[numpy.random.default_rng(SEED).random(inputs.shape) < HOLES] = numpy.nan
    return inputs


def beside(thresholds: Iterable[tuple[int, float]], inputs: Array, missing: bool) -> Array:
    """The inputs, and rows with every threshold and the float32 to either side of it, packed over the features."""
    columns: list[list[float]] = [[] for _ in range(inputs.shape[1])]
    for feature, threshold in set(thresholds):
        nearest = numpy.float32(threshold)
        for value in (numpy.nextafter(nearest, numpy.float32(-numpy.inf)), nearest, numpy.nextafter(nearest, numpy.float32(numpy.inf))):
            if numpy.isfinite(value):  # where only missing values part from others, the threshold is infinite
                columns[feature].append(float(value))
    rows = max(len(column) for column in columns)
    packed = numpy.zeros((rows, len(columns)), dtype=numpy.float32)
    for feature, column in enumerate(columns):
        if column:
            packed[:, feature] = numpy.resize(numpy.array(column, dtype=numpy.float32), rows)
    special = [numpy.zeros(len(columns)), -numpy.zeros(len(columns)), numpy.full(len(columns), 1e-40), numpy.full(len(columns), 1e-36), numpy.full(len(columns), 3e38), numpy.full(len(columns), -3e38)]
    if missing:
        special.append(numpy.full(len(columns), numpy.nan))
        special.extend(with_holes(packed))
    return numpy.concatenate([inputs.astype(numpy.float32), packed, numpy.array(special, dtype=numpy.float32)])


def save(out: Path, name: str, **arrays: Array) -> None:
    for what, array in arrays.items():
        numpy.save(out / f"{name}.{what}.npy", array)


def xgboost_models(out: Path) -> None:
    import json

    import xgboost

    def thresholds(booster: Any) -> list[tuple[int, float]]:
        booster.save_model(out / "scratch.json")
        found = []
        booster_part = json.loads((out / "scratch.json").read_text())["learner"]["gradient_booster"]
        for tree in booster_part.get("gbtree", booster_part)["model"]["trees"]:  # dart holds a gbtree
            for left, feature, value in zip(tree["left_children"], tree["split_indices"], tree["split_conditions"], strict=True):
                if left >= 0:
                    found.append((feature, value))
        assert found, "no tree has a split"
        return found

    def keep(name: str, model: Any, inputs: Array, targets: Array) -> None:
        model.fit(inputs, targets)
        booster = model.get_booster()
        rows = beside(thresholds(booster), inputs, missing=True)
        booster.save_model(out / f"{name}.json")
        booster.save_model(out / f"{name}.ubj")
        matrix = xgboost.DMatrix(rows)
        save(out, name, inputs=rows, outputs=booster.predict(matrix), leaves=booster.predict(matrix, pred_leaf=True).reshape(len(rows), -1), margins=booster.predict(matrix, output_margin=True))
        if hasattr(model, "classes_"):
            save(out, name, labels=model.predict(rows))

    cancer, malignant = load_breast_cancer(return_X_y=True)
    iris, species = load_iris(return_X_y=True)
    diabetes, progress = load_diabetes(return_X_y=True)
    one = {"n_jobs": 1, "random_state": SEED}
    few = fewer_of_some(species)
    keep("logistic", xgboost.XGBClassifier(n_estimators=50, **one), cancer, malignant)
    keep("holes", xgboost.XGBClassifier(n_estimators=30, **one), with_holes(cancer), malignant)
    keep("pruned", xgboost.XGBClassifier(n_estimators=30, gamma=1.0, tree_method="exact", **one), cancer, malignant)
    keep("forest", xgboost.XGBClassifier(n_estimators=5, num_parallel_tree=4, subsample=0.5, **one), cancer, malignant)
    keep("dart", xgboost.XGBClassifier(n_estimators=20, booster="dart", rate_drop=0.3, **one), cancer, malignant)
    keep("softmax", xgboost.XGBClassifier(n_estimators=30, **one), iris[few], species[few])
    keep("ties", xgboost.XGBClassifier(n_estimators=3, min_child_weight=0, **one), *EVEN)
    keep("squared", xgboost.XGBRegressor(n_estimators=60, **one), diabetes, progress)
    keep("targets", xgboost.XGBRegressor(n_estimators=20, **one), diabetes, numpy.stack([progress, -progress], 1))
    keep("poisson", xgboost.XGBRegressor(n_estimators=30, objective="count:poisson", **one), diabetes, progress)
    keep("gamma", xgboost.XGBRegressor(n_estimators=30, objective="reg:gamma", **one), diabetes, progress)
    keep("ranking", xgboost.XGBRegressor(n_estimators=10, objective="rank:pairwise", **one), diabetes, progress > 100)


def xgboost_objectives(out: Path, names: list[str]) -> None:
    """Each with the base value that XGBoost estimates, and with one that is given."""
    import xgboost

    inputs, progress = load_diabetes(return_X_y=True)
    shares, classes = (progress > 100).astype(int), numpy.digitize(progress, [90, 170])
    targets = {"binary": shares, "reg:logistic": shares, "rank": shares, "multi": classes}
    more = {"multi": {"num_class": 3}, "reg:quantileerror": {"quantile_alpha": [0.1, 0.9]}}
    # 1.7 is no probability, and a base value of those that take any number.
    bases = {"binary:logitraw": 1.7, "binary": 0.2, "reg:logistic": 0.2}

    def of(table: dict[str, Any], name: str, otherwise: Any) -> Any:
        return table.get(name, table.get(name.split(":")[0], otherwise))

    for name in names:
        for base in (None, of(bases, name, 1.7)):
            settings = {"objective": name, "max_depth": 3, "nthread": 1, **of(more, name, {})}
            if base is not None:
                settings["base_score"] = base
            matrix = xgboost.DMatrix(inputs, of(targets, name, progress))
            if name.startswith("rank"):
                matrix.set_group([len(inputs) // 2, len(inputs) - len(inputs) // 2])
            booster = xgboost.train(settings, matrix, 5)
            stem = f"{name.replace(':', '_')}_{'given' if base else 'own'}"
            booster.save_model(out / f"{stem}.json")
            save(out, stem, inputs=inputs.astype(numpy.float32), outputs=booster.predict(matrix), margins=booster.predict(matrix, output_margin=True))


def lightgbm_objectives(out: Path, names: list[str]) -> None:
    import lightgbm

    inputs, progress = load_diabetes(return_X_y=True)
    inputs = inputs.astype(numpy.float32)
    shares, classes = (progress > 100).astype(int), numpy.digitize(progress, [90, 170])
    targets = {"binary": shares, "cross_entropy": shares, "lambdarank": shares, "rank_xendcg": shares, "multiclass": classes, "multiclassova": classes}

    def squares(scores: Array, data: Any) -> tuple[Array, Array]:
        return scores - data.get_label(), numpy.ones_like(scores)

    for name in names:
        settings = {"objective": squares if name == "custom" else name, "num_threads": 1, "verbose": -1, "num_leaves": 8}
        if name.startswith("multi"):
            settings["num_class"] = 3
        group = [len(inputs) // 2, len(inputs) - len(inputs) // 2] if "rank" in name else None
        booster = lightgbm.train(settings, lightgbm.Dataset(inputs, targets.get(name, progress), group=group), 5)
        booster.save_model(out / f"{name}.txt")
        save(out, name, inputs=inputs, outputs=booster.predict(inputs))


def lightgbm_models(out: Path) -> None:
    import lightgbm

    def thresholds(node: dict[str, Any]) -> list[tuple[int, float]]:
        if "split_feature" not in node:
            return []
        return [(node["split_feature"], node["threshold"]), *thresholds(node["left_child"]), *thresholds(node["right_child"])]

    def keep(name: str, model: Any, inputs: Array, targets: Array) -> None:
        booster = model.fit(inputs, targets).booster_
        splits = [split for tree in booster.dump_model()["tree_info"] for split in thresholds(tree["tree_structure"])]
        rows = beside(splits, inputs, missing=True)
        booster.save_model(out / f"{name}.txt")
        save(out, name, inputs=rows, outputs=booster.predict(rows), leaves=booster.predict(rows, pred_leaf=True).reshape(len(rows), -1))
        if hasattr(model, "classes_"):
            save(out, name, labels=model.predict(rows))

    cancer, malignant = load_breast_cancer(return_X_y=True)
    iris, species = load_iris(return_X_y=True)
    diabetes, progress = load_diabetes(return_X_y=True)
    one = {"n_jobs": 1, "random_state": SEED, "verbose": -1}
    with_zeros = numpy.nan_to_num(with_holes(cancer)) - numpy.median(cancer, axis=0) * (~numpy.isnan(with_holes(cancer)))
    bagged = {"boosting_type": "rf", "bagging_freq": 1, "bagging_fraction": 0.5}
    keep("binary", lightgbm.LGBMClassifier(n_estimators=50, **one), cancer, malignant)
    keep("holes", lightgbm.LGBMClassifier(n_estimators=30, **one), with_holes(cancer), malignant)
    keep("zeros", lightgbm.LGBMClassifier(n_estimators=30, zero_as_missing=True, **one), with_zeros, malignant)
    keep("slope", lightgbm.LGBMClassifier(n_estimators=30, sigmoid=0.7, **one), cancer, malignant)
    keep("dart", lightgbm.LGBMClassifier(n_estimators=20, boosting_type="dart", **one), cancer, malignant)
    keep("bagged", lightgbm.LGBMClassifier(n_estimators=20, **bagged, **one), cancer, malignant)
    keep("bagged_classes", lightgbm.LGBMClassifier(n_estimators=10, **bagged, **one), iris, species)
    few = fewer_of_some(species)
    keep("multiclass", lightgbm.LGBMClassifier(n_estimators=30, **one), iris[few], species[few])
    keep("one_against_rest", lightgbm.LGBMClassifier(n_estimators=30, objective="multiclassova", **one), iris[few], species[few])
    keep("ties", lightgbm.LGBMClassifier(n_estimators=3, min_child_samples=1, min_child_weight=0, **one), *EVEN)
    keep("regression", lightgbm.LGBMRegressor(n_estimators=60, **one), diabetes, progress)
    keep("poisson", lightgbm.LGBMRegressor(n_estimators=30, objective="poisson", **one), diabetes, progress)
    keep("root", lightgbm.LGBMRegressor(n_estimators=30, reg_sqrt=True, **one), diabetes, progress)


def sklearn_models(out: Path) -> None:
    from glasscase_dump import NotDumpable, describe, dump
    from sklearn import ensemble, linear_model, pipeline, preprocessing, tree

    def keep(name: str, model: Any, inputs: Array, targets: Array) -> None:
        model.fit(inputs, targets)
        dump(model, out / f"{name}.json")
        trees = describe(model).get("trees", [])
        splits = [(f, t) for one in trees for f, t, left in zip(one["feature"], one["threshold"], one["left"], strict=True) if left >= 0]
        missing = bool(numpy.isnan(inputs).any())
        rows = beside(splits or [(0, 0.0)], inputs, missing)
        if not trees:
            rows = rows[: len(inputs)]
        answer = model.predict_proba if hasattr(model, "predict_proba") else model.predict
        # Trees of forests see float32, the others are given the same numbers as doubles.
        save(out, name, inputs=rows, outputs=answer(rows.astype(numpy.float64)))
        if hasattr(model, "apply"):
            save(out, name, leaves=model.apply(rows).reshape(len(rows), -1))
        if hasattr(model, "classes_"):
            save(out, name, labels=model.predict(rows.astype(numpy.float64)))

    cancer, malignant = load_breast_cancer(return_X_y=True)
    iris, species = load_iris(return_X_y=True)
    diabetes, progress = load_diabetes(return_X_y=True)
    names = numpy.array(["setosa", "versicolor", "virginica"])[species]
    some = {"n_estimators": 20, "random_state": SEED}
    standard, span = preprocessing.StandardScaler, preprocessing.MinMaxScaler
    keep("tree", tree.DecisionTreeClassifier(random_state=SEED), iris, names)
    keep("tree_value", tree.DecisionTreeRegressor(random_state=SEED), diabetes, progress)
    keep("tree_holes", tree.DecisionTreeClassifier(random_state=SEED), with_holes(iris), species)
    keep("forest", ensemble.RandomForestClassifier(**some), cancer, malignant)
    keep("forest_holes", ensemble.RandomForestClassifier(**some), with_holes(iris), names)
    keep("forest_values", ensemble.RandomForestRegressor(**some), diabetes, numpy.stack([progress, -progress], 1))
    keep("extra", ensemble.ExtraTreesClassifier(**some), iris, species)
    keep("extra_value", ensemble.ExtraTreesRegressor(**some), diabetes, progress)
    keep("boosting", ensemble.GradientBoostingClassifier(**some), cancer, malignant)
    few = fewer_of_some(species)
    keep("boosting_classes", ensemble.GradientBoostingClassifier(**some), iris[few], names[few])
    keep("boosting_ties", ensemble.GradientBoostingClassifier(n_estimators=3), *EVEN)
    keep("boosting_value", ensemble.GradientBoostingRegressor(**some), diabetes, progress)
    keep("histogram", ensemble.HistGradientBoostingClassifier(max_iter=30), with_holes(cancer), malignant)
    keep("histogram_classes", ensemble.HistGradientBoostingClassifier(max_iter=30), iris[few], names[few])
    keep("histogram_ties", ensemble.HistGradientBoostingClassifier(max_iter=3, min_samples_leaf=1), *EVEN)
    keep("forest_ties", ensemble.RandomForestClassifier(n_estimators=4, bootstrap=False), *EVEN)
    keep("histogram_value", ensemble.HistGradientBoostingRegressor(max_iter=30), diabetes, progress)
    keep("histogram_poisson", ensemble.HistGradientBoostingRegressor(loss="poisson", max_iter=30), diabetes, progress)
    keep("logistic", linear_model.LogisticRegression(max_iter=5000), cancer, malignant)
    keep("logistic_classes", pipeline.make_pipeline(standard(), linear_model.LogisticRegression()), iris, names)
    keep("logistic_ties", linear_model.LogisticRegression(fit_intercept=False), *EVEN)
    keep("ridge", pipeline.make_pipeline(span(), linear_model.Ridge()), diabetes, progress)
    keep("counts", linear_model.PoissonRegressor(), diabetes, progress)
    refused = [model.fit(iris, species) for model in (
        pipeline.make_pipeline(standard(), ensemble.RandomForestClassifier(**some)), ensemble.AdaBoostClassifier(**some))]
    refused += [as_older(linear_model.LogisticRegression().fit(iris, species), multi_class="ovr"),
                as_older(linear_model.LogisticRegression().fit(iris, species), multi_class="deprecated", solver="liblinear"),
                as_older(linear_model.LogisticRegression().fit(iris, species), solver="liblinear"),
                as_older(linear_model.LogisticRegressionCV(cv=2, l1_ratios=(0,)).fit(iris, species), multi_class="warn"),
                as_older(linear_model.LogisticRegression().fit(cancer, malignant), multi_class="multinomial")]
    for model in refused:
        try:
            dump(model, out / "refused.json")
        except NotDumpable as why:
            with (out / "refusals.txt").open("a") as file:
                file.write(f"{why}\n")


def as_older(model: Any, **members: str) -> Any:
    """As an older scikit-learn leaves it, for which they decide what its scores mean."""
    for name, value in members.items():
        setattr(model, name, value)
    return model


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    folder, names = Path(sys.argv[2]), sys.argv[3:]
    if names:
        {"xgboost": xgboost_objectives, "lightgbm": lightgbm_objectives}[sys.argv[1]](folder, names)
    else:
        {"xgboost": xgboost_models, "lightgbm": lightgbm_models, "scikit-learn": sklearn_models}[sys.argv[1]](folder)
