"""The network: a denoising autoencoder on the band powers of a fan that runs normally. Keras loads on first use.

It is shown normal features with noise added and learns to give back those without (P. Vincent et al., *Extracting and
Composing Robust Features with Denoising Autoencoders*, 2008). What differs from normal in a way that normal never
varies it takes for noise, and that comes out as its error; ways in which normal itself varies pass.
"""

from __future__ import annotations

from typing import Any

from apps.anomaly.data import CHANNELS
from apps.anomaly.features import Floats

BANDS, HIDDEN = 8, 32
SIZE = BANDS * len(CHANNELS)
NOISE = 0.8
"""Standard deviation of what is added, in nepers of power."""


def build(batch: int | None = None) -> Any:
    """Standardised features [8, 3] to the same.

    Args:
        batch: fixed for the export, which otherwise computes shapes at run time.
    """
    from keras import Sequential, layers

    return Sequential([
        layers.Input((BANDS, len(CHANNELS)), batch_size=batch),
        layers.Reshape((SIZE,)),
        layers.Dense(HIDDEN, activation="tanh"),
        layers.Dense(SIZE),
        layers.Reshape((BANDS, len(CHANNELS))),
    ])  # fmt: skip


def on_raw(model: Any, mean: Floats, deviation: float) -> Any:
    """The same network for features as they are, one at a time: the standardisation goes into both layers.

    Args:
        mean: [8, 3], taken off before training.
        deviation: one number for all, divided by before training.
    """
    raw = build(batch=1)
    flat = mean.reshape(-1)
    encoder, inside, decoder, outside = model.get_weights()
    raw.set_weights([encoder / deviation, inside - flat @ encoder / deviation,
                     decoder * deviation, outside * deviation + flat])  # fmt: skip
    return raw
