"""The heads of YOLO without post-processing: a row or column for each of N places, centre, size and classes in it."""

from __future__ import annotations

from typing import Any

import numpy as np

from pipelines.core import Array, Data, Signal
from pipelines.decoders._found import Found, check_found, check_scores, shapes, sigmoid
from pipelines.decoders._labels import array_of
from pipelines.errors import ModelError

FARTHEST = 4.0
"""A box's centre in fractions of the input is nowhere near this."""


class _Yolo:
    """What both have in common: boxes as x, y of the centre, width and height."""

    before: int
    """So many values stand before the classes'."""
    across: bool
    """The N places are the last axis."""

    def __init__(self, config: Any) -> None:
        self._output = config.scores or 0
        self._sigmoid = config.sigmoid
        self._size = config.input_px
        scale = config.input_px or (1, 1)
        self._scale = 1 / np.array([scale[1], scale[0], scale[1], scale[0]], np.float64)
        self._labels = 0

    def expected(self, signal: Signal) -> str:
        values = f"{self.before} + {len(signal.channels)} labels"
        return f"output {self._output} as " + (f"[{values}, n]" if self.across else f"[n, {values}]")

    def fits(self, signal: Signal) -> bool:
        got = shapes(signal)
        if self._output >= len(got) or len(got[self._output]) != 2:
            return False
        return got[self._output][0 if self.across else 1] == self.before + len(signal.channels)

    def resolve(self, signal: Signal) -> None:
        self._labels = len(signal.channels)

    def _check_unit(self, centres: Array) -> None:
        """Of all places, as the boxes of one picture may all lie in its corner. Raises ModelError."""
        if self._size is None and (farthest := float(centres.max())) > FARTHEST:
            got = f"the model's boxes go to {farthest:g}, expected fractions of its input"
            raise ModelError(f"{got}; say with input_px: [width, height] which pixels they count")

    def _found(self, places: Array, classes: Array, scores: Array) -> Found:
        """Of [k, 4] x, y, width, height."""
        centre, half = places[:, 1::-1].astype(np.float64), places[:, 3:1:-1] / 2.0
        boxes = np.concatenate([centre - half, centre + half], axis=1) * self._scale
        return check_found(Found(boxes, classes, scores), self._labels)


class YoloV5(_Yolo):
    """[n, 5 + classes]: centre, size, objectness, class scores; a box's score is the product of both (v3 to v5, v7)."""

    before, across = 5, False

    def read(self, y: Data, threshold: float) -> Found:
        rows = array_of(y, self._output)
        objectness = rows[:, 4]
        check_scores(objectness)
        self._check_unit(rows[:, :2])
        if self._sigmoid:
            objectness = sigmoid(objectness)
        kept = np.flatnonzero(objectness >= threshold)  # a class's score is 1 at most
        of_classes = rows[kept, 5:]
        check_scores(of_classes)
        classes = of_classes.argmax(axis=1)
        best = of_classes[np.arange(len(kept)), classes]
        scores = objectness[kept] * (sigmoid(best) if self._sigmoid else best)
        high = scores >= threshold
        return self._found(rows[kept[high], :4], classes[high], scores[high])


class YoloV8(_Yolo):
    """[4 + classes, n]: centre, size, class scores (v8, v9, v11)."""

    before, across = 4, True

    def resolve(self, signal: Signal) -> None:
        super().resolve(signal)
        self._best = np.empty(shapes(signal)[self._output][1] or 0, np.float32)

    def read(self, y: Data, threshold: float) -> Found:
        columns = array_of(y, self._output)
        best = columns[4:].max(axis=0, out=self._best)
        check_scores(best)
        self._check_unit(columns[:2])
        if self._sigmoid:
            best = sigmoid(best)
        kept = np.flatnonzero(best >= threshold)
        return self._found(columns[:4, kept].T, columns[4:, kept].argmax(axis=0), best[kept])
