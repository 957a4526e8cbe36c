"""The network. Keras and TensorFlow (extra ``train``) load on first use."""

from __future__ import annotations

from typing import Any

from apps.gesture.data import AXES, LABELS, SAMPLES

WIDTHS = (24, 32, 32)


def build(batch: int | None = None) -> Any:
    """A small CNN over time; input [64, 6], output [6] probabilities.

    Three convolutions, each halving time, then a dense layer over what is left: where in a movement something happens
    tells gestures apart, so nothing is averaged over time.

    Args:
        batch: how many inputs at once; with a number, a converter need not compute shapes at run time.
    """
    from keras import Model, layers

    inputs = layers.Input((SAMPLES, AXES), batch, name="movement")
    x = layers.Reshape((SAMPLES, 1, AXES))(inputs)
    for width in WIDTHS:
        x = layers.Conv2D(width, (5, 1), padding="same", use_bias=False)(x)
        x = layers.ReLU()(layers.BatchNormalization()(x))
        x = layers.MaxPooling2D((2, 1))(x)
    x = layers.Dropout(0.3)(layers.Flatten()(x))
    x = layers.Dropout(0.3)(layers.Dense(32, activation="relu")(x))
    return Model(inputs, layers.Dense(len(LABELS), activation="softmax", name="scores")(x), name="gesture")


def macs(model: Any) -> int:
    """Multiply-accumulates of one inference: convolutions and dense layers."""
    total = 0
    for layer in model.layers:
        weights = layer.get_weights()
        if weights and weights[0].ndim == 4:
            total += int(layer.output.shape[1]) * weights[0].size
        elif weights and weights[0].ndim == 2:
            total += weights[0].size
    return total
