"""Windows of vibration for the virtual sensor: features of one axis, and what all three measured meanwhile."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from apps.anomaly.data import CHANNELS, RATE_HZ, Recording
from pipelines import registry
from pipelines.core import Frame, Signal

Floats = NDArray[np.float32]
Texts = NDArray[np.str_]

UNIT = "mg"
AXIS = 1  # of x, y, z: the best one by cross-validation on fan 1
SENSOR = Signal((None, 1), "float32", RATE_HZ, "motion", (CHANNELS[AXIS],))
WINDOW_MS = 1000
RECIPE: tuple[dict[str, dict[str, Any]], ...] = (
    {"window": {"length_ms": WINDOW_MS, "hop_ms": WINDOW_MS}},
    {"band_power": {"bands": 10, "floor": 1e-7}},
)
"""The steps of configs/regression.yaml before its engine."""
AT_REST = "off"


@dataclass(frozen=True)
class Windows:
    """Windows that do not overlap, of several recordings.

    Args:
        x: features of the y axis, ln(g²) in each band, float32 [n, bands, 1].
        y: what all three axes measured in the same window, in mg, float64 [n] (see ``severity``).
        recording: which one each is from, [n].
        state: the fan's, [n].
    """

    x: Floats
    y: NDArray[np.float64]
    recording: Texts
    state: Texts

    def where(self, chosen: NDArray[np.bool_]) -> Windows:
        """Those windows alone."""
        return Windows(self.x[chosen], self.y[chosen], self.recording[chosen], self.state[chosen])

    @property
    def turning(self) -> NDArray[np.bool_]:
        """Where the fan was not off, bool [n]."""
        turning: NDArray[np.bool_] = self.state != AT_REST
        return turning


def windows(recordings: Iterable[Recording]) -> Windows:
    """All windows of the recordings, by the very steps that the demo runs."""
    x, y, names, states = [], [], [], []
    for one in recordings:
        for features, start, length in _features(one):
            x.append(features)
            y.append(severity(one.samples[start : start + length]))
            names.append(f"{one.name}-{one.state}")
            states.append(one.state)
    return Windows(np.array(x, np.float32), np.array(y), np.array(names), np.array(states))


def severity(samples: Floats) -> float:
    """How hard something shakes, in mg: rms of the length of [n, 3] in g, each axis without its mean (gravity)."""
    return 1000 * float(np.sqrt(samples.var(axis=0, dtype=np.float64).sum()))


def _features(one: Recording) -> Iterator[tuple[Floats, int, int]]:
    """Features of the one axis, and the first sample and the length of the window that they are from."""
    frames: Iterable[Frame] = [Frame(one.samples[:, AXIS : AXIS + 1], len(one.samples) / one.rate_hz, 0)]
    for step in _steps():
        frames = _through(step, frames)
    for frame in frames:
        yield frame.array.copy(), frame.at, len(frame.captured.array)


def _through(step: Any, frames: Iterable[Frame]) -> Iterator[Frame]:
    for frame in frames:
        yield from step.process(frame)


def _steps() -> list[Any]:
    signal, steps = SENSOR, []
    for entry in RECIPE:
        for name, options in entry.items():
            cls = registry.load("transforms", name)
            steps.append(cls(cls.Config(**options)))
            signal = steps[-1].resolve(signal)
    return steps
