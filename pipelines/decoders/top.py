"""The classes with the best scores."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from pipelines.config.schema import Config as Base
from pipelines.config.schema import Count, NonNegative, Positive, Unit
from pipelines.core import Data, Frame, Result, Signal
from pipelines.decoders._labels import array_of, as_score, found, index_of, part_of
from pipelines.errors import SignalMismatch


class Top:
    """Reports the k best classes, best first, of equal ones that with the lower index.

    A class is *detected* in a frame when it is among the k best and at or above the threshold. Without
    ``refractory_ms`` each detection is reported, as a picture demo wants it. With it, a label that was reported stays
    quiet for so long in stream time, and with ``rearm`` also until a frame came in which it was not detected: one
    report for one spoken word, however long its window lasts. Each label has its own refractory time.
    """

    class Config(Base, frozen=True, kw_only=True):
        """
        Args:
            k: at most so many results for a frame.
            threshold: the least score that counts.
            refractory_ms: how long a reported label stays quiet; 0 reports every frame.
            rearm: after a report, wait for a frame without the label; false: again every refractory_ms while it lasts.
            ignore: labels that are never reported and take no place among the k (silence, unknown).
            output: which output of a model that has several.
        """

        k: Positive = 1
        threshold: Unit = 0.0
        refractory_ms: NonNegative = 0.0
        rearm: bool = True
        ignore: tuple[str, ...] = ()
        output: Count = 0

    def __init__(self, config: Config) -> None:
        self._config = config
        self._quiet_s = config.refractory_ms / 1000 - 1e-6  # times are sums of floats: 1.7 - 0.9 < 0.8
        self._reported: dict[int, float] = {}  # class -> stream time of its last report
        self._held: set[int] = set()  # classes that were reported and detected in every frame since

    def resolve(self, signal: Signal) -> None:
        """Takes scores [classes] with their labels in ``signal.channels``."""
        signal = part_of(signal, self._config.output)
        if signal.kind != "scores":
            raise SignalMismatch(signal, "scores", "top reads the scores of a classifier")
        if not signal.channels:
            raise SignalMismatch(f"{signal} without labels", "one label per class", "name them with engine.labels")
        if signal.shape != (len(signal.channels),):
            raise SignalMismatch(
                f"{signal} with {len(signal.channels)} labels", "one label per class", "check engine.labels"
            )
        ignored = {index_of(label, "ignore", signal.channels) for label in self._config.ignore}
        self._labels = signal.channels
        self.labels = tuple(label for label in signal.channels if label not in self._config.ignore)
        self._classes = np.array([i for i in range(len(self._labels)) if i not in ignored], np.intp)
        self._scores = np.empty(len(self._classes), np.float32)

    def decode(self, y: Data, frame: Frame) -> list[Result]:
        """Scores float32 [classes], 0 to 1, to results. Raises ModelError at a NaN or at logits."""
        np.take(array_of(y, self._config.output), self._classes, out=self._scores, mode="clip")
        detected = list(self._detected())
        if not self._config.refractory_ms:
            return [found(frame, self._labels[i], score) for i, score in detected]
        self._held.intersection_update(i for i, _ in detected)
        return [found(frame, self._labels[i], score) for i, score in detected if self._fires(i, frame.t)]

    def _detected(self) -> Iterator[tuple[int, float]]:
        scores = self._scores
        for _ in range(min(self._config.k, len(scores))):
            place = int(scores.argmax())  # the first of equal ones; a NaN before all
            score = as_score(float(scores[place]))
            if score < self._config.threshold:
                return
            yield int(self._classes[place]), score
            scores[place] = -np.inf  # taken

    def _fires(self, label: int, t: float) -> bool:
        if label in self._held or t - self._reported.get(label, -np.inf) < self._quiet_s:
            return False
        self._reported[label] = t
        if self._config.rearm:
            self._held.add(label)
        return True
