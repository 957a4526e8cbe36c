"""Scores the bundled model on the fan that it did not learn from: ``python -m apps.fan_state.score --data DIR``.

DIR holds ``fan_1_3.npz`` (apps/anomaly/data.py). Windows of 2.56 s that do not overlap, through the shipped step and
engine.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from apps.anomaly.data import load, other_fan
from apps.fan_state.train import score
from apps.script import run as run_script
from pipelines.models import open_model


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m apps.fan_state.score", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder that holds fan_1_3.npz")
    parser.add_argument("--model", default="fan_state", help="a name, manifest or .tflite")
    parser.add_argument("--learned", type=int, default=1, help="the fan that it learned from")
    options = parser.parse_args()
    recordings = load(options.data)
    model = open_model(options.model, Path.cwd())
    score(model.path, recordings, options.learned, other_fan(recordings, options.learned))


if __name__ == "__main__":
    run_script(main)
