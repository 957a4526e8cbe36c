"""A recording that plays as a sensor."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import closing
from typing import Protocol

from hal.recordings.pace import Pace
from pipelines.core import Array, Frame, Signal


class Recording(Protocol):
    """A file that was recorded. Constructing one checks that it is there and starts as it should."""

    @property
    def signal(self) -> Signal: ...

    def read(self) -> Generator[Array, None, None]:
        """Once from start to end: chunks of samples, or pictures. Each array is its reader's own to give away.

        Raises:
            DataError: what follows cannot be read; names the file and the place.
        """
        ...


class Replay:
    """A Sensor over a recording. Nothing is dropped, frames have no arrival time.

    Args:
        recording: audio and motion come in chunks of samples along axis 0; image readers give one picture at a time.
        pace: when frames are due.
        loop: begin again at the end, for a kiosk; ``seq``, ``at`` and ``t`` go on increasing.
    """

    live = False

    def __init__(self, recording: Recording, pace: Pace, *, loop: bool = False) -> None:
        self._recording, self._pace, self._loop = recording, pace, loop
        self._samples = recording.signal.kind != "image"
        self._rate = recording.signal.rate_hz or 1.0  # pictures without a rate: t counts them
        self._at = self._seq = 0

    @property
    def output(self) -> Signal:
        return self._recording.signal

    def frames(self) -> Iterator[Frame]:
        self._pace.start(self._at / self._rate)
        yield from self._once()
        while self._loop and self._pace.until(0.0):
            yield from self._once()

    def _once(self) -> Iterator[Frame]:
        with closing(self._recording.read()) as blocks:
            for data in blocks:
                size = len(data) if self._samples else 1
                # a chunk is captured when its last sample is, a picture when it is taken
                t = (self._at + size if self._samples else self._at) / self._rate
                if not self._pace.until(t):
                    return
                frame = Frame(data, t, self._seq, self._at)
                self._at += size
                self._seq += 1
                yield frame

    def close(self) -> None:
        self._pace.close()
