"""Takes the size out of a movement."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from pipelines.config.schema import Config as Base
from pipelines.core import Array, Frame, Signal
from pipelines.errors import SignalMismatch


class UnitRms:
    """Divides each sensor's part of a whole movement ``[n, axes]`` by its root mean square: large is as small.

    A sensor is what its channels' names have in common: ax_g, ay_g, az_g are one. Its magnitude has a root mean square
    over time of 1 afterwards. A part that is zero throughout stays so.
    """

    class Config(Base, frozen=True, kw_only=True):
        """Has no keys."""

    def __init__(self, config: Config) -> None:
        self._sensors: list[list[int]] = []

    def resolve(self, signal: Signal) -> Signal:
        """float32; the rest stays. Raises SignalMismatch at what is not motion with named channels."""
        if signal.kind != "motion" or len(signal.shape) != 2 or not signal.channels:
            raise SignalMismatch(signal, "motion [time, axes] with named channels", "leave unit_rms out")
        sensors: dict[tuple[str, str], list[int]] = {}
        for place, name in enumerate(signal.channels):
            bare, _, unit = name.rpartition("_")
            sensors.setdefault((bare[:-1], unit), []).append(place)
        self._sensors = list(sensors.values())
        return signal.but(dtype="float32")

    def process(self, frame: Frame) -> Iterator[Frame]:
        """The movement at unit size."""
        made: Array = frame.array.astype(np.float32)
        for axes in self._sensors:
            power = float(np.square(made[:, axes], dtype=np.float64).sum(axis=1).mean()) if len(made) else 0.0
            if power > 0:
                made[:, axes] /= np.float32(np.sqrt(power))
        yield frame.with_data(made)
