"""Runs items through the very chain that ``eiq-demo run`` runs, each one as if it were the only one."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from apps.evaluate.datasets.items import Item
from apps.evaluate.playing import Blank, Player, signal_of
from apps.evaluate.report import Used
from hal.targets import open_target
from pipelines import registry
from pipelines.config.demo import Demo, Overrides, PipelineSpec, load_demo
from pipelines.core import Array, Box, Engine, Frame, Result, Sensor, Signal, Stage, Target
from pipelines.errors import CapabilityError, ConfigError, DataError, Problem
from pipelines.graph import Graph, resolve
from pipelines.models import sha256
from pipelines.renew import renewed
from pipelines.run import run


@dataclass(frozen=True)
class Job:
    """What every process that scores must know to do the very same.

    Args:
        config: the config's name or absolute path.
        target: what it runs on.
        overrides: the command line's changes.
        pipeline: which one, of a config that has several.
        per_frame: keep each frame's scores; else their mean.
    """

    config: str
    target: str = "sim"
    overrides: Overrides = field(default_factory=Overrides)
    pipeline: str | None = None
    per_frame: bool = False


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one item.

    Args:
        index: the item's place in the data set.
        frames: how many frames of it had scores.
        scores: float64 [values], the mean over its frames; [frames, values] where each frame counts; None without any.
        reports: what the config's last decoder reported: label to the sum of its scores, in the order of first reports.
        told: what a step before the decoder reported by itself (a stuck sensor).
        error: why it could not be read; empty where it could.
        size: width and height of the picture that a detector looked into, in pixels.
        found: by a detector: label, score, and x, y, width, height in pixels.
    """

    index: int
    frames: int = 0
    scores: Array | None = None
    reports: tuple[tuple[str, float], ...] = ()
    told: tuple[str, ...] = ()
    error: str = ""
    size: tuple[int, int] = (0, 0)
    found: tuple[tuple[str, float, Box], ...] = ()


@dataclass
class _Heard:
    """What is taken down while an item plays."""

    output: int
    of: int | None
    per_frame: bool
    scores: list[Array] = field(default_factory=list)
    frames: int = 0
    reports: dict[str, float] = field(default_factory=dict)
    told: list[str] = field(default_factory=list)
    size: tuple[int, int] = (0, 0)
    found: list[tuple[str, float, Box]] = field(default_factory=list)

    def see(self, frame: Frame) -> Iterable[Frame]:
        height, width = frame.array.shape[:2]
        self.size = width, height
        self.frames += 1
        return (frame,)

    def score(self, frame: Frame) -> Iterable[Frame]:
        data = frame.data[self.output] if isinstance(frame.data, tuple) else frame.data
        values = data.ravel() if self.of is None else data.ravel()[self.of : self.of + 1]
        if self.per_frame or not self.frames:
            self.scores.append(values.astype(np.float64))
        else:
            self.scores[0] += values
        self.frames += 1
        return (frame,)

    def report(self, stage: Stage, frame: Frame) -> Iterator[Frame | Result]:
        for out in stage.process(frame):
            if isinstance(out, Result):
                self.reports[out.label] = self.reports.get(out.label, 0.0) + out.score
                if out.region is not None:
                    self.found.append((out.label, out.score, out.region))
            yield out

    def tell(self, stage: Stage, frame: Frame) -> Iterator[Frame | Result]:
        for out in stage.process(frame):
            if isinstance(out, Result) and out.label not in self.told:
                self.told.append(out.label)
            yield out

    def outcome(self, index: int) -> Outcome:
        scores = None
        if self.scores:
            scores = np.stack(self.scores) if self.per_frame else self.scores[0] / self.frames
        return Outcome(index, self.frames, scores, tuple(self.reports.items()), tuple(self.told),
                       size=self.size, found=tuple(self.found))  # fmt: skip


class Scorer:
    """A resolved config, with items in place of its sensor's recording.

    What is scored is the link into the last decoder, or into the first ``smooth`` before it: what one frame says by
    itself.

    Attributes:
        graph: what runs; ``player`` makes an item its sensor.
        signal: of the scores.
        labels: of the scores; empty where they are values.
        values: how many a frame has.
        detects: it ends in boxes; what counts is these, of every picture, and ``labels`` are those it can report.
        threshold, most: below which such a config reports nothing, and at most how many boxes of a picture.
        rising: False where a lower value is what is reported (``threshold: {below: …}``); classes' scores always rise.
        reported: the labels that the config can report; ``cleared`` those that say that something is over.
        used: the models that run.
    """

    def __init__(self, demo: Demo, spec: PipelineSpec, graph: Graph, target: Target, *, per_frame: bool) -> None:
        self.title, self.sensor_name = demo.title, spec.sensor.capability
        self.graph, self._per_frame = graph, per_frame
        self.player = Player(target, spec.sensor, graph.sensor.output)
        decoder, config = graph.stages[-1], spec.steps[-1].config
        self._output: int = getattr(config, "output", 0)
        self.detects = isinstance(decoder.part, registry.load("decoders", "boxes"))
        self.threshold = float(config.threshold) if self.detects else 0.0
        self.most = int(config.most) if self.detects else 0
        self._tap = -1 if self.detects else _tap(graph)
        signal = graph.stages[self._tap].output if self._tap >= 0 else graph.sensor.output
        self.signal = signal.parts[self._output] if signal.parts else signal
        names = self.signal.channels
        self.labels: tuple[str, ...] = ()  # one alone names a value
        if self.detects:
            self.labels = decoder.part.labels
        elif self.signal.kind == "scores" and len(names) > 1:
            self.labels = names
        self._of = None if self.labels else _place(getattr(config, "of", None), self.signal)
        self.values = 1 if self._of is not None else prod(size or 0 for size in self.signal.shape)
        self.rising = bool(self.labels) or getattr(config, "below", None) is None
        cleared = getattr(config, "cleared", None)
        self.cleared = (cleared,) if cleared else ()
        self.reported: tuple[str, ...] = tuple(getattr(decoder.part, "labels", ()))
        self.used = tuple(Used(model.name, sha256(model.path), engine.description) for model, engine in graph.engines)

    def outcome(self, index: int, item: Item) -> Outcome:
        """Play one item. What cannot be read is told in the outcome; any other error is raised."""
        heard = _Heard(self._output, self._of, self._per_frame)
        try:
            sensor = self.player.sensor(item)
            run([replace(self.graph, sensor=sensor, stages=tuple(self._stages(heard)))], [])
        except DataError as error:
            return Outcome(index, error=str(error))
        return heard.outcome(index)

    def _stages(self, heard: _Heard) -> Iterator[Stage]:
        stages = renewed(self.graph)
        if self._tap < 0:
            yield _listening(self.graph.sensor.output, heard.see if self.detects else heard.score)
        for place, stage in enumerate(stages):
            if place == len(stages) - 1:
                yield replace(stage, process=partial(heard.report, stage))
            elif stage.kind == "transforms" and hasattr(stage.part, "labels"):
                yield replace(stage, process=partial(heard.tell, stage))
            else:
                yield stage
            if place == self._tap:
                yield _listening(stage.output, heard.score)


def _listening(signal: Signal, hear: Callable[[Frame], Iterable[Frame]]) -> Stage:
    return Stage("scores", "transforms", hear, signal, None)


def _place(of: int | str | None, signal: Signal) -> int | None:
    """Which of several values a threshold looks at."""
    return signal.channels.index(of) if isinstance(of, str) else of


def _tap(graph: Graph) -> int:
    """The place of the stage whose output is scored; -1 for the sensor's own."""
    smooth = registry.load("transforms", "smooth")
    place = len(graph.stages) - 2
    first = max((i for i, stage in enumerate(graph.stages[:-1]) if stage.kind == "decoders"), default=-1) + 1
    smoothing = [i for i in range(first, place + 1) if isinstance(graph.stages[i].part, smooth)]
    return smoothing[0] - 1 if smoothing else place


@contextmanager
def opened(job: Job) -> Iterator[Scorer]:
    """The config of a job, resolved; everything is closed at the end.

    Raises:
        ConfigError: with every problem of the file.
        EiqError: there is no such target, or its sensors play no recordings.
    """
    with ExitStack() as stack:
        target = open_target(job.target)
        stack.callback(target.close)
        demo = load_demo(job.config, target, job.overrides)
        spec = _pipeline(demo, job.pipeline)
        _check_learned(spec)
        signal = signal_of(spec.sensor)
        chain = replace(demo, pipelines=(replace(spec, name="", actions=()),))
        (graph,) = resolve(chain, _Silent(target, signal), stack)
        target.start()
        yield Scorer(demo, spec, graph, target, per_frame=job.per_frame)


def _pipeline(demo: Demo, name: str | None) -> PipelineSpec:
    names = [spec.name for spec in demo.pipelines]
    if name is None and len(names) > 1:
        message = f"has the pipelines {', '.join(names)}; name the one to evaluate with --pipeline"
        raise ConfigError([Problem(demo.file, 0, 0, "pipelines", message)])
    if name is not None and name not in names:
        message = f"got --pipeline {name}, expected one of: {', '.join(filter(None, names)) or '(none: leave it out)'}"
        raise ConfigError([Problem(demo.file, 0, 0, "pipelines", message)])
    return demo.pipelines[0 if name is None else names.index(name)]


def _check_learned(spec: PipelineSpec) -> None:
    """Raises CapabilityError at a step that would learn from the very items that it is to judge."""
    for step in spec.steps:
        if step.kind != "transforms" or not hasattr(registry.load(step.kind, step.name), "learns"):
            continue
        path = step.config.file
        if path is None or step.config.relearn or not Path(path).exists():
            raise CapabilityError(
                f"{step.path} would learn from the items; give it a file (file: normal.json), run the config on what "
                "it should learn from first (eiq-demo run CONFIG --input FILE), and evaluate without relearn"
            )


class _Silent:
    """A target whose sensor plays nothing yet."""

    def __init__(self, target: Target, signal: Signal) -> None:
        self.name, self._target, self._signal = target.name, target, signal

    def config_of(self, capability: str) -> type[Any]:
        return self._target.config_of(capability)

    def engine_config(self, name: str) -> type[Any]:
        return self._target.engine_config(name)

    def start(self) -> None:
        self._target.start()

    def sensor(self, capability: str, config: Any) -> Sensor:
        return Blank(self._signal)

    def engine(self, name: str, config: Any, path: Any) -> Engine:
        return self._target.engine(name, config, path)

    def led(self, name: str) -> Any:
        return self._target.led(name)

    def close(self) -> None:
        """Whoever opened the target closes it."""
