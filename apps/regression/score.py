"""Scores the virtual sensor: ``python -m apps.regression.score --data DIR``.

DIR holds ``fan_1_3.npz`` (see apps/anomaly/data.py). The model learned from fan 1, and is scored on fan 3, whose three
axes say what is right. Beside it stands what simpler ways would say, all learned from fan 1 as well.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from apps.anomaly.data import distinct, load
from apps.regression.data import UNIT, Windows, windows
from apps.script import run as run_script

Floats64 = NDArray[np.float64]
Predict = Callable[[Windows], Floats64]
DRAWS = 2000


@dataclass(frozen=True)
class Score:
    """How near the estimates are to what was measured.

    Args:
        mae: mean absolute error in mg.
        mae_95: its 95 % interval.
        r2: share of the variance that is explained; 0 says no more than the mean of these very windows.
        r2_95: its 95 % interval.
        samples: how many windows.
        recordings: how many recordings they are from, of which the intervals are drawn.
    """

    mae: float
    mae_95: tuple[float, float]
    r2: float
    r2_95: tuple[float, float]
    samples: int
    recordings: int

    def __str__(self) -> str:
        return (
            f"MAE {self.mae:.2f} {UNIT} ({self.mae_95[0]:.2f} to {self.mae_95[1]:.2f}), "
            f"R² {self.r2:.3f} ({self.r2_95[0]:.3f} to {self.r2_95[1]:.3f})"
        )


def score(said: Floats64, found: Windows) -> Score:
    """Compare with what was measured.

    The intervals are a block bootstrap: windows of one recording are alike, so whole recordings are drawn.
    """
    mae, r2 = _measures(said, found.y)
    names = np.unique(found.recording)
    rows = [np.flatnonzero(found.recording == name) for name in names]
    rng = np.random.default_rng(1)
    drawn = []
    for _ in range(DRAWS):
        chosen = np.concatenate([rows[i] for i in rng.integers(len(rows), size=len(rows))])
        drawn.append(_measures(said[chosen], found.y[chosen]))
    (mae_low, r2_low), (mae_high, r2_high) = np.quantile(drawn, [0.025, 0.975], axis=0)
    return Score(mae, (float(mae_low), float(mae_high)), r2, (float(r2_low), float(r2_high)), len(found.y), len(names))


def _measures(said: Floats64, y: Floats64) -> tuple[float, float]:
    wrong = said - y
    return float(np.abs(wrong).mean()), float(1 - np.square(wrong).sum() / np.square(y - y.mean()).sum())


def baselines(learned: Windows) -> dict[str, Predict]:
    """Simpler ways, by what they are; each learns from the same windows."""
    states = {state: float(learned.y[learned.state == state].mean()) for state in np.unique(learned.state)}
    mean = float(learned.y[learned.turning].mean())

    def plain(found: Windows) -> Floats64:
        rms = 1000 * np.sqrt(np.exp(found.x.astype(np.float64)).sum(axis=1))
        return np.column_stack([rms, np.ones(len(rms))])

    fitted = np.linalg.lstsq(plain(learned), learned.y, rcond=None)[0]
    return {
        "always the mean": lambda found: np.full(len(found.y), mean),
        "least squares on the axis' own rms": lambda found: np.asarray(plain(found) @ fitted),
        "the mean of the true state (told)": lambda found: np.array([states[state] for state in found.state]),
    }


def by_engine(folder: Path) -> Predict:
    """What the model in a folder says, run by the engine that its manifest names."""
    from pipelines import registry
    from pipelines.models import open_model

    model = open_model(str(folder / "manifest.yaml"), Path.cwd())
    cls = registry.load("engines", model.engine)

    def predict(found: Windows) -> Floats64:
        engine = cls(cls.Config(model=str(model.path)), model.path)
        try:
            return np.array([engine.infer(row[None])[0].item() for row in found.x])
        finally:
            engine.close()

    return predict


def main() -> None:
    """The command."""
    from pipelines.models import manifest_of

    parser = argparse.ArgumentParser(prog="python -m apps.regression.score", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder that holds fan_1_3.npz")
    parser.add_argument("--model", type=Path, help="folder of a model's manifest; the bundled one where absent")
    options = parser.parse_args()
    recordings = distinct(load(options.data))
    learned, unseen = (windows(one for one in recordings if one.fan == fan) for fan in (1, 3))
    predict = by_engine(options.model or manifest_of("regression").parent)
    for name, way in {"the model": predict, **baselines(learned)}.items():
        print(f"{name:38} {score(way(turning(unseen)), turning(unseen))}")
    for state in np.unique(unseen.state):
        there = unseen.where(unseen.state == state)
        said = predict(there)
        print(f"  {state:9} measured {there.y.mean():6.2f} {UNIT}, MAE {np.abs(said - there.y).mean():5.2f} {UNIT}, "
              f"{len(there.y)} windows")  # fmt: skip


def turning(found: Windows) -> Windows:
    """Without the windows in which the fan was off: they are easy, and would flatter."""
    return found.where(found.turning)


if __name__ == "__main__":
    run_script(main)
