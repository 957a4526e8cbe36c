"""One epoch of training examples out of pictures, each anew shifted, warped, filtered, mixed with noise, masked.

Noise is added in the power domain (phases are unknown; the expected power of a sum of independent sounds is the sum of
their powers). Two more kinds of example teach what a window sliding over a stream sees: a whole word beside a part of
another one (the word's label), and parts of words alone (unknown). Needs numpy alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from apps.kws.pictures import (
    BANDS,
    FLOOR,
    FRAMES,
    ROWS,
    SILENCE,
    UNKNOWN,
    Bank,
    Floats,
    Integers,
    Pixels,
    extents,
    log_power,
    mfcc,
)

WARPS = np.linspace(-0.06, 0.06, 6)  # of the frequency axis: vocal tracts shorter and longer by up to 6 %
DECIBEL = np.log(10) / 10  # of ln P


@dataclass(frozen=True)
class Recipe:
    """How much of what.

    Args:
        context, fragment: shares of the examples that are a word beside a part of another, and parts alone.
        noisy: share that is mixed with noise, at ``snr_db`` from lowest to highest.
        masked: share with SpecAugment's masks (arXiv 1904.08779).
        gain_db: standard deviation of the loudness.
        speed: standard deviation of ln(speed).
    """

    context: float = 0.06
    fragment: float = 0.05
    noisy: float = 0.35
    snr_db: tuple[float, float] = (3.0, 35.0)
    masked: float = 0.15
    gain_db: float = 6.0
    speed: float = 0.05


class Augmenter:
    """Draws epochs from a bank of pictures.

    Args:
        bank: the pictures of words and silence.
        noises: [M, 98, 40] pictures of what is mixed in.
    """

    def __init__(self, bank: Bank, noises: Pixels, recipe: Recipe | None = None) -> None:
        self.bank = bank
        self.noises = noises
        self.recipe = recipe or Recipe()
        self.extents = extents(bank.pixels)
        level = bank.pixels.mean(axis=2)
        self.quiet = np.argsort(level, axis=1)[:, :16]
        self.words = np.flatnonzero(bank.labels != SILENCE)

    def epoch(self, chosen: Integers, rng: np.random.Generator) -> tuple[Floats, Integers]:
        """[N, 49, 10] MFCCs and [N] labels for N chosen pictures; some become parts of words, with that label."""
        features = np.empty((len(chosen), FRAMES, 10), np.float32)
        labels = np.empty(len(chosen), np.int64)
        for start in range(0, len(chosen), 2048):
            part = slice(start, start + 2048)
            features[part], labels[part] = self._examples(chosen[part], rng)
        return features, labels

    def _examples(self, chosen: Integers, rng: np.random.Generator) -> tuple[Floats, Integers]:
        recipe, size = self.recipe, len(chosen)
        labels = self.bank.labels[chosen].copy()
        draw = rng.random(size)
        speech = labels != SILENCE
        fragment = speech & (draw < recipe.fragment)
        context = speech & ~fragment & (draw < recipe.fragment + recipe.context)
        speed = np.exp(np.clip(rng.normal(0, recipe.speed, size), -0.2, 0.2))
        begin, end = (self.extents[chosen] - ROWS / 2).T / speed
        shift = self._shifts(begin, end, fragment, context, rng)
        sound = np.exp(self._layer(chosen, shift, speed, rng, own_background=True)) - FLOOR
        beside = np.flatnonzero(context | (fragment & (rng.random(size) < 0.5)))
        if len(beside):
            sound[beside] += self._neighbours(begin[beside] + shift[beside], end[beside] + shift[beside], rng)
        labels[fragment] = UNKNOWN
        power: Floats = np.maximum(sound, 0) * self._filters(size, recipe.gain_db, rng)
        self._mix(power, rng)
        logs = np.asarray(np.log(power + FLOOR), dtype=np.float32)
        self._mask(logs, rng)
        return mfcc(logs), labels

    def _shifts(
        self,
        begin: NDArray[np.float64],
        end: NDArray[np.float64],
        fragment: NDArray[np.bool_],
        context: NDArray[np.bool_],
        rng: np.random.Generator,
    ) -> NDArray[np.float64]:
        """Rows to move each word by: a little, anywhere that keeps it whole, or so that at most half of it is left."""
        size, half = len(begin), ROWS / 2
        anywhere = rng.uniform(np.minimum(-half - begin, 0) - 2, np.maximum(half - end, 0) + 2)
        little = np.clip(rng.normal(0, 7, size), -half - begin - 4, half - end + 4)
        shift = np.where(context | (rng.random(size) < 0.2), anywhere, little)
        left = rng.uniform(0.1, 0.5, size) * (end - begin)
        cut = np.where(rng.random(size) < 0.5, -half - end + left, half - begin - left)
        return np.asarray(np.where(fragment, cut, shift))

    def _layer(
        self,
        chosen: Integers,
        shift: NDArray[np.float64],
        speed: NDArray[np.float64],
        rng: np.random.Generator,
        own_background: bool,
    ) -> Floats:
        """[N, 49, 40] ln P of moved and warped pictures; beyond a picture's ends its quietest rows, or nothing."""
        size = len(chosen)
        row = 2 * np.arange(FRAMES) + rng.integers(0, 2, size)[:, None] - ROWS / 2
        source = np.rint((row - shift[:, None]) * speed[:, None] + ROWS / 2).astype(np.int64)
        outside = (source < 0) | (source >= ROWS)
        quiet = np.take_along_axis(self.quiet[chosen], rng.integers(0, 16, (size, FRAMES)), axis=1)
        pixels = self.bank.pixels[chosen[:, None], np.where(outside, quiet, source)]
        logs = log_power(pixels)
        warp = rng.integers(-len(WARPS), len(WARPS), size)  # one half stays as it is
        for index, table in enumerate(_warp_tables()):
            logs[warp == index] = logs[warp == index] @ table
        if not own_background:
            logs[outside] = np.log(FLOOR)
        return logs

    def _neighbours(self, begin: NDArray[np.float64], end: NDArray[np.float64], rng: np.random.Generator) -> Floats:
        """[N, 49, 40] power of another word before or after one that lies at ``begin`` to ``end``; partly outside."""
        size, half = len(begin), ROWS / 2
        other = rng.choice(self.words, size)
        other_begin, other_end = (self.extents[other] - half).T
        gap = rng.uniform(3, 30, size)
        after = rng.random(size) < 0.5 + 0.004 * (-begin - end)  # rather where there is more room
        shift = np.where(after, end + gap - other_begin, begin - gap - other_end)
        keyword = self.bank.labels[other] < SILENCE
        most = 0.5 * (other_end - other_begin)  # of a neighbouring keyword at most half may be inside
        shift = np.where(keyword & after, np.maximum(shift, half - other_begin - most), shift)
        shift = np.where(keyword & ~after, np.minimum(shift, -half - other_end + most), shift)
        logs = self._layer(other, shift, np.ones(size), rng, own_background=False)
        loudness = np.exp(rng.normal(0, 4 * DECIBEL, (size, 1, 1)))
        return np.asarray(np.maximum(np.exp(logs) - FLOOR, 0) * loudness, dtype=np.float32)

    def _filters(self, size: int, gain_db: float, rng: np.random.Generator) -> Floats:
        """[N, 1, 40] factors: loudness, and a smooth colour of some dB as microphones and rooms have."""
        band = np.linspace(-1, 1, BANDS)
        decibels = rng.normal(0, gain_db, (size, 1)) + rng.normal(0, 1.2, (size, 1)) * band
        decibels = decibels + rng.normal(0, 0.8, (size, 1)) * np.cos(
            np.pi * (rng.uniform(0.5, 3, (size, 1)) * band + rng.uniform(0, 2, (size, 1)))
        )
        return np.asarray(np.exp(DECIBEL * decibels)[:, None, :], dtype=np.float32)

    def _mix(self, power: Floats, rng: np.random.Generator) -> None:
        """Adds noise to some of [N, 49, 40], in place."""
        noisy = np.flatnonzero(rng.random(len(power)) < self.recipe.noisy)
        row = (2 * np.arange(FRAMES) + rng.integers(0, ROWS, (len(noisy), 1))) % ROWS
        logs = log_power(self.noises[rng.integers(0, len(self.noises), (len(noisy), 1)), row])
        added = np.maximum(np.exp(logs) - FLOOR, 0) * self._filters(len(noisy), 0.0, rng)
        loud = np.quantile(power[noisy].mean(axis=2), 0.9, axis=1) + 1e-5
        snr = np.exp(-DECIBEL * rng.uniform(*self.recipe.snr_db, len(noisy)))
        scale = snr * loud / (added.mean(axis=(1, 2)) + 1e-7)
        power[noisy] += np.asarray(added * scale[:, None, None], dtype=np.float32)

    def _mask(self, logs: Floats, rng: np.random.Generator) -> None:
        """SpecAugment on some of [N, 49, 40], in place: up to six frames and up to six bands at their mean."""
        for index in np.flatnonzero(rng.random(len(logs)) < self.recipe.masked):
            picture = logs[index]
            frame, band = rng.integers(0, FRAMES - 6), rng.integers(0, BANDS - 6)
            picture[frame : frame + rng.integers(0, 7)] = picture.mean(axis=0)
            picture[:, band : band + rng.integers(0, 7)] = picture.mean()


@cache
def _warp_tables() -> tuple[Floats, ...]:
    """Per warp a [40, 40] matrix that resamples the mel axis, linearly between bands."""
    tables = []
    for warp in WARPS:
        source = np.clip(np.arange(BANDS) * (1 + warp), 0, BANDS - 1)
        low = np.minimum(source.astype(int), BANDS - 2)
        table = np.zeros((BANDS, BANDS), np.float32)
        table[low, np.arange(BANDS)] = 1 - (source - low)
        table[low + 1, np.arange(BANDS)] += source - low
        tables.append(table)
    return tuple(tables)
