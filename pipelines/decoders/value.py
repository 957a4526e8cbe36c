"""A measured quantity: what a regression says."""

from __future__ import annotations

import math
from dataclasses import replace

from pipelines.config.schema import Config as Base
from pipelines.config.schema import Count, NonNegative, Text
from pipelines.core import Data, Frame, Result, Signal
from pipelines.decoders._labels import array_of, found, names_of, part_of, place_of
from pipelines.errors import ModelError


class Value:
    """Reports one of the model's outputs as ``Result.value``, with its unit.

    A regression says nothing about how sure it is, so ``Result.score`` is no confidence: it is 1 where the value lies
    within what is plausible (``low`` to ``high``), and 0 where it does not and should not be relied on.
    """

    class Config(Base, frozen=True, kw_only=True):
        """
        Args:
            name: what the value is; the output's label where absent, or "value".
            unit: of the value as it is reported, such as mg, Hz or degC.
            scale: the reported value is scale times the model's output, plus offset.
            offset: see scale.
            low: the least plausible value.
            high: the greatest plausible value.
            every_ms: from one report to the next at least so long in stream time; 0 reports every frame.
            changed_by: a report only when the value differs at least so much from the last one reported.
            of: which value, by label or index, where there are several.
            output: which output of a model that has several.
        """

        name: Text | None = None
        unit: str = ""
        scale: float = 1.0
        offset: float = 0.0
        low: float | None = None
        high: float | None = None
        every_ms: NonNegative = 0.0
        changed_by: NonNegative = 0.0
        of: Text | Count | None = None
        output: Count = 0

        def __post_init__(self) -> None:
            low, high = _range(self)
            if not low < high:
                raise ValueError(f"got low {low:g} and high {high:g}, expected low to be less than high")
            if not (math.isfinite(self.scale) and self.scale and math.isfinite(self.offset)):
                raise ValueError(
                    f"got scale {self.scale:g} and offset {self.offset:g}, expected finite numbers and a scale other "
                    "than 0"
                )

    def __init__(self, config: Config) -> None:
        self._config = config
        self._low, self._high = _range(config)
        self._quiet_s = config.every_ms / 1000 - 1e-6  # times are sums of floats: 1.7 - 0.9 < 0.8
        self._reported_t, self._reported = -math.inf, math.inf

    def resolve(self, signal: Signal) -> None:
        """Takes one value, or with ``of`` several [values]."""
        signal = part_of(signal, self._config.output)
        self._index = place_of(signal, self._config.of)
        names = names_of(signal)
        self._name = self._config.name or (names[self._index] if names else "value")
        self.labels = (self._name,)

    def decode(self, y: Data, frame: Frame) -> tuple[Result, ...]:
        """The value, where it is time to report it. Raises ModelError where it is not finite."""
        config = self._config
        value = config.scale * float(array_of(y, config.output).flat[self._index]) + config.offset
        if not math.isfinite(value):
            raise ModelError(f"the model's output gives {value}, expected a finite number; "
                             "check its input (the step health finds a sick sensor) and its weights")  # fmt: skip
        if frame.t - self._reported_t < self._quiet_s or abs(value - self._reported) < config.changed_by:
            return ()
        self._reported_t, self._reported = frame.t, value
        plausible = self._low <= value <= self._high
        return (replace(found(frame, self._name, float(plausible), value), unit=config.unit),)


def _range(config: Value.Config) -> tuple[float, float]:
    """What is plausible, open where a limit is absent."""
    return (
        -math.inf if config.low is None else config.low,
        math.inf if config.high is None else config.high,
    )
