"""From specs to a chain that fits together: every shape, rate, label and recipe is checked before any data flows."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import msgspec

from pipelines import registry
from pipelines.closing import Closing
from pipelines.config.demo import Demo, PipelineSpec, SensorSpec
from pipelines.config.schema import Step
from pipelines.core import Action, Decoder, Engine, PartTime, Sensor, Signal, Stage, Target, Transform
from pipelines.engine_stage import EngineStage, ResidualStage
from pipelines.engines._skops import labels_of
from pipelines.errors import CapabilityError, ConfigError, EiqError, Problem, TargetError
from pipelines.fuse import fuse
from pipelines.models import Model, open_model, read_labels
from pipelines.process_engine import ProcessEngine
from pipelines.recipe import compare_recipe, described
from pipelines.shared_engine import SharedEngine


@dataclass(frozen=True)
class Graph:
    """One pipeline, resolved."""

    name: str
    sensor: Sensor
    sensor_name: str
    stages: tuple[Stage, ...]
    actions: tuple[tuple[str, Action], ...]
    engines: tuple[tuple[Model, Engine], ...] = field(default=())


def stage_order(graphs: Sequence[Graph]) -> tuple[tuple[str, str], ...]:
    """The pipelines and names under which a run tells its stages' times, in the order in which data meets them."""
    return tuple(
        (graph.name if len(graphs) > 1 else "", name)
        for graph in graphs
        for name in ("age", *(stage.name for stage in graph.stages), "total")
    )


def resolve(demo: Demo, target: Target, stack: ExitStack) -> list[Graph]:
    """Build every pipeline of a demo; ``stack`` closes what was built.

    Raises:
        ConfigError: with every step that does not fit, at its place in the file.
    """
    problems: list[Problem] = []
    shared: dict[object, SharedEngine] = {}
    several = len(demo.pipelines) > 1
    closing = Closing()
    try:
        graphs = [_Builder(target, stack, closing, shared, problems, several).graph(spec) for spec in demo.pipelines]
    finally:
        stack.enter_context(closing)  # behind the engines, so that results are written before those are closed
    if problems:
        raise ConfigError(problems)
    return [graph for graph in graphs if graph is not None]


class _Builder:
    """Builds one pipeline; what does not fit goes to ``problems``."""

    def __init__(
        self, target: Target, stack: ExitStack, closing: Closing, shared: dict[object, SharedEngine],
        problems: list[Problem], several: bool,
    ) -> None:  # fmt: skip
        self.target, self.stack, self.closing = target, stack, closing
        self.shared, self.problems, self.several = shared, problems, several
        self.engines: list[tuple[Model, Engine]] = []
        self.models: dict[str, Model] = {}  # by the engine step's path

    def graph(self, spec: PipelineSpec) -> Graph | None:
        before = len(self.problems)
        actions: list[tuple[str, Action]] = []
        for step in spec.actions:
            with self._problems_at(step):
                actions.append((step.name, self._action(step)))
        with self._problems_at(spec.sensor):
            sensor = self.target.sensor(spec.sensor.capability, spec.sensor.config)
            self.stack.callback(sensor.close)
            stages = self._stages(spec, sensor.output)
            if len(self.problems) == before:
                sensor, stages = self._offloaded(sensor, stages)
        if len(self.problems) > before:
            return None
        for step, (_, action) in zip(spec.actions, actions, strict=True):
            with self._problems_at(step):
                _show_captured(action, stages[-1].output)
                _check_labels(step, stages)
        if len(self.problems) > before:
            return None
        return Graph(spec.name, sensor, spec.sensor.capability, tuple(stages), tuple(actions), tuple(self.engines))

    def _offloaded(self, sensor: Sensor, stages: list[Stage]) -> tuple[Sensor, list[Stage]]:
        """What runs in place of the chain where the target takes over its first steps."""
        offload = getattr(self.target, "offload", None)
        if offload is None:
            return sensor, stages
        taken: tuple[Sensor, list[Stage]] = offload(sensor, stages)
        if taken[0] is not sensor:
            self.stack.callback(taken[0].close)
        return taken

    def _action(self, step: Step) -> Action:
        action: Action = registry.load("actions", step.name)(step.config, self.target)
        self.closing.add(action.close)
        return action

    def _stages(self, spec: PipelineSpec, signal: Signal) -> list[Stage]:
        stages: list[Stage] = []
        first = captured = signal  # captured: what a cascade's later steps look into
        since: list[Step] = []  # the transforms since the sensor or the last decoder: an engine's recipe
        for step in spec.steps:
            before = len(self.problems)
            with self._problems_at(step):
                stages.append(self._stage(step, signal, captured, since))
            if len(self.problems) > before:
                return []  # what follows cannot be judged without this step's signal
            stage = stages[-1]
            signal = stage.output
            if stage.kind == "decoders":
                since = []
            elif not _leaves_alone(stage.part, first=not since):
                since = [*since, step]
            if getattr(stage.part, "captures", False):
                captured = signal
        if not stages or stages[-1].kind != "decoders":
            where = spec.steps[-1].path if spec.steps else spec.name
            message = f"the chain ends with {signal}, expected a decoder at its end, such as postprocess: [top]"
            self.problems.append(spec.mark.problem(where, message))
        return _numbered(_fused(stages, spec.steps, first))

    def _stage(self, step: Step, signal: Signal, captured: Signal, since: list[Step]) -> Stage:
        if step.kind == "engines":
            return self._engine(step, signal, captured, since)
        renew = partial(self._part, step, signal, captured, since)
        return replace(renew(), renew=renew)

    def _part(self, step: Step, signal: Signal, captured: Signal, since: list[Step]) -> Stage:
        part = registry.load(step.kind, step.name)(step.config)
        if step.kind == "transforms":
            transform: Transform = part
            if hasattr(part, "follows"):
                part.follows(described(captured, since, self.models))
            return Stage(step.name, step.kind, transform.process, transform.resolve(signal), part, step.config)
        decoder: Decoder = part
        decoder.resolve(signal)
        return Stage(step.name, step.kind, lambda frame: decoder.decode(frame.data, frame), captured, part, step.config)

    def _engine(self, step: Step, signal: Signal, captured: Signal, since: list[Step]) -> Stage:
        folder = (step.node.entries or {})["model"].node.mark.folder
        model = open_model(step.config.model, folder, step.name)
        compare_recipe(model, captured, signal, since, self.problems)
        labels = read_labels(step.config.labels) if step.config.labels is not None else model.labels
        engine = self._open_engine(step, model)
        labels = labels_of(model.path, labels)
        residual = step.config.residual
        stage = (
            ResidualStage(engine, model.name, signal, residual)
            if residual
            else EngineStage(engine, model.name, signal, labels)
        )
        self.engines.append((model, engine))
        self.models[step.path] = model
        name: str = getattr(engine, "title", "") or step.name
        times: Callable[[], Iterable[PartTime]] | None = getattr(engine, "times", None)
        return Stage(name, step.kind, stage.process, stage.output, engine, step.config, None, stage.finish, times)

    def _open_engine(self, step: Step, model: Model) -> Engine:
        def build() -> Engine:
            engine = self.target.engine(step.name, step.config, model.path)
            if self.several and getattr(engine, "holds_gil", False):
                engine = ProcessEngine(engine, step.name, step.config, model.path)
            self.stack.callback(engine.close)
            return engine

        if not step.config.shared:
            return build()
        key = (step.name, model.path, msgspec.json.encode(step.config, enc_hook=str))
        if key not in self.shared:
            engine = build()
            if getattr(engine, "stateful", False):
                raise CapabilityError("got shared: true for a model that keeps a state from frame to frame, which the "
                                      "streams would mix; leave engine.shared out")  # fmt: skip
            self.shared[key] = SharedEngine(engine)
            self.stack.callback(self.shared[key].close)
        return self.shared[key]

    @contextmanager
    def _problems_at(self, place: Step | SensorSpec) -> Iterator[None]:
        """An error while building becomes a problem at the step's place, unless it is the target's own."""
        try:
            yield
        except TargetError:
            raise
        except ConfigError as error:
            self.problems.extend(error.problems)
        except EiqError as error:
            self.problems.append(place.node.mark.problem(place.path, str(error)))


def _leaves_alone(part: Any, *, first: bool) -> bool:
    """Whether an engine's recipe goes without this step: it only holds frames back, or says where to look."""
    return bool(getattr(part, "passes", False) or (first and getattr(part, "selects", False)))


def _show_captured(action: Action, captured: Signal) -> None:
    """An action with a resolve() (snapshot) is told what the results' sources look like."""
    resolve_action: Callable[[Signal], None] | None = getattr(action, "resolve", None)
    if resolve_action:
        resolve_action(captured)


def _check_labels(step: Step, stages: list[Stage]) -> None:
    """The ``labels`` that an action waits for must be some that the last decoder, or a transform, can report."""
    known: tuple[str, ...] = getattr(stages[-1].part, "labels", ())
    if known:
        found = (label for stage in stages if stage.kind == "transforms" for label in getattr(stage.part, "labels", ()))
        known = (*known, *found)
    for label in getattr(step.config, "labels", ()):
        if known and label not in known:
            raise CapabilityError(f"labels: {registry.unknown('label', label, list(known))}")


def _fused(stages: list[Stage], steps: Sequence[Step], first: Signal) -> list[Stage]:
    """The same chain, with a table where a picture's last step and the engine's quantisation can be one."""
    chain = list(stages)
    for i in range(1, len(chain)):
        step, engine = chain[i - 1], chain[i]
        # an autoencoder's residual needs the input as numbers, not as the model stores it
        if step.kind == "transforms" and engine.kind == "engines" and not steps[i].config.residual:
            signal = chain[i - 2].output if i > 1 else first
            table = fuse(step.part, steps[i - 1].config, signal, engine.part.inputs)
            if table:
                output = step.output.but(dtype=engine.part.inputs[0].dtype)
                chain[i - 1] = replace(step, process=table.process, output=output, part=table, renew=None)
    return chain


def _numbered(stages: list[Stage]) -> list[Stage]:
    names = [stage.name for stage in stages]
    return [
        replace(stage, name=f"{stage.name}{names[: i + 1].count(stage.name)}") if names.count(stage.name) > 1 else stage
        for i, stage in enumerate(stages)
    ]
