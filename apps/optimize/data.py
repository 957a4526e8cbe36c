"""Labelled recordings as what the model of a config gets to see, by the config's own preprocessing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from apps.evaluate.datasets.items import Item
from apps.evaluate.score import Scorer
from apps.progress import track
from pipelines.core import Frame, Stage
from pipelines.errors import CapabilityError, DataError
from pipelines.renew import renewed


@dataclass(frozen=True)
class Examples:
    """What to learn from.

    Args:
        x: [N, ...] float32, as the model's first input without its batch.
        y: [N], an index into the labels.
    """

    x: NDArray[np.float32]
    y: NDArray[np.int64]


def split(items: Sequence[Item], share: float) -> tuple[list[Item], list[Item]]:
    """Items to learn from, and of each label the last ``share`` in the data's order (at least one) to score on."""
    learn, apart = list[Item](), list[Item]()
    for label in dict.fromkeys(item.label for item in items):
        own = [item for item in items if item.label == label]
        cut = len(own) - max(1, round(share * len(own)))
        learn += own[:cut]
        apart += own[cut:]
    if not learn:
        raise DataError(f"got {len(items)} labelled recordings, one a label; expected at least two of each: "
                        "some to learn from, some to score on")  # fmt: skip
    return learn, apart


def drawn(items: Sequence[Item], limit: int | None, seed: int) -> list[Item]:
    """So many of them, drawn with ``seed``, in the data's order."""
    if limit is None or limit >= len(items):
        return list(items)
    rows = np.sort(np.random.default_rng(seed).permutation(len(items))[:limit])
    return [items[row] for row in rows]


def prepared(scorer: Scorer, items: Sequence[Item]) -> tuple[Examples, list[str]]:
    """The items as examples, and what is wrong with each that cannot be read.

    Raises:
        CapabilityError: the model has several inputs.
        DataError: not one of them can be read.
    """
    ((_, engine),) = scorer.graph.engines[:1]
    if len(engine.inputs) != 1:
        raise CapabilityError(f"optimize takes models of one input, got one of {len(engine.inputs)}")
    shape = engine.inputs[0].shape[1:]
    x, y, bad = list[NDArray[np.float32]](), list[int](), list[str]()
    for item in track(items, "preparing"):
        try:
            found = [np.array(frame.array, np.float32).reshape(shape) for frame in _arriving(scorer, item)]
        except DataError as error:
            bad.append(str(error))
            continue
        x += found
        y += [scorer.labels.index(item.label)] * len(found)
    if not x:
        raise DataError(f"not one of {len(items)} recordings could be prepared" + (f"; first {bad[0]}" if bad else ""))
    return Examples(np.stack(x), np.array(y, np.int64)), bad


def _arriving(scorer: Scorer, item: Item) -> Iterator[Frame]:
    """What arrives at the engine when an item plays."""
    stages = renewed(scorer.graph)
    before = stages[: next(place for place, stage in enumerate(stages) if stage.kind == "engines")]
    for frame in scorer.player.sensor(item).frames():
        yield from _through(before, frame)


def _through(stages: Sequence[Stage], frame: Frame) -> Iterator[Frame]:
    if not stages:
        yield frame
        return
    for out in stages[0].process(frame):
        if isinstance(out, Frame):
            yield from _through(stages[1:], out)
