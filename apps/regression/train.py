"""Train the virtual sensor: ``eiq-demo train regression --data DIR``.

DIR holds ``fan_1_3.npz`` (see apps/anomaly/data.py). From the features of one axis a model learns the logarithm of
what all three measured in the same second. Which model is decided on fan 1 alone: each of its three rounds of
recordings is left out once (scikit-learn's GroupKFold in plain). The one with the least mean absolute error learns from
all of fan 1, and is scored on fan 3.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import click
import numpy as np
from numpy.typing import NDArray

from apps.anomaly.data import distinct, load
from apps.progress import track
from apps.regression.data import RECIPE, SENSOR, UNIT, Windows, windows
from apps.regression.score import Score, baselines, score, turning
from apps.shipping import write_model
from apps.training import TRAIN, Options, training_options
from pipelines.errors import DataError
from pipelines.optional import require

LABEL = "vibration"
OPSET = {"": 18, "ai.onnx.ml": 3}
ALPHAS = (10.0, 30.0, 100.0, 300.0)
GAMMAS = (0.003, 0.01, 0.03)


def candidates(seed: int) -> dict[str, Any]:
    """Untrained scikit-learn estimators by name, features to ln(mg)."""
    from sklearn.ensemble import GradientBoostingRegressor
    from sklearn.linear_model import Ridge
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    from sklearn.svm import SVR

    ridges = {f"ridge, alpha {alpha:g}": make_pipeline(StandardScaler(), Ridge(alpha=alpha)) for alpha in ALPHAS}
    machines = {
        f"support vectors, gamma {gamma:g}": make_pipeline(StandardScaler(), SVR(C=3.0, epsilon=0.1, gamma=gamma))
        for gamma in GAMMAS
    }
    trees = GradientBoostingRegressor(n_estimators=100, max_depth=3, subsample=0.5, random_state=seed)
    return ridges | machines | {"boosted trees": trees}


def fit(estimator: Any, learned: Windows) -> Any:
    """A trained copy of an estimator."""
    from sklearn.base import clone

    return clone(estimator).fit(_flat(learned), np.log(learned.y))


def said(pipeline: Any, found: Windows) -> NDArray[np.float64]:
    """Its estimates in mg, [n]."""
    return np.exp(np.asarray(pipeline.predict(_flat(found)), np.float64))


def _flat(found: Windows) -> NDArray[np.float32]:
    return found.x.reshape(len(found.x), -1)


def rounds(learned: Windows) -> Iterator[NDArray[np.bool_]]:
    """Windows to leave out, bool [n]: those of each round of recordings in turn, all states of it."""
    number = np.array([name.split("-")[2] for name in learned.recording])  # fan-1-vd2-clog
    if len(np.unique(number)) < 2:
        raise DataError("got recordings of one round only, expected two or more, to choose a model by those left out")
    for one in np.unique(number):
        yield number == one


def cross_validated(estimator: Any, learned: Windows) -> float:
    """Mean absolute error in mg where the fan turns, over the rounds left out."""
    wrong = []
    for left_out in rounds(learned):
        unseen = turning(learned.where(left_out))
        wrong.append(np.abs(said(fit(estimator, learned.where(~left_out)), unseen) - unseen.y))
    return float(np.concatenate(wrong).mean())


def choose(learned: Windows, seed: int) -> tuple[str, Any]:
    """The best candidate's name, and it trained on all that there is."""
    untrained = candidates(seed)
    names = track(untrained, "cross-validation", len(untrained))
    errors = {name: cross_validated(untrained[name], learned) for name in names}
    for name, error in errors.items():
        print(f"  {name:32} {error:.3f} {UNIT} over the rounds left out", flush=True)
    best = min(errors, key=lambda name: errors[name])
    return best, fit(untrained[best], learned)


def to_onnx(pipeline: Any, shape: tuple[int, ...]) -> bytes:
    """The pipeline as one graph from features float32 [1, *shape] to mg [1, 1].

    skl2onnx converts the pipeline; before it stands the flattening that scikit-learn wants, behind it the exponential.
    """
    import skl2onnx
    from skl2onnx.common.data_types import FloatTensorType

    onnx = require("onnx", purpose="training", install=TRAIN)
    make_node, make_value = onnx.helper.make_node, onnx.helper.make_tensor_value_info
    kind = FloatTensorType([1, int(np.prod(shape))])
    model = skl2onnx.to_onnx(pipeline, initial_types=[("flat", kind)], target_opset=OPSET, name="regression")
    graph = model.graph
    (output,) = graph.output
    graph.node.insert(0, make_node("Flatten", ["features"], ["flat"]))
    graph.node.append(make_node("Exp", [output.name], ["mg"]))
    graph.input[0].CopyFrom(make_value("features", onnx.TensorProto.FLOAT, [1, *shape]))
    output.CopyFrom(make_value("mg", onnx.TensorProto.FLOAT, [1, 1]))
    opsets = sorted(model.opset_import, key=lambda one: str(one.domain))  # skl2onnx's order changes from run to run
    del model.opset_import[:]
    model.opset_import.extend(opsets)
    return bytes(model.SerializeToString())


def train(data: Windows, unseen: Windows, seed: int) -> tuple[str, Any, Score]:
    """Choose and fit on ``data``; score on ``unseen``, which decides nothing."""
    name, pipeline = choose(data, seed)
    result = score(said(pipeline, turning(unseen)), turning(unseen))
    print(f"{name}: {result}", flush=True)
    for way, predict in baselines(data).items():
        print(f"  {way:38} {score(predict(turning(unseen)), turning(unseen))}", flush=True)
    return name, pipeline, result


def manifest(name: str, learned: Windows, scores: dict[str, Score], seed: int) -> dict[str, Any]:
    """What is known of the model, but for its files."""
    return {
        "name": "regression",
        "title": "How hard a fan shakes along three axes, in mg, from one of them",
        "labels": [LABEL],
        "input": {"kind": "features", "shape": list(learned.x.shape[1:]), "dtype": "float32"},
        "source": {"kind": SENSOR.kind, "rate_hz": SENSOR.rate_hz, "channels": list(SENSOR.channels)},
        "preprocess": list(RECIPE),
        "training": {
            "data": f"NXP's fan vibration, fan 1, {len(learned.y):,} windows of 1 s in {len(set(learned.recording))} "
            f"recordings (nxp-appcodehub/ap-ml-state-monitor ac23c74); {name}, chosen on it by leaving out recordings",
            "licence": "BSD-3-Clause",
            "command": f"eiq-demo train regression --data DIR --out models/regression --seed {seed}",
            "seed": seed,
        },
        "accuracy": [entry for data, one in scores.items() for entry in _entries(data, one)],
    }


def _entries(data: str, one: Score) -> Iterator[dict[str, Any]]:
    values = {f"mean absolute error, {UNIT}": (one.mae, one.mae_95), "R²": (one.r2, one.r2_95)}
    for metric, (value, (low, high)) in values.items():
        interval = f"95 % interval {low:.3g} to {high:.3g}, whole recordings drawn"
        yield {
            "metric": metric,
            "value": round(value, 3),
            "samples": one.samples,
            "data": f"{data}, {one.recordings} recordings; {interval}",
            "measured": "here",
            "command": "python -m apps.regression.score --data DIR",
        }


@click.command("regression")
@training_options("regression", epochs=1, needs=("sklearn", "skl2onnx", "onnx"))
def command(**options: Any) -> None:
    """Train the virtual sensor on NXP's fan recordings.

    DIR holds fan_1_3.npz. It takes seconds, in one go: --epochs, --threads, --work and --resume change nothing.
    """
    told = Options(**options)
    recordings = distinct(load(told.data))
    fans = {fan: windows(one for one in recordings if one.fan == fan) for fan in (1, 3)}
    print("learned from fan 3, scored on fan 1 (to compare; it is not the model that is written):", flush=True)
    train(fans[3], fans[1], told.seed)
    print("learned from fan 1, scored on fan 3:", flush=True)
    name, pipeline, result = train(fans[1], fans[3], told.seed)
    model = to_onnx(pipeline, fans[1].x.shape[1:])
    data = "windows of 1 s of fan 3, another fan than it learned from, while it turns (on, clog, friction)"
    write_model(told.out, model, manifest(name, fans[1], {data: result}, told.seed), engine="onnx")
