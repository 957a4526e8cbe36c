"""Scores learning on the spot on another machine: ``python -m apps.anomaly.ceiling --data DIR``.

DIR is ``datasets/ceiling-fan`` of ShawnHymel/tinyml-example-anomaly-detection 4530061 (Beerware): a ceiling fan with
and without a coin taped to a blade, one CSV of 200 samples at 200 Hz (x, y, z in g) a second. For the score alone:
nothing was learned or chosen on it. A window is one second, as a file is no longer; the rest is ``anomaly.yaml``.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from apps.anomaly.features import Floats, band_powers
from apps.anomaly.metrics import auc
from apps.anomaly.network import BANDS
from apps.anomaly.score import Spot
from apps.script import run as run_script
from pipelines.errors import DataError

NORMAL, ALSO_NORMAL = "fan_0_low_0_weight", "fan_0_low_0_weight-moving"
STRANGE = ("fan_0_low_1_weight", "fan_0_med_0_weight", "fan_0_high_0_weight", "fan_0_off_0_weight")
SAMPLES, LEARNED = 200, 100


def features(folder: Path) -> Floats:
    """[files, bands, 3] of a folder, in the order in which they were recorded.

    Raises:
        DataError: there are none, or one is something else.
    """
    paths = sorted(folder.glob("*.csv"))
    if not paths:
        raise DataError(f"{folder} has no .csv, expected the ceiling fan's recordings")
    return band_powers(np.stack([_read(path) for path in paths]), BANDS)


def _read(path: Path) -> Floats:
    try:
        samples = np.loadtxt(path, np.float32, delimiter=",")
    except ValueError as error:
        raise DataError(f"{path} cannot be read ({error}), expected numbers x, y, z") from error
    if samples.shape != (SAMPLES, 3):
        raise DataError(f"{path} holds {list(samples.shape)}, expected [{SAMPLES}, 3]")
    return samples


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m apps.anomaly.ceiling", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="the folder datasets/ceiling-fan")
    options = parser.parse_args()
    normal = features(options.data / NORMAL)
    spot = Spot(normal[:LEARNED])
    rest = spot.distances(normal[LEARNED:])
    print(f"learned from the first {LEARNED} s at low speed; limit 3 passes {np.mean(rest <= 3):.3f} of the other "
          f"{len(rest)} windows")  # fmt: skip
    for name in (ALSO_NORMAL, *STRANGE):
        found = spot.distances(features(options.data / name))
        print(f"{name}: AUC {auc(rest, found):.4f}, beyond the limit {np.mean(found > 3):.3f} of {len(found)} windows")


if __name__ == "__main__":
    run_script(main)
