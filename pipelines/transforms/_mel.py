"""Mel scales and the triangular filters on them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Float64 = NDArray[np.float64]
Scale = Literal["htk", "slaney"]

# Slaney, Auditory Toolbox: linear up to 1 kHz, 27 steps to each factor of 6.4 above
_SLANEY_STEP_HZ = 200 / 3
_SLANEY_CORNER_HZ = 1000.0
_SLANEY_CORNER = _SLANEY_CORNER_HZ / _SLANEY_STEP_HZ
_SLANEY_LOG_STEP = np.log(6.4) / 27


def hz_to_mel(hz: Float64, scale: Scale) -> Float64:
    """Frequencies in Hz on a mel scale: htk is 2595 log10(1 + f/700), slaney the Auditory Toolbox's."""
    if scale == "htk":
        return np.asarray(2595.0 * np.log10(1.0 + hz / 700.0))
    above = _SLANEY_CORNER + np.log(np.maximum(hz, _SLANEY_CORNER_HZ) / _SLANEY_CORNER_HZ) / _SLANEY_LOG_STEP
    return np.where(hz < _SLANEY_CORNER_HZ, hz / _SLANEY_STEP_HZ, above)


def mel_to_hz(mel: Float64, scale: Scale) -> Float64:
    """The inverse of ``hz_to_mel``."""
    if scale == "htk":
        return np.asarray(700.0 * (10.0 ** (mel / 2595.0) - 1.0))
    above = _SLANEY_CORNER_HZ * np.exp(_SLANEY_LOG_STEP * (mel - _SLANEY_CORNER))
    return np.where(mel < _SLANEY_CORNER, mel * _SLANEY_STEP_HZ, above)


def mel_weights(
    *,
    rate_hz: float,
    fft: int,
    mels: int,
    fmin_hz: float,
    fmax_hz: float,
    scale: Scale,
    triangles: Literal["hz", "mel"],
    norm: Literal["none", "slaney"],
) -> Float64:
    """Weights ``[mels, fft // 2 + 1]`` of triangles whose corners are equally spaced on the mel scale.

    Args:
        triangles: what their sides are straight lines of: "hz" as in librosa.filters.mel, "mel" as in HTK and
            tf.signal.linear_to_mel_weight_matrix.
        norm: "slaney" divides each triangle by half its width in Hz, so that its area is 1.
    """
    bins_hz = np.arange(fft // 2 + 1, dtype=np.float64) * (rate_hz / fft)
    ends_mel = hz_to_mel(np.array([fmin_hz, fmax_hz]), scale)
    corners_mel = np.linspace(float(ends_mel[0]), float(ends_mel[1]), mels + 2)
    corners_hz = mel_to_hz(corners_mel, scale)
    in_hz = triangles == "hz"
    bins, corners = (bins_hz, corners_hz) if in_hz else (hz_to_mel(bins_hz, scale), corners_mel)
    left, centre, right = corners[:-2, None], corners[1:-1, None], corners[2:, None]
    weights = np.maximum(0.0, np.minimum((bins - left) / (centre - left), (right - bins) / (right - centre)))
    if norm == "slaney":
        weights *= (2.0 / (corners_hz[2:] - corners_hz[:-2]))[:, None]
    return np.asarray(weights)


@dataclass(frozen=True, slots=True)
class MelBank:
    """Triangles without their zeros: a bin lies in two of them at most, a dense product would be nine tenths zeros.

    Args:
        bins: the slice of spectrum bins that any band uses.
        columns: bins within that slice, band by band ``[weights]``.
        weights: of each of them ``[weights]``.
        starts: where each band begins in the two ``[mels]``.
    """

    bins: slice
    columns: NDArray[np.intp]
    weights: Float64
    starts: NDArray[np.intp]

    @classmethod
    def of(cls, dense: Float64) -> MelBank:
        """From weights ``[mels, bins]``, none of whose rows may be empty."""
        bands, columns = np.nonzero(dense)
        first, last = int(columns.min()), int(columns.max())
        starts = np.searchsorted(bands, np.arange(len(dense)))
        return cls(slice(first, last + 1), columns - first, dense[bands, columns], starts)

    def __call__(self, spectrum: Float64, out: Float64) -> None:
        """Band energies ``[frames, mels]`` of a spectrum ``[frames, bins]`` that is cut to ``bins``.

        Each row's sum is the same to the bit however many rows there are (a BLAS product's is not).
        """
        weighted = spectrum.take(self.columns, axis=1)
        weighted *= self.weights
        np.add.reduceat(weighted, self.starts, axis=1, out=out)
