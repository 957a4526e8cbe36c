"""What the fans' models see: windows of a recording, their band powers, and how training varies them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from apps.anomaly.data import CHANNELS, RATE_HZ
from pipelines.core import Frame, Signal
from pipelines.transforms.band_power import BandPower

WINDOW_MS, HOP_MS = 2560, 640
LENGTH, HOP = (round(ms * RATE_HZ / 1000) for ms in (WINDOW_MS, HOP_MS))

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Variation:
    """How much windows differ that training makes out of one.

    Args:
        gain_db: standard deviation of the gain, all axes alike.
        tilt_db: the same of each axis alone: another mounting.
        shift_hz: a fan's speed differs by up to so much either way.
    """

    gain_db: float
    tilt_db: float
    shift_hz: float


def windows(samples: Floats, hop: int = HOP) -> Floats:
    """[n, 3] to [windows, LENGTH, 3], a view; as the step ``window`` cuts them."""
    cut = np.lib.stride_tricks.sliding_window_view(samples, LENGTH, axis=0)[::hop]
    return cut.transpose(0, 2, 1)


def band_powers(cut: Floats, bands: int) -> Floats:
    """[windows, samples, 3] to [windows, bands, 3], by the shipped step."""
    step = BandPower(BandPower.Config(bands=bands))
    step.resolve(Signal((cut.shape[1], len(CHANNELS)), "float32", RATE_HZ, "motion", CHANNELS))
    out = np.empty((len(cut), bands, len(CHANNELS)), np.float32)
    for i, window in enumerate(cut):
        (frame,) = step.process(Frame(window, 0.0, i))
        out[i] = frame.array
    return out


def varied(cut: Floats, variation: Variation, rng: np.random.Generator) -> Floats:
    """Other windows [windows, LENGTH, 3] of the same state, gravity taken off.

    The spectrum moves up or down as a whole by a whole number of bins: at 200 Hz without a filter these fans' lines are
    mirror images of faster ones, and a stretch about 0 Hz would not be what another speed does to them. What moves past
    an end is lost; what becomes free at the other end is filled with the mirror image of what is beside it.
    """
    count, bins = len(cut), LENGTH // 2 + 1
    spectrum = np.fft.rfft(cut - cut.mean(axis=1, keepdims=True), axis=1)
    most = variation.shift_hz * LENGTH / RATE_HZ
    places = np.arange(bins) - np.rint(rng.uniform(-most, most, (count, 1))).astype(np.intp)
    mirrored = (places < 0) | (places > bins - 1)
    places = np.abs(places)
    places = np.where(places > bins - 1, 2 * (bins - 1) - places, places)
    moved = np.take_along_axis(spectrum, places[:, :, None], axis=1)
    moved = np.where(mirrored[:, :, None], moved.conj(), moved)
    gain_db = rng.normal(0, variation.gain_db, (count, 1, 1)) + rng.normal(0, variation.tilt_db, (count, 1, 3))
    return np.asarray(np.fft.irfft(moved, LENGTH, axis=1) * 10 ** (gain_db / 20), dtype=np.float32)


def recipe(bands: int) -> dict[str, Any]:
    """What a manifest says of input, source and preprocessing."""
    return {
        "input": {"kind": "features", "shape": [bands, len(CHANNELS)], "dtype": "float32", "channels": list(CHANNELS)},
        "source": {"kind": "motion", "rate_hz": RATE_HZ, "channels": list(CHANNELS)},
        "preprocess": [
            {"window": {"length_ms": WINDOW_MS, "hop_ms": HOP_MS}},
            {"band_power": {"bands": bands}},
        ],
    }
