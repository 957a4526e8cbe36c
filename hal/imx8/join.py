"""Samples of two devices, each with times of its own, as rows at the times of the first."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pipelines.core import Array

NEAR, GAP = 0.25, 1.9
"""In periods: so near a sample stands for the time itself; so far apart two samples have lost some between them (a late
time makes a step of 1.6 or so, with nothing lost)."""
RESTARTS = 10
"""Times may go back, where a chip's counter starts anew; without a row in between not so often."""


class Join:
    """The second device's values at the first one's times, linear between the two samples around each.

    A row is left out where the second has none: before its first sample, and where it lost some. The same samples give
    the same rows however they come in pieces, as long as times go forward; where they step back it begins anew.

    Args:
        names: of the devices, for errors.
        widths: columns of each.
        rate_hz: of both, about.
        most_s: so much waits for the other at most; then the times are not of one clock.
    """

    def __init__(self, names: Sequence[str], widths: Sequence[int], rate_hz: float, most_s: float) -> None:
        self._names, self._period_ns, self._most = names, 1e9 / rate_hz, round(most_s * rate_hz)
        self._stamps = [np.empty(0, np.int64), np.empty(0, np.int64)]
        self._samples = [np.empty((0, width), np.float32) for width in widths]
        self._newest: list[int | None] = [None, None]
        self._restarts = 0

    def add(self, place: int, stamps: Array, samples: Array) -> tuple[Array, Array]:
        """Samples of one of the two, and the rows that they complete.

        Args:
            place: 0 or 1.
            stamps: int64 [n], in ns, of the clock that both have.
            samples: float32 [n, columns].

        Returns:
            The first device's stamps [rows], and float32 [rows, columns of both].

        Raises:
            ValueError: times go back again and again, or do not meet the other's.
        """
        before = self._newest[place]
        back = np.flatnonzero(np.diff(stamps, prepend=stamps[0] if before is None else before) < 0)
        if len(back):
            stamps, samples = stamps[back[-1] :], samples[back[-1] :]
            self._start_anew(place, len(back))
        self._newest[place] = int(stamps[-1])
        self._stamps[place] = np.concatenate((self._stamps[place], stamps))
        self._samples[place] = np.concatenate((self._samples[place], samples))
        rows = self._rows()
        self._restarts = 0 if len(rows[0]) else self._restarts
        if max(map(len, self._stamps)) > self._most:
            raise ValueError(self._apart())
        return rows

    def _start_anew(self, place: int, steps: int) -> None:
        self._restarts += steps
        if self._restarts > RESTARTS:
            raise ValueError(f"the times of {self._names[place]} go back")
        self._stamps = [stamps[:0] for stamps in self._stamps]
        self._samples = [samples[:0] for samples in self._samples]
        self._newest = [None, None]

    def _apart(self) -> str:
        first, second = self._newest
        names = " and ".join(self._names)
        if first is None or second is None:
            return f"of {names} only one gives samples"
        return f"the times of {names} are {abs(first - second) / 1e9:.1f} s apart, expected one clock for both"

    def _rows(self) -> tuple[Array, Array]:
        (times, other), (values, others) = self._stamps, self._samples
        ready = int(np.searchsorted(times, other[-1], side="right")) if len(other) else 0
        if not ready:
            return times[:0], np.empty((0, values.shape[1] + others.shape[1]), np.float32)
        now, values = times[:ready], values[:ready]
        after = np.searchsorted(other, now)  # the first at or behind each
        before = np.maximum(after - 1, 0)
        nearest = np.minimum(np.abs(now - other[before]), other[after] - now)
        whole = (after > 0) & (other[after] - other[before] <= GAP * self._period_ns)
        known = whole | (nearest <= NEAR * self._period_ns)
        since = other[0]  # nanoseconds of a long day are no float64
        between = [np.interp(now - since, other - since, column) for column in others.T]
        rows = np.column_stack((values, *between)).astype(np.float32)
        self._stamps[0], self._samples[0] = times[ready:], self._samples[0][ready:]
        kept = int(before[-1])  # the next row may lie right behind this one
        self._stamps[1], self._samples[1] = other[kept:], others[kept:]
        return now[known], rows[known]
