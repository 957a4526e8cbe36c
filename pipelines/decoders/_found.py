"""What the heads of detectors give, whatever their layout, and the choice among boxes that overlap."""

from __future__ import annotations

from typing import NamedTuple, Protocol

import numpy as np

from pipelines.core import Array, Data, Signal
from pipelines.decoders._labels import SLACK
from pipelines.errors import ModelError


class Found(NamedTuple):
    """The boxes with a score that counts, in no order.

    Args:
        boxes: float [k, 4] as ymin, xmin, ymax, xmax, 0 to 1 of the model's input.
        classes: int [k], places among the labels.
        scores: float [k], 0 to 1.
    """

    boxes: Array
    classes: Array
    scores: Array


class Head(Protocol):
    """Reads one layout of a detector's outputs. Built as ``Head(config)``, the config being that of ``boxes``."""

    def expected(self, signal: Signal) -> str:
        """The outputs that it reads, in words; needs the labels alone."""
        ...

    def fits(self, signal: Signal) -> bool:
        """Whether these are they."""
        ...

    def resolve(self, signal: Signal) -> None:
        """Told once of outputs that fit. Raises SignalMismatch."""
        ...

    def read(self, y: Data, threshold: float) -> Found:
        """The boxes that score at least this. Raises ModelError at a NaN, and at scores or boxes that are none."""
        ...


def shapes(signal: Signal) -> list[tuple[int | None, ...]]:
    """Of each output."""
    return [part.shape for part in signal.parts or (signal,)]


def check_scores(scores: Array) -> None:
    """Raises ModelError where one is no number: it would be above no threshold, and seen by nobody."""
    if np.isnan(scores).any():
        raise ModelError("the model's scores are not numbers (NaN); check its input and its weights")


def check_found(found: Found, labels: int) -> Found:
    """The same. Raises ModelError at a box or class that no detector gives, and at scores above 1, such as logits."""
    if len(found.scores) == 0:
        return found
    best = float(found.scores.max())
    if best > 1 + SLACK:
        got = f"the model's best score is {best:g}"
        raise ModelError(f"{got}, expected 0 to 1; of a head that gives logits say sigmoid: true")
    if not np.isfinite(found.boxes).all():
        raise ModelError("the model's boxes are not finite; check its input and its weights")
    wrong = found.classes[~((found.classes >= 0) & (found.classes < labels))]  # a NaN too
    if len(wrong):
        got = f"the model reported class {wrong[0]:g}"
        raise ModelError(f"{got}, expected 0 to {labels - 1}, one per label; check engine.labels")
    return found


def sigmoid(x: Array) -> Array:
    """1 / (1 + exp(-x)), in a form that does not overflow."""
    return np.asarray(0.5 * (1 + np.tanh(0.5 * x)))


def nms(boxes: Array, classes: Array, most: int, limit: float) -> list[int]:
    """Greedy non-maximum suppression per class.

    Args:
        boxes: float [k, 4] as ymin, xmin, ymax, xmax, best first.
        classes: [k].
        most: at most so many.
        limit: the most that two of one class may overlap (intersection over union).

    Returns:
        The places of what is kept, best first.
    """
    boxes = boxes.astype(np.float64)
    areas = (boxes[:, 2] - boxes[:, 0]).clip(0) * (boxes[:, 3] - boxes[:, 1]).clip(0)
    left = np.arange(len(boxes))
    kept: list[int] = []
    while len(left) and len(kept) < most:
        best, left = left[0], left[1:]
        kept.append(int(best))
        low = np.maximum(boxes[left, :2], boxes[best, :2])
        sides = (np.minimum(boxes[left, 2:], boxes[best, 2:]) - low).clip(0)
        both = sides[:, 0] * sides[:, 1]
        either = areas[left] + areas[best] - both
        left = left[(both <= limit * either) | (classes[left] != classes[best])]
    return kept
