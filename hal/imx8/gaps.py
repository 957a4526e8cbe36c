"""Where a device lost samples, by the times that it gives them."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

import numpy as np

from pipelines.core import Array

AROUND = 4
"""So many samples on either side of a hole are looked at; the earliest of them tell, since a time may be late, never
early: drivers stamp in a thread, which now and then runs a period or more after the sample."""
JITTER = 0.25
"""In periods: so much earlier than expected may a time be, by jitter and a clock that is fast."""


class Gaps:
    """Tells a sample that was lost from one whose time is late.

    What is lost is by how much the earliest of the samples behind a hole are later than the earliest of those before it
    let expect. Only where one seems to be late the next ones are waited for.

    Args:
        rate_hz: about; a few percent do not matter.
    """

    def __init__(self, rate_hz: float) -> None:
        self._period = 1e9 / rate_hz
        self._place = 0
        self._known: deque[tuple[int, int]] = deque(maxlen=AROUND)  # place and time of those before
        self._stamps = np.empty(0, np.int64)
        self._samples: Array | None = None

    def add(self, stamps: Array, samples: Array) -> Iterator[tuple[Array, int]]:
        """Runs of samples without a hole, each with how many were lost before it.

        Args:
            stamps: int64 [n] in ns.
            samples: float32 [n, columns].
        """
        if self._samples is not None:
            stamps, samples = np.concatenate((self._stamps, stamps)), np.concatenate((self._samples, samples))
        times = stamps.tolist()
        begin = lost_before = 0
        for i, time in enumerate(times):
            lost = self._lost(time, times[i : i + AROUND + 1])
            if lost is None:
                break
            if lost:
                if i > begin:
                    yield samples[begin:i], lost_before
                begin, lost_before = i, lost
            self._place += lost + 1
            self._known.append((self._place, time))
        else:
            i = len(times)
        if i > begin:
            yield samples[begin:i], lost_before
        self._stamps, self._samples = stamps[i:], samples[i:]

    def _lost(self, time: int, following: list[int]) -> int | None:
        """How many before this one; None where that is not to be told yet."""
        if not self._known:
            return 0
        expected = min(before + (self._place + 1 - place) * self._period for place, before in self._known)
        if time - expected <= self._period / 2:
            return 0
        if len(following) <= AROUND:
            return None
        earliest = min(after - i * self._period for i, after in enumerate(following))
        missing = (earliest - expected) / self._period
        return 0 if missing < 1 - JITTER else round(missing)
