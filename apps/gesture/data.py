"""The recordings of wand gestures, and the chain that makes the network's input of them: that of ``gesture.yaml``."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipelines.core import Frame, Signal, Transform
from pipelines.errors import DataError
from pipelines.transforms.level import Level
from pipelines.transforms.normalize import Normalize
from pipelines.transforms.segment import Segment
from pipelines.transforms.stretch import Stretch
from pipelines.transforms.unit_rms import UnitRms

Floats = NDArray[Any]
Integers = NDArray[np.int64]

LABELS = ("alohomora", "arresto_momentum", "avada_kedavra", "locomotor", "revelio", "none")
NONE = LABELS.index("none")
SPELLINGS = (("alohomora",), ("arresto", "aresto"), ("avada",), ("locomotor",), ("revelio",))
"""How the name of each gesture's file begins."""
RATE, LENGTH, AXES = 119.0, 119, 6
CHANNELS = ("ax_g", "ay_g", "az_g", "gx_dps", "gy_dps", "gz_dps")
STREAM = Signal((None, AXES), "float32", RATE, "motion", CHANNELS)
RANGE_G = 4.0
"""Full scale of the accelerometer that recorded them."""

SAMPLES = 64
SEGMENT = Segment.Config(start_g=0.4, stop_g=0.2, start_dps=80.0, stop_dps=40.0, quiet_ms=250.0, min_ms=400.0,
                         max_ms=2500.0, before_ms=50.0, after_ms=50.0)  # fmt: skip
LEVEL = Level.Config(about="x")
STRETCH = Stretch.Config(samples=SAMPLES)
NORMALIZE = Normalize.Config(mean=(0.0, 0.0, 1.0, 0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0, 120.0, 120.0, 120.0))
UNIT_RMS = UnitRms.Config()


@dataclass(frozen=True)
class Recordings:
    """Single gestures, each [119, 6] in g and degrees per second, and their indices in LABELS."""

    motion: Floats
    labels: Integers

    def __len__(self) -> int:
        return len(self.labels)

    def of(self, which: NDArray[np.bool_] | Integers) -> Recordings:
        """Some of them."""
        return Recordings(self.motion[which], self.labels[which])


def read(folder: Path) -> Recordings:
    """All recordings of a folder of one CSV a gesture: a line of names, then 119 lines a recording.

    Columns after the sixth (a magnetometer's) are left out.

    Raises:
        DataError: a gesture's file is missing, or holds something else.
    """
    motion: list[Floats] = []
    labels: list[int] = []
    for label, begins in enumerate(SPELLINGS):
        found = [path for path in sorted(folder.glob("*.csv")) if path.name.lower().startswith(begins)]
        if len(found) != 1:
            raise DataError(f"{folder} has {len(found)} files for {LABELS[label]}, expected one CSV whose name begins "
                            "so; name the folder of the gestures' recordings")  # fmt: skip
        recorded = _read_file(found[0])
        motion.extend(recorded)
        labels += [label] * len(recorded)
    return Recordings(np.stack(motion), np.array(labels))


def _read_file(path: Path) -> Floats:
    try:
        rows = np.loadtxt(path, np.float32, delimiter=",", skiprows=1, ndmin=2, encoding="utf-8-sig")
    except (OSError, ValueError) as error:
        raise DataError(f"{path} is not a table of numbers ({error}); expected {','.join(CHANNELS)}") from error
    if not len(rows) or len(rows) % LENGTH or rows.shape[1] < AXES or not np.isfinite(rows).all():
        raise DataError(f"{path} holds {len(rows)} lines of {rows.shape[1]} columns, expected {LENGTH} a recording, "
                        f"of {', '.join(CHANNELS)}; repair it")  # fmt: skip
    kept: Floats = rows[:, :AXES].reshape(-1, LENGTH, AXES)
    return kept


def holds_gesture(motion: Floats) -> bool:
    """Does the hand still turn after the first quarter of a second?

    Recording began where the acceleration passed a threshold. In some recordings that was a jerk, and the hand rests
    from then on, at a root mean square below 8 degrees per second; of all others but one it is above 49.
    """
    turning = np.sqrt(np.square(motion[30:, 3:]).sum(axis=1).mean())
    return bool(turning >= 15)


def movements(stream: Floats) -> list[Floats]:
    """What ``segment`` finds in a stream [n, 6]; each movement is [m, 6]."""
    segment = Segment(SEGMENT)
    segment.resolve(STREAM)
    return [found.array for found in segment.process(Frame(stream, len(stream) / RATE, 0))]


class Inputs:
    """From movements to the network's inputs, by the transforms behind ``segment``."""

    def __init__(self) -> None:
        self._steps: tuple[Transform, ...] = (Level(LEVEL), Stretch(STRETCH), Normalize(NORMALIZE), UnitRms(UNIT_RMS))
        signal = STREAM
        for step in self._steps:
            signal = step.resolve(signal)

    def of(self, motion: Iterable[Floats]) -> Floats:
        """[N, 64, 6] of N movements."""
        return np.stack([self._one(one) for one in motion])

    def _one(self, motion: Floats) -> Floats:
        frame = Frame(motion, 0.0, 0)
        for step in self._steps:
            (made,) = step.process(frame)
            assert isinstance(made, Frame)  # none of these reports by itself
            frame = made
        return np.array(frame.array)


def longest(found: Sequence[Floats]) -> Floats | None:
    """The movement that a single gesture's stream was about."""
    return max(found, key=len, default=None)
