"""From trained weights to an int8 ``.tflite``: the same network in Keras, quantised after training.

Weights are int8 per channel, activations int8, input and output int8; calibration pictures are training pictures.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from apps.cifar10.data import Images
from apps.cifar10.nets import BLOCKS, STEM, Weights
from apps.int8 import to_int8


def keras_model(weights: Weights) -> Any:
    """Build [1, 32, 32, 3] in 0..1 -> softmax [1, 10] and load folded weights into it.

    Names are short because the flatbuffer keeps them, three times over for most tensors.
    """
    import keras
    from keras import layers

    def conv(name: str, x: Any, channels: int, kernel: int, stride: int = 1, relu: bool = False) -> Any:
        activation = "relu" if relu else None
        layer = layers.Conv2D(channels, kernel, stride, "same", activation=activation, name=_short(name))
        return layer(x)

    pixels = keras.Input((32, 32, 3), batch_size=1, name="pixels")
    x = conv("stem", pixels, STEM, 3, relu=True)
    for index, (channels, stride) in enumerate(BLOCKS):
        y = conv(f"block{index}_a", x, channels, 3, stride, relu=True)
        y = conv(f"block{index}_b", y, channels, 3)
        if stride == 2:
            x = layers.AveragePooling2D(2, name=f"{index}p")(x)
            x = conv(f"block{index}_skip", x, channels, 1)
        x = layers.ReLU(name=f"{index}r")(layers.Add(name=f"{index}s")([y, x]))
    x = layers.GlobalAveragePooling2D(name="mean")(x)
    scores = layers.Softmax(name="scores")(layers.Dense(10, name="dense")(x))
    model = keras.Model(pixels, scores, name="net")
    for name, pair in weights.items():
        model.get_layer(_short(name)).set_weights(list(pair))
    return model


def _short(name: str) -> str:
    """``block3_skip`` -> ``3skip``."""
    return name.removeprefix("block").replace("_", "")


def quantised(model: Any, calibration: Images) -> bytes:
    """Quantise with ``calibration`` [N, 32, 32, 3] uint8 (it must hold a 0 and a 255) and return the flatbuffer."""
    return to_int8(model, lambda: (picture[None].astype(np.float32) / 255 for picture in calibration))


def macs(weights: Weights) -> int:
    """Multiply-accumulates of one picture."""
    side, total = 32, weights["stem"][0].size * 32 * 32
    for index, (_, stride) in enumerate(BLOCKS):
        side //= stride
        total += sum(weights[f"block{index}_{part}"][0].size for part in ("a", "b", "skip")
                     if f"block{index}_{part}" in weights) * side * side  # fmt: skip
    return total + weights["dense"][0].size


def parameters(weights: Weights) -> int:
    """Weights and biases, batch norms folded."""
    return sum(kernel.size + bias.size for kernel, bias in weights.values())
