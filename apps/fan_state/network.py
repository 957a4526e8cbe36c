"""The network: one hidden layer on the band powers. Keras loads on first use."""

from __future__ import annotations

from typing import Any

import numpy as np

from apps.anomaly.data import CHANNELS, STATES
from apps.anomaly.features import Floats

BANDS, HIDDEN, DECAY = 6, 16, 2.5e-3


def build(batch: int | None = None) -> Any:
    """Standardised features [6, 3] to probabilities [4] of STATES.

    Args:
        batch: fixed for the export, which otherwise computes shapes at run time.
    """
    from keras import Sequential, layers, regularizers

    decay = regularizers.L2(DECAY)
    return Sequential([
        layers.Input((BANDS, len(CHANNELS)), batch_size=batch),
        layers.Flatten(),
        layers.Dense(HIDDEN, activation="relu", kernel_regularizer=decay),
        layers.Dense(len(STATES), activation="softmax", kernel_regularizer=decay),
    ])  # fmt: skip


def on_raw(model: Any, mean: Floats, deviation: float) -> Any:
    """The same network for features as they are, one at a time: the standardisation goes into the first layer.

    Args:
        mean: [6, 3], taken off before training.
        deviation: one number for all, divided by before training; one each would let a feature that hardly moves
            ruin the scale of the int8 weights.
    """
    raw = build(batch=1)
    kernel, bias, *rest = model.get_weights()
    raw.set_weights([kernel / deviation, bias - mean.reshape(-1) @ kernel / deviation, *rest])
    return raw


def macs(model: Any) -> int:
    """Multiply-accumulates of one inference."""
    return int(sum(np.prod(weights.shape) for weights in model.get_weights() if weights.ndim == 2))
