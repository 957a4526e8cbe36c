"""Where a picture is brightest."""

from __future__ import annotations

import numpy as np

from pipelines.config import schema
from pipelines.core import Data, Frame, Result, Signal
from pipelines.errors import SignalMismatch


class Brightest:
    """Reports the largest of a model's outputs by its place: label ``output 2``."""

    class Config(schema.Config, frozen=True, kw_only=True):
        """least: a value below it is not reported."""

        least: schema.Unit = 0.0

    def __init__(self, config: Config) -> None:
        self._least = config.least

    def resolve(self, signal: Signal) -> None:
        """Takes scores. Raises SignalMismatch at anything else."""
        if signal.kind != "scores":
            raise SignalMismatch(signal, "scores", "put brightest behind the engine")

    def decode(self, y: Data, frame: Frame) -> list[Result]:
        """At most one result."""
        scores = np.asarray(y)
        best = int(scores.argmax())
        if scores.flat[best] < self._least:
            return []
        return [Result(frame.t, f"output {best}", float(scores.flat[best]), source=frame.captured)]
