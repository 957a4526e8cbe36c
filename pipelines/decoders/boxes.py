"""The objects that a detector found, each with its place in the captured picture."""

from __future__ import annotations

from collections.abc import Iterator
from math import prod
from typing import Literal

import numpy as np

from pipelines.config.schema import Config as Base
from pipelines.config.schema import Count, Positive, PositiveFloat, Unit
from pipelines.core import Array, Box, Data, Frame, Result, Signal, shape_text
from pipelines.decoders._labels import as_score, index_of
from pipelines.errors import ModelError, SignalMismatch


class Boxes:
    """Reports the boxes of a detector with its post-processing in the model (TFLite_Detection_PostProcess), best first.

    Four outputs: boxes [n, 4] as ymin, xmin, ymax, xmax, 0 to 1 of the model's input; classes [n]; scores [n]; how many
    of the n count. Of two boxes of one class that overlap too much the one with the lower score goes (greedy NMS per
    class; the model's own may leave some). ``Result.region`` is in pixels of the captured picture, held to its edges;
    in a cascade, of the earlier result's region, which ``crop`` without a margin cut out.
    """

    class Config(Base, frozen=True, kw_only=True):
        """
        Args:
            threshold: the least score that counts.
            iou: the most that two boxes of one class may overlap (intersection over union); 1 keeps all.
            most: at most so many boxes of a frame.
            ignore: labels that are never reported and take no place among the most.
            fit: that of the step resize before the engine.
            aspect: width over height of the model's input, for fit crop and letterbox.
            boxes, classes, scores, count: which output of the model is which.
        """

        threshold: Unit = 0.5
        iou: Unit = 0.5
        most: Positive = 10
        ignore: tuple[str, ...] = ()
        fit: Literal["stretch", "crop", "letterbox"] = "stretch"
        aspect: PositiveFloat = 1.0
        boxes: Count = 0
        classes: Count = 1
        scores: Count = 2
        count: Count = 3

        def __post_init__(self) -> None:
            places = (self.boxes, self.classes, self.scores, self.count)
            if len(set(places)) < len(places):
                raise ValueError(f"got the outputs {list(places)} for boxes, classes, scores and count, expected four")

    def __init__(self, config: Config) -> None:
        self._config = config

    def resolve(self, signal: Signal) -> None:
        """Takes a bundle with boxes [n, 4], classes [n], scores [n] and a count, and its labels."""
        config = self._config
        n = _outputs(signal, config.boxes, "boxes")[:1]
        _expect(signal, config.boxes, "boxes", (*n, 4))
        _expect(signal, config.classes, "classes", n)
        _expect(signal, config.scores, "scores", n)
        count = _outputs(signal, config.count, "count")
        if prod(size or 0 for size in count) != 1:
            raise _mismatch(signal, config.count, "count", "[1]")
        if not signal.channels:
            raise SignalMismatch(f"{signal} without labels", "one label per class", "name them with engine.labels")
        self._ignored = {index_of(label, "ignore", signal.channels) for label in config.ignore}
        self._labels = signal.channels
        self.labels = tuple(label for label in signal.channels if label not in config.ignore)

    def decode(self, y: Data, frame: Frame) -> Iterator[Result]:
        """Raises ModelError at a NaN, at scores that are none, and at a class without a label."""
        config = self._config
        boxes, classes, scores = y[config.boxes], y[config.classes], y[config.scores]
        count = _count(float(y[config.count].flat[0]), len(scores))
        if np.isnan(scores[:count]).any():  # it would be sorted behind all others
            raise ModelError("the model's scores are not numbers (NaN); check its input and its weights")
        kept: list[int] = []
        for i in np.argsort(-scores[:count], kind="stable"):
            score, box = as_score(float(scores[i])), boxes[i]
            if score < config.threshold or len(kept) == config.most:
                return
            label = self._class(float(classes[i]))
            if not np.isfinite(box).all():
                raise ModelError("the model's boxes are not finite; check its input and its weights")
            if label in self._ignored or any(
                classes[k] == classes[i] and iou(boxes[k], box) > config.iou for k in kept
            ):
                continue
            region = self._region(box, frame)
            if region is not None:
                kept.append(int(i))
                yield Result(frame.t, self._labels[label], score, None, region, frame.captured)

    def _class(self, value: float) -> int:
        if not 0 <= value < len(self._labels):
            got = f"the model reported class {value:g}"
            raise ModelError(f"{got}, expected 0 to {len(self._labels) - 1}, one per label; check engine.labels")
        return int(value)

    def _region(self, box: Array, frame: Frame) -> Box | None:
        """In pixels of the captured picture; None for a box that has nothing of it."""
        height, width = frame.captured.array.shape[:2]
        looked_at = (
            frame.cause.region if frame.cause and frame.cause.region else (0.0, 0.0, float(width), float(height))
        )
        x, y, wide, high = fitted(looked_at, self._config.aspect, self._config.fit)
        ymin, xmin, ymax, xmax = map(float, box)
        left, right = max(x + xmin * wide, looked_at[0]), min(x + xmax * wide, looked_at[0] + looked_at[2])
        top, bottom = max(y + ymin * high, looked_at[1]), min(y + ymax * high, looked_at[1] + looked_at[3])
        return (left, top, right - left, bottom - top) if left < right and top < bottom else None


def fitted(region: Box, aspect: float, fit: str) -> Box:
    """The rectangle that the model's whole input shows: of the region's centre, and of this aspect unless stretched."""
    x, y, width, height = region
    if fit == "stretch":
        return region
    wider = width > height * aspect
    if wider == (fit == "crop"):
        shown_width, shown_height = height * aspect, height
    else:
        shown_width, shown_height = width, width / aspect
    return x + (width - shown_width) / 2, y + (height - shown_height) / 2, shown_width, shown_height


def iou(a: Array, b: Array) -> float:
    """Intersection over union of two boxes (ymin, xmin, ymax, xmax); 0 where either is empty."""
    high = min(a[2], b[2]) - max(a[0], b[0])
    wide = min(a[3], b[3]) - max(a[1], b[1])
    if high <= 0 or wide <= 0:
        return 0.0
    both = float(high) * float(wide)
    return both / (_area(a) + _area(b) - both)


def _area(box: Array) -> float:
    return float(box[2] - box[0]) * float(box[3] - box[1])


def _count(value: float, most: int) -> int:
    if not 0 <= value <= most:
        raise ModelError(f"the model reported {value:g} boxes, expected 0 to {most}; check its input and its weights")
    return int(value)


def _outputs(signal: Signal, output: int, name: str) -> tuple[int | None, ...]:
    """The shape of the output that has this part."""
    if not signal.parts:
        got = f"{signal}, one output"
        raise SignalMismatch(got, "the four of a detector: boxes, classes, scores, count", "name a detector's model")
    if output >= len(signal.parts):
        got = f"{name}: {output}"
        raise SignalMismatch(got, f"0 to {len(signal.parts) - 1}, the outputs of {signal}", f"correct {name}")
    return signal.parts[output].shape


def _expect(signal: Signal, output: int, name: str, shape: tuple[int | None, ...]) -> None:
    if _outputs(signal, output, name) != shape:
        raise _mismatch(signal, output, name, shape_text(shape))


def _mismatch(signal: Signal, output: int, name: str, expected: str) -> SignalMismatch:
    shapes = ", ".join(f"{i} {shape_text(part.shape)}" for i, part in enumerate(signal.parts))
    return SignalMismatch(
        f"output {output} {shape_text(signal.parts[output].shape)} for {name}",
        expected,
        f"say with boxes, classes, scores and count which of the outputs is which: {shapes}",
    )
