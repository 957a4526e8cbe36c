"""The objects that a detector found, each with its place in the captured picture."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Annotated, Any, Literal

import numpy as np
from msgspec import Meta

from pipelines.config.schema import Config as Base
from pipelines.config.schema import Count, Positive, Unit
from pipelines.core import Array, Data, Frame, Result, Signal, shape_text
from pipelines.decoders._detected import Detected
from pipelines.decoders._found import Head, nms, shapes
from pipelines.decoders._labels import as_score, index_of
from pipelines.decoders._ssd import Ssd
from pipelines.decoders._yolo import YoloV5, YoloV8
from pipelines.errors import SignalMismatch

Layers = Annotated[int, Meta(ge=1, le=16)]
HEADS: dict[str, Callable[[Any], Head]] = {"detected": Detected, "ssd": Ssd, "yolov5": YoloV5, "yolov8": YoloV8}


class Boxes:
    """Reports the boxes of a detector, best first.

    Layouts of its outputs: ``detected``, with the post-processing in the model (TFLite_Detection_PostProcess): boxes
    [n, 4] as ymin, xmin, ymax, xmax, classes [n], scores [n], and how many count. ``ssd``: locations [n, 4] and scores
    [n, classes], or [n, 1 + classes] with the background first, of an SSD as TensorFlow's object detection API trains
    it. ``yolov5``: [n, 5 + classes] (v3 to v5, v7). ``yolov8``: [4 + classes, n] (v8, v9, v11).

    Of two boxes of one class that overlap too much the one with the lower score goes (greedy NMS per class; a model's
    own may leave some). ``Result.region`` is in pixels of the captured picture, whatever part of it the steps before
    the engine took, and ends at that part's edges.
    """

    class Config(Base, frozen=True, kw_only=True):
        """
        Args:
            layout: how the model's outputs are laid out.
            threshold: the least score that counts.
            iou: the most that two boxes of one class may overlap (intersection over union); 1 keeps all.
            most: at most so many boxes of a frame.
            ignore: labels that are never reported and take no place among the most.
            boxes, classes, scores, count: which output of the model is which; detected has them in this order, ssd
                has boxes and scores, yolo one (scores).
            sigmoid: the heads' scores are logits, and a sigmoid makes them scores (ssd, yolo).
            input_px: width and height that the coordinates count pixels of; 0 to 1 where absent (yolo).
            grid: cells a side of the first grid of anchors, 19 for an input of 300 px, 20 for 320 (ssd).
            layers: so many grids, each of half the cells (ssd).
            scales: of the anchors, the first grid's and the last's (ssd).
        """

        layout: Literal["detected", "ssd", "yolov5", "yolov8"] = "detected"
        threshold: Unit = 0.5
        iou: Unit = 0.5
        most: Positive = 10
        ignore: tuple[str, ...] = ()
        boxes: Count | None = None
        classes: Count | None = None
        scores: Count | None = None
        count: Count | None = None
        sigmoid: bool = False
        input_px: tuple[Positive, Positive] | None = None
        grid: Annotated[int, Meta(ge=1, le=512)] = 19
        layers: Layers = 6
        scales: tuple[Unit, Unit] = (0.2, 0.95)

        def __post_init__(self) -> None:
            HEADS[self.layout](self)  # refuses outputs named twice

    def __init__(self, config: Config) -> None:
        self._config = config
        self._head: Head = HEADS[config.layout](config)

    def resolve(self, signal: Signal) -> None:
        """Takes the outputs of the layout, and their labels."""
        if not signal.channels:
            raise SignalMismatch(f"{signal} without labels", "one label per class", "name them with engine.labels")
        if not self._head.fits(signal):
            raise self._mismatch(signal)
        self._head.resolve(signal)
        self._ignored = np.array([index_of(label, "ignore", signal.channels) for label in self._config.ignore], np.intp)
        self._labels = signal.channels
        self.labels = tuple(label for label in signal.channels if label not in self._config.ignore)

    def decode(self, y: Data, frame: Frame) -> Iterator[Result]:
        """Raises ModelError at a NaN, at scores that are none, and at a class without a label."""
        config = self._config
        found = self._head.read(y, config.threshold)
        if not len(found.scores):
            return
        regions, seen = self._regions(found.boxes, frame)
        if len(self._ignored):
            seen &= ~np.isin(found.classes, self._ignored)
        places = np.flatnonzero(seen)
        order = places[np.argsort(-found.scores[places], kind="stable")]
        for place in order[nms(found.boxes[order], found.classes[order], config.most, config.iou)]:
            label, score = self._labels[found.classes[place]], as_score(float(found.scores[place]))
            left, top, right, bottom = regions[place].tolist()
            yield Result(frame.t, label, score, None, (left, top, right - left, bottom - top), frame.captured)

    def _regions(self, boxes: Array, frame: Frame) -> tuple[Array, Array]:
        """Left, top, right, bottom in pixels of the captured picture, [k, 4], and which have something of it, [k]."""
        height, width = frame.captured.array.shape[:2]
        x, y, wide, high = frame.region or (0.0, 0.0, width, height)
        edges = boxes[:, [1, 0, 3, 2]] * np.array([wide, high, wide, high]) + np.array([x, y, x, y])
        np.maximum(edges[:, :2], (max(x, 0.0), max(y, 0.0)), out=edges[:, :2])
        np.minimum(edges[:, 2:], (min(x + wide, width), min(y + high, height)), out=edges[:, 2:])
        return edges, (edges[:, :2] < edges[:, 2:]).all(axis=1)

    def _mismatch(self, signal: Signal) -> SignalMismatch:
        got = ", ".join(f"{i} {shape_text(shape)}" for i, shape in enumerate(shapes(signal)))
        labels = len(signal.channels)
        others = [name for name, head in HEADS.items() if head(Boxes.Config()).fits(signal)]
        if others and others != [self._config.layout]:
            fix = f"it would fit with layout: {' or '.join(others)}"
        else:
            fix = "say which of the outputs is which with boxes, classes, scores and count, or name a detector's model"
        return SignalMismatch(
            f"the outputs {got} with {labels} labels",
            f"{self._head.expected(signal)} (layout: {self._config.layout})",
            fix,
        )
