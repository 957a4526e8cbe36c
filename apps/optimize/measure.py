"""Size, zeros, accuracy and latency of a .tflite."""

from __future__ import annotations

import gzip
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from apps.evaluate.datasets.items import Item
from apps.evaluate.score import Scorer
from apps.flatbuffer import schema, unpacked
from apps.progress import track
from pipelines.engines.tflite import Tflite

ROUNDS = 200


@dataclass(frozen=True)
class Row:
    """One variant of the model.

    Args:
        name: float, int8, pruned or pruned_int8.
        size: of the file, in bytes; packed: of the file as gzip packs it, where zeros show.
        zeros: share of the weights (not biases) that are zero.
        right, of: answers on data that it was not made with.
        p50_ms: median time of one inference, measured here with one thread, in turns with the other variants.
        path: the manifest, or the bare file.
    """

    name: str
    size: int
    packed: int
    zeros: float
    right: int
    of: int
    p50_ms: float
    path: str

    @property
    def accuracy(self) -> float:
        """Share of right answers."""
        return self.right / self.of


def packed_size(flatbuffer: bytes) -> int:
    """Bytes after gzip, as a download or an archive has it."""
    return len(gzip.compress(flatbuffer, 9, mtime=0))


def zeros(flatbuffer: bytes) -> float:
    """Share of zeros among the weights: constants of float32 or int8 with two axes and more."""
    model, types = unpacked(flatbuffer), schema().TensorType
    dtypes = {types.FLOAT32: np.float32, types.INT8: np.int8}
    weights = [
        np.frombuffer(model.buffers[tensor.buffer].data, dtypes[tensor.type])
        for tensor in model.subgraphs[0].tensors
        if tensor.type in dtypes
        and tensor.shape is not None
        and len(tensor.shape) > 1
        and model.buffers[tensor.buffer].data is not None
    ]
    stored = sum(values.size for values in weights)
    return 1 - sum(np.count_nonzero(values) for values in weights) / max(1, stored)


def right_answers(scorer: Scorer, items: Sequence[Item], what: str) -> tuple[int, int]:
    """(right, all) of what can be read; an item's answer is the class with the highest mean score."""
    answers = [(item, scorer.outcome(index, item).scores) for index, item in track(list(enumerate(items)), what)]
    counted = [(item.label, scores) for item, scores in answers if scores is not None]
    return sum(scorer.labels[int(np.ravel(s).argmax())] == label for label, s in counted), len(counted)


def medians(paths: Sequence[Path], x: NDArray[np.float32], rounds: int = ROUNDS) -> list[float]:
    """Median ms of one inference of each model, one thread, taking turns in one process.

    Args:
        x: [N, ...] inputs without their batch.
    """
    engines = [Tflite(Tflite.Config(model=path.name), path) for path in paths]
    taken: list[list[float]] = [[] for _ in engines]
    for turn in range(-10, rounds):  # the first ten warm up
        example = x[turn % len(x)]
        for engine, times in zip(engines, taken, strict=True):
            given = example.reshape(engine.inputs[0].shape)
            start = time.perf_counter()
            engine.infer(given)
            if turn >= 0:
                times.append(time.perf_counter() - start)
    for engine in engines:
        engine.close()
    return [1000 * statistics.median(times) for times in taken]
