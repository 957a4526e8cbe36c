"""Mel energies of overlapping windows, each analysis frame computed once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pipelines.core import Array
from pipelines.transforms._mel import Float64, MelBank

_BLOCK = 1 << 15  # samples that go through the FFT at once: what fits a core's cache, and bounds the memory


@dataclass(frozen=True, slots=True)
class Framing:
    """How analysis frames lie in a window of ``length`` samples; all in samples.

    Frame i starts at i·hop, or with ``center`` is centred on i·hop, zeros standing in for what lies outside the window
    (librosa's ``center=True, pad_mode="constant"``, for any ``window`` up to ``fft``).
    """

    length: int
    window: int
    hop: int
    fft: int
    center: bool

    @property
    def before(self) -> int:
        """Zeros before the window."""
        return self.fft // 2 - (self.fft - self.window) // 2 if self.center else 0

    @property
    def frames(self) -> int:
        """How many frames; below one where the window is too short."""
        span = self.length + 2 * (self.fft // 2) - self.fft if self.center else self.length - self.window
        return 1 + span // self.hop

    @property
    def whole(self) -> tuple[int, int]:
        """First, and one after the last, of the frames that touch no padding."""
        first = -(-self.before // self.hop)
        return first, max(first, min(self.frames, (self.length + self.before - self.window) // self.hop + 1))


@dataclass(frozen=True, slots=True)
class Tables:
    """The numbers that a recipe computes with, for whoever computes it elsewhere (firmware/core/eiq_mfcc.c).

    Args:
        framing: how analysis frames lie in a window.
        taper: what their samples are multiplied by ``[window]``.
        bank: mel weights.
        cosines: DCT and lifter ``[mels, coefficients]``; None of log-mel.
    """

    framing: Framing
    taper: Float64
    bank: MelBank
    cosines: Float64 | None = None


def hann(size: int) -> Float64:
    """Hann's taper ``[size]``, periodic, as the FFT wants it."""
    return np.asarray(0.5 - 0.5 * np.cos(2 * np.pi * np.arange(size) / size))


class MelEnergies:
    """Mel energies ``[frames, mels]`` in float64 of windows ``[length]``; a hop costs its new frames only.

    Frames that touch no padding are kept by their position in the stream. They are used again when the next window
    lies whole hops later and holds the very same samples where the two overlap; whatever else comes (a gap, another
    recording, a step before that treats each window differently) is computed anew. Either way gives the same bits: no
    sum's order depends on how many frames are computed together, and the FFT is float64 under every numpy.

    Args:
        magnitude: bands sum magnitudes instead of powers.
        dtype: of the windows.
    """

    def __init__(self, framing: Framing, bank: MelBank, *, magnitude: bool, dtype: str) -> None:
        self._framing, self._bank, self._magnitude = framing, bank, magnitude
        length, window, hop, frames = framing.length, framing.window, framing.hop, framing.frames
        padded = np.zeros(max(framing.before + length, (frames - 1) * hop + window), dtype)
        self._samples = padded[framing.before : framing.before + length]
        self._frames = np.lib.stride_tricks.sliding_window_view(padded, window)[::hop][:frames]
        self._hann = hann(window)
        self._tapered = np.zeros((min(frames, max(1, _BLOCK // framing.fft)), framing.fft))
        self._energies = np.empty((frames, len(bank.starts)))
        self._first, self._stop = framing.whole
        self._at: int | None = None

    def __call__(self, window: Array, at: int) -> Float64:
        """The energies of the window at sample ``at`` of the stream; valid until the next call."""
        hops = self._hops_since(window, at)
        self._samples[:] = window
        self._at = at
        if hops:
            self._energies[self._first : self._stop - hops] = self._energies[self._first + hops : self._stop]
            self._compute(0, self._first)
            self._compute(self._stop - hops, len(self._energies))
        else:
            self._compute(0, len(self._energies))
        return self._energies

    def _hops_since(self, window: Array, at: int) -> int:
        """How many hops the kept frames must move; 0 where none can be used."""
        if self._at is None:
            return 0
        moved = at - self._at
        hops, rest = divmod(moved, self._framing.hop)
        if rest or not 0 < hops < self._stop - self._first:
            return 0
        return hops if (self._samples[moved:] == window[:-moved]).all() else 0

    def _compute(self, first: int, stop: int) -> None:
        rows = len(self._tapered)
        for start in range(first, stop, rows):
            self._compute_block(start, min(start + rows, stop))

    def _compute_block(self, first: int, stop: int) -> None:
        tapered = self._tapered[: stop - first]
        np.multiply(self._frames[first:stop], self._hann, out=tapered[:, : self._framing.window])
        parts = np.fft.rfft(tapered)[:, self._bank.bins].view(np.float64)  # real and imaginary ones in turn
        parts *= parts
        power = parts[:, ::2] + parts[:, 1::2]
        self._bank(np.sqrt(power, out=power) if self._magnitude else power, out=self._energies[first:stop])
