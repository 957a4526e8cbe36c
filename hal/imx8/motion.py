"""The board's motion sensor as a Sensor."""

from __future__ import annotations

import errno
import os
import select
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise

import numpy as np

from hal.imx8.iio import IioDevice, channels_of
from hal.imx8.scan import Layout
from hal.imx8.sysfs import Sysfs
from pipelines.core import Array, Frame, Signal
from pipelines.errors import DeviceError, DeviceLost

POLL_S = 0.1
QUEUED_S = 2.0
"""How much the kernel keeps while the pipeline is busy."""


class IioMotion:
    """A Sensor of float32 [samples, channels] from an IIO device's buffer, or, where asked for, from its raw files.

    Samples that were lost (their timestamps tell) are a gap in ``seq`` and ``at``.

    Args:
        channels: as the config names them.
        device: see ``IioDevice``.
        poll: read raw files at ``rate_hz`` by this host's clock.
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
        device: int | str | None = None,
        chunk_ms: float = 20.0,
        poll: bool = False,
        clock: Callable[[], float] = time.monotonic,
        stall_s: float = 5.0,
    ) -> None:
        self._sysfs, self._channels, self._rate, self._device = sysfs, channels_of(channels), rate_hz, device
        self._chunk = max(1, round(rate_hz * chunk_ms / 1000))
        self._poll, self._clock, self._stall_s = poll, clock, stall_s
        self._closed = threading.Event()
        self._origin: float | None = None
        self._at = self._seq = 0
        self.output = Signal((None, len(channels)), "float32", rate_hz, "motion", tuple(channels))

    def frames(self) -> Iterator[Frame]:
        """Open and deliver."""
        if self._closed.is_set():
            return
        try:
            device = IioDevice(self._sysfs, [channel.kind for channel in self._channels], self._device)
            source = self._polled(device) if self._poll else self._buffered(device)
            yield from source
        except DeviceError as error:
            if self._origin is None or isinstance(error, DeviceLost):
                raise
            raise DeviceLost(str(error)) from error  # it was open before, so it went away and may come back

    def close(self) -> None:
        """End frames() soon. May be called twice."""
        self._closed.set()

    def _begin(self) -> None:
        now = self._clock()
        if self._origin is None:
            self._origin = now
        elif (at := round((now - self._origin) * self._rate)) > self._at:  # what nobody saw while it was away
            self._seq += -(-(at - self._at) // self._chunk)
            self._at = at

    def _frame(self, data: Array) -> Frame:
        self._at += len(data)
        frame = Frame(data, self._at / self._rate, self._seq, self._at - len(data), self._clock())
        self._seq += 1
        return frame

    # ---- buffered ----------------------------------------------------------------------------------------------

    def _buffered(self, device: IioDevice) -> Iterator[Frame]:
        device.check_buffer()
        path = self._sysfs.path(f"dev/{device.node}")
        try:
            # first of all: the kernel lets one program open it, so from here on no other's buffer is touched
            descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        except OSError as error:
            raise DeviceError(f"{device} cannot be opened at {path} ({error.strerror}); is it in use, or "
                              "may you not (a udev rule, or sudo)?") from error  # fmt: skip
        try:
            layout = device.enable(self._rate, max(2 * self._chunk, round(QUEUED_S * self._rate)))
            self._begin()
            yield from self._decoded(device, layout, self._records(device, layout, descriptor))
        finally:
            try:
                _leave(device)
            finally:
                os.close(descriptor)

    def _records(self, device: IioDevice, layout: Layout, descriptor: int) -> Iterator[bytes]:
        """Whole records, one or more at a time."""
        rest, last = b"", self._clock()
        while not self._closed.is_set():
            ready, _, _ = select.select([descriptor], [], [], POLL_S)
            if not ready:
                if self._clock() - last > self._stall_s:
                    raise DeviceLost(f"{device} sent nothing for {self._stall_s:g} s; check its interrupt and trigger")
                continue
            try:
                data = os.read(descriptor, layout.size * max(self._chunk, 64))
            except BlockingIOError:
                continue
            except OSError as error:
                if error.errno not in (errno.ENODEV, errno.EIO, errno.EBUSY):
                    raise DeviceError(f"{device} cannot be read ({error.strerror}); check the driver") from error
                raise DeviceLost(f"{device} went away ({error.strerror}); check its wiring and driver") from error
            if not data:
                raise DeviceLost(f"{device} closed its buffer; check its wiring and driver")
            last = self._clock()
            rest += data
            whole = len(rest) - len(rest) % layout.size
            if whole:
                yield rest[:whole]
                rest = rest[whole:]

    def _decoded(self, device: IioDevice, layout: Layout, records: Iterator[bytes]) -> Iterator[Frame]:
        kept = np.empty((0, len(self._channels)), np.float32)
        before: int | None = None
        for data in records:
            raw = layout.decode(data)
            samples = device.convert(raw, self._channels)
            stamps = raw.get("timestamp") if device.has_timestamps else None
            for part, lost in _without_gaps(samples, stamps, before, self._rate):
                if lost:
                    # what came before a gap goes out first, so that nothing is spliced over it
                    if len(kept):
                        yield self._frame(kept)
                    kept = kept[:0]
                    self._at += lost
                    self._seq += -(-lost // self._chunk)
                kept = np.concatenate((kept, part))
                while len(kept) >= self._chunk:
                    yield self._frame(kept[: self._chunk].copy())
                    kept = kept[self._chunk :]
            before = int(stamps[-1]) if stamps is not None else None

    # ---- polled ------------------------------------------------------------------------------------------------

    def _polled(self, device: IioDevice) -> Iterator[Frame]:
        self._begin()
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
                self._at += late
                self._seq += -(-late // self._chunk)
            samples.append(device.convert(device.poll(), self._channels))
            taken += 1
            if len(samples) == self._chunk:
                yield self._frame(np.concatenate(samples))
                samples = []


def _without_gaps(
    samples: Array, stamps: Array | None, before: int | None, rate_hz: float
) -> Iterator[tuple[Array, int]]:
    """Runs of samples without a hole, each with how many were lost before it."""
    if stamps is None:
        yield samples, 0
        return
    steps = np.diff(stamps, prepend=stamps[0] if before is None else before) * (rate_hz / 1e9)
    lost = np.where(steps > 1.5, np.rint(steps) - 1, 0).astype(int)
    if before is None:
        lost[0] = 0
    starts = np.flatnonzero(lost)
    bounds: list[int] = [0, *(int(start) for start in starts if start), len(samples)]
    for begin, end in pairwise(bounds):
        yield samples[begin:end], int(lost[begin])


def _leave(device: IioDevice) -> None:
    try:
        device.disable()
    except DeviceError:
        if device.present():
            raise
