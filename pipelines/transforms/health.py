"""Is the motion sensor well?"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, ClassVar

import numpy as np
from msgspec import Meta

from pipelines.config.schema import Config as Base
from pipelines.config.schema import PositiveFloat
from pipelines.core import Array, Frame, Result, Signal
from pipelines.errors import SignalMismatch
from pipelines.transforms._samples import Milliseconds, whole_samples

OK, STUCK, NOT_A_NUMBER, CLIPPING = "sensor ok", "sensor stuck", "sensor not a number", "sensor clipping"
NONE = ("", 0.0, "")
AT_RANGE = 0.995
"""From this part of the full scale on a sample is clipped: the last counts differ from sensor to sensor."""
UNITS = {"g": ("range_g", 1.0), "mg": ("range_g", 1000.0), "mps2": ("range_g", 9.80665),
         "dps": ("range_dps", 1.0), "radps": ("range_dps", np.pi / 180)}  # fmt: skip
"""The key with the full scale of a unit, and how many of the unit make one of the key's."""


class Health:
    """Tells a sensor that is not well apart from an anomaly: motion, chunks or windows, to the same.

    Good frames pass unchanged. Frames with a fault in them are held back, so that no later step sees them, and one
    result tells when a fault begins, with a measure of it, and one, ``sensor ok``, when ``over_ms`` have passed
    without any:

    - ``sensor not a number``: NaN or infinity; value: their share of the frame, in %.
    - ``sensor stuck``: all axes repeat one value for ``stuck_ms`` (a working sensor's noise moves its last bits);
      value: how long so far, in ms.
    - ``sensor clipping``: more than ``clipped`` of the samples of the last ``over_ms`` are at the full scale on some
      axis; value: that share, in %. Needs ``range_g`` or ``range_dps``.
    - ``axis az_g missing``: the same as stuck of some axes while others move; the first of them is named.

    Before a stuck sensor is known as one, up to ``stuck_ms`` of it have passed. Stand it before ``window``, which never
    splices over what is held back.
    """

    class Config(Base, frozen=True, kw_only=True):
        """
        Args:
            stuck_ms: an axis that repeats one value for so long is stuck; at least 4 samples.
            range_g: the accelerometer's full scale (8 for ±8 g); its clipping is not looked for where absent.
            range_dps: the gyroscope's, in degrees per second.
            clipped: the share of samples at the full scale that is still taken for a hard knock.
            over_ms: what that share is of, and how long the sensor must be well to count as ok again.
        """

        stuck_ms: Milliseconds = 100.0
        range_g: PositiveFloat | None = None
        range_dps: PositiveFloat | None = None
        clipped: Annotated[float, Meta(ge=0, lt=1)] = 0.02
        over_ms: Milliseconds = 500.0

    passes: ClassVar[bool] = True
    """Hands frames on unchanged: a model need not have been trained behind it."""

    def __init__(self, config: Config) -> None:
        self._config = config

    def resolve(self, signal: Signal) -> Signal:
        """Motion to the same. Raises SignalMismatch at anything else, and at a range that no channel has."""
        if signal.kind != "motion" or not signal.channels:
            raise SignalMismatch(signal, "motion with named channels", "health looks at a motion sensor")
        stuck = whole_samples("stuck_ms", self._config.stuck_ms, signal)
        if stuck < 4:
            rate = signal.rate_hz or 0.0
            raise SignalMismatch(f"stuck_ms: {self._config.stuck_ms:g}, {stuck} samples of {signal}", "at least 4",
                                 f"make it at least {4000 / rate:g}")  # fmt: skip
        self._rate_hz = signal.rate_hz or 1.0
        self._stuck = stuck
        self._over = whole_samples("over_ms", self._config.over_ms, signal)
        self._channels = signal.channels
        self._limits = self._full_scales(signal)
        missing = (f"axis {channel} missing" for channel in signal.channels)
        self.labels = (STUCK, NOT_A_NUMBER, CLIPPING, *missing, OK)
        self._fault = ""
        self._begin(0)
        return signal

    def _full_scales(self, signal: Signal) -> Array:
        """Of each channel, from where on it is clipped; infinity where that is not known."""
        found = [UNITS.get(channel.rpartition("_")[2]) for channel in signal.channels]
        for key in ("range_g", "range_dps"):
            if getattr(self._config, key) and not any(unit and unit[0] == key for unit in found):
                raise SignalMismatch(f"{key} with {signal}", "a range for channels that there are", f"leave {key} out")
        ranges = [(getattr(self._config, unit[0]) or np.inf) * unit[1] if unit else np.inf for unit in found]
        return (AT_RANGE * np.array(ranges)).astype(np.float32)

    def _begin(self, at: int) -> None:
        """Nothing is known of the stream before sample ``at``."""
        self._end = at  # the first sample that was not looked at yet
        self._bad = at - 1 if self._fault else -1  # the last sample at which there was a fault
        self._last: Array | None = None
        self._runs = np.zeros(len(self._channels), np.intp)  # for how many samples each axis has been at its last value
        self._clips = np.zeros(self._over, np.bool_)  # which of the last samples were at the full scale

    def process(self, frame: Frame) -> Iterator[Frame | Result]:
        """The frame, where there is no fault in it; a result when a fault begins or ends."""
        data = frame.array
        if not self._end - len(data) <= frame.at <= self._end:  # a gap, or another stream
            self._begin(frame.at)
        new = data[self._end - frame.at :]  # the rest of an overlapping window was looked at
        self._end = frame.at + len(data)
        fault, value, unit = self._look(new) if len(new) else NONE
        if fault:
            self._bad = self._end - 1
            if fault != self._fault:
                self._fault = fault
                yield Result(frame.t, fault, 1.0, value, source=frame.captured, unit=unit)
        elif self._fault and self._end - self._bad > self._over:
            self._fault = ""
            yield Result(frame.t, OK, 1.0, source=frame.captured)
        if not self._fault and self._bad < frame.at:
            yield frame

    def _look(self, new: Array) -> tuple[str, float, str]:
        """The worst fault, its measure and unit."""
        finite = np.isfinite(new)
        if not finite.all():
            self._last = None
            return NOT_A_NUMBER, 100 * (1 - np.count_nonzero(finite) / finite.size), "%"
        runs = self._longest_runs(new)
        stuck = runs >= self._stuck
        # of all that stand still, one axis may by chance have repeated its value before
        if stuck.any() and (runs >= self._stuck // 2).all():
            return STUCK, 1000 * int(runs.max()) / self._rate_hz, "ms"
        clipped = self._clipped(new)
        if clipped > self._config.clipped:
            return CLIPPING, 100 * clipped, "%"
        if stuck.any():
            axis = int(stuck.argmax())
            return f"axis {self._channels[axis]} missing", 1000 * int(runs[axis]) / self._rate_hz, "ms"
        return NONE

    def _longest_runs(self, new: Array) -> Array:
        """Of each axis, the longest run of one value that ends in ``new`` or still lasts, in samples."""
        moved = np.ones(new.shape, np.bool_)
        np.not_equal(new[1:], new[:-1], out=moved[1:])
        if self._last is not None:
            np.not_equal(new[0], self._last, out=moved[0])
        places = np.arange(len(new))[:, None]
        began = np.maximum.accumulate(np.where(moved, places, -self._runs), axis=0)
        runs = places - began + 1
        self._last, self._runs = new[-1].copy(), runs[-1]
        longest: Array = runs.max(axis=0)
        return longest

    def _clipped(self, new: Array) -> float:
        """The largest share of ``over_ms`` that ends in ``new`` at which an axis was at its full scale."""
        clips = np.concatenate((self._clips, (np.abs(new) >= self._limits).any(axis=1)))
        self._clips = clips[-self._over :]
        counted = np.cumsum(clips)
        return int((counted[self._over :] - counted[: -self._over]).max()) / self._over
