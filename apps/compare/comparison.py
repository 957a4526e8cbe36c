"""Run the variants one after the other, each against the first."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from apps.cli.options import opened
from apps.compare.capture import Clerk, Heard, Link, against, link_before, links, listen
from apps.compare.layers import config_of, first_layer, kind_of
from apps.compare.memory import added
from apps.compare.report import Layer, Outcome, Report, Results, Scores, Used
from apps.compare.variants import Variant
from hal.targets import start
from pipelines.config.demo import Demo, Overrides
from pipelines.core import Engine, Result, Stage
from pipelines.errors import CapabilityError, DataError, EiqError
from pipelines.graph import Graph, stage_order
from pipelines.models import Model
from pipelines.shared_engine import SharedEngine
from pipelines.timing import Stats

MOST_FRAMES = 300


def compare(
    config: str | Path,
    variants: Sequence[Variant],
    *,
    overrides: Overrides | None = None,
    frames: int = MOST_FRAMES,
    told: Callable[[Outcome], None] | None = None,
) -> Report:
    """Run a demo in every variant over the same recording, actions left out.

    A variant that cannot run is told in its outcome, and the others go on.

    Args:
        config: a path, or the name of a bundled one.
        variants: two or more; the first is the reference.
        overrides: changes of the config; not its engine.
        frames: at most so many frames with scores.
        told: called with every outcome as soon as it is there.

    Raises:
        EiqError: the reference cannot run, or gives no scores.
    """
    reference = _Reference()
    outcomes: list[Outcome] = []
    for variant in variants:
        outcomes.append(_outcome(str(config), variant, overrides or Overrides(), frames, reference))
        if told:
            told(outcomes[-1])
    return Report(reference.title, str(config), tuple(outcomes))


class _Reference:
    """What the first variant gave."""

    def __init__(self) -> None:
        self.title = ""
        self.heard: list[Heard] = []
        self.results: dict[str, list[Result]] = {}


def _outcome(config: str, variant: Variant, overrides: Overrides, frames: int, reference: _Reference) -> Outcome:
    try:
        return _run(config, variant, overrides, frames, reference)
    except EiqError as error:
        if not reference.heard:
            raise
        return Outcome(variant.name, variant.target, variant.engine, error=" ".join(str(error).splitlines()))


def _run(config: str, variant: Variant, overrides: Overrides, frames: int, reference: _Reference) -> Outcome:
    began = time.perf_counter()
    changes = replace(overrides, engine=variant.engine, engine_sets=variant.options,
                      sensors=(*overrides.sensors, ("compare", {"pace": "fast", "loop": False})))  # fmt: skip
    with opened(config, variant.target, changes) as (demo, graphs, target):
        _check_engine(variant, graphs)
        _check_recorded(demo)
        heard = [Heard(link, frames) for graph in graphs for link in links(graph)]
        if reference.heard:
            heard = [_against(one, graphs, frames) for one in reference.heard]
        stats = Stats(order=stage_order(graphs))
        start(target, stats)
        ready_s = round(time.perf_counter() - began, 3)
        clerk = listen(graphs, heard, stats)
        if not reference.heard:
            _keep(reference, demo, heard, clerk)
            scores = tuple(Scores(one.link.pipeline, one.link.name, one.frames) for one in heard)
        else:
            scores = tuple(_scores(one, other) for one, other in zip(reference.heard, heard, strict=True))
        used = tuple(_used(model, engine, stage) for graph in graphs for model, engine, stage in _engines(graph))
        heading: Callable[[], Iterable[str]] = getattr(target, "heading", tuple)  # what a board says of itself
        return Outcome(variant.name, variant.target, variant.engine, None, tuple(heading()), used, ready_s, scores,
                       _results(reference.results, clerk.results), _rows(graphs, stats))  # fmt: skip


def _check_engine(variant: Variant, graphs: Sequence[Graph]) -> None:
    if variant.engine and not any(graph.engines for graph in graphs):
        raise CapabilityError(f"got the engine {variant.engine}, but this demo runs no model; compare targets alone")


def _check_recorded(demo: Demo) -> None:
    for pipeline in demo.pipelines:
        if getattr(pipeline.sensor.config, "live", False):
            raise CapabilityError(f"{pipeline.sensor.path} is live, and no two variants would get the same of it; "
                                  "give a recording with --input FILE")  # fmt: skip


def _against(one: Heard, graphs: Sequence[Graph], frames: int) -> Heard:
    graph = next((graph for graph in graphs if graph.name == one.link.pipeline), None)
    if graph is None:  # a file's targets section may change pipelines, too
        raise CapabilityError(f"has no pipeline {one.link.pipeline}, which the reference has; give it one")
    link = link_before(graph, one.link.behind)
    return Heard(link, frames, against(one.scores, one.link, link))


def _keep(reference: _Reference, demo: Demo, heard: list[Heard], clerk: Clerk) -> None:
    if not any(one.frames for one in heard):
        raise DataError("the reference gave no scores: the input is shorter than one window, or a step held everything "
                        "back; give a longer one with --input FILE")  # fmt: skip
    reference.title, reference.heard, reference.results = demo.title, heard, clerk.results


def _scores(reference: Heard, heard: Heard) -> Scores:
    assert heard.tally is not None  # only the reference's has none
    difference = heard.tally.difference()
    layer, no_layer = _layer(reference.link, heard) if difference.differing_frames else (None, None)
    return Scores(reference.link.pipeline, reference.link.name, heard.frames, difference, layer, no_layer)


def _layer(told: Link, heard: Heard) -> tuple[Layer | None, str | None]:
    a, b = told, heard.link
    if heard.differing is None or not (a.stage and b.stage and a.model and b.model):
        return None, "layers are shown of models, and no model gives these scores"
    if a.model.path != b.model.path:
        return None, f"layers are shown of one model file, and these are {a.model.path.name} and {b.model.path.name}"
    data, *scores = heard.differing
    return first_layer(a.model.path, (a.stage, b.stage), data, scores if a.specs and b.specs else None)


def _engines(graph: Graph) -> Iterator[tuple[Model, Engine, Stage | None]]:
    stages = [stage for stage in graph.stages if stage.kind == "engines"]
    for model, engine in graph.engines:
        yield model, engine, next((stage for stage in stages if stage.part is engine), None)


def _used(model: Model, engine: Engine, stage: Stage | None) -> Used:
    load_ms = None
    stated = engine.inner if isinstance(engine, SharedEngine) else engine
    memory: dict[str, int] = dict(getattr(stated, "memory", {}))  # an engine that knows what it takes says so
    if stage is not None and (kind := kind_of(engine)):
        config, began = config_of(stage), time.perf_counter()
        kind(config, model.path).close()
        load_ms = round((time.perf_counter() - began) * 1e3, 3)
        memory |= added(kind, config, model.path)
    return Used(model.name, model.path.stat().st_size, engine.description, load_ms, memory)


def _results(reference: dict[str, list[Result]], found: dict[str, list[Result]]) -> Results:
    names = [*reference, *(name for name in found if name not in reference)]
    a = [result for name in names for result in reference.get(name, [])]
    b = [result for name in names for result in found.get(name, [])]
    same = list(map(_named, a)) == list(map(_named, b))
    return Results(len(b), len(a), same, None if same else _first(a, b))


def _named(result: Result) -> str:
    return f"{result.pipeline}.{result.label}" if result.pipeline else result.label


def _first(a: list[Result], b: list[Result]) -> tuple[str, str]:
    """The first place where two lists that differ do."""
    both = enumerate(zip(a, b, strict=False))
    place = next((i for i, (x, y) in both if _named(x) != _named(y)), min(len(a), len(b)))
    x, y = (f"{side[place].t:.3f} s {_named(side[place])}" if place < len(side) else "" for side in (a, b))
    return x, y


def _rows(graphs: Sequence[Graph], stats: Stats) -> tuple[dict[str, Any], ...]:
    """The engines' rows and those of their parts; in a chain without an engine, a frame's whole way."""
    engines = {stage.name for graph in graphs for stage in graph.stages if stage.kind == "engines"} or {"total"}
    return tuple(row for row in stats.table() if str(row["stage"]).partition(".")[0] in engines)
