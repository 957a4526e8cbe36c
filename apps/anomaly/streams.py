"""Streams that go from normal to fault at a known time, out of real recordings, and the judge of a run over them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from apps.anomaly.data import RATE_HZ, Recording, Samples
from apps.anomaly.metrics import rate_bound

WARM_S = 180.0
"""Before this a recording of a fan switched on shows it warming up: its speed drifts by a quarter."""
NORMAL_S, FAULT_S, STEP_S = 120.0, 60.0, 60.0
EARLIER_S = 0.17
"""Each fault begins so much earlier than the one before it, around the hop and again: windows know of no joins."""
ALARM = "anomaly"

Report = tuple[float, str]


@dataclass(frozen=True)
class Join:
    """The warm end of a normal recording, then a stretch of a faulty one of the same fan, without any transition.

    Args:
        normal: what it begins with, after WARM_S.
        faulty: what it goes over to.
        at_s: when.
        from_s: where in the faulty recording.
    """

    normal: Recording
    faulty: Recording
    at_s: float
    from_s: float

    @property
    def samples(self) -> Samples:
        """[n, 3] in g."""
        parts = (_stretch(self.normal, WARM_S, self.at_s), _stretch(self.faulty, self.from_s, FAULT_S))
        return np.concatenate(parts)


def joins(recordings: Sequence[Recording], fan: int) -> Iterator[Join]:
    """Every normal recording of a fan with every stretch of every faulty one."""
    mine = [one for one in recordings if one.fan == fan]
    faults = [
        (one, float(from_s))
        for one in mine
        if one.state != "on"
        for from_s in np.arange(0.0, len(one.samples) / RATE_HZ - FAULT_S + 1e-6, STEP_S)
    ]
    pairs = ((normal, *fault) for normal in mine if normal.state == "on" for fault in faults)
    for number, (normal, faulty, from_s) in enumerate(pairs):
        yield Join(normal, faulty, NORMAL_S - number * EARLIER_S % 4, from_s)


def warm(recording: Recording) -> Samples:
    """What follows the first WARM_S of a recording, [n, 3]."""
    return recording.samples[round(WARM_S * RATE_HZ) :]


def _stretch(recording: Recording, from_s: float, seconds: float) -> Samples:
    return recording.samples[round(from_s * RATE_HZ) : round((from_s + seconds) * RATE_HZ)]


@dataclass(frozen=True)
class Verdict:
    """How runs over joins did.

    Args:
        streams: how many.
        early: in how many an alarm came before the fault, whose detection then says nothing.
        missed: in how many of the others none came within FAULT_S.
        delays_s: from the fault to the alarm, in the rest, sorted.
    """

    streams: int
    early: int
    missed: int
    delays_s: tuple[float, ...]

    def delay_s(self, quantile: float) -> float:
        """A quantile of the delays."""
        return float(np.quantile(self.delays_s, quantile)) if self.delays_s else float("nan")


def judge(runs: Sequence[tuple[Join, Sequence[Report]]]) -> Verdict:
    """Joins, each with the reports (stream time in s, label) of a run over it."""
    early = missed = 0
    delays = []
    for join, reports in runs:
        alarms = [t for t, label in reports if label == ALARM]
        if any(t <= join.at_s for t in alarms):
            early += 1
        elif not alarms:
            missed += 1
        else:
            delays.append(alarms[0] - join.at_s)
    return Verdict(len(runs), early, missed, tuple(sorted(delays)))


@dataclass(frozen=True)
class Quiet:
    """Alarms on normal streams: how many, and in how many hours."""

    alarms: int
    hours: float

    @property
    def rate(self) -> float:
        """Alarms per hour."""
        return self.alarms / self.hours

    @property
    def bound(self) -> float:
        """What the rate per hour is at most, at 95 % confidence."""
        return rate_bound(self.alarms, self.hours)
