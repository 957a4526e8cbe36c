"""The fan's states by a support vector machine and by a random forest, on the network's features.

python -m apps.fan_state.classical --data DIR --out DIR

--data holds ``fan_1_3.npz`` (apps/anomaly/data.py); ``fan_state_svm`` and ``fan_state_forest`` are written into --out.
They learn from fan 1 as the network does (train.py: the same windows, bands and variations) and are scored on fan 3.
Nothing was tuned: the settings are scikit-learn's own, but for the forest's trees and their depth, which keep its file
small.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from apps.anomaly.data import LICENCE, SOURCE, STATES, Recording, load, other_fan
from apps.anomaly.features import Floats, band_powers, recipe, varied, windows
from apps.fan_state.network import BANDS
from apps.fan_state.train import VARIATIONS, score
from apps.script import run as run_script
from apps.shipping import write_model, write_whole
from pipelines.optional import require

FAN, SEED, VARIANTS = 1, 1, 4
TREES, DEPTH = 30, 7
COMMAND = "python -m apps.fan_state.classical --data DIR --out DIR"


def machine() -> Any:
    """An untrained support vector machine with probabilities."""
    from sklearn.calibration import CalibratedClassifierCV
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    from sklearn.svm import SVC

    return make_pipeline(StandardScaler(), CalibratedClassifierCV(SVC(), ensemble=False))


def forest() -> Any:
    """An untrained random forest."""
    from sklearn.ensemble import RandomForestClassifier

    return RandomForestClassifier(TREES, max_depth=DEPTH, random_state=SEED)


MAKERS: dict[str, tuple[str, Callable[[], Any]]] = {
    "fan_state_svm": ("support vector machine", machine),
    "fan_state_forest": (f"random forest of {TREES} trees", forest),
}


def examples(recordings: tuple[Recording, ...]) -> tuple[Floats, Any]:
    """Features [n, BANDS, 3] of fan 1, as they are and varied, and their states [n]."""
    rng = np.random.default_rng(SEED)
    features, states = [], []
    for number, state in enumerate(STATES):
        cut = np.concatenate([windows(one.samples) for one in recordings if (one.fan, one.state) == (FAN, state)])
        kinds = [cut, *(varied(cut, VARIATIONS[state], rng) for _ in range(VARIANTS))]
        features += [band_powers(kind, BANDS) for kind in kinds]
        states += [np.full(sum(map(len, kinds)), number)]
    return np.concatenate(features), np.concatenate(states)


def train(recordings: tuple[Recording, ...], out: Path) -> None:
    """Learn, score, write: both."""
    io = require("skops.io", purpose="training", install="pip install 'eiq-demo[classical]'")
    x, states = examples(recordings)
    for name, (title, maker) in MAKERS.items():
        estimator = maker().fit(x.reshape(len(x), -1).astype(np.float64), states)
        model = io.dumps({"estimator": estimator, "input_shape": list(x.shape[1:])}, compression=8)
        out.mkdir(parents=True, exist_ok=True)
        write_whole(out / f".{name}.skops", model)
        try:
            scores = score(out / f".{name}.skops", recordings, FAN, other_fan(recordings, FAN), engine="sklearn")
        finally:
            (out / f".{name}.skops").unlink()
        write_model(out / name, model, {
            "name": name,
            "title": f"A fan's state by its vibration: a {title}",
            "labels": list(STATES),
            **recipe(BANDS),
            "training": {
                "data": f"fan {FAN} of NXP's fan vibration, 3 recordings of 5 minutes of each state ({SOURCE})",
                "licence": LICENCE,
                "command": COMMAND,
                "seed": SEED,
            },
            "accuracy": [line | {"command": COMMAND} for line in scores],
        }, engine="sklearn", suffix="skops")  # fmt: skip
        print(f"{name}: {len(model):,} bytes")


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m apps.fan_state.classical")
    parser.add_argument("--data", type=Path, required=True, help="folder that holds fan_1_3.npz")
    parser.add_argument("--out", type=Path, required=True, help="folder to write the two models' folders into")
    options = parser.parse_args()
    train(load(options.data), options.out)


if __name__ == "__main__":
    run_script(main)
