"""What a run tells beside its results: on standard error for people, on standard output as JSON."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from typing import Any, TextIO

from apps.cli.table import times
from hal.targets import shown
from pipelines.actions.jsonl import record
from pipelines.config.demo import Demo
from pipelines.core import Ended, Event, LinkBack, LinkLost, Result, SensorBack, SensorLost, StageTime, Target
from pipelines.graph import Graph
from pipelines.timing import Stats

NOTHING = (
    "no frame reached the engine: the input is shorter than one window, or a step before it held everything back "
    "(segment finds movements, health well sensors); check it, and its units"
)


class Display:
    """For people: a heading, lost and found sensors, and a summary with every stage's times."""

    def __init__(self, demo: Demo, graphs: Sequence[Graph], target: Target, stats: Stats) -> None:
        self.demo, self.graphs, self.target, self.stats = demo, graphs, target, stats
        self.modes = _Modes(graphs)
        self.err: TextIO = sys.stderr

    def start(self) -> None:
        """The heading: what runs, and on what."""
        self._say(f"{self.demo.title} on target {shown(self.target)}; Ctrl-C stops")
        for line in self.target.heading() if hasattr(self.target, "heading") else ():
            self._say(f"  {line}")
        for graph in self.graphs:
            name = f"{graph.name}: " if graph.name else ""
            where = getattr(graph.sensor, "where", "")  # a board's says that it is there
            self._say(f"  {name}{graph.sensor_name} {graph.sensor.output}{', ' + where if where else ''}")
            for model, engine in graph.engines:
                self._say(f"  {name}model {model.name}: {engine.description}")
        for led in getattr(self.target, "leds", {}).values():  # a simulator's lights are seen here
            led.watch(self._show)

    def _show(self, led: Any) -> None:
        if led.history:  # not its first, dark state
            self._say(f"           {'●' if led.is_lit else '○'} {led.name}")

    def on(self, event: Event) -> None:
        """Say what a person must know at once."""
        if isinstance(event, SensorLost):
            self._say(f"sensor lost: {event.reason}; trying to get it back", event.pipeline)
        elif isinstance(event, SensorBack):
            self._say(f"sensor is back after {event.after_s:.1f} s", event.pipeline)
        elif mode := self.modes.news(event):
            self._say(mode, event.pipeline)
        elif isinstance(event, LinkLost):
            self._say(f"link to {event.to} lost: {event.reason}; trying to get it back", event.pipeline)
        elif isinstance(event, LinkBack):
            self._say(f"{event.to} is back after {event.after_s:.2f} s; the run goes on", event.pipeline)

    def finish(self) -> None:
        """The summary."""
        for ended in self.stats.ended:
            if ended.reason == "failed" and not ended.frames:
                continue  # it never began: the error says all
            self._say(f"{ended.reason}: {ended.frames} frames, {ended.results} results", ended.pipeline)
            if ended.reason == "end of input" and not ended.frames:
                self._say(NOTHING, ended.pipeline)
        for graph in self.graphs:
            if copied := getattr(graph.sensor, "copied", 0):
                self._say(f"{copied} pictures were copied, as their source has few buffers", graph.name)
        for where, count in self.stats.dropped.items():
            away = ", or the sensor was away" if self.stats.lost else ""
            away += ", or what it sends to was away" if self.stats.links else ""
            self._say(f"dropped at {where}: {count} (the run was slower than the sensor{away})")
        if self.stats.lost:
            self._say(f"the sensor was lost {_times(self.stats.lost)}")
        for to, count in self.stats.links.items():
            self._say(f"the link to {to} was lost {_times(count)}")
        rows = [row for row in self.stats.table() if row["frames"]]
        if rows:
            elsewhere = " (where nothing else is said)" if any("measured" in row for row in rows) else ""
            self._say(f"stage times measured here{elsewhere}, in ms, the first frame apart:")
            for line in times(rows):
                self._say("  " + line)
        for line in self.target.footing() if hasattr(self.target, "footing") else ():
            self._say(line)

    def _say(self, text: str, pipeline: str = "") -> None:
        print(f"{pipeline}: {text}" if pipeline else text, file=self.err, flush=True)


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"


class _Modes:
    """What a camera or motion sensor really delivers, which it knows with its first frame: told once a pipeline."""

    def __init__(self, graphs: Sequence[Graph]) -> None:
        self._untold = {graph.name: graph for graph in graphs if hasattr(graph.sensor, "mode")}

    def news(self, event: Event) -> str:
        """In words; empty where there is nothing to say now."""
        if not self._untold or not isinstance(event, StageTime) or event.pipeline not in self._untold:
            return ""
        graph = self._untold.pop(event.pipeline)
        mode: str = graph.sensor.mode  # type: ignore[attr-defined]
        return f"{graph.sensor_name} delivers {mode}" if mode else ""


class JsonLines:
    """For programs: one object a line on standard output."""

    def __init__(self, graphs: Sequence[Graph], target: Target, stats: Stats) -> None:
        self.modes, self.target, self.stats = _Modes(graphs), target, stats

    def start(self) -> None:
        """Nothing to say yet."""

    def on(self, event: Event) -> None:
        """One line for a result, a lost or found sensor."""
        match event:
            case Result():
                self._write({"event": "result"} | record(event))
            case SensorLost():
                self._write({"event": "sensor_lost", "reason": event.reason}, event.pipeline)
            case SensorBack():
                self._write({"event": "sensor_back", "after_s": round(event.after_s, 3)}, event.pipeline)
            case StageTime():
                if mode := self.modes.news(event):
                    self._write({"event": "sensor", "mode": mode}, event.pipeline)
            case LinkLost():
                self._write({"event": "link_lost", "to": event.to, "reason": event.reason}, event.pipeline)
            case LinkBack():
                self._write({"event": "link_back", "to": event.to, "after_s": round(event.after_s, 3)}, event.pipeline)
            case Ended():
                ended = {"event": "ended", "reason": event.reason, "frames": event.frames, "results": event.results}
                self._write(ended, event.pipeline)

    def finish(self) -> None:
        """The summary's line."""
        stats = self.stats
        lost = {"sensor_lost": stats.lost, "link_lost": sum(stats.links.values())}
        board: dict[str, Any] = {"board": list(self.target.footing())} if hasattr(self.target, "footing") else {}
        board |= self.target.numbers() if hasattr(self.target, "numbers") else {}
        self._write({"event": "summary", "dropped": stats.dropped, **lost, **board, "times": "measured here",
                     "stages": stats.table()})  # fmt: skip

    @staticmethod
    def _write(fields: dict[str, Any], pipeline: str = "") -> None:
        if pipeline:
            fields["pipeline"] = pipeline
        print(json.dumps(fields), flush=True)
