"""What each of several streams gets of a machine, beside what it gets alone."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from pipelines.core import Dropped, Ended, Event, StageTime
from pipelines.timing import Histogram

if TYPE_CHECKING:
    from pipelines.graph import Graph


@dataclass
class Stream:
    """One stream's share: frames after the warm-up, first and last end of one, in s; its times; its drops."""

    frames: int = 0
    first: float = 0.0
    last: float = 0.0
    dropped: int = 0
    total: Histogram = field(default_factory=Histogram)
    age: Histogram = field(default_factory=Histogram)

    @property
    def fps(self) -> float | None:
        """Frames per second; None where fewer than two were counted."""
        return (self.frames - 1) / (self.last - self.first) if self.last > self.first else None


class Streams:
    """An observer that measures each stream while all of them run: until the first has ended, from the moment on when
    all are warm.

    Args:
        warm_up: so many first frames of each stream are left out.
        clock: monotonic seconds; a test passes its own.
    """

    def __init__(self, names: Sequence[str], warm_up: int, clock: Callable[[], float] = time.perf_counter) -> None:
        self.streams = {name: Stream() for name in names}
        self._warm_up = dict.fromkeys(names, warm_up)
        self._clock = clock
        self._over = False

    def on(self, event: Event) -> None:
        """Take one event."""
        if type(event) is Ended:
            self._over = True
        if self._over:
            return
        if type(event) is StageTime and event.stage in ("age", "total"):
            self._time(event, self.streams[event.pipeline])
        elif type(event) is Dropped and not any(self._warm_up.values()):
            self.streams[event.pipeline].dropped += event.count

    def _time(self, event: StageTime, stream: Stream) -> None:
        if self._warm_up[event.pipeline]:
            self._warm_up[event.pipeline] -= event.stage == "total"
        elif any(self._warm_up.values()):
            return
        elif event.stage == "age":
            stream.age.add(event.seconds)
        else:
            stream.last = self._clock()
            stream.first = stream.first or stream.last
            stream.frames += 1
            stream.total.add(event.seconds)


Opened = Callable[[], AbstractContextManager[Sequence["Graph"]]]


def alone(open_graphs: Opened, names: Sequence[str], frames: int, warm_up: int) -> dict[str, float | None]:
    """Frames per second of each stream when it runs by itself, each in a run of its own."""
    from pipelines.run import Limits, run

    rates = {}
    for name in names:
        with open_graphs() as graphs:
            (graph,) = (replace(graph, actions=(), name="") for graph in graphs if graph.name == name)
            measured = Streams([""], warm_up)
            run([graph], [measured], Limits(frames=frames + warm_up))
        rates[name] = measured.streams[""].fps
    return rates


def rows(measured: Streams, single: dict[str, float | None]) -> list[dict[str, Any]]:
    """One row a stream: frames per second together and alone, times in ms, drops."""
    return [
        {
            "stream": name,
            "frames": stream.frames,
            "fps": _rounded(stream.fps),
            "alone_fps": _rounded(single[name]),
            "ratio": _ratio(stream.fps, single[name]),
            "total_p50_ms": _ms(stream.total, 50),
            "total_p95_ms": _ms(stream.total, 95),
            "age_p50_ms": _ms(stream.age, 50),
            "age_p95_ms": _ms(stream.age, 95),
            "dropped": stream.dropped,
        }
        for name, stream in measured.streams.items()
    ]


def lines(table: Sequence[dict[str, Any]]) -> Iterator[str]:
    """The rows for people, and what all streams reach against one after the other."""
    width = max(len("stream"), *(len(row["stream"]) for row in table))
    yield f"streams, while all of them ran; alone: the same in a run of its own; ages of live sensors; {cores()}"
    head = ("fps", "alone", "ratio", "p50", "p95", "age p50", "age p95", "drops")
    yield f"  {'stream':<{width}}" + "".join(f"{name:>9}" for name in head)
    for row in table:
        rates = f"{_text(row['fps'], 1):>9}{_text(row['alone_fps'], 1):>9}{_text(row['ratio'], 2):>9}"
        keys = ("total_p50_ms", "total_p95_ms", "age_p50_ms", "age_p95_ms")
        yield (
            f"  {row['stream']:<{width}}{rates}" + "".join(f"{_text(row[k]):>9}" for k in keys) + f"{row['dropped']:>9}"
        )
    short = [row["stream"] for row in table if row["fps"] is None or row["alone_fps"] is None]
    if short:
        yield f"  too short: {', '.join(short)} had less than two frames while all were warm; take more --frames"
        return
    together = sum(row["fps"] for row in table)
    yield f"  together {together:.1f} frames per second: {speed_up(table):.2f} times one stream alone"


def speed_up(table: Sequence[dict[str, Any]]) -> float:
    """What N streams do together, in units of one alone: N where none costs another time, 1 where they take turns."""
    return float(sum(row["ratio"] or 0 for row in table))


def cores() -> str:
    """How many this process may use."""
    count = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return f"{count} cores"


def _ratio(fps: float | None, single: float | None) -> float | None:
    return round(fps / single, 3) if fps and single else None


def _rounded(fps: float | None) -> float | None:
    return None if fps is None else round(fps, 3)


def _ms(histogram: Histogram, percent: float) -> float | None:
    return round(histogram.percentile(percent) * 1e3, 3) if histogram.count else None


def _text(value: float | None, digits: int = 3) -> str:
    return "-" if value is None else f"{value:.{digits}f}"
