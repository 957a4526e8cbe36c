"""Takes the wrist's turn out of a movement."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar, Literal

import numpy as np

from pipelines.config.schema import Config as Base
from pipelines.core import Array, Frame, Signal
from pipelines.errors import SignalMismatch


class Level:
    """Turns a whole movement ``[n, axes]`` about one sensor axis until gravity has a fixed direction about it.

    Over a movement that begins and ends at rest the mean acceleration is gravity's. The samples of every sensor are
    turned by one angle about the axis ``about``, so that the mean acceleration's part across that axis points along the
    next but one axis (z for x, x for y, y for z). How the sensor is turned about a wand's own axis, in the hand or on
    its mount, then makes no difference. The stroke of TensorFlow Lite Micro's magic wand projects its angles on the
    mean acceleration alike.
    """

    class Config(Base, frozen=True, kw_only=True):
        """about: the sensor axis that lies along the wand."""

        about: Literal["x", "y", "z"] = "x"

    free: ClassVar[frozenset[str]] = frozenset()

    def __init__(self, config: Config) -> None:
        self._config = config

    def resolve(self, signal: Signal) -> Signal:
        """Motion to the same in float32. Raises SignalMismatch where channels are not whole x, y, z of each sensor."""
        groups: dict[tuple[str, str], dict[str, int]] = {}
        for place, name in enumerate(signal.channels):
            bare, _, unit = name.rpartition("_")
            groups.setdefault((bare[:-1], unit), {})[bare[-1:]] = place
        whole = all(set(axes) == set("xyz") for axes in groups.values())
        if signal.kind != "motion" or not whole or not any(sensor == "a" for sensor, _ in groups):
            raise SignalMismatch(signal, "motion with x, y and z of an accelerometer (ax_g ay_g az_g) and of every "
                                 "other sensor", "name the channels so, or leave level out")  # fmt: skip
        across = {"x": "yz", "y": "zx", "z": "xy"}[self._config.about]
        self._side = [axes[across[0]] for axes in groups.values()]
        self._down = [axes[across[1]] for axes in groups.values()]
        gravity = next(axes for (sensor, _), axes in groups.items() if sensor == "a")
        self._gravity = gravity[across[0]], gravity[across[1]]
        return signal.but(dtype="float32")

    def process(self, frame: Frame) -> Iterator[Frame]:
        """The turned movement; unchanged where there is no acceleration across the axis."""
        data = frame.array
        turned: Array = data.astype(np.float32)
        side, down = (float(data[:, axis].mean()) for axis in self._gravity)
        size = np.hypot(side, down)
        if size > 0:
            cosine, sine = down / size, side / size
            turned[:, self._side] = cosine * data[:, self._side] - sine * data[:, self._down]
            turned[:, self._down] = sine * data[:, self._side] + cosine * data[:, self._down]
        yield frame.with_data(turned)
