"""The network: depthwise-separable convolutions (MobileNet; Howard et al., 2017), some of them residual.

Keras and TensorFlow (extra ``train``) load on first use.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from apps.flatbuffer import packed, unpacked
from apps.gesture_camera.data import LABELS
from apps.int8 import to_int8

SIDE = 64
STEM = 16
BLOCKS = ((32, 1), (48, 2), (48, 1), (80, 2), (80, 1), (112, 2), (112, 1))  # channels, stride


def build() -> Any:
    """[N, 64, 64, 3] in 0..1 -> [N, 11] probabilities."""
    import keras
    from keras import layers

    def normed(x: Any, relu: bool = True) -> Any:
        x = layers.BatchNormalization(momentum=0.97)(x)
        return layers.ReLU()(x) if relu else x

    pixels = keras.Input((SIDE, SIDE, 3), name="pixels")
    x = normed(layers.Conv2D(STEM, 3, 2, "same", use_bias=False)(pixels))
    for channels, stride in BLOCKS:
        y = normed(layers.DepthwiseConv2D(3, stride, "same", use_bias=False)(x))
        y = normed(layers.Conv2D(channels, 1, use_bias=False)(y))
        x = layers.Add()([x, y]) if x.shape == y.shape else y
    x = layers.Dropout(0.2)(layers.GlobalAveragePooling2D()(x))
    return keras.Model(pixels, layers.Dense(len(LABELS), activation="softmax", name="scores")(x), name="signs")


def macs(model: Any) -> int:
    """Multiply-accumulates of one picture."""
    total = 0
    for layer in model.layers:
        kernels = [weights for weights in layer.get_weights() if weights.ndim in (2, 4)]
        places = int(np.prod(layer.output.shape[1:3])) if kernels and kernels[0].ndim == 4 else 1
        total += sum(places * kernel.size for kernel in kernels)
    return total


def quantised(model: Any, examples: NDArray[np.float32]) -> bytes:
    """The model as .tflite: int8 in and out, per-channel weights.

    Args:
        model: what ``build`` returned, trained.
        examples: [N, 64, 64, 3] that span the activations' ranges; they must hold a 0 and a 1.
    """
    flat = unpacked(to_int8(model, lambda: (example[None] for example in examples)))
    graph = flat.subgraphs[0]
    for index, tensor in enumerate(graph.tensors):  # the converter's names take more room than the weights
        tensor.name = f"t{index}".encode()
    graph.tensors[graph.inputs[0]].name, graph.tensors[graph.outputs[0]].name = b"pixels", b"scores"
    flat.metadata, flat.metadataBuffer, flat.signatureDefs = [], [], []
    flat.description = b"eiq-demo gesture_camera"
    return packed(flat)
