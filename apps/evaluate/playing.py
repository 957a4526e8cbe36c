"""An item as a sensor: the config's own one with another recording, or an array of a data set."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec
import numpy as np

from apps.evaluate.datasets.arrays import row_of
from apps.evaluate.datasets.items import Item
from hal.recordings.files import existing_file
from hal.recordings.memory import Memory
from hal.recordings.pace import Pace
from hal.recordings.pictures import RGB
from hal.recordings.replay import Replay
from pipelines.config.demo import SensorSpec
from pipelines.core import Array, Frame, Sensor, Signal, Target
from pipelines.errors import CapabilityError, DataError


def signal_of(spec: SensorSpec) -> Signal:
    """What the sensor of a config gives, whatever it plays.

    Raises:
        CapabilityError: a sensor that no data set has items for.
    """
    match spec.capability:
        case "camera":
            return Signal((None, None, 3), "uint8", None, "image", RGB)
        case "microphone":
            return Signal((None,), "float32", spec.config.rate_hz, "audio")
        case "motion":
            return Signal((None, len(spec.config.channels)), "float32", spec.config.rate_hz, "motion",
                          tuple(spec.config.channels))  # fmt: skip
    raise CapabilityError(f"evaluate plays to a camera, microphone or motion sensor, got {spec.capability}")


class Blank:
    """The sensor of a chain that is resolved before there is an item."""

    live = False

    def __init__(self, output: Signal) -> None:
        self.output = output

    def frames(self) -> Iterator[Frame]:
        yield from ()

    def close(self) -> None:
        """Nothing is open."""


class Player:
    """Makes the sensors of items.

    Args:
        target: whose sensor it is.
        spec: the config's, of which everything but the recording counts.
        signal: what every item must give.
    """

    def __init__(self, target: Target, spec: SensorSpec, signal: Signal) -> None:
        self._target, self._spec, self._signal = target, spec, signal

    def sensor(self, item: Item) -> Sensor:
        """The item, playing as fast as it is taken.

        Raises:
            DataError: it cannot be read, or is something else than the sensor gives.
        """
        if item.row is not None:
            data = _as_signal(row_of(item.path, item.row), self._signal)
            return Replay(Memory(data, self._signal), Pace(realtime=False))
        file = existing_file(item.path, "a recording")  # a sensor would play a whole folder or glob, too
        config = msgspec.structs.replace(self._spec.config, file=str(file))
        sensor = self._target.sensor(self._spec.capability, config)
        if _but_rate(sensor.output) != _but_rate(self._signal):
            raise DataError(f"{item.path} gives {sensor.output}, expected {self._signal}; remove it from the data")
        return sensor if item.length_s is None else Piece(sensor, item.start_s, item.length_s)


def _but_rate(signal: Signal) -> Signal:
    """A picture alone has none, whatever a config's interval_ms says."""
    return signal.but(rate_hz=None) if signal.kind == "image" else signal


class Piece:
    """A part of a recording, filled up with zeros where it is shorter.

    Args:
        sensor: the recording: samples along axis 0.
        start_s: where the part begins.
        length_s: how long it is.
    """

    live = False

    def __init__(self, sensor: Sensor, start_s: float, length_s: float) -> None:
        self._sensor, self.output = sensor, sensor.output
        rate = sensor.output.rate_hz or 1.0
        self._rate, self._start, self._length = rate, round(start_s * rate), round(length_s * rate)

    def frames(self) -> Iterator[Frame]:
        done = 0
        for seq, data in enumerate(self._chunks()):
            yield Frame(data, (done + len(data)) / self._rate, seq, done)
            done += len(data)

    def _chunks(self) -> Iterator[Array]:
        left = self._length
        for frame in self._sensor.frames():
            data = frame.array[max(0, self._start - frame.at) :][:left]
            if len(data):
                left -= len(data)
                yield data
            if not left:
                return
        shape = [left, *(size or 0 for size in self.output.shape[1:])]
        yield np.zeros(shape, self.output.dtype)

    def close(self) -> None:
        self._sensor.close()


def _as_signal(data: Array, signal: Signal) -> Array:
    """An item of an array as its sensor would give it: gray pictures get three channels, int16 sound is scaled.

    Raises:
        DataError: the array is no such thing.
    """
    if signal.kind == "image":
        gray = data.ndim == 2 or (data.ndim == 3 and data.shape[2] == 1)
        picture = np.repeat(data.reshape(*data.shape[:2], 1), 3, axis=2) if gray else data
        if picture.ndim != 3 or picture.shape[2] != 3 or picture.dtype != np.uint8:
            raise _other(data, "pictures uint8 [height, width, 3]")
        return np.ascontiguousarray(picture)
    if data.ndim != len(signal.shape) or data.shape[1:] != signal.shape[1:] or data.dtype.kind not in "iuf":
        raise _other(data, f"numbers, {signal}")
    scaled = signal.kind == "audio" and data.dtype == np.int16
    samples = np.divide(data, 32768, dtype=np.float32) if scaled else np.asarray(data, np.float32)
    if not np.isfinite(samples).all():
        raise DataError("the array holds numbers that are not finite; repair it")
    return samples


def _other(data: Array, expected: Any) -> DataError:
    return DataError(f"the array's items are {data.dtype} {list(data.shape)}, expected {expected}; convert them")
