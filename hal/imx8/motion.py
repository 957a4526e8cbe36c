"""The board's motion sensor as a Sensor."""

from __future__ import annotations

import select
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack

import numpy as np

from hal.imx8.buffer import Buffer
from hal.imx8.gaps import Gaps
from hal.imx8.iio import IioDevice, channels_of
from hal.imx8.iio_devices import Named, find
from hal.imx8.join import Join
from hal.imx8.sysfs import Sysfs
from pipelines.core import Array, Frame, Signal
from pipelines.errors import DeviceError, DeviceLost

POLL_S = 0.1
QUEUED_S = 2.0
"""How much the kernel keeps while the pipeline is busy."""

Timed = tuple[Array, Array | None]
"""Float32 [samples, channels], and when each was taken, int64 [samples] in ns, where the device says it."""


class IioMotion:
    """A Sensor of float32 [samples, channels] from an IIO device's buffer, or, where asked for, from its raw files.

    Where accelerometer and gyroscope are two devices, the samples of the one that the channels name later are
    interpolated at the times of the other's. Samples that were lost (their timestamps tell) are a gap in
    ``seq`` and ``at``.

    ``mode`` tells which devices these are, and how much they measure at most; empty until the first frame.

    Args:
        channels: as the config names them.
        device: see ``iio_devices.find``.
        poll: read raw files at ``rate_hz`` by this host's clock.
        ranges: of ``accel`` in g, of ``anglvel`` in degrees per second; as the driver has it where absent.
        clock: monotonic time in s.
        stall_s: a device that sends nothing for so long counts as lost.
    """

    live = True

    def __init__(
        self,
        sysfs: Sysfs,
        channels: Sequence[str],
        rate_hz: float,
        *,
        device: Named | Sequence[Named] | None = None,
        chunk_ms: float = 20.0,
        poll: bool = False,
        ranges: Mapping[str, float] | None = None,
        clock: Callable[[], float] = time.monotonic,
        stall_s: float = 5.0,
    ) -> None:
        self._sysfs, self._channels, self._rate, self._device = sysfs, channels_of(channels), rate_hz, device
        self._chunk = max(1, round(rate_hz * chunk_ms / 1000))
        self._ranges = ranges or {}
        self._poll, self._clock, self._stall_s = poll, clock, stall_s
        self._closed = threading.Event()
        self._seen: float | None = None  # when the last frame came
        self._at = self._seq = 0
        self.mode = ""
        self.output = Signal((None, len(channels)), "float32", rate_hz, "motion", tuple(channels))

    def frames(self) -> Iterator[Frame]:
        """Open and deliver."""
        if self._closed.is_set():
            return
        try:
            devices = find(self._sysfs, [channel.kind for channel in self._channels], self._device)
            yield from self._polled(devices) if self._poll else self._buffered(devices)
        except DeviceError as error:
            if self._seen is None or isinstance(error, DeviceLost):
                raise
            raise DeviceLost(str(error)) from error  # it gave samples before, so it went away and may come back

    def close(self) -> None:
        """End frames() soon. May be called twice."""
        self._closed.set()

    def _begin(self, devices: Sequence[IioDevice]) -> None:
        self.mode = " and ".join(device.ranges() for device in devices)
        if self._seen is not None:  # what nobody saw while it was away, if only a moment
            self._skip(max(1, round((self._clock() - self._seen) * self._rate)))

    def _skip(self, lost: int) -> None:
        self._at += lost
        self._seq += -(-lost // self._chunk)

    def _frame(self, data: Array) -> Frame:
        self._at += len(data)
        self._seen = self._clock()
        frame = Frame(data, self._at / self._rate, self._seq, self._at - len(data), self._seen)
        self._seq += 1
        return frame

    def _columns(self, device: IioDevice) -> list[int]:
        """Which of the channels it measures."""
        return [i for i, channel in enumerate(self._channels) if channel.kind in device.kinds]

    def _measured(self, device: IioDevice, raw: dict[str, Array]) -> Array:
        """Float32 [samples, channels of this device]."""
        return device.convert(raw, [self._channels[i] for i in self._columns(device)])

    def _order(self, devices: Sequence[IioDevice]) -> Array:
        """Which column of the devices' own, side by side, is each of the channels."""
        return np.argsort([i for device in devices for i in self._columns(device)])

    # ---- buffered ----------------------------------------------------------------------------------------------

    def _buffered(self, devices: Sequence[IioDevice]) -> Iterator[Frame]:
        with ExitStack() as stack:
            buffers = [stack.enter_context(Buffer(self._sysfs, device)) for device in devices]
            for buffer in buffers:
                buffer.start(self._rate, max(2 * self._chunk, round(QUEUED_S * self._rate)), self._ranges)
            untimed = [device for device in devices if not device.has_timestamps]
            if untimed and len(devices) > 1:
                raise DeviceError(f"{untimed[0]} says no time of its samples, by which they are joined with the other "
                                  "device's; read both with poll: true")  # fmt: skip
            self._begin(devices)
            read = self._read(buffers)
            yield from self._chunked(self._joined(devices, read) if len(devices) > 1 else (part for _, part in read))

    def _read(self, buffers: Sequence[Buffer]) -> Iterator[tuple[int, Timed]]:
        """Samples as they come, each with its buffer's place."""
        last = dict.fromkeys(buffers, self._clock())
        while not self._closed.is_set():
            ready, _, _ = select.select(buffers, [], [], POLL_S)
            now = self._clock()
            for place, buffer in enumerate(buffers):
                device = buffer.device
                # where none is ready all are read: select never tells of a device that is gone, a read does
                if (buffer in ready or not ready) and (raw := buffer.read()):
                    last[buffer] = now
                    yield place, (self._measured(device, raw), raw.get("timestamp") if device.has_timestamps else None)
                elif now - last[buffer] > self._stall_s:
                    raise DeviceLost(f"{device} sent nothing for {self._stall_s:g} s; check its interrupt and trigger")

    def _joined(self, devices: Sequence[IioDevice], read: Iterator[tuple[int, Timed]]) -> Iterator[Timed]:
        order = self._order(devices)
        first, second = devices
        widths = [len(self._columns(device)) for device in devices]
        join = Join((str(first), str(second)), widths, self._rate, self._stall_s + QUEUED_S)
        for place, (samples, stamps) in read:
            assert stamps is not None
            try:
                times, rows = join.add(place, stamps, samples)
            except ValueError as error:
                raise DeviceError(f"{error}; check the drivers, or read both with poll: true") from error
            if len(times):
                yield rows[:, order], times

    def _chunked(self, parts: Iterator[Timed]) -> Iterator[Frame]:
        gaps = Gaps(self._rate)
        kept = np.empty((0, len(self._channels)), np.float32)
        for samples, stamps in parts:
            for part, lost in [(samples, 0)] if stamps is None else gaps.add(stamps, samples):
                if lost:
                    # what came before a gap goes out first, so that nothing is spliced over it
                    if len(kept):
                        yield self._frame(kept)
                    kept = kept[:0]
                    self._skip(lost)
                kept = np.concatenate((kept, part))
                while len(kept) >= self._chunk:
                    yield self._frame(kept[: self._chunk].copy())
                    kept = kept[self._chunk :]

    # ---- polled ------------------------------------------------------------------------------------------------

    def _polled(self, devices: Sequence[IioDevice]) -> Iterator[Frame]:
        order = self._order(devices)
        for device in devices:
            device.prepare_polls(self._ranges)
        self._begin(devices)
        begun, taken = self._clock(), 0
        samples: list[Array] = []
        while not self._closed.is_set():
            wait = begun + taken / self._rate - self._clock()
            if wait > 0 and self._closed.wait(wait):
                return
            late = int(-wait * self._rate)
            if late > 0:  # the files are slower than the rate: nothing is made up
                if samples:
                    yield self._frame(np.concatenate(samples))
                    samples = []
                taken += late
                self._skip(late)
            measured = [self._measured(device, device.poll()) for device in devices]
            samples.append(np.concatenate(measured, axis=1)[:, order])
            taken += 1
            if len(samples) == self._chunk:
                yield self._frame(np.concatenate(samples))
                samples = []
