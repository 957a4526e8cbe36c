"""Scores, averaged over time."""

from __future__ import annotations

from typing import Annotated, ClassVar

import numpy as np
from msgspec import Meta

from pipelines.config.schema import Config as Base
from pipelines.core import Frame, Signal
from pipelines.errors import SignalMismatch


class Smooth:
    """The mean of the scores of the last steps: scores of any fixed shape to the same, float32.

    It looks back only, over ``over`` steps of the stream: at the start there are fewer, and a dropped frame (a gap in
    ``seq``) is missing from the mean instead of drawing older ones into it; after a gap of ``over`` nothing old is
    left. A frame that is not later than the one before it (another recording, another region of one picture) begins
    anew.
    """

    class Config(Base, frozen=True, kw_only=True):
        """over: how many steps."""

        over: Annotated[int, Meta(gt=0, le=10_000)]

    free: ClassVar[frozenset[str]] = frozenset()

    def __init__(self, config: Config) -> None:
        self._over = config.over

    def resolve(self, signal: Signal) -> Signal:
        """Scores to scores. Raises SignalMismatch at anything else, a bundle included."""
        if signal.kind != "scores" or None in signal.shape:
            raise SignalMismatch(signal, "the scores of one output", "smooth follows an engine with one output")
        shape = [size for size in signal.shape if size is not None]
        self._scores = np.zeros((self._over, *shape), np.float32)  # step n lies in row n modulo over
        self._present = np.zeros(self._over, np.bool_)
        self._out = np.empty(shape, np.float32)
        self._last = 0
        return signal.but(dtype="float32")

    def process(self, frame: Frame) -> tuple[Frame]:
        """The mean so far."""
        self._forget(frame.seq)
        row = frame.seq % self._over
        self._scores[row] = frame.array
        self._present[row] = True
        np.sum(self._scores, axis=0, out=self._out)
        np.divide(self._out, np.count_nonzero(self._present), out=self._out)
        return (frame.with_data(self._out),)

    def _forget(self, seq: int) -> None:
        """Clear the rows of what is too old at step ``seq``."""
        begins = not 0 < seq - self._last < self._over
        rows = slice(None) if begins else [step % self._over for step in range(self._last + 1, seq + 1)]
        self._scores[rows] = 0
        self._present[rows] = False
        self._last = seq
