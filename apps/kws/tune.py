"""Chooses smoothing, threshold and refractory time for a stream: ``python -m apps.kws.tune --data DIR``.

The stream is made of validation pictures and of synthetic speech by voices outside the training set, never of test
clips. Prints one line per setting; what ``configs/kws.yaml`` uses was read off it.
"""

from __future__ import annotations

import argparse
import itertools
import json
from pathlib import Path

import numpy as np

from apps.kws import stream, synthesis
from apps.kws.pictures import FRAMES, LABELS, ROWS, Bank, Floats, load, mfcc
from apps.script import run as run_script
from pipelines.core import Frame, Signal
from pipelines.decoders.top import Top
from pipelines.engines.tflite import Tflite
from pipelines.transforms.smooth import Smooth

EVERY_ROWS = 10


def scores_of(log_power: Floats, model: Path) -> Floats:
    """[windows, 12]: the model's answer to a window of 98 rows at every tenth row of a stream [rows, 40]."""
    engine = Tflite(Tflite.Config(model=model.name), model)
    starts = range(0, len(log_power) - ROWS - 1, EVERY_ROWS)
    scores = np.empty((len(starts), len(LABELS)), np.float32)
    for index, start in enumerate(starts):
        features = mfcc(log_power[start : start + ROWS : 2])[:FRAMES]
        scores[index] = engine.infer(np.ascontiguousarray(features)[None, :, :, None])[0][0]
    return scores


def reports(scores: Floats, over: int, threshold: float, refractory_ms: float) -> list[tuple[float, str]]:
    """What smooth and top report on scores [windows, 12]: (time in s of the window's end, label)."""
    smooth = Smooth(Smooth.Config(over=over))
    top = Top(Top.Config(threshold=threshold, refractory_ms=refractory_ms, ignore=("silence", "unknown")))
    top.resolve(smooth.resolve(Signal((len(LABELS),), "float32", None, "scores", LABELS)))
    found = []
    for seq, score in enumerate(scores):
        frame = Frame(score, t=1.0 + seq * EVERY_ROWS * stream.ROW_S, seq=seq, at=seq)
        for smoothed in smooth.process(frame):
            found += [(result.t, result.label) for result in top.decode(smoothed.data, smoothed)]
    return found


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m apps.kws.tune", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder of train_spectrograms.npz.xz")
    parser.add_argument("--model", type=Path, default=Path("models/kws/model.tflite"))
    parser.add_argument("--minutes", type=float, default=120)
    parser.add_argument("--seed", type=int, default=11)
    options = parser.parse_args()
    rng = np.random.default_rng(options.seed)
    bank = _tuning_bank(options.data, rng)
    plan = stream.plan(bank, options.minutes, rng)
    scores = scores_of(stream.render_pictures(plan, bank), options.model)
    for over, threshold, refractory in itertools.product(
        (1, 2, 3, 4, 5, 6), (0.4, 0.5, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9), (800,)
    ):
        verdict = stream.judge(plan, reports(scores, over, threshold, refractory))
        setting = {"over": over, "threshold": threshold, "refractory_ms": refractory}
        print(json.dumps(setting | verdict.summary()), flush=True)


def _tuning_bank(data: Path, rng: np.random.Generator) -> Bank:
    """The validation split, and one synthetic clip for about every five of it."""
    _, validation = load(data / "train_spectrograms.npz.xz")
    return validation.joined(synthesis.spoken_bank(45, 0, synthesis.TUNING_VOICES, rng))


if __name__ == "__main__":
    run_script(main)
