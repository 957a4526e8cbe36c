"""Recordings in the memory of an emulated board, which its sensors play (firmware/ports/emulated/eiq_recording.h).

Little-endian: "EIQR", version, number of sensors; of each 128 bytes: kind, dtype, channels (uint32), rate in Hz and
scale (float32), samples, offset of its data in the blob (uint32), 100 bytes of names; then the data, each from a
multiple of four on.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from pipelines.core import Array
from pipelines.errors import DataError

MAGIC, VERSION = b"EIQR", 1
HEAD, SENSOR = struct.Struct("<4sII"), struct.Struct("<IIIffII100s")
KINDS = {"motion": 0, "microphone": 1}
DTYPES = {"int16": 2, "float32": 4}
"""enum SensorKind and enum DType of firmware/eiq.erpc."""
NAMES = 99


@dataclass(frozen=True, eq=False)
class Recorded:
    """What one sensor of an emulated board plays.

    Args:
        kind: what the sensor is.
        rate_hz: samples per second.
        channels: with units, such as ("ax_g", "ay_g", "az_g"); empty for sound.
        data: int16 or float32, samples in rows (``[n, channels]``, or ``[n]`` for one channel).
        scale: real = scale * stored.
    """

    kind: Literal["motion", "microphone"]
    rate_hz: float
    channels: tuple[str, ...]
    data: Array
    scale: float = 1.0


def blob(recordings: Sequence[Recorded]) -> bytes:
    """What stands in the board's memory.

    Raises:
        DataError: a recording that no blob can hold; says what is wrong with it.
    """
    end = HEAD.size + SENSOR.size * len(recordings)
    heads, datas = [HEAD.pack(MAGIC, VERSION, len(recordings))], []
    for recording in recordings:
        data = _stored(recording)
        channels = data.shape[1] if data.ndim == 2 else 1
        names = " ".join(recording.channels).encode()
        heads.append(SENSOR.pack(KINDS[recording.kind], DTYPES[data.dtype.name], channels, recording.rate_hz,
                                 recording.scale, len(data), end, names))  # fmt: skip
        datas.append(data.tobytes() + bytes(-data.nbytes % 4))
        end += len(datas[-1])
    return b"".join([*heads, *datas])


def _stored(recording: Recorded) -> Array:
    data = recording.data
    if data.dtype.name not in DTYPES or data.ndim not in (1, 2) or not data.size:
        raise DataError(f"got a recording of {data.dtype.name}{list(data.shape)} for the board's {recording.kind}, "
                        "expected int16 or float32 samples in rows")  # fmt: skip
    names, channels = len(" ".join(recording.channels).encode()), data.shape[1] if data.ndim == 2 else 1
    if names > NAMES or len(recording.channels) not in (0, channels) or not recording.rate_hz > 0:
        got = f"{channels} channels named {' '.join(recording.channels)!r} at {recording.rate_hz:g} Hz"
        raise DataError(f"got a recording of {got}, expected a name of each in at most {NAMES} bytes, and a rate")
    return np.ascontiguousarray(data, data.dtype.newbyteorder("<"))
