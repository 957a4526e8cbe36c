"""The power of a motion window, band by band."""

from __future__ import annotations

from typing import Annotated, ClassVar

import numpy as np
from msgspec import Meta

from pipelines.config.schema import Config as Base
from pipelines.config.schema import NonNegative, PositiveFloat
from pipelines.core import Frame, Signal
from pipelines.errors import SignalMismatch
from pipelines.transforms._samples import rate_of

_MOST_NUMBERS = 10_000_000


class BandPower:
    """How strongly each axis shakes in each band: motion windows ``[n, axes]`` to features ``[bands, axes]`` float32.

    Natural logarithms of power in the channels' unit squared (g² for ``ax_g``). From each axis its mean is taken
    (gravity), a periodic Hann window laid over the rest, and the one-sided power spectrum summed over each band, so
    that all bands together are the mean square: ``scipy.signal.periodogram(x, rate, "hann", detrend="constant",
    scaling="density")`` times the width of a bin. Bands are equally wide; a bin belongs to the band in which its
    centre lies, the bin at ``fmax_hz`` to the last one.
    """

    class Config(Base, frozen=True, kw_only=True):
        """
        Args:
            bands: how many.
            fmin_hz: where the first one begins.
            fmax_hz: where the last one ends; half the sampling rate where absent.
            floor: added to each band's power, in the channels' unit squared; it keeps silence finite, and what the
                sensor's own noise does out of sight.
        """

        bands: Annotated[int, Meta(gt=0, le=1000)] = 16
        fmin_hz: NonNegative = 0.0
        fmax_hz: PositiveFloat | None = None
        floor: Annotated[float, Meta(ge=1e-30, le=1e30)] = 1e-9

        def __post_init__(self) -> None:
            if self.fmax_hz is not None and self.fmin_hz >= self.fmax_hz:
                raise ValueError(f"got fmin_hz {self.fmin_hz:g}, expected less than fmax_hz {self.fmax_hz:g}")

    free: ClassVar[frozenset[str]] = frozenset()

    def __init__(self, config: Config) -> None:
        self._config = config

    def resolve(self, signal: Signal) -> Signal:
        """Motion ``[n, axes]`` to features ``[bands, axes]``, the same axes.

        Raises:
            SignalMismatch: no windows of motion, or bands that its rate and length do not give.
        """
        if signal.kind != "motion" or len(signal.shape) != 2:
            raise SignalMismatch(signal, "motion [n, axes]", "band_power looks at a motion sensor")
        length, axes = signal.shape
        if length is None or axes is None:
            fix = "put a window before it, such as - window: {length_ms: 2560, hop_ms: 640}"
            raise SignalMismatch(signal, "motion in windows of one length", fix)
        if length * axes > _MOST_NUMBERS:
            raise SignalMismatch(signal, f"at most {_MOST_NUMBERS:,} numbers in a window", "shorten the window")
        self._bins, self._starts = self._bands(signal, length)
        self._hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(length) / length)[:, None]
        self._scale = _one_sided(length)[self._bins, None] / (length * max(np.sum(self._hann**2), 1e-300))
        self._mean = np.empty((1, axes))
        self._x = np.empty((length, axes))
        self._power = np.empty((self._bins.stop - self._bins.start, axes))
        self._imag = np.empty_like(self._power)
        self._sums = np.empty((self._config.bands, axes))
        self._out = np.empty((self._config.bands, axes), np.float32)
        return Signal(self._out.shape, "float32", None, "features", signal.channels)

    def _bands(self, signal: Signal, length: int) -> tuple[slice, np.ndarray]:
        """The bins that any band uses, and where in them each band begins."""
        config, rate_hz = self._config, rate_of(signal)
        fmax_hz = config.fmax_hz or rate_hz / 2
        if not config.fmin_hz < fmax_hz <= rate_hz / 2:
            raise SignalMismatch(f"bands from {config.fmin_hz:g} to {fmax_hz:g} Hz on {signal}",
                                 f"a range within 0 to {rate_hz / 2:g} Hz, half the sampling rate",
                                 "change fmin_hz and fmax_hz, or the sensor's rate_hz")  # fmt: skip
        edges = np.linspace(config.fmin_hz, fmax_hz, config.bands + 1) * length / rate_hz  # in bins
        edges[-1] += 1e-6  # the last band holds its upper end
        first = np.ceil(edges - 1e-9).astype(np.intp)
        last = min(int(first[-1]), length // 2 + 1)
        counts = np.diff(np.append(first[:-1], last))
        if (counts < 1).any():
            raise SignalMismatch(f"{config.bands} bands in {fmax_hz - config.fmin_hz:g} Hz of {signal}",
                                 f"at least one of the bins, {rate_hz / length:g} Hz apart, in each",
                                 "lower bands, or lengthen the window")  # fmt: skip
        return slice(int(first[0]), last), first[:-1] - first[0]

    def process(self, frame: Frame) -> tuple[Frame]:
        """One set of features for one window."""
        x = frame.array
        np.mean(x, axis=0, dtype=np.float64, keepdims=True, out=self._mean)
        np.subtract(x, self._mean, out=self._x)
        np.multiply(self._x, self._hann, out=self._x)
        spectrum = np.fft.rfft(self._x, axis=0)[self._bins]
        np.square(spectrum.real, out=self._power)
        np.square(spectrum.imag, out=self._imag)
        np.add(self._power, self._imag, out=self._power)
        np.multiply(self._power, self._scale, out=self._power)
        np.add.reduceat(self._power, self._starts, axis=0, out=self._sums)
        np.add(self._sums, self._config.floor, out=self._sums)
        np.log(self._sums, out=self._sums)
        self._out[:] = self._sums
        return (frame.with_data(self._out),)


def _one_sided(length: int) -> np.ndarray:
    """What each bin of an rfft stands for: itself and its mirror image, but for 0 Hz and half the rate."""
    weights = np.full(length // 2 + 1, 2.0)
    weights[0] = 1.0
    if length % 2 == 0:
        weights[-1] = 1.0
    return weights
