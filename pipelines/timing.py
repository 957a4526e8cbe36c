"""Percentiles over all frames of a run, in bounded memory."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from pipelines.core import Dropped, Ended, Event, LinkLost, Result, SensorLost, StageTime

_PER_DECADE = 400  # buckets are 0.6 % wide: a percentile is right within 0.3 %
_FLOOR_S = 1e-8


class Histogram:
    """Durations in logarithmic buckets from 10 ns to 10 s; percentiles are right within 0.3 %, the largest exactly."""

    def __init__(self) -> None:
        self.counts: dict[int, int] = {}
        self.count = 0
        self.largest = 0.0

    def add(self, seconds: float) -> None:
        """One duration in s."""
        bucket = int(_PER_DECADE * math.log10(seconds / _FLOOR_S)) if seconds > _FLOOR_S else 0
        self.counts[bucket] = self.counts.get(bucket, 0) + 1
        self.count += 1
        if seconds > self.largest:
            self.largest = seconds

    def percentile(self, percent: float) -> float:
        """The nearest-rank percentile in s; NaN where nothing was measured."""
        rank, seen = max(1, math.ceil(percent / 100 * self.count)), 0
        for bucket in sorted(self.counts):
            seen += self.counts[bucket]
            if seen >= rank:
                return min(self.largest, _FLOOR_S * float(10 ** ((bucket + 0.5) / _PER_DECADE)))
        return math.nan


@dataclass
class Stats:
    """An observer that counts and times one pipeline or several.

    Args:
        warm_up: so many first times of every stage are kept apart (caches, lazy imports, first touch of memory).
        order: pipelines and names of stages in the order in which to show them; others follow.
    """

    warm_up: int = 1
    order: tuple[tuple[str, str], ...] = ()
    stages: dict[tuple[str, str], Histogram] = field(default_factory=dict)
    first: dict[tuple[str, str], list[float]] = field(default_factory=dict)
    measured: dict[tuple[str, str], str] = field(default_factory=dict)
    links: dict[str, int] = field(default_factory=dict)
    dropped: dict[str, int] = field(default_factory=dict)
    lost: int = 0
    results: int = 0
    ended: list[Ended] = field(default_factory=list)

    def on(self, event: Event) -> None:
        """Take one event."""
        if type(event) is StageTime:
            self._time(event)
        elif type(event) is Result:
            self.results += 1
        elif type(event) is Dropped:
            where = f"{event.pipeline}.{event.where}" if event.pipeline else event.where
            self.dropped[where] = self.dropped.get(where, 0) + event.count
        elif type(event) is SensorLost:
            self.lost += 1
        elif type(event) is LinkLost:
            self.links[event.to] = self.links.get(event.to, 0) + 1
        elif type(event) is Ended:
            self.ended.append(event)

    def _time(self, event: StageTime) -> None:
        key = (event.pipeline, event.stage)
        first = self.first.setdefault(key, [])
        if len(first) < self.warm_up:
            first.append(event.seconds)
            self.stages.setdefault(key, Histogram())
            self.measured[key] = event.measured
        else:
            self.stages[key].add(event.seconds)

    def table(self) -> list[dict[str, object]]:
        """One row a stage: its percentiles in ms over all frames after the warm-up, and the slowest of the warm-up."""
        rows: list[dict[str, object]] = []
        for pipeline, stage in sorted(self.stages, key=self._place):
            histogram = self.stages[pipeline, stage]
            row: dict[str, object] = {"pipeline": pipeline} if pipeline else {}
            row |= {"stage": stage, "frames": histogram.count}
            if self.measured[pipeline, stage] != "here":
                row["measured"] = self.measured[pipeline, stage]
            row |= {f"p{p}_ms": _ms(histogram.percentile(p)) for p in (50, 95, 99)}
            row |= {"max_ms": _ms(histogram.largest), "warm_up_ms": _ms(max(self.first[pipeline, stage]))}
            rows.append(row)
        return rows

    def _place(self, key: tuple[str, str]) -> tuple[int, str]:
        pipeline, stage = key
        whole = (pipeline, stage.partition(".")[0])  # a part of a stage follows it
        return self.order.index(whole) if whole in self.order else len(self.order), pipeline


def _ms(seconds: float) -> float | None:
    return None if math.isnan(seconds) else round(seconds * 1e3, 6)
