"""Cuts the movements out of a stream."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

import numpy as np

from pipelines.config.schema import Config as Base
from pipelines.config.schema import PositiveFloat
from pipelines.core import Array, Frame, Signal
from pipelines.errors import SignalMismatch
from pipelines.transforms._samples import Milliseconds, rate_of, whole_samples


class Segment:
    """One frame per movement between two rests: motion ``[any, axes]`` in chunks of any size to ``[n, axes]``.

    At each sample the accelerometer's magnitude is compared with the 1 g of rest, and the gyroscope's with 0. A
    movement begins where either is beyond its ``start_`` threshold, and ends with the last sample beyond a ``stop_``
    threshold before ``quiet_ms`` of none. What is shorter than ``min_ms`` (a knock) or longer than ``max_ms``
    (walking) is left out; lengths count without what is added ``before_ms`` and ``after_ms``.

    A frame is a captured frame itself and owns its data: ``seq`` counts movements, ``at`` is its first sample, ``t``
    its end in s, ``arrived`` that of the chunk in which ``quiet_ms`` were over. How the stream was chunked changes
    nothing. A gap in the stream (``at`` does not follow) clears what was gathered, so that no movement is ever spliced.
    A movement that still lasts at the end of the input is none.
    """

    class Config(Base, frozen=True, kw_only=True):
        """Options of ``segment``. At least one sensor's thresholds, and both of it.

        Args:
            start_g: of the accelerometer's magnitude from 1 g; the channels must be in g.
            stop_g: at most start_g.
            start_dps: of the gyroscope's magnitude; the channels must be in degrees per second.
            stop_dps: at most start_dps.
            quiet_ms: of rest that ends a movement.
            min_ms: the shortest movement.
            max_ms: the longest movement.
            before_ms: of the stream before the movement that its frame holds too, as far as there is.
            after_ms: of the stream after it; at most quiet_ms.
        """

        start_g: PositiveFloat | None = None
        stop_g: PositiveFloat | None = None
        start_dps: PositiveFloat | None = None
        stop_dps: PositiveFloat | None = None
        quiet_ms: Milliseconds = 250.0
        min_ms: Milliseconds = 300.0
        max_ms: Milliseconds = 2500.0
        before_ms: Milliseconds = 50.0
        after_ms: Milliseconds = 50.0

        def __post_init__(self) -> None:
            if self.start_g is None and self.start_dps is None:
                raise ValueError("got neither start_g nor start_dps, expected at least one of them")
            for unit in ("g", "dps"):
                start, stop = getattr(self, f"start_{unit}"), getattr(self, f"stop_{unit}")
                if (start is None) != (stop is None):
                    raise ValueError(f"got only one of start_{unit} and stop_{unit}, expected both or neither")
                if start is not None and stop > start:
                    raise ValueError(f"got stop_{unit} {stop:g} above start_{unit} {start:g}, expected at most that")
            if self.min_ms > self.max_ms:
                raise ValueError(f"got min_ms {self.min_ms:g} above max_ms {self.max_ms:g}, expected at most that")
            if self.after_ms > self.quiet_ms:
                raise ValueError(
                    f"got after_ms {self.after_ms:g} above quiet_ms {self.quiet_ms:g}, expected at most that"
                )

    free: ClassVar[frozenset[str]] = frozenset()
    captures: ClassVar[bool] = True
    """Its frames are captured frames, which count anew."""

    def __init__(self, config: Config) -> None:
        self._config = config

    def resolve(self, signal: Signal) -> Signal:
        """Motion ``[any, axes]`` to the same, a movement a frame.

        Raises:
            SignalMismatch: not a motion stream with a rate, or without the three axes, in the thresholds' unit, of a
                sensor that there are thresholds of.
        """
        if signal.kind != "motion" or len(signal.shape) != 2 or signal.shape[0] is not None:
            raise SignalMismatch(signal, "a stream of motion", "stand segment behind a motion sensor, before window")
        config = self._config
        self._rate_hz = rate_of(signal)
        self._quiet, self._shortest, self._longest, self._before, self._after = (
            whole_samples(key, getattr(config, key), signal)
            for key in ("quiet_ms", "min_ms", "max_ms", "before_ms", "after_ms")
        )
        self._accelerometer = _axes(signal, "a", "g", "accelerometer") if config.start_g else None
        self._gyroscope = _axes(signal, "g", "dps", "gyroscope") if config.start_dps else None
        self._kept: Array = np.empty((0, len(signal.channels)), signal.dtype)
        self._seq = 0
        self._begin: int | None = None  # the first sample of the movement that is going on
        self._restart(0)
        return signal

    def process(self, frame: Frame) -> Iterator[Frame]:
        """The movements that are known to be over with this chunk."""
        chunk = frame.array
        if frame.at != self._next:
            self._restart(frame.at)
        stream = np.concatenate((self._kept, chunk))
        base = self._next - len(self._kept)
        starts, moves = self._moving(chunk)
        for at, start, moves_on in zip(range(self._next, self._next + len(chunk)), starts, moves, strict=True):
            if self._begin is None:
                if start:
                    self._begin = self._last = at
            elif moves_on:
                self._last = at
            elif at - self._last >= self._quiet:
                movement = self._complete(stream, base, frame.arrived)
                if movement is not None:
                    yield movement
        self._next += len(chunk)
        self._keep(stream, base)

    def _restart(self, at: int) -> None:
        self._next = at
        self._floor = at  # what stands before belongs to no movement to come
        self._begin = None
        self._last = at
        self._kept = self._kept[:0]

    def _moving(self, chunk: Array) -> tuple[list[bool], list[bool]]:
        """Of each sample: would it start a movement, does it keep one going?"""
        config = self._config
        start, moves = np.zeros(len(chunk), np.bool_), np.zeros(len(chunk), np.bool_)
        if self._accelerometer:
            beyond = np.abs(_magnitude(chunk, self._accelerometer) - 1)
            start |= beyond > config.start_g
            moves |= beyond > config.stop_g
        if self._gyroscope:
            turning = _magnitude(chunk, self._gyroscope)
            start |= turning > config.start_dps
            moves |= turning > config.stop_dps
        return start.tolist(), moves.tolist()

    def _complete(self, stream: Array, base: int, arrived: float | None) -> Frame | None:
        """End the movement; its frame, unless it is too short or too long."""
        assert self._begin is not None
        length = self._last + 1 - self._begin
        first, end = max(self._begin - self._before, self._floor), self._last + 1 + self._after
        self._begin, self._floor = None, end
        if not self._shortest <= length <= self._longest:
            return None
        seq, self._seq = self._seq, self._seq + 1
        return Frame(
            stream[first - base : end - base].copy(), t=end / self._rate_hz, seq=seq, at=first, arrived=arrived
        )

    def _keep(self, stream: Array, base: int) -> None:
        """Hold on to what a movement may still need: bounded, as one that is too long needs nothing."""
        since = self._next if self._begin is None else self._begin
        if self._begin is not None and self._last + 1 - self._begin > self._longest:
            since = self._next
        self._kept = stream[max(since - self._before - base, 0) :].copy()


def _axes(signal: Signal, letter: str, unit: str, sensor: str) -> list[int]:
    """Where the three axes of a sensor stand among the channels."""
    wanted = [f"{letter}{axis}_{unit}" for axis in "xyz"]
    if missing := [name for name in wanted if name not in signal.channels]:
        other = [name for name in signal.channels if name.partition("_")[0] == missing[0].partition("_")[0]]
        fix = (f"convert the recording to {unit} or give thresholds of the other sensor" if other
               else f"take a sensor with {sensor}, or leave start_{unit} and stop_{unit} out")  # fmt: skip
        raise SignalMismatch(signal, f"the {sensor}'s {' '.join(wanted)} for start_{unit}", fix)
    return [signal.channels.index(name) for name in wanted]


def _magnitude(chunk: Array, axes: list[int]) -> Array:
    magnitude: Array = np.sqrt(np.square(chunk[:, axes]).sum(axis=1))
    return magnitude
