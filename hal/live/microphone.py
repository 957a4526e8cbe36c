"""The real microphone."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

from hal.live.portaudio import Input, NotFound, find_input, in_use, is_about_rate, offered_rates, reason, sounddevice
from pipelines.core import Array, Frame, Signal
from pipelines.errors import DeviceError, DeviceLost

QUEUED_S = 2.0
"""How much sound waits for the pipeline before some is lost."""
POLL_S = 0.1
"""How often a silent queue is looked at again, to see whether the device has gone or close() was called."""
MIXED = 2
"""Without a channel, the mean of so many: sound servers offer 32 of which all but two are made up."""


class LiveMicrophone:
    """A Sensor of mono float32 sound in [-1, 1), in chunks.

    Samples that were lost, in the device or because the pipeline was too slow, are counted in ``at`` and ``seq``:
    what comes after them is never spliced to what came before. So is the time from a loss to the next frames().

    Args:
        device: number, name or part of a name; None is the system's default.
        rate_hz: asked of the device.
        channel: one of several, from 0; the mean of the first two where None.
        chunk_ms: how much a frame holds.
        clock: monotonic time in s.
        stall_s: a device that sends nothing for so long counts as lost.

    Raises:
        MissingDependency: sounddevice or PortAudio is not installed.
    """

    live = True

    def __init__(
        self,
        device: int | str | None,
        rate_hz: int,
        *,
        channel: int | None = None,
        chunk_ms: float = 20.0,
        clock: Callable[[], float] = time.monotonic,
        stall_s: float = 5.0,
    ) -> None:
        self._device, self._rate, self._channel = device, rate_hz, channel
        self._chunk = max(1, round(rate_hz * chunk_ms / 1000))
        self._clock, self._stall_s = clock, stall_s
        self._module = sounddevice()
        self._closed = threading.Event()
        self._lock = threading.Lock()
        self._held = ExitStack()
        self._origin: float | None = None  # when the stream's time began: with the first opening
        self._at = self._seq = 0
        self.output = Signal((None,), "float32", rate_hz, "audio")

    def frames(self) -> Iterator[Frame]:
        if self._closed.is_set():
            return
        with self._lock:  # so that close() finds the device open or not, and nothing between
            take = self._open()
        try:
            yield from self._delivered(take)
        finally:
            self._release()

    def close(self) -> None:
        self._closed.set()
        self._release()

    def _delivered(self, take: _Take) -> Iterator[Frame]:
        last = self._clock()
        while not self._closed.is_set():
            try:
                frame = take.queue.get(timeout=POLL_S)
            except queue.Empty:
                if self._closed.is_set():
                    return
                if take.finished.is_set():
                    raise DeviceLost(f"the microphone {take.name} went away; plug it in again") from None
                if self._clock() - last > self._stall_s:
                    lost = f"the microphone {take.name} sent nothing for {self._stall_s:g} s; plug it in again"
                    raise DeviceLost(lost) from None
                continue
            last = self._clock()
            self._at, self._seq = frame.at + len(frame.array), frame.seq + 1
            yield frame

    def _release(self) -> None:
        with self._lock:
            self._held.close()

    def _open(self) -> _Take:
        with ExitStack() as stack:
            stack.enter_context(in_use(self._module))
            take = self._find()
            self._start(take, stack)
            self._held = stack.pop_all()
        return take

    def _find(self) -> _Take:
        try:
            device = find_input(self._module, self._device)
        except NotFound as error:
            raise self._error(str(error)) from error
        channels = min(MIXED, device.channels) if self._channel is None else self._channel + 1
        if channels > device.channels:
            raise self._error(
                f"the microphone {device.name} has {device.channels} channel(s), got channel {self._channel}, "
                f"expected 0 to {device.channels - 1}"
            )
        return _Take(device, channels, self._rate, self._chunk, self._channel, self._clock)

    def _start(self, take: _Take, stack: ExitStack) -> None:
        try:
            stream = self._module.InputStream(
                device=take.device.index,
                samplerate=self._rate,
                channels=take.channels,
                dtype="float32",
                blocksize=self._chunk,
                callback=take.heard,
                finished_callback=take.finished.set,
            )
            stack.callback(_end, stream)
            self._begin(take)
            stream.start()
        except self._module.PortAudioError as error:
            rates = offered_rates(self._module, take.device, take.channels) if is_about_rate(error) else []
            raise self._error(_why_not_opened(take.name, self._rate, rates, reason(error))) from error

    def _begin(self, take: _Take) -> None:
        now = self._clock()
        if self._origin is None:
            self._origin = now
        take.at = max(self._at, round((now - self._origin) * self._rate))
        take.seq = self._seq
        take.last = now

    def _error(self, message: str) -> DeviceError:
        # one that was open before went away, and may come back
        return DeviceError(message) if self._origin is None else DeviceLost(message)


class _Take:
    """What one opening of the device hears; ``heard`` runs in PortAudio's thread."""

    def __init__(
        self, device: Input, channels: int, rate: int, chunk: int, channel: int | None, clock: Callable[[], float]
    ) -> None:
        self.device, self.channels, self.name = device, channels, device.name
        self._rate, self._chunk, self._channel, self._clock = rate, chunk, channel, clock
        self.queue: queue.Queue[Frame] = queue.Queue(max(2, round(QUEUED_S * rate / chunk)))
        self.finished = threading.Event()
        self.at = self.seq = 0
        self.last = 0.0

    def heard(self, data: Array, count: int, _time: Any, status: Any) -> None:
        now = self._clock()
        if status.input_overflow:
            # how much was lost is not told: what the clock says is missing, and at least one sample
            lost = max(1, round((now - self.last) * self._rate) - count)
            self.at += lost
            self.seq += -(-lost // self._chunk)
        self.last = now
        mono = data.mean(axis=1) if self._channel is None else data[:, self._channel].copy()
        frame = Frame(mono, (self.at + count) / self._rate, self.seq, self.at, now)
        self.at += count
        self.seq += 1
        try:
            self.queue.put_nowait(frame)
        except queue.Full:
            return  # the pipeline is too slow: the gap in seq and at tells


def _end(stream: Any) -> None:
    # PortAudio may hang in close() of a stream that was not stopped first
    stream.abort(ignore_errors=True)
    stream.close(ignore_errors=True)


def _why_not_opened(name: str, rate: int, rates: list[int], why: str) -> str:
    if rates:
        listed = ", ".join(map(str, rates))
        return f"the microphone {name} does not offer {rate} Hz, expected one of {listed} Hz; set rate_hz or device"
    return f"the microphone {name} cannot be opened ({why}); is another program using it?"
