"""The network, and its way into an int8 flatbuffer. Keras and TensorFlow (extra ``train``) load on first use."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from apps.flatbuffer import packed, unpacked
from apps.int8 import to_int8
from apps.kws.pictures import COEFFICIENTS, FRAMES, LABELS, Floats

WIDTH, BLOCKS = 72, 5


def build(rounded: bool = False) -> Any:
    """A depthwise-separable CNN with residual connections; input [49, 10, 1], output [12] probabilities.

    Modelled on DS-CNN (Zhang et al., "Hello Edge", arXiv 1711.07128): a 10 x 4 convolution over time and coefficients
    that halves both, then depthwise-separable blocks at 25 x 5, here with kernels of 5 x 3.

    Args:
        rounded: every activation is rounded to 256 steps of its range in the batch, gradients pass straight through:
            for training that gets the network used to int8. The weights are the same, in the same order.
    """
    from keras import Model, layers

    kept = _rounding() if rounded else lambda x: x
    inputs = layers.Input((FRAMES, COEFFICIENTS, 1), name="mfcc")
    x = layers.Conv2D(WIDTH, (10, 4), (2, 2), padding="same", use_bias=False)(inputs)
    x = kept(layers.ReLU()(layers.BatchNormalization()(x)))
    for _ in range(BLOCKS):
        y = layers.DepthwiseConv2D((5, 3), padding="same", use_bias=False)(x)
        y = kept(layers.ReLU()(layers.BatchNormalization()(y)))
        y = kept(layers.BatchNormalization()(layers.Conv2D(WIDTH, 1, use_bias=False)(y)))
        x = kept(layers.ReLU()(layers.Add()([y, x])))
    x = kept(layers.GlobalAveragePooling2D()(x))
    return Model(inputs, layers.Dense(len(LABELS), activation="softmax", name="scores")(x), name="kws")


def _rounding() -> Callable[[Any], Any]:
    from keras import layers, ops

    class Rounded(layers.Layer):  # type: ignore[misc]
        """Rounds to 256 steps between the least and the largest value in the batch."""

        def call(self, x: Any) -> Any:
            """The rounded ``x``, with the gradient of ``x``."""
            low = ops.minimum(ops.min(x), 0.0)
            step = ops.maximum(ops.max(x) - low, 1e-6) / 255
            return x + ops.stop_gradient(ops.round((x - low) / step) * step + low - x)

    return lambda x: Rounded()(x)


def macs(model: Any) -> int:
    """Multiply-accumulates of one inference: convolutions and the dense layer."""
    total = 0
    for layer in model.layers:
        weights = layer.get_weights()
        if weights and weights[0].ndim == 4:
            total += int(np.prod(layer.output.shape[1:3])) * weights[0].size
        elif weights and weights[0].ndim == 2:
            total += weights[0].size
    return total


def quantised(model: Any, examples: Floats) -> bytes:
    """The model as .tflite: int8 in and out, per-channel weights.

    Args:
        model: what ``build`` returned, trained.
        examples: [N, 49, 10] MFCCs that span the activations' ranges.
    """
    return slim(to_int8(model, lambda: (example[None, :, :, None] for example in examples)))


def slim(flatbuffer: bytes) -> bytes:
    """The same network, a fifth smaller: equal vectors stored once, no converter's metadata, short tensor names.

    Most of what goes are per-channel zero points: 8 bytes of zeros for each channel of each tensor.
    """
    model = unpacked(flatbuffer)
    graph = model.subgraphs[0]
    for index, tensor in enumerate(graph.tensors):
        tensor.name = f"t{index}".encode()
    graph.tensors[graph.inputs[0]].name, graph.tensors[graph.outputs[0]].name = b"mfcc", b"scores"
    model.metadata, model.metadataBuffer, model.signatureDefs = [], [], []
    model.description = b"eiq-demo kws"
    return packed(model)


def scores_of(path: Path, features: Floats) -> Floats:
    """[N, 12] probabilities of a .tflite for [N, 49, 10] MFCCs, by the engine that runs it in a demo."""
    from pipelines.engines.tflite import Tflite

    engine = Tflite(Tflite.Config(model=path.name), path)
    scores = np.empty((len(features), len(LABELS)), np.float32)
    for row, example in zip(scores, features, strict=True):
        row[:] = engine.infer(example[None, :, :, None])[0][0]
    engine.close()
    return scores
