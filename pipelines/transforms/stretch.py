"""Makes movements of any length equally long."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, ClassVar

import numpy as np
from msgspec import Meta

from pipelines.config.schema import Config as Base
from pipelines.core import Array, Frame, Signal
from pipelines.errors import SignalMismatch


class Stretch:
    """A whole movement ``[n, axes]`` of any length to ``[samples, axes]`` float32, by linear interpolation in time.

    The first and last sample stay the first and last. A slow and a fast movement of one shape become the same, but for
    their amplitude. What comes out has no sampling rate any more.
    """

    class Config(Base, frozen=True, kw_only=True):
        """samples: how many to make of each movement."""

        samples: Annotated[int, Meta(ge=2, le=10_000)] = 64

    free: ClassVar[frozenset[str]] = frozenset()

    def __init__(self, config: Config) -> None:
        self._samples = config.samples

    def resolve(self, signal: Signal) -> Signal:
        """``[samples, axes]`` without a rate. Raises SignalMismatch at what is not motion or features by time."""
        if signal.kind not in ("motion", "features") or len(signal.shape) != 2 or signal.shape[1] is None:
            raise SignalMismatch(signal, "motion or features [time, axes]", "leave stretch out")
        resolved = signal.but(shape=(self._samples, signal.shape[1]), dtype="float32", rate_hz=None)
        self._made = np.empty((self._samples, signal.shape[1]), np.float32)
        return resolved

    def process(self, frame: Frame) -> Iterator[Frame]:
        """The same movement in ``samples`` samples; a frame without samples gives none."""
        data: Array = frame.array
        if not len(data):
            return
        places = np.linspace(0, len(data) - 1, self._samples)
        before = np.arange(len(data))
        for axis in range(data.shape[1]):
            self._made[:, axis] = np.interp(places, before, data[:, axis])
        yield frame.with_data(self._made)
