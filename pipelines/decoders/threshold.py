"""One value that crosses a limit: an anomaly's distance, a yes-or-no score."""

from __future__ import annotations

import math

from pipelines.config.schema import Config as Base
from pipelines.config.schema import Count, NonNegative, Text
from pipelines.core import Data, Frame, Result, Signal
from pipelines.decoders._labels import array_of, found, names_of, part_of, place_of
from pipelines.errors import ModelError


class Threshold:
    """Reports when a value goes beyond a limit, and not again before it has come back.

    ``Result.value`` is the value. ``Result.score`` is the same, held to 0 to 1, where the signal has labels (a class's
    score), and 1 where it has none (a measured quantity: that it crossed is certain).
    """

    class Config(Base, frozen=True, kw_only=True):
        """
        Args:
            above: the limit, reported when the value is greater; this or ``below``.
            below: the limit, reported when the value is less.
            label: what to report; the class's label, or "above" or "below", where absent.
            cleared: what to report when the value has come back; nothing where absent.
            hysteresis: how far on the good side of the limit the value must be to have come back.
            refractory_ms: after a report the next one, if still beyond, comes no earlier than this in stream time.
            of: which value, by label or index, where there are several.
            output: which output of a model that has several.
        """

        above: float | None = None
        below: float | None = None
        label: Text | None = None
        cleared: Text | None = None
        hysteresis: NonNegative = 0.0
        refractory_ms: NonNegative = 0.0
        of: Text | Count | None = None
        output: Count = 0

        def __post_init__(self) -> None:
            if (self.above is None) == (self.below is None):
                raise ValueError("expected one of above and below; give the limit as one of the two")

    def __init__(self, config: Config) -> None:
        self._config = config
        # "below" is "above" with both signs turned
        self._sign = 1.0 if config.above is not None else -1.0
        self._limit = config.above if config.above is not None else -(config.below or 0.0)
        self._back = self._limit - config.hysteresis
        self._quiet_s = config.refractory_ms / 1000 - 1e-6  # times are sums of floats: 1.7 - 0.9 < 0.8
        self._reported = -math.inf
        self._beyond = False

    def resolve(self, signal: Signal) -> None:
        """Takes one value, or with ``of`` several [values]."""
        signal = part_of(signal, self._config.output)
        names = names_of(signal)
        self._index = place_of(signal, self._config.of)
        self._scored = signal.kind == "scores" and bool(names)
        class_label = names[self._index] if names else None
        self._label = self._config.label or class_label or ("above" if self._config.above is not None else "below")
        self.labels = (self._label, *([self._config.cleared] if self._config.cleared else []))

    def decode(self, y: Data, frame: Frame) -> tuple[Result, ...]:
        """A result when the value crosses the limit. Raises ModelError where it is not finite."""
        value = float(array_of(y, self._config.output).flat[self._index])
        if not math.isfinite(value):
            raise ModelError(
                f"the model's output is {value}, expected a finite number; check its input and its weights"
            )
        return self._went_beyond(value, frame) if not self._beyond else self._came_back(value, frame)

    def _went_beyond(self, value: float, frame: Frame) -> tuple[Result, ...]:
        if self._sign * value <= self._limit or frame.t - self._reported < self._quiet_s:
            return ()
        self._beyond, self._reported = True, frame.t
        return (found(frame, self._label, self._score(value), value),)

    def _came_back(self, value: float, frame: Frame) -> tuple[Result, ...]:
        if self._sign * value > self._back:
            return ()
        self._beyond = False
        return (found(frame, self._config.cleared, self._score(value), value),) if self._config.cleared else ()

    def _score(self, value: float) -> float:
        return min(max(value, 0.0), 1.0) if self._scored else 1.0
