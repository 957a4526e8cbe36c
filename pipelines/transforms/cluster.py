"""Which states a stream has: found without labels."""

from __future__ import annotations

from types import ModuleType
from typing import Annotated, ClassVar

import numpy as np
from msgspec import Meta

from pipelines.core import Array, Signal
from pipelines.errors import DataError
from pipelines.optional import require
from pipelines.transforms._learned import LearnedConfig, Learner, Seconds

MOST_STATES = 26
STARTS = 4
LEAST_GAIN = 0.1
"""The silhouette of several states must be better by so much than what K-means makes of a single Gaussian."""
MOST_COMPARED = 2000
"""Frames that the silhouette compares, each with each."""


class Cluster(Learner):
    """Finds the states that a stream goes through in its first ``learn_s``, without labels, then tells which one it is.

    Features of any fixed shape to scores ``[most]``, the channels ``state A``, ``state B``, … in the order in which the
    states were met; those that were not found stay at 0. While it learns it passes nothing on, and tells so by results:
    ``learning states``, then ``states learned`` with how many. With ``file`` it writes there what it learned; where the
    file is there already it learns nothing and scores at once (``states loaded``).

    K-means on standardised features; of two to ``most`` states it takes as many as give the best silhouette (Rousseeuw,
    1987), and one where that is hardly better than for a single Gaussian of the same covariance. A score is the share
    of a state in a mixture of equally wide round Gaussians around the centres. A state that did not come while it
    learned goes to the nearest one: ``gaussian`` tells what is new.

    Learning needs scikit-learn (extra ``classical``), scoring does not.
    """

    class Config(LearnedConfig, frozen=True, kw_only=True):
        """
        Args:
            most: states that it may find.
            seed: of K-means' starts.
        """

        learn_s: Seconds = 60.0
        most: Annotated[int, Meta(ge=2, le=MOST_STATES)] = 8
        seed: Annotated[int, Meta(ge=0, lt=2**32)] = 1

    name: ClassVar[str] = "cluster"
    learns: ClassVar[str] = "states"

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        self._most, self._seed = config.most, config.seed

    def output(self, signal: Signal) -> Signal:
        if not self._ready:
            _sklearn("cluster")  # missing is told before the run, not after a minute of learning
        self._standard = np.empty(self._size)
        self._out = np.zeros(self._most, np.float32)
        return Signal((self._most,), "float32", signal.rate_hz, "scores", state_names(self._most))

    def fit(self, features: Array) -> dict[str, Array]:
        mean, spread = features.mean(axis=0), features.std(axis=0)
        spread[spread == 0] = 1.0
        standard = (features - mean) / spread
        if not standard.any():
            raise DataError(f"all {features.shape[1]} features stood still while cluster learned; is the sensor on?")
        states = _in_order_of_appearance(self._states(standard))
        centres = np.array([standard[states == state].mean(axis=0) for state in range(states.max() + 1)])
        width = np.mean(np.sum((standard - centres[states]) ** 2, axis=1))
        least = np.finfo(np.float32).tiny
        return {"mean": mean, "spread": spread, "centres": centres, "width": np.array([max(width, least)])}

    def _states(self, standard: Array) -> Array:
        """The state of each frame [frames], as a number."""
        states, silhouette = self._best(standard)
        draw = np.random.default_rng(self._seed)
        covariance = np.cov(standard, rowvar=False, ddof=0).reshape(2 * (standard.shape[1],))
        single = draw.multivariate_normal(np.zeros(len(covariance)), covariance, len(standard), check_valid="ignore")
        alone: Array = np.zeros(len(standard), np.intp)
        return states if silhouette > self._best(single)[1] + LEAST_GAIN else alone

    def _best(self, standard: Array) -> tuple[Array, float]:
        """The states [frames] of the best number of them, and their silhouette."""
        most = min(self._most, len(np.unique(standard, axis=0)), len(standard) - 1)
        found = [self._k_means(standard, count) for count in range(2, most + 1)]
        rows = np.random.default_rng(self._seed).permutation(len(standard))[:MOST_COMPARED]
        scores = [_silhouette(standard[rows], states[rows]) for states in found]
        best = int(np.argmax(scores))
        return found[best], float(scores[best])

    def _k_means(self, standard: Array, count: int) -> Array:
        k_means = _sklearn("cluster").KMeans(count, n_init=STARTS, random_state=self._seed)
        states: Array = k_means.fit_predict(standard)
        return states

    def told(self, numbers: dict[str, Array]) -> tuple[float, str]:
        return float(len(numbers["centres"])), "states"

    def shapes(self, numbers: dict[str, Array], size: int) -> dict[str, tuple[int, ...]]:
        states = min(max(len(numbers["centres"]), 1), self._most)
        return {"mean": (size,), "spread": (size,), "centres": (states, size), "width": (1,)}

    def use(self, numbers: dict[str, Array]) -> None:
        self._mean, self._spread = numbers["mean"], numbers["spread"]
        self._centres, self._width = numbers["centres"], float(numbers["width"][0])

    def score(self, features: Array) -> Array:
        np.subtract(features, self._mean, out=self._standard)
        np.divide(self._standard, self._spread, out=self._standard)
        distances = np.sum((self._centres - self._standard) ** 2, axis=1)
        shares = np.exp((distances.min() - distances) / (2 * self._width))
        self._out[: len(shares)] = shares / shares.sum()
        return self._out


def _silhouette(standard: Array, states: Array) -> float:
    """-1 to 1; the least where the frames are all of one state, as a drawn part of them may be."""
    if len(np.unique(states)) < 2:
        return -1.0
    return float(_sklearn("metrics").silhouette_score(standard, states))


def state_names(count: int) -> tuple[str, ...]:
    """``state A``, ``state B``, …"""
    return tuple(f"state {chr(ord('A') + i)}" for i in range(count))


def _in_order_of_appearance(states: Array) -> Array:
    _, first, states = np.unique(states, return_index=True, return_inverse=True)
    renamed: Array = np.argsort(np.argsort(first))[states]
    return renamed


def _sklearn(module: str) -> ModuleType:
    return require(f"sklearn.{module}", purpose="cluster", install="pip install 'eiq-demo[classical]'")
