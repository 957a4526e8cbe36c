"""Runs a demo and takes down what its engines say, without touching what the demo does."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

import numpy as np

from apps.compare.differences import Key, Taken, Tally, alike, steps_of
from pipelines.core import Data, Event, Frame, Result, Sensor, Signal, Stage, TensorSpec
from pipelines.errors import CapabilityError
from pipelines.graph import Graph
from pipelines.models import Model
from pipelines.run import run
from pipelines.timing import Stats


@dataclass(frozen=True)
class Link:
    """Where scores are taken down.

    Args:
        pipeline: the graph's name.
        behind: how many stages stand behind it: the same in every variant, whatever a board does of what is before.
        stage: what gives the scores; None where the sensor hands them on by itself.
        model: the engine's; None where no engine here gives them.
        name: of the stage, or of the sensor.
        signal: what it carries.
    """

    pipeline: str
    behind: int
    stage: Stage | None
    model: Model | None
    name: str
    signal: Signal

    @property
    def specs(self) -> tuple[TensorSpec, ...]:
        """The engine's outputs where the link carries them as they are (a residual is another thing)."""
        if self.stage is None or self.stage.kind != "engines" or getattr(self.stage.config, "residual", None):
            return ()
        return tuple(self.stage.part.outputs)

    @property
    def first(self) -> Signal:
        """The first output's, which has the labels."""
        return self.signal.parts[0] if self.signal.parts else self.signal


def links(graph: Graph) -> list[Link]:
    """Behind every engine; in a chain without one, into the last decoder."""
    engines = [place for place, stage in enumerate(graph.stages) if stage.kind == "engines"]
    return [link_before(graph, len(graph.stages) - 1 - place) for place in engines] or [link_before(graph, 1)]


def link_before(graph: Graph, behind: int) -> Link:
    """The link with so many stages behind it.

    Raises:
        CapabilityError: the chain is shorter than that.
    """
    place = len(graph.stages) - behind
    if place < 0:
        raise CapabilityError(f"hands on results only (its chain has {len(graph.stages)} steps of at least {behind}); "
                              "leave it out")  # fmt: skip
    if place == 0:
        return Link(graph.name, behind, None, None, graph.sensor_name, graph.sensor.output)
    stage = graph.stages[place - 1]
    before = sum(stage.kind == "engines" for stage in graph.stages[: place - 1])
    model = graph.engines[before][0] if stage.kind == "engines" else None
    return Link(graph.name, behind, stage, model, stage.name, stage.output)


@dataclass
class Heard:
    """What one link said.

    Args:
        most: keep so many frames; those after it go no further.
        tally: compares as it comes; None for the reference, of which every frame is kept.
        differing: of the first frame that differs what went into the engine, and both scores.
    """

    link: Link
    most: int
    tally: Tally | None = None
    frames: int = 0
    scores: dict[Key, Taken] = field(default_factory=dict)
    differing: tuple[Data, Taken, Taken] | None = None
    _at: dict[int, int] = field(default_factory=dict)
    _inputs: deque[Frame] = field(default_factory=lambda: deque(maxlen=2))  # the last two that went in

    @property
    def enough(self) -> bool:
        return self.frames >= self.most

    def engine(self, stage: Stage, frame: Frame) -> Iterable[Frame | Result]:
        """In the engine's place: remembers what goes in."""
        if getattr(stage.part, "ahead", False):  # its scores come when the next frame is on its way
            frame = frame.with_data(_copy(frame.data))
        self._inputs.append(frame)
        return stage.process(frame)

    def score(self, frame: Frame) -> Iterable[Frame]:
        """A stage behind the engine: takes down what came out."""
        if self.enough:
            return ()
        self.frames += 1
        seen = self._at.get(frame.at, 0)
        self._at[frame.at] = seen + 1
        parts = frame.data if isinstance(frame.data, tuple) else (frame.data,)
        values = np.concatenate([part.ravel() for part in parts]).astype(np.float32, copy=False)
        self._take((frame.at, seen), Taken(frame.t, values))
        return (frame,)

    def _take(self, key: Key, taken: Taken) -> None:
        if self.tally is None:
            self.scores[key] = taken
        elif self.tally.add(key, taken) and self.differing is None:
            given = next((frame for frame in reversed(self._inputs) if frame.at == key[0]), None)
            if given is not None:
                self.differing = (_copy(given.data), self.tally.reference[key], taken)


def _copy(data: Data) -> Data:
    return tuple(part.copy() for part in data) if isinstance(data, tuple) else data.copy()


class Until:
    """A sensor that ends when enough was heard."""

    def __init__(self, sensor: Sensor, heard: Heard) -> None:
        self._sensor, self._heard = sensor, heard
        self.output, self.live = sensor.output, sensor.live

    def frames(self) -> Iterator[Frame]:
        for frame in self._sensor.frames():
            yield frame
            if self._heard.enough:
                return

    def close(self) -> None:
        self._sensor.close()


@dataclass
class Clerk:
    """An observer that keeps the results of each pipeline."""

    results: dict[str, list[Result]] = field(default_factory=dict)

    def on(self, event: Event) -> None:
        if isinstance(event, Result):
            # the picture that it was found in would be kept with it
            self.results.setdefault(event.pipeline, []).append(replace(event, source=None))


def listen(graphs: Sequence[Graph], heard: Sequence[Heard], stats: Stats) -> Clerk:
    """Run the graphs that are heard, their actions left out, until the input ends or everything was heard."""
    clerk = Clerk()
    chains = [(graph, [one for one in heard if one.link.pipeline == graph.name]) for graph in graphs]
    run([_listening(graph, own) for graph, own in chains if own], [stats, clerk])
    return clerk


def _listening(graph: Graph, heard: list[Heard]) -> Graph:
    stages: list[Stage] = list(graph.stages)
    for one in sorted(heard, key=lambda one: one.link.behind):  # from the end on, so that places stay
        place = len(graph.stages) - one.link.behind
        stages.insert(place, Stage("scores", "transforms", one.score, one.link.signal, None))
        stage = one.link.stage
        if stage is not None and stage.kind == "engines":
            stages[place - 1] = replace(stage, process=partial(one.engine, stage))
    last = min(heard, key=lambda one: one.link.behind)
    return replace(graph, stages=tuple(stages), sensor=Until(graph.sensor, last), actions=())


def against(reference: Mapping[Key, Taken], told: Link, link: Link) -> Tally:
    """A tally of a link's frames against those of the reference's link ``told``.

    Raises:
        CapabilityError: the same labels are in another order.
    """
    size = next(iter(reference.values())).values.size if reference else 0
    first = [size or 1 for size in told.first.shape]
    classes = int(np.prod(first)) if told.signal.parts else size
    labels = told.first.channels if len(told.first.channels) == classes else ()
    if told.signal.parts and not labels:  # the first of several outputs, a detector's boxes, has no best
        classes = 1
    own = link.first.channels
    if labels and own != labels and sorted(own) == sorted(labels):  # values are compared place by place
        place = next(i for i, (a, b) in enumerate(zip(labels, own, strict=True)) if a != b)
        raise CapabilityError(f"has the reference's labels in another order ({own[place]} is number {place + 1}, where "
                              f"the reference has {labels[place]}); give both the same")  # fmt: skip
    steps = steps_of(told.specs, link.specs)
    return Tally(reference, steps, labels, classes, whole=alike(told.specs, link.specs))
