"""Logits to scores."""

from __future__ import annotations

import numpy as np

from pipelines.config.schema import Config as Base
from pipelines.core import Array, Frame, Signal
from pipelines.errors import SignalMismatch


class Softmax:
    """exp(x) / sum(exp(x)) over the last axis, for a model that ends in logits. Scores are float32 and sum to 1."""

    class Config(Base, frozen=True, kw_only=True):
        """Has no keys."""

    def __init__(self, config: Config) -> None:
        self._y: Array = np.empty(0, np.float32)

    def resolve(self, signal: Signal) -> Signal:
        """Takes scores of any fixed shape, and gives the same."""
        if signal.kind != "scores" or None in signal.shape:
            raise SignalMismatch(signal, "scores [classes]", "softmax follows the engine")
        self._y = np.empty([size for size in signal.shape if size is not None], np.float32)
        return signal.but(dtype="float32")

    def process(self, frame: Frame) -> tuple[Frame]:
        x, y = frame.array, self._y
        np.subtract(x, x.max(axis=-1, keepdims=True), out=y)  # the largest becomes 0, so that exp cannot overflow
        np.exp(y, out=y)
        np.divide(y, y.sum(axis=-1, keepdims=True), out=y)
        return (frame.with_data(y),)
