"""Motion as CSV: one sample per line, commas, ``.`` as decimal point.

A first line of names says which column is which: ``ax_g`` or, as many loggers write, ``aX`` without its unit, in any
order and among others. Without names, columns stand in the order of the config's channels. A column ``time``, ``t``,
``time_s``, ``time_ms`` or ``timestamp_ms`` is checked: it must increase, and fit ``rate_hz`` within 5 % on the whole.
A cell ``nan`` or ``inf`` is refused, or kept where that is asked for: then a step must look out for it.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Generator, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

from pipelines.errors import DataError

TIME_COLUMNS = {"t": 1.0, "t_s": 1.0, "time": 1.0, "time_s": 1.0, "timestamp_s": 1.0,
                "t_ms": 1e-3, "time_ms": 1e-3, "timestamp_ms": 1e-3}  # fmt: skip
LOOKED_AT = 100  # samples at the beginning whose times are checked before the run
RATE_TOLERANCE = 0.05
OR_KEEP = "or keep it (the sensor's nan: keep) and put the step health first"


@dataclass(frozen=True, slots=True)
class Layout:
    """Which column is what.

    Args:
        columns: index of the column of each channel.
        width: how many columns there are.
        first_line: 1-based number of the first line of numbers.
        time: index of the time column, if there is one, and seconds per unit of it.
        keep_nan: a sample may be nan or inf.
    """

    columns: tuple[int, ...]
    width: int
    first_line: int
    time: tuple[int, float] | None = None
    keep_nan: bool = False


def read_header(path: Path, channels: tuple[str, ...], keep_nan: bool = False) -> Layout:
    """Find the channels in the file, and check its first line of numbers.

    Raises:
        DataError: not text, channels missing, or no samples.
    """
    with closing(_lines(path)) as lines:
        line, first = next(lines, (0, []))
        named = _is_names(first)
        layout = _with_names(path, line, first, channels) if named else _without_names(path, line, first, channels)
        layout = replace(layout, keep_nan=keep_nan)
        sample = next(lines, None) if named else (line, first)
    if sample is None or not first:
        raise DataError(f"{path} holds no samples, expected lines of {', '.join(channels)}; record it again")
    _numbers(path, *sample, layout)
    return layout


def check_rate(path: Path, layout: Layout, rate_hz: float) -> None:
    """Compare the times of the first samples with ``rate_hz``, where there are times, and enough of them.

    Raises:
        DataError: they are at another rate, or do not increase.
    """
    if not layout.time:
        return
    clock, (column, unit) = _Clock(path, rate_hz), layout.time
    with closing(_lines(path)) as lines:
        rows = (row for row in lines if row[0] >= layout.first_line and len(row[1]) == layout.width)
        count = 0
        for line, row in islice(rows, LOOKED_AT):
            clock.check(line, _number(path, line, row, column, keep_nan=False) * unit)
            count += 1
    if count == LOOKED_AT:
        clock.end("in its first samples")


def read_csv(path: Path, layout: Layout, rate_hz: float | None) -> Iterator[list[float]]:
    """The samples, in the order of the channels.

    Raises:
        DataError: a line with missing or odd values, or times that do not fit; names the line.
    """
    clock = _Clock(path, rate_hz) if layout.time and rate_hz else None
    for line, row in _lines(path):
        if line < layout.first_line:
            continue
        values = _numbers(path, line, row, layout)
        if clock and layout.time:
            clock.check(line, values[layout.time[0]] * layout.time[1])
        yield [values[column] for column in layout.columns]
    if clock:
        clock.end()


class _Clock:
    """Checks a time column as it passes."""

    def __init__(self, path: Path, rate_hz: float) -> None:
        self._path, self._rate = path, rate_hz
        self._first = self._last = math.nan
        self._count = 0

    def check(self, line: int, t: float) -> None:
        if t <= self._last:
            raise DataError(f"{self._path}:{line}: time {t:g} s follows {self._last:g} s, expected it to increase")
        self._first = t if self._count == 0 else self._first
        self._last, self._count = t, self._count + 1

    def end(self, where: str = "on the whole") -> None:
        if self._count < 2:
            return
        rate = (self._count - 1) / (self._last - self._first)
        if abs(rate / self._rate - 1) > RATE_TOLERANCE:
            raise DataError(
                f"{self._path}: its time column says {rate:.4g} Hz {where}, expected {self._rate:g} Hz; "
                f"set rate_hz: {rate:.4g}, or fill in the samples that are missing"
            )


def _lines(path: Path) -> Generator[tuple[int, list[str]], None, None]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file, strict=True)
            for row in reader:
                if len(row) > 1 or "".join(row).strip():
                    yield reader.line_num, row
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path} is not CSV ({error}); expected text with one sample per line") from error


def _is_names(row: list[str]) -> bool:
    return bool(row) and not any(_is_number(cell) for cell in row)


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _with_names(path: Path, line: int, names: list[str], channels: tuple[str, ...]) -> Layout:
    names = [name.strip().lower() for name in names]
    columns: list[int] = []
    for channel in channels:
        full, bare = channel.lower(), channel.lower().rpartition("_")[0]
        found = [index for index, name in enumerate(names) if name in (full, bare)]
        if len(found) != 1:
            other = next((name for name in names if name.rpartition("_")[0] == bare), None)
            if other:
                raise DataError(f'{path}:{line}: got "{other}", expected "{channel}": the units differ; '
                                "convert the data, or set channels for a model that takes it")  # fmt: skip
            raise DataError(
                f'{path}:{line}: got the columns {", ".join(names)}, expected one called "{channel}" or "{bare}" '
                f"for each of {', '.join(channels)}; rename them or set channels"
            )
        columns += found
    time = next(((names.index(name), unit) for name, unit in TIME_COLUMNS.items() if name in names), None)
    return Layout(tuple(columns), len(names), line + 1, time)


def _without_names(path: Path, line: int, row: list[str], channels: tuple[str, ...]) -> Layout:
    if row and len(row) != len(channels):
        raise DataError(
            f"{path}:{line}: got {len(row)} columns, expected {len(channels)} ({', '.join(channels)}); "
            f"name the columns in the first line, or set channels"
        )
    return Layout(tuple(range(len(channels))), len(channels), line)


def _numbers(path: Path, line: int, row: list[str], layout: Layout) -> list[float]:
    if len(row) != layout.width:
        raise DataError(f"{path}:{line}: got {len(row)} values, expected {layout.width}; repair the line")
    values = [0.0] * layout.width
    for column in layout.columns:
        values[column] = _number(path, line, row, column, layout.keep_nan)
    if layout.time:
        values[layout.time[0]] = _number(path, line, row, layout.time[0], keep_nan=False)
    return values


def _number(path: Path, line: int, row: list[str], column: int, keep_nan: bool) -> float:
    text = row[column].strip()
    place = f'{path}:{line}: column {column + 1} holds "{text[:40]}", expected a number; repair the line'
    try:
        value = float(text)
    except ValueError as error:
        raise DataError(place) from error
    if "_" in text:  # Python reads 1_0 as 10; no logger writes that
        raise DataError(place)
    if not keep_nan and not math.isfinite(value):
        raise DataError(f"{place}, {OR_KEEP}")
    return value
