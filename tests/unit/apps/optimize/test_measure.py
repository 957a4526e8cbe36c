from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest

from apps.flatbuffer import packed, unpacked
from apps.optimize.measure import Row, medians, packed_size, zeros
from apps.optimize.optimise import table

pytest.importorskip("ai_edge_litert.tools", reason="changing a .tflite needs ai-edge-litert")
MODEL = Path(__file__).parents[4] / "models" / "kws" / "model.tflite"


def test_zeros_are_counted_in_weights_alone() -> None:
    model = unpacked(MODEL.read_bytes())
    weights = [tensor for tensor in model.subgraphs[0].tensors
               if len(tensor.shape) > 1 and model.buffers[tensor.buffer].data is not None]  # fmt: skip
    stored = sum(int(np.prod(tensor.shape)) for tensor in weights)
    largest = max(weights, key=lambda tensor: int(np.prod(tensor.shape)))
    before = zeros(MODEL.read_bytes())
    assert 0 < before < 0.1
    data = np.array(model.buffers[largest.buffer].data).view(np.int8)
    gone = np.count_nonzero(data)
    model.buffers[largest.buffer].data = np.zeros_like(data).view(np.uint8)
    assert zeros(packed(model)) == pytest.approx(before + gone / stored)


def test_zeros_show_when_packed() -> None:
    rng = np.random.default_rng(1)
    full = rng.integers(1, 256, 10_000).astype(np.uint8)
    half = np.where(rng.random(10_000) < 0.5, 0, full).astype(np.uint8)
    assert packed_size(half.tobytes()) < 0.75 * packed_size(full.tobytes())
    assert packed_size(full.tobytes()) == len(gzip.compress(full.tobytes(), 9, mtime=0))


def test_a_larger_network_takes_longer() -> None:
    larger = MODEL.parents[1] / "cifar10" / "model.tflite"
    rng = np.random.default_rng(1)
    (kws,) = medians([MODEL], rng.normal(0, 20, (5, 49, 10, 1)).astype(np.float32), rounds=20)
    (cifar,) = medians([larger], rng.random((5, 32, 32, 3)).astype(np.float32), rounds=20)
    assert 0 < kws < 50
    assert 0 < cifar < 50


def test_the_table_holds_what_was_measured() -> None:
    rows = [
        Row("float", 325_788, 298_395, 0.0, 445, 500, 0.208, "a"),
        Row("int8", 99_768, 80_779, 0.01, 444, 500, 0.093, "b"),
    ]
    head, *lines = table(rows)
    assert [word for word in head.split() if word] == ["bytes", "gzip", "zeros", "accuracy", "right", "p50", "ms"]
    assert lines[0].split() == ["float", "325,788", "298,395", "0%", "89.0%", "445", "of", "500", "0.208"]
    assert lines[1].split()[:5] == ["int8", "99,768", "80,779", "1%", "88.8%"]
    assert len({len(line) for line in [head, *lines]}) == 1
