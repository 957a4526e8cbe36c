"""Samples of a sensor and windows of a stream: read over a link, and never wrong ones."""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass
from zlib import crc32

import numpy as np

from hal.rt import protocol
from hal.rt.calls import Pending
from hal.rt.descriptions import DTYPES
from hal.rt.link import Link
from hal.rt.protocol import READ_SENSOR, READ_STREAM, Samples, SensorInfo, Status, StreamResult
from hal.rt.session import CALL_S, TRIES, refuse
from pipelines.core import Array
from pipelines.errors import DeviceCorrupt

SAMPLES_CHECKED = struct.Struct("<IIIIQ")
STREAM_CHECKED = struct.Struct("<IIIIIIIIQII")
Stream = tuple[int, int, int, bool, bool]
"""What a stream was started with: sensor, model, hop, fast, features_only."""


@dataclass(frozen=True, slots=True)
class Reading:
    """Samples of a sensor.

    Args:
        at: index of the first one; later than asked for where some were lost.
        ready: how many there have been since the start.
        ended: a recording's last sample is among them.
        ticks: the board's clock when it counted them.
        data: as stored, [samples] for sound, else [samples, channels].
    """

    at: int
    ready: int
    ended: bool
    ticks: int
    data: Array


@dataclass(frozen=True, slots=True)
class Window:
    """What the board made of one window of a stream.

    Args:
        window: its index; later than asked for where some were lost.
        ready: how many there have been since the start.
        ended: there will be no more than these.
        ticks: the board's clock when the window's last sample was there.
        feature_ticks, inference_ticks: what they took.
        blob: the output blob, or the input blob where features alone were asked for; None: not there yet.
        transport_s: of the calls that brought it.
    """

    window: int
    ready: int
    ended: bool
    ticks: int
    feature_ticks: int
    inference_ticks: int
    blob: bytes | None
    transport_s: float


def read_samples(link: Link, number: int, sensor: int, info: SensorInfo, at: int, samples: int) -> Reading:
    """Up to so many samples of a sensor, from ``at`` on, in session ``number``.

    Raises:
        DeviceCorrupt: none came that fits its CRC-32.
        DeviceError: as Link.call.
    """
    dtype, channels = np.dtype(DTYPES[info.dtype]).newbyteorder("<"), len(info.channels.split())
    width = dtype.itemsize * max(1, channels)
    most = max(1, (link.max_frame - protocol.READ_SENSOR_REPLY_BYTES) // width)

    def begin(at: int, count: int) -> Pending[tuple[Samples, Status]]:
        return link.begin(READ_SENSOR, protocol.read_sensor(number, sensor, at, count), CALL_S)

    def good(call: Pending[tuple[Samples, Status]], at: int, count: int) -> Samples:
        for _ in range(TRIES):
            found, status = call.wait()
            refuse(status, f"sensor {sensor}")
            size = len(found.data)
            checked = SAMPLES_CHECKED.pack(sensor, found.at, found.ready, found.ended, found.ticks)
            right = crc32(found.data, crc32(checked)) == found.check
            right &= found.at == at if info.samples else found.at >= at  # a recording loses nothing
            if right and not size % width and size <= count * width:
                return found
            call = begin(at, count)
        raise DeviceCorrupt(f"sensor {sensor} gave samples with a wrong CRC-32 {TRIES} times; check the cable")

    first = good(begin(at, min(samples, most)), at, min(samples, most))
    parts, have = [first.data], len(first.data) // width
    end = min(samples, first.ready - first.at)
    spots = range(have, end, most) if have else range(0)
    calls = [(begin(first.at + k, min(most, end - k)), first.at + k, min(most, end - k)) for k in spots]
    for call, place, count in calls:
        part = good(call, place, count)
        if part.at != place:  # lost meanwhile: the next reading begins behind the gap
            break
        parts.append(part.data)
        if len(part.data) < count * width:
            break
    data = np.frombuffer(b"".join(parts), dtype)
    shape = (-1, channels) if channels else (-1,)
    return Reading(first.at, first.ready, first.ended, first.ticks, data.reshape(shape))


def read_window(
    link: Link, number: int, stream: Stream, window: int, *, recorded: bool, clock: Callable[[], float]
) -> Window:
    """A window's result, in session ``number``.

    Args:
        stream: what it was started with.
        recorded: of a recording, which loses nothing.

    Raises:
        DeviceCorrupt: none came that fits its CRC-32.
        DeviceError: as Link.call.
    """
    for _ in range(TRIES):
        if found := _window(link, number, stream, window, recorded, clock):
            return found
    raise DeviceCorrupt(f"window {window} came with a wrong CRC-32 {TRIES} times; check the cable")


def _window(
    link: Link, number: int, stream: Stream, window: int, recorded: bool, clock: Callable[[], float]
) -> Window | None:
    """None where a part is damaged, or was lost while it was read."""
    start = clock()

    def part(window: int, offset: int) -> tuple[StreamResult, Status]:
        found, status = link.call(READ_STREAM, protocol.read_stream(number, window, offset), CALL_S)
        if status != Status.NOT_READY:
            refuse(status, f"window {window}")
        return found, status

    first, status = part(window, 0)
    data = first.data
    while len(data) < first.bytes:
        more, status = part(first.window, len(data))
        if status != Status.OK or more.window != first.window or not more.data:
            return None
        data += more.data
    checked = STREAM_CHECKED.pack(
        *stream, first.window, first.ready, first.ended, first.ticks, first.feature_ticks,
        first.inference_ticks,
    )  # fmt: skip
    wrong = first.window != window if recorded else first.window < window  # a recording loses nothing
    if wrong or crc32(data, crc32(checked)) != first.check:
        return None
    return Window(
        first.window, first.ready, first.ended, first.ticks, first.feature_ticks, first.inference_ticks,
        data if status == Status.OK else None, clock() - start,
    )  # fmt: skip
