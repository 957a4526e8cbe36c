"""From one range of numbers to another."""

from __future__ import annotations

from typing import ClassVar

import msgspec
import numpy as np

from pipelines.config.schema import Config as Base
from pipelines.core import Signal
from pipelines.transforms._affine import Affine, AffineStep, check_float32, check_one_array


class Scale(AffineStep):
    """Maps the range ``from`` linearly to the range ``to``, and on beyond: any array to float32 of the same shape."""

    class Config(Base, frozen=True, kw_only=True):
        """Options of ``scale``.

        Args:
            from: [a, b], two different numbers, such as [0, 255].
            to: what they become, such as [0, 1] or [-1, 1].
        """

        from_: tuple[float, float] = msgspec.field(name="from", default=(0.0, 255.0))
        to: tuple[float, float] = (0.0, 1.0)

        def __post_init__(self) -> None:
            if self.from_[0] == self.from_[1]:
                raise ValueError(f"got from [{self.from_[0]:g}, {self.from_[1]:g}], expected two different numbers")
            check_float32("from and to", *self.map())

        def map(self) -> tuple[float, float]:
            """a and b of y = a·x + b."""
            factor = (self.to[1] - self.to[0]) / (self.from_[1] - self.from_[0])
            return factor, self.to[0] - self.from_[0] * factor

    free: ClassVar[frozenset[str]] = frozenset()

    def __init__(self, config: Config) -> None:
        self._affine = Affine(*map(np.array, config.map()))

    def resolve(self, signal: Signal) -> Signal:
        """float32; the rest stays. Raises SignalMismatch at a bundle."""
        check_one_array(signal, "scale")
        return signal.but(dtype="float32")
