"""Sound files: WAV of any rate, width and channel count, and whatever else libsndfile reads (FLAC, OGG, AIFF)."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path
from typing import Any

import numpy as np

from hal.recordings.files import existing_file
from hal.recordings.resample import Resampler
from hal.recordings.riff import missing_samples
from pipelines.core import Array, Signal
from pipelines.errors import DataError
from pipelines.optional import require

INSTALL = "pip install 'eiq-demo[desktop]'"
EXPECTED = "a sound file (WAV, FLAC, OGG)"
BLOCK_S = 0.5
"""How much is read, mixed and resampled at a time."""


class SoundFile:
    """A Recording of mono float32 in [-1, 1): 16-bit values come divided by 32768.

    Args:
        path: the file.
        rate_hz: what it is resampled to where it has another rate.
        channel: one of several, from 0; their mean where None.
        chunk_ms: how much a frame holds; the last one holds what is left.

    Raises:
        DataError: not a sound file, cut short, without samples, or without that channel.
        MissingDependency: soundfile, or soxr for another rate, is not installed.
    """

    def __init__(self, path: Path, *, rate_hz: int, channel: int | None, chunk_ms: float) -> None:
        self._path, self._channel, self._rate = path, channel, rate_hz
        self._chunk = max(1, round(rate_hz * chunk_ms / 1000))
        self._soundfile = require("soundfile", purpose="a sound recording", install=INSTALL)
        with self._open() as file:
            self._check(file)
            self._resampler = Resampler(file.samplerate, rate_hz) if file.samplerate != rate_hz else None
        self.signal = Signal((None,), "float32", rate_hz, "audio")

    def read(self) -> Generator[Array, None, None]:
        yield from chunked(self._resampled(), self._chunk)

    def _resampled(self) -> Generator[Array, None, None]:
        return self._resampler.stream(self._mono()) if self._resampler else self._mono()

    def _mono(self) -> Generator[Array, None, None]:
        with self._open() as file:
            size, done = max(1, round(file.samplerate * BLOCK_S)), 0
            while len(block := self._block(file, size)):
                if not np.isfinite(block).all():
                    row = int(np.argmin(np.isfinite(block).all(axis=1)))
                    shown = block[row].tolist()
                    raise DataError(f"{self._path}: sample {done + row} is {shown}, expected finite numbers; repair it")
                done += len(block)
                yield block.mean(axis=1) if self._channel is None else block[:, self._channel].copy()
            if done < file.frames:
                raise _cut_short(self._path, done, file.frames)

    def _block(self, file: Any, size: int) -> Array:
        try:
            return np.asarray(file.read(size, dtype="float32", always_2d=True))
        except self._soundfile.LibsndfileError as error:
            raise DataError(f"{self._path} is damaged ({_reason(error)}); record or copy it again") from error

    def _open(self) -> Any:
        existing_file(self._path, EXPECTED)
        try:
            return self._soundfile.SoundFile(str(self._path))
        except (self._soundfile.LibsndfileError, TypeError) as error:  # TypeError: .raw asks for a format
            raise DataError(f"{self._path} is not {EXPECTED}: {_reason(error)}") from error

    def _check(self, file: Any) -> None:
        if missing := missing_samples(self._path):
            raise _cut_short(self._path, *missing)
        if file.frames * self._rate < file.samplerate:  # not even one at the pipeline's rate
            raise DataError(f"{self._path} holds {file.frames} samples, expected some sound; record it again")
        if self._channel is not None and self._channel >= file.channels:
            raise DataError(
                f"{self._path} has {file.channels} channel(s), got channel {self._channel}, "
                f"expected 0 to {file.channels - 1}; leave channel out for the mean of all"
            )


def chunked(blocks: Generator[Array, None, None], size: int) -> Generator[Array, None, None]:
    """Blocks of any length as arrays of ``size`` along axis 0, each its own; the last one holds what is left."""
    chunk, filled = np.empty(0, np.float32), 0
    for block in blocks:
        start = 0
        while start < len(block):
            if not filled:
                chunk = np.empty((size, *block.shape[1:]), block.dtype)
            step = min(size - filled, len(block) - start)
            chunk[filled : filled + step] = block[start : start + step]
            start, filled = start + step, filled + step
            if filled == size:
                filled = 0
                yield chunk
    if filled:
        yield chunk[:filled].copy()


def _cut_short(path: Path, there: int, promised: int) -> DataError:
    return DataError(f"{path} is cut short: got {there} of the {promised} samples it promises; record or copy it again")


def _reason(error: Exception) -> str:
    return str(getattr(error, "error_string", error)).rstrip(".")
