"""The heads of SSD without post-processing: offsets from anchors, and a score for each class.

Anchors and box coder as TensorFlow's object detection API has them (multiple_grid_anchor_generator.py, with
reduce_boxes_in_lowest_layer; faster_rcnn_box_coder.py), after Liu et al., SSD, arXiv:1512.02325.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np

from pipelines.core import Array, Data, Signal
from pipelines.decoders._found import Found, check_found, check_scores, shapes, sigmoid

RATIOS = (1.0, 2.0, 0.5, 3.0, 1 / 3)
CENTRE, SIZE = 10.0, 5.0
"""The box coder divides by these what the network learned."""


class Ssd:
    """Locations [n, 4] as ty, tx, th, tw and scores [n, classes], or [n, 1 + classes] with the background first."""

    def __init__(self, config: Any) -> None:
        self._config = config
        self._places = (0 if config.boxes is None else config.boxes, 1 if config.scores is None else config.scores)
        if len(set(self._places)) < len(self._places):
            raise ValueError(f"got output {self._places[0]} for boxes and scores, expected two different ones")
        self._count = sum(len(_shapes_of(layer, config)) * n * n for layer, n in enumerate(_grids(config)))

    def expected(self, signal: Signal) -> str:
        n, labels = self._count, len(signal.channels)
        grids = ", ".join(map(str, _grids(self._config)))
        return (
            f"output {self._places[0]} boxes [{n}, 4] and {self._places[1]} scores [{n}, {labels}] or [{n}, "
            f"{labels + 1}], as grids of {grids} cells a side have {n} anchors"
        )

    def fits(self, signal: Signal) -> bool:
        got = shapes(signal)
        if max(self._places) >= len(got):
            return False
        locations, scores = (got[place] for place in self._places)
        labels = len(signal.channels)
        return locations == (self._count, 4) and scores in ((self._count, labels), (self._count, labels + 1))

    def resolve(self, signal: Signal) -> None:
        self._labels = len(signal.channels)
        self._first = (shapes(signal)[self._places[1]][1] or 0) - self._labels  # behind the background
        self._anchors = anchors(self._config)
        self._best = np.empty(self._count, np.float32)

    def read(self, y: Data, threshold: float) -> Found:
        locations, scores = (y[place] for place in self._places)
        of_classes = scores[:, self._first :]
        best = of_classes.max(axis=1, out=self._best)
        check_scores(best)
        if self._config.sigmoid:
            best = sigmoid(best)
        kept = np.flatnonzero(best >= threshold)
        boxes = decoded(locations[kept], self._anchors[kept])
        return check_found(Found(boxes, of_classes[kept].argmax(axis=1), best[kept]), self._labels)


def anchors(config: Any) -> Array:
    """Float64 [n, 4] as centre y, x, height, width, 0 to 1: layer by layer, row by row, cell by cell."""
    return np.concatenate([_of_layer(n, _shapes_of(layer, config)) for layer, n in enumerate(_grids(config))])


def decoded(locations: Array, of: Array) -> Array:
    """Offsets [k, 4] from anchors [k, 4] as boxes [k, 4]: ymin, xmin, ymax, xmax."""
    centre = locations[:, :2] / CENTRE * of[:, 2:] + of[:, :2]
    with np.errstate(over="ignore"):  # an infinite box is told by check_found
        half = np.exp(locations[:, 2:] / SIZE) * of[:, 2:] / 2
    return np.concatenate([centre - half, centre + half], axis=1)


def _grids(config: Any) -> list[int]:
    """Cells a side, layer by layer: each has half as many as the one before, rounded up."""
    grids = [config.grid]
    while len(grids) < config.layers:
        grids.append(-(-grids[-1] // 2))
    return grids


def _shapes_of(layer: int, config: Any) -> list[tuple[float, float]]:
    """Height and width of the anchors of each cell."""
    low, high = config.scales
    steps = [low + (high - low) * k / max(1, config.layers - 1) for k in range(config.layers)] + [1.0]
    scale, following = list(pairwise(steps))[layer]
    if layer == 0:  # fewer, as it has the most cells
        sizes = [(0.1, 1.0), (scale, 2.0), (scale, 0.5)]
    else:
        sizes = [*((scale, ratio) for ratio in RATIOS), ((scale * following) ** 0.5, 1.0)]
    return [(size / ratio**0.5, size * ratio**0.5) for size, ratio in sizes]


def _of_layer(n: int, sizes: list[tuple[float, float]]) -> Array:
    cells = (np.arange(n) + 0.5) / n
    y, x = np.meshgrid(cells, cells, indexing="ij")
    centres = np.repeat(np.stack([y, x], axis=-1).reshape(-1, 2), len(sizes), axis=0)
    return np.concatenate([centres, np.tile(sizes, (n * n, 1))], axis=1)
