"""The sensors of the target ``rt``: their config, and the board's own as a Sensor."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal

import msgspec
import numpy as np
from msgspec import Meta

from hal import capabilities
from hal.rt.firmware.recording import Recorded
from hal.sim import sensors as sim
from pipelines.core import Array, Frame, Sensor, Signal
from pipelines.errors import CapabilityError, DeviceError, DeviceLost, DeviceReset

if TYPE_CHECKING:
    from hal.rt.board import Board
    from hal.rt.readings import Reading

MOST_BYTES = 15_000_000
"""What an emulated board's memory takes of recordings."""
Place = Literal["board", "host"]


class Microphone(sim.Microphone, frozen=True, kw_only=True):
    """A sound recording that an emulated board's microphone hears, or the host's, or the host's microphone.

    Args:
        place: whose it is. Where absent: the board's, if it has one and the link carries the sound or the features are
            computed on the board; else the host's.
    """

    place: Place | None = None


class Motion(sim.Motion, frozen=True, kw_only=True):
    """A motion recording (CSV or NPY), made up, or the board's accelerometer.

    Args:
        live: the board's accelerometer.
        place: who plays a recording. Where absent: an emulated board plays it itself, for another one the host does.
        chunk_ms: how much a frame holds; each costs an exchange over the link.
    """

    live: bool = False
    place: Place | None = None
    chunk_ms: Annotated[float, Meta(gt=0, le=60_000)] = 100.0

    def __post_init__(self) -> None:
        sources = [name for name in ("file", "synthetic", "live") if getattr(self, name)]
        if len(sources) != 1:
            got = " and ".join(sources) if sources else "neither file, synthetic nor live"
            raise ValueError(f"got {got}, expected one: a recording (file: …, --input), synthetic: {{fan: {{…}}}}, or "
                             "live: true (--live), the board's accelerometer")  # fmt: skip
        if self.live and self.place == "host":
            raise ValueError("got live: true with place: host, but a host has no motion sensor; leave place out")
        capabilities.Motion.__post_init__(self)


@dataclass(frozen=True, slots=True)
class Clip:
    """What a simulated sensor of the board plays, and how.

    Args:
        recorded: None for the board's real sensor.
        fast: does not wait for its time.
        loop: begins again at the end.
        chunk: samples that a frame holds.
    """

    signal: Signal
    recorded: Recorded | None
    fast: bool
    loop: bool
    chunk: int


def clip_of(config: Microphone | Motion) -> Clip:
    """Read the whole recording of a config, for an emulated board's memory.

    Raises:
        CapabilityError: it is longer than that memory.
        DataError: it cannot be read.
    """
    at_once = msgspec.structs.replace(config, pace="fast", loop=False)
    signal, data = _read(_player(at_once))
    chunk = max(1, round((signal.rate_hz or 1) * config.chunk_ms / 1000))
    rate = signal.rate_hz or 1.0
    if signal.kind == "audio":
        stored = _sixteen_bits(data)
        recorded = Recorded("microphone", rate, (), stored, 1 / 32768)
    else:
        recorded = Recorded("motion", rate, signal.channels, np.asarray(data, np.float32), 1.0)
    return Clip(signal, recorded, config.pace == "fast", config.loop, chunk)


def _sixteen_bits(sound: Array) -> Array:
    """What the board's microphone hears. Raises CapabilityError where it would clip."""
    rounded = np.rint(sound * 32768.0)
    if len(rounded) and (rounded.max() > 32768 or rounded.min() < -32768):
        raise CapabilityError(
            f"got sound up to {np.abs(sound).max():.3g}, expected at most 1: the board's microphone has 16 bits; lower "
            "the recording's level, or let the host play it with place: host"
        )
    return np.minimum(rounded, 32767).astype(np.int16)


def live_clip(config: Motion) -> Clip:
    """The board's own accelerometer."""
    signal = Signal((None, len(config.channels)), "float32", config.rate_hz, "motion", config.channels)
    return Clip(signal, None, fast=False, loop=False, chunk=max(1, round(config.rate_hz * config.chunk_ms / 1000)))


def _player(config: Microphone | Motion) -> Sensor:
    if isinstance(config, Microphone):
        return sim.microphone(config)
    return sim.fan(config)[1] if config.synthetic else sim.motion(config)


def _read(sensor: Sensor) -> tuple[Signal, Array]:
    chunks: list[Array] = []
    size = 0
    for frame in sensor.frames():
        chunks.append(frame.array)
        size += frame.array.nbytes if sensor.output.kind == "motion" else frame.array.nbytes // 2
        if size > MOST_BYTES:
            raise CapabilityError(
                f"got a recording of more than {MOST_BYTES:,} bytes, or one without an end, which the board's memory "
                "does not hold; shorten it (a synthetic fan: seconds), or let the host play it with place: host"
            )
    return sensor.output, np.concatenate(chunks)


class BoardSensor:
    """A Sensor that asks the board for its samples.

    Args:
        clip: what it is.
    """

    where = "on the board"

    def __init__(self, clip: Clip) -> None:
        self.clip, self.output, self.live = clip, clip.signal, clip.recorded is None
        self._closed = threading.Event()
        self._board: Board | None = None
        self._index = -1
        self._at = self._seq = 0
        self._last = 0.0  # when the last samples came, by the host's clock

    def bind(self, board: Board, index: int) -> None:
        """From now on it is this one of the board.

        Raises:
            CapabilityError: the board's has another rate, or other channels.
        """
        info = board.sensors[index]
        channels = tuple(info.channels.split())
        if abs(info.rate_hz - (self.output.rate_hz or 0)) > 1e-3 * info.rate_hz or channels != self.output.channels:
            raise CapabilityError(
                f"the board's sensor gives {info.rate_hz:g} Hz ({' '.join(channels)}), expected {self.output}; change "
                "rate_hz and channels, or take another model"
            )
        self._board, self._index, self._scale = board, index, np.float32(info.scale)

    def frames(self) -> Iterator[Frame]:
        """Open and deliver. Where the board was reset, a recording goes on at its place, a real sensor with a gap.

        Raises:
            DeviceLost: a real sensor's board was reset.
            DeviceError: the board gave no right answer; says why.
        """
        board, rate, fast = self._bound(), self.output.rate_hz or 1.0, self.clip.fast
        begin, at = self._at + self._missed(rate), 0  # of the board's first sample in the stream; of the next one there
        board.start_sensor(self._index, fast)
        while not self._closed.is_set():
            try:
                reading = board.read_sensor(self._index, at, self.clip.chunk)
            except DeviceReset as error:
                if self.live:
                    raise DeviceLost(str(error)) from error
                fast = True  # what has been is there at once, and from here on the host waits
                board.start_sensor(self._index, fast)
                continue
            count = len(reading.data)
            if count < self.clip.chunk and not reading.ended and not fast:  # a whole chunk is worth an exchange
                self._closed.wait((self.clip.chunk - count) / rate)
                continue
            if count:
                at = reading.at + count
                yield self._frame(reading, begin + reading.at)
                if fast and not self.clip.fast:
                    self._closed.wait(count / rate)
            elif not reading.ended:
                self._closed.wait(self.clip.chunk / rate)
            elif self.clip.loop:
                begin, at = self._at, 0
                board.start_sensor(self._index, fast)
            else:
                return

    def _missed(self, rate: float) -> int:
        """Samples that nobody saw while a real sensor was away."""
        return max(1, round((time.monotonic() - self._last) * rate)) if self.live and self._at else 0

    def _frame(self, reading: Reading, at: int) -> Frame:
        rate, count = self.output.rate_hz or 1.0, len(reading.data)
        self._seq += -(-(at - self._at) // self.clip.chunk)  # a gap: the run counts it
        data = reading.data.astype(np.float32)
        data *= self._scale
        arrived = None
        if self.live:
            newest = self._bound().host_time(reading.ticks)
            arrived = newest - (reading.ready - reading.at - count) / rate
        self._at, self._last = at + count, time.monotonic()
        frame = Frame(data, self._at / rate, self._seq, at, arrived)
        self._seq += 1
        return frame

    def close(self) -> None:
        """End frames() soon. May be called twice."""
        self._closed.set()

    def _bound(self) -> Board:
        if self._board is None:
            raise DeviceError("the board was not started before its sensor was read; start the target first")
        return self._board
