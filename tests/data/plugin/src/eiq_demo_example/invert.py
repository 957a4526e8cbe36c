"""The negative of a picture."""

from __future__ import annotations

import numpy as np

from pipelines.config import schema
from pipelines.core import Frame, Signal
from pipelines.errors import SignalMismatch


class Invert:
    """Turns dark into bright: pictures uint8 of any shape to the same."""

    class Config(schema.Config, frozen=True, kw_only=True):
        """white: what black becomes; white becomes black."""

        white: schema.Positive = 255

    def __init__(self, config: Config) -> None:
        self._white = config.white

    def resolve(self, signal: Signal) -> Signal:
        """A picture to a picture. Raises SignalMismatch at anything else."""
        if signal.kind != "image" or signal.dtype != "uint8":
            raise SignalMismatch(signal, "a picture uint8", "put invert before scale")
        return signal

    def process(self, frame: Frame) -> tuple[Frame]:
        """The negative."""
        return (frame.with_data(np.subtract(self._white, frame.array, dtype=np.uint8)),)
