"""Scores ``clustering.yaml`` on real fans: ``python -m apps.clustering.score --data DIR``.

DIR holds NXP's recordings (apps/anomaly/data.py). For each fan and each of its three recordings of every state: learn
on 40 s of it, state after state, without labels; then name every window of the other recordings, whole as they are.
The score is the adjusted Rand index against the states that the recordings were made in (1 is perfect, 0 is chance).
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from apps.anomaly.data import STATES, Recording, load
from apps.script import run as run_script
from hal.sim.target import Sim
from pipelines import registry
from pipelines.config.demo import load_demo
from pipelines.config.schema import Step
from pipelines.core import Frame, Signal, Transform
from pipelines.optional import require

LEARN_FROM_S, LEARN_S = 150.0, 40.0
"""Which part of a recording is learned from: before that, fans still run up in some recordings."""
Numbers = NDArray[np.int64]


@dataclass(frozen=True)
class Score:
    """How well the states of one fan were found.

    Args:
        fan: which one.
        learned_on: the number of the recordings that were learned from.
        states: how many were found.
        rand: adjusted Rand index on the other recordings.
        windows: how many those have.
    """

    fan: int
    learned_on: int
    states: int
    rand: float
    windows: int


def scores(recordings: Sequence[Recording]) -> Iterator[Score]:
    """One for each fan and recording."""
    metrics = require("sklearn.metrics", purpose="the score", install="pip install 'eiq-demo[classical]'")
    for fan in sorted({one.fan for one in recordings}):
        for index in sorted({one.index for one in recordings if one.fan == fan}):
            learned = [one for one in recordings if one.fan == fan and one.index == index]
            others = [one for one in recordings if one.fan == fan and one.index != index]
            namer = _Namer(sum(len(_steady(one)) for one in learned) / learned[0].rate_hz)
            for one in learned:
                namer.play(_steady(one))
            found = [namer.play(one.samples) for one in others]
            hidden = np.repeat([STATES.index(one.state) for one in others], [len(states) for states in found])
            rand = metrics.adjusted_rand_score(hidden, np.concatenate(found))
            yield Score(fan, index, namer.states, float(rand), len(hidden))


def _steady(recording: Recording) -> NDArray[np.float32]:
    begin = round(LEARN_FROM_S * recording.rate_hz)
    return recording.samples[begin : begin + round(LEARN_S * recording.rate_hz)]


class _Namer:
    """The steps of ``clustering.yaml`` up to the scores of the states; learning takes all of the first ``learn_s``."""

    def __init__(self, learn_s: float) -> None:
        (pipeline,) = load_demo("clustering.yaml", Sim()).pipelines
        sensor = pipeline.sensor.config
        signal = Signal((None, len(sensor.channels)), "float32", sensor.rate_hz, "motion", sensor.channels)
        self._rate_hz, self._at, self.states = sensor.rate_hz, 0, 0
        self._steps: list[Transform] = []
        for step in pipeline.steps[: [step.name for step in pipeline.steps].index("cluster") + 1]:
            self._steps.append(_built(step, learn_s))
            signal = self._steps[-1].resolve(signal)

    def play(self, samples: NDArray[np.float32]) -> Numbers:
        """The state of each window, as a number; none while it learns."""
        frame = Frame(samples, (self._at + len(samples)) / self._rate_hz, 0, self._at)
        self._at += len(samples) + 1  # a gap: no window holds two recordings
        return np.array([int(out.array.argmax()) for out in self._through(frame, self._steps)], np.int64)

    def _through(self, frame: Frame, steps: list[Transform]) -> Iterator[Frame]:
        if not steps:
            yield frame
            return
        for out in steps[0].process(frame):
            if isinstance(out, Frame):
                yield from self._through(out, steps[1:])
            elif out.label == "states learned":
                self.states = int(out.value or 0)


def _built(step: Step, learn_s: float) -> Any:
    config = step.config
    if step.name == "cluster":
        # from the first window's end to the last one's; the few windows that may come after it are named, and not used
        config = msgspec.structs.replace(config, learn_s=learn_s - 4.0)
    return registry.load("transforms", step.name)(config)


def main() -> None:
    """The script."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    for score in scores(load(parser.parse_args().data)):
        print(f"fan {score.fan}, learned on recording {score.learned_on}: {score.states} states; "
              f"adjusted Rand index {score.rand:.3f} on {score.windows:,} windows of the others")  # fmt: skip


if __name__ == "__main__":
    run_script(main)
