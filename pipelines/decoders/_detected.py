"""The four outputs of a model with its post-processing inside (TFLite_Detection_PostProcess)."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from pipelines.core import Array, Data, Signal
from pipelines.decoders._found import Found, check_found, check_scores, shapes
from pipelines.errors import ModelError


class Detected:
    """Boxes [n, 4], classes [n], scores [n], and how many of the n count."""

    def __init__(self, config: Any) -> None:
        keys = (config.boxes, config.classes, config.scores, config.count)
        self._places = tuple(default if key is None else key for default, key in enumerate(keys))
        if len(set(self._places)) < len(self._places):
            got = f"got the outputs {list(self._places)}"
            raise ValueError(f"{got} for boxes, classes, scores and count, expected four different ones")
        self._labels = 0

    def expected(self, signal: Signal) -> str:
        boxes, classes, scores, count = self._places
        return (
            f"the four of a detector with its post-processing inside: output {boxes} boxes [n, 4], {classes} classes "
            f"[n], {scores} scores [n], {count} count [1]"
        )

    def fits(self, signal: Signal) -> bool:
        got = shapes(signal)
        if max(self._places) >= len(got):
            return False
        boxes, classes, scores, count = (got[place] for place in self._places)
        return (*classes, 4) == boxes and classes == scores and len(classes) == 1 and prod(n or 0 for n in count) == 1

    def resolve(self, signal: Signal) -> None:
        self._labels = len(signal.channels)

    def read(self, y: Data, threshold: float) -> Found:
        boxes, classes, scores, count = (y[place] for place in self._places)
        n = _count(count, len(scores))
        check_scores(scores[:n])
        kept = np.flatnonzero(scores[:n] >= threshold)
        found = check_found(Found(boxes[kept], classes[kept], scores[kept]), self._labels)
        return found._replace(classes=found.classes.astype(np.intp))


def _count(count: Array, most: int) -> int:
    value = float(count.flat[0])
    if not 0 <= value <= most:
        raise ModelError(f"the model reported {value:g} boxes, expected 0 to {most}; check its input and its weights")
    return int(value)
