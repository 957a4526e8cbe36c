"""Motion recordings: CSV and NPY."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path
from typing import Protocol

import numpy as np

from hal.recordings.files import existing_file
from hal.recordings.motion_csv import OR_KEEP, check_rate, read_csv, read_header
from pipelines.core import Array, Signal
from pipelines.errors import DataError

EXPECTED = "a motion recording (.csv or .npy)"


class MotionFile:
    """A Recording of float32 [samples, channels], in chunks.

    Args:
        path: CSV (see ``motion_csv``), or NPY of [samples, channels] numbers.
        rate_hz: of the recording; a CSV with a time column is checked against it.
        channels: name and unit of each axis.
        chunk_ms: how much a frame holds; the last one holds what is left.
        keep_nan: samples that are not finite numbers are handed out, not refused.

    Raises:
        DataError: not such a file, other axes than ``channels``, or no samples.
    """

    def __init__(
        self, path: Path, *, rate_hz: float, channels: tuple[str, ...], chunk_ms: float, keep_nan: bool = False
    ) -> None:
        self._chunk = max(1, round(rate_hz * chunk_ms / 1000))
        self.signal = Signal((None, len(channels)), "float32", rate_hz, "motion", channels)
        existing_file(path, EXPECTED)
        readers: dict[str, type[_Csv] | type[_Npy]] = {".csv": _Csv, ".txt": _Csv, ".npy": _Npy}
        if path.suffix.lower() not in readers:
            raise DataError(f'{path} ends in "{path.suffix}", expected {EXPECTED}; rename or convert it')
        self._reader: _Reader = readers[path.suffix.lower()](path, self.signal, keep_nan)

    def read(self) -> Generator[Array, None, None]:
        yield from self._reader.chunks(self._chunk)


class _Reader(Protocol):
    def chunks(self, size: int) -> Generator[Array, None, None]: ...


class _Csv:
    def __init__(self, path: Path, signal: Signal, keep_nan: bool) -> None:
        self._path, self._signal = path, signal
        self._layout = read_header(path, signal.channels, keep_nan)
        check_rate(path, self._layout, signal.rate_hz or 0.0)

    def chunks(self, size: int) -> Generator[Array, None, None]:
        chunk, filled = np.empty((size, len(self._signal.channels)), np.float32), 0
        for row in read_csv(self._path, self._layout, self._signal.rate_hz):
            chunk[filled] = row
            filled += 1
            if filled == size:
                yield chunk
                chunk, filled = np.empty_like(chunk), 0
        if filled:
            yield chunk[:filled].copy()


class _Npy:
    def __init__(self, path: Path, signal: Signal, keep_nan: bool) -> None:
        self._path, self._axes, self._keep_nan = path, len(signal.channels), keep_nan
        data = self._data()
        if data.ndim != 2 or data.shape[1] != self._axes or data.dtype.kind not in "iuf":
            raise DataError(
                f"{path} holds {data.dtype} {list(data.shape)}, expected numbers [samples, {self._axes}] "
                f"({' '.join(signal.channels)}); reshape it or set channels"
            )
        if not len(data):
            raise DataError(f"{path} holds no samples, expected some motion; record it again")

    def chunks(self, size: int) -> Generator[Array, None, None]:
        data = self._data()
        for start in range(0, len(data), size):
            chunk = np.array(data[start : start + size], np.float32)
            if not self._keep_nan and not np.isfinite(chunk).all():
                row = start + int(np.argmin(np.isfinite(chunk).all(axis=1)))
                shown = data[row].tolist()
                raise DataError(f"{self._path}: sample {row} is {shown}, expected finite numbers; repair it, {OR_KEEP}")
            yield chunk

    def _data(self) -> Array:
        try:
            return np.lib.format.open_memmap(self._path, mode="r")  # takes no pickles, and no .npz
        except (ValueError, OSError, EOFError) as error:
            reason = str(error).partition("\n")[0]
            raise DataError(
                f"{self._path} cannot be read as .npy ({reason}), expected numbers; save it again"
            ) from error
