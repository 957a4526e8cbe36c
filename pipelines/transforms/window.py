"""Cuts a stream into windows."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import ClassVar

import numpy as np

from pipelines.config.schema import Config as Base
from pipelines.core import Array, Frame, Signal
from pipelines.errors import SignalMismatch
from pipelines.transforms._samples import Milliseconds, rate_of, whole_samples


class Window:
    """Windows of fixed length on a fixed grid of the stream: window k covers samples k·hop to k·hop + length.

    Takes audio ``[any]`` or motion ``[any, axes]`` in chunks of any size and gives ``[length]`` or ``[length, axes]``.
    A window's frame is a captured frame itself and owns its data: ``seq`` is k, ``at`` is k·hop, ``t`` its end in s,
    ``arrived`` that of the chunk that completed it. The grid stands still: how the stream was chunked, and whether
    something was lost before, does not change what a window holds.

    A gap in the stream (``at`` does not follow) clears what was gathered, so that no window is ever spliced; windows
    resume on the grid. On a live stream a window that was completed longer than ``max_age_ms`` ago is left out; the
    gap in ``seq`` tells. A stream shorter than one window gives none.

    Args:
        clock: the host's monotonic clock in s, which ``arrived`` was taken from.
    """

    class Config(Base, frozen=True, kw_only=True):
        """Options of ``window``.

        Args:
            length_ms: of a window; to the nearest whole sample.
            hop_ms: from the start of one window to the start of the next; to the nearest whole sample.
            max_age_ms: how long ago a live window may have been completed and still be processed; the hop where absent.
        """

        length_ms: Milliseconds
        hop_ms: Milliseconds
        max_age_ms: Milliseconds | None = None

    free: ClassVar[frozenset[str]] = frozenset({"hop_ms", "max_age_ms"})
    captures: ClassVar[bool] = True
    """Its frames are captured frames, which count anew."""

    def __init__(self, config: Config, clock: Callable[[], float] = time.monotonic) -> None:
        self._config = config
        self._clock = clock
        self._max_age_s = (config.max_age_ms or config.hop_ms) / 1000

    def resolve(self, signal: Signal) -> Signal:
        """Audio or motion ``[any, …]`` to ``[length, …]``; dtype, rate and channels stay.

        Raises:
            SignalMismatch: not audio or motion, no sampling rate, or less than one sample.
        """
        if signal.kind not in ("audio", "motion"):
            raise SignalMismatch(signal, "a stream of audio or motion", "leave window out")
        self._rate_hz = rate_of(signal)
        self._length = whole_samples("length_ms", self._config.length_ms, signal)
        self._hop = whole_samples("hop_ms", self._config.hop_ms, signal)
        resolved = signal.but(shape=(self._length, *signal.shape[1:]))
        self._buffer: Array = np.empty([size or 0 for size in resolved.shape], resolved.dtype)
        self._restart(0)
        return resolved

    def process(self, frame: Frame) -> Iterator[Frame]:
        """The windows that this chunk completes."""
        chunk = frame.array
        if frame.at != self._seq * self._hop + self._filled:
            self._restart(frame.at)
        while len(chunk):
            chunk = self._gather(chunk)
            if self._filled == self._length:
                window = self._complete(frame.arrived)
                if frame.arrived is None or self._clock() - frame.arrived <= self._max_age_s:
                    yield window

    def _restart(self, at: int) -> None:
        self._seq = -(-at // self._hop)
        self._filled = at - self._seq * self._hop  # below zero: so many samples before the next window starts

    def _gather(self, chunk: Array) -> Array:
        """Take what the window lacks; the rest of the chunk."""
        if self._filled < 0:
            skipped = min(-self._filled, len(chunk))
            self._filled += skipped
            return chunk[skipped:]
        taken = min(self._length - self._filled, len(chunk))
        self._buffer[self._filled : self._filled + taken] = chunk[:taken]
        self._filled += taken
        return chunk[taken:]

    def _complete(self, arrived: float | None) -> Frame:
        # the full buffer is the window's own from here on; its end begins the next one
        window, self._buffer = self._buffer, np.empty_like(self._buffer)
        at, seq = self._seq * self._hop, self._seq
        self._seq += 1
        self._filled = self._length - self._hop
        if self._filled > 0:
            self._buffer[: self._filled] = window[self._hop :]
        return Frame(window, t=(at + self._length) / self._rate_hz, seq=seq, at=at, arrived=arrived)
