"""How far from normal: learned on the spot."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from pipelines.core import Array, Signal
from pipelines.errors import DataError
from pipelines.transforms._learned import LearnedConfig, Learner

FOLDS = 4
QUANTILE = 0.95
LEAST_SPREAD = 1e-3
"""A feature's spread counts as at least this part of its mean: one that stood still must not alarm at its last bit."""

RIDGE = 1e-6
"""Added to all variances, so that features of which one follows from others have no direction without any."""


class Gaussian(Learner):
    """Learns what is normal from the first ``learn_s`` of a stream, then tells how far each frame is from it.

    Features of any fixed shape to scores ``[1]``, the channel ``distance``. While it learns it passes nothing on, and
    tells so by results: ``learning normal``, then ``normal learned``. With ``file`` it writes there what it learned;
    where the file is there already it learns nothing and scores at once (``normal loaded``).

    The distance is Mahalanobis's, under one Gaussian over all features: mean, and a covariance shrunk as Ledoit and
    Wolf do (A well-conditioned estimator for large-dimensional covariance matrices, 2004), so that fewer frames than
    features do. It comes in units of normal's own spread: each quarter of the learning time is measured against the
    other three, and 1 is the distance that 95 % of those frames stay below. So a limit that was chosen on one machine
    suits another one too. What still changes while it learns (a fan that runs up) makes it less sensitive.
    """

    class Config(LearnedConfig, frozen=True, kw_only=True):
        """What every step that learns has."""

    name: ClassVar[str] = "gaussian"
    learns: ClassVar[str] = "normal"

    def output(self, signal: Signal) -> Signal:
        self._offset = np.empty(self._size)
        self._whitened = np.empty(self._size)
        self._out = np.empty(1, np.float32)
        return Signal((1,), "float32", signal.rate_hz, "scores", ("distance",))

    def fit(self, features: Array) -> dict[str, Array]:
        folds = np.array_split(np.arange(len(features)), FOLDS)
        distances = [_held_out(features, fold) for fold in folds]
        mean, whitening = _fitted(features)
        limit = np.quantile(np.concatenate(distances), QUANTILE)
        return {"mean": mean, "whitening": whitening / max(limit, np.finfo(np.float32).tiny)}

    def shapes(self, numbers: dict[str, Array], size: int) -> dict[str, tuple[int, ...]]:
        return {"mean": (size,), "whitening": (size, size)}

    def use(self, numbers: dict[str, Array]) -> None:
        self._mean, self._whitening = numbers["mean"], np.ascontiguousarray(numbers["whitening"])

    def score(self, features: Array) -> Array:
        np.subtract(features, self._mean, out=self._offset)
        np.dot(self._whitening, self._offset, out=self._whitened)
        self._out[0] = np.sqrt(np.dot(self._whitened, self._whitened))
        return self._out


def _held_out(features: Array, fold: Array) -> Array:
    """The distances of the frames of ``fold`` under what the others teach."""
    mean, whitening = _fitted(np.delete(features, fold, axis=0))
    distances: Array = np.linalg.norm((features[fold] - mean) @ whitening.T, axis=1)
    return distances


def _fitted(features: Array) -> tuple[Array, Array]:
    """Mean [features], and the matrix [features, features] under which the distance from it is Mahalanobis's."""
    mean = features.mean(axis=0)
    spread = np.maximum(features.std(axis=0), LEAST_SPREAD * np.abs(mean))
    spread[spread == 0] = 1.0
    centred = (features - mean) / spread
    if not centred.any():
        raise DataError(f"all {features.shape[1]} features stood still while gaussian learned, expected what a working "
                        "sensor's noise makes of them; is the sensor on?")  # fmt: skip
    covariance = shrunk_covariance(centred) + RIDGE * np.eye(len(mean))
    return mean, np.linalg.inv(np.linalg.cholesky(covariance)) / spread


def shrunk_covariance(centred: Array) -> Array:
    """Ledoit and Wolf's estimate (2004, section 3.3) from float64 [frames, features] of mean 0."""
    frames, size = centred.shape
    sample = centred.T @ centred / frames
    scale = np.trace(sample) / size
    target = scale * np.eye(size)
    distance = np.sum((sample - target) ** 2)
    squares = centred**2
    noise = (np.sum(squares.T @ squares) / frames - np.sum(sample**2)) / frames
    share = min(noise / distance, 1.0) if distance > 0 else 1.0
    covariance: Array = share * target + (1 - share) * sample
    return covariance
