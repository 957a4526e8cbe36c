"""A demo's file as typed specs: overrides merged, every step found and converted, nothing opened yet."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from pipelines import registry
from pipelines.config.convert import convert, named_node, shown, step
from pipelines.config.merge import assign, mapping, merge
from pipelines.config.schema import OutputPath, Step
from pipelines.config.yaml12 import Entry, Mark, Node, read
from pipelines.core import Target
from pipelines.errors import CapabilityError, ConfigError, EiqError, Problem
from pipelines.models import open_model
from pipelines.resources import bundled_config, bundled_configs, expanded

PIPELINE_KEYS = ("sensor", "preprocess", "engine", "postprocess", "steps", "actions")
DEMO_KEYS = ("title", "description", "targets", "pipelines", *PIPELINE_KEYS)


@dataclass(frozen=True)
class Overrides:
    """What the command line says over a file.

    Args:
        sets: ``--set key=value``, in order.
        sensors: options laid over every sensor, each with the name of what asks for it (``--live``) for problems;
            None takes an option away from a sensor that has it.
        engine: run every model on this engine.
        engine_sets: options of every engine, ``key=value``.
    """

    sets: tuple[str, ...] = ()
    sensors: tuple[tuple[str, dict[str, Any]], ...] = ()
    engine: str | None = None
    engine_sets: tuple[str, ...] = ()


@dataclass(frozen=True)
class SensorSpec:
    """Which capability, and its config on this target."""

    capability: str
    config: Any
    node: Node
    path: str


@dataclass(frozen=True)
class PipelineSpec:
    """One chain; ``name`` is empty where a file has one alone."""

    name: str
    sensor: SensorSpec
    steps: tuple[Step, ...]
    actions: tuple[Step, ...]
    mark: Mark


@dataclass(frozen=True)
class Demo:
    """What a file says."""

    title: str
    file: str
    pipelines: tuple[PipelineSpec, ...] = field(default=())


def find_config(name: str) -> Path:
    """The file that a command line means: a path, or the name of a bundled config.

    Raises:
        ConfigError: it is neither.
    """
    path = expanded(name)
    try:
        there, folder = path.exists(), path.is_dir()
    except OSError as error:
        raise ConfigError(
            [Problem(name, 0, 0, "", f"cannot be read ({error.strerror}); expected a YAML file")]
        ) from error
    found = bundled_config(name)
    if there and not (folder and found):  # a folder kws beside which someone runs the bundled kws
        return path
    if found:
        return found
    known = [config.name for config in bundled_configs()]
    message = f"there is no such file, and no bundled config of that name; {registry.did_you_mean(name, known)}"
    raise ConfigError([Problem(name, 0, 0, "", message)])


def load_demo(name: str, target: Target, overrides: Overrides | None = None) -> Demo:
    """Read a demo for a target.

    Args:
        name: a path, or the name of a bundled config.
        target: whose ``targets:`` section and sensor keys count.
        overrides: the command line's.

    Raises:
        ConfigError: with every problem in it.
    """
    overrides = overrides or Overrides()
    problems: list[Problem] = []
    path = find_config(name)
    root = read(path, name, problems)
    if root is None:
        raise ConfigError(problems or [Problem(name, 0, 0, "", "is empty; expected a demo")])
    if root.entries is None:
        raise ConfigError([root.mark.problem("", f"got {shown(root)}, expected a demo: sensor, engine, actions, …")])
    root = _override(root, target, overrides, problems)
    demo = _Reader(target, overrides, problems).demo(root, name)
    if problems:
        raise ConfigError(problems)
    return demo


def _override(root: Node, target: Target, overrides: Overrides, problems: list[Problem]) -> Node:
    root = _merge_target(root, target.name, problems)
    for option in overrides.sets:
        root = assign(root, option, problems)
    for option, changes in overrides.sensors:
        root = _change_sensors(root, target, option, changes, problems)
    return root


def _merge_target(root: Node, target: str, problems: list[Problem]) -> Node:
    entries = dict(root.entries or {})
    targets = entries.pop("targets", None)
    root = Node(entries, root.mark)
    if targets is None:
        return root
    if targets.node.entries is None:
        problems.append(targets.mark.problem("targets", f"got {shown(targets.node)}, expected targets by name"))
        return root
    known = registry.names("targets")
    for name, entry in targets.node.entries.items():
        if name not in known:
            problems.append(entry.mark.problem(f"targets.{name}", registry.unknown("target", name, known)))
        elif entry.node.entries is None:
            problems.append(entry.mark.problem(f"targets.{name}", f"got {shown(entry.node)}, expected keys of a demo"))
        elif name == target:
            root = merge(root, entry.node)
    return root


def _change_sensors(root: Node, target: Target, option: str, changes: dict[str, Any], problems: list[Problem]) -> Node:
    mark = Mark(option, 1, 1, Path.cwd())
    for keys, node in _sensors(root):
        named = named_node(node)
        if named is None:
            continue  # told where the sensor is read
        capability, _, options = named
        known = _option_names(target, capability)
        asked = {key: value for key, value in changes.items() if value is not None or known is None or key in known}
        if known is not None and not set(asked) <= known:
            problems.append(mark.problem(".".join(keys), f"the {capability} of target {target.name} does not take it"))
            continue
        over = Node({key: Entry(mark, Node(value, mark)) for key, value in asked.items()}, mark)
        # the capability may stand bare (sensor: microphone), so the whole sensor is laid anew
        sensor = Node({capability: Entry(options.mark, merge(options, over))}, node.mark)
        root = merge(root, mapping(keys, sensor))
    return root


def _option_names(target: Target, capability: str) -> set[str] | None:
    try:
        return {field.encode_name for field in msgspec.structs.fields(target.config_of(capability))}
    except CapabilityError:
        return None  # told where the sensor is read


def _sensors(root: Node) -> Iterator[tuple[list[str], Node]]:
    entries = root.entries or {}
    if "sensor" in entries:
        yield ["sensor"], entries["sensor"].node
    if "pipelines" in entries:
        for name, entry in (entries["pipelines"].node.entries or {}).items():
            if "sensor" in (entry.node.entries or {}):
                yield ["pipelines", name, "sensor"], (entry.node.entries or {})["sensor"].node


class _Reader:
    """Reads the merged tree; what is wrong goes to ``problems``."""

    def __init__(self, target: Target, overrides: Overrides, problems: list[Problem]) -> None:
        self.target, self.overrides, self.problems = target, overrides, problems

    def demo(self, root: Node, name: str) -> Demo:
        entries = root.entries or {}
        self._unknown_keys(entries, DEMO_KEYS, "")
        if (
            "targets" in entries
        ):  # those of the file are merged already: this one came with --set, or out of one of them
            self._problem(entries["targets"].mark, "targets", "cannot be changed here; change the keys themselves")
        title = self._text(entries, "title") or Path(name).stem
        self._text(entries, "description")
        if "pipelines" not in entries:
            pipelines = [self.pipeline(root, "")]
        else:
            for key in PIPELINE_KEYS:
                if key in entries:
                    self._problem(entries[key].mark, key, "stands beside pipelines; move it into one of them")
            pipelines = self._pipelines(entries["pipelines"])
        found = tuple(pipeline for pipeline in pipelines if pipeline)
        self._one_writer_a_file([action for pipeline in found for action in pipeline.actions])
        return Demo(title, name, found)

    def _one_writer_a_file(self, actions: list[Step]) -> None:
        """Two that write one file must both add to it: otherwise the later to start moves the other's away."""
        first: dict[str, Step] = {}
        for action in actions:
            path = getattr(action.config, "path", None)
            if not isinstance(path, OutputPath):
                continue
            other = first.setdefault(path, action)
            if other is not action and not all(getattr(one.config, "append", False) for one in (action, other)):
                message = f"{other.path} writes {path} as well; give each its own file, or both append: true"
                self._problem(action.node.mark, action.path, message)

    def _pipelines(self, entry: Entry) -> list[PipelineSpec | None]:
        named = entry.node.entries
        if not named:
            self._problem(entry.mark, "pipelines", f"got {shown(entry.node)}, expected pipelines by name")
            return []
        for name, one in named.items():
            if one.node.entries is not None:
                self._unknown_keys(one.node.entries, PIPELINE_KEYS, f"pipelines.{name}")
        return [self.pipeline(one.node, name) for name, one in named.items()]

    def pipeline(self, node: Node, name: str) -> PipelineSpec | None:
        prefix = f"pipelines.{name}." if name else ""
        entries = node.entries
        if entries is None:
            self._problem(node.mark, prefix.rstrip("."), f"got {shown(node)}, expected sensor, engine, actions, …")
            return None
        before = len(self.problems)
        if "sensor" not in entries:
            self._problem(node.mark, prefix + "sensor", "is missing; expected a sensor, such as microphone: {…}")
        sensor = self.sensor(entries["sensor"].node, prefix + "sensor") if "sensor" in entries else None
        steps = tuple(self.steps(entries, prefix))
        if "actions" in entries:
            actions = tuple(self.listed(entries["actions"], ("actions",), prefix + "actions"))
        else:
            console = step(Node("console", node.mark), ("actions",), prefix + "actions[0]", self.problems)
            actions = (console,) if console else ()
        if sensor is None or len(self.problems) > before:
            return None
        return PipelineSpec(name, sensor, steps, actions, node.mark)

    def sensor(self, node: Node, path: str) -> SensorSpec | None:
        named = named_node(node)
        if named is None:
            self._problem(node.mark, path, f"got {shown(node)}, expected one sensor, such as microphone: {{…}}")
            return None
        capability, mark, options = named
        path = f"{path}.{capability}"
        if capability not in registry.SENSORS:  # a target may have it (an led), as something else
            self._problem(mark, path, registry.unknown("sensor", capability, list(registry.SENSORS)))
            return None
        try:
            config_class = self.target.config_of(capability)
        except EiqError as error:
            self._problem(mark, path, str(error))
            return None
        config = convert(options, config_class, path, self.problems)
        return None if config is None else SensorSpec(capability, config, options, path)

    def steps(self, entries: dict[str, Entry], prefix: str) -> Iterator[Step]:
        if "steps" in entries:
            for key in ("preprocess", "engine", "postprocess"):
                if key in entries:
                    self._problem(entries[key].mark, prefix + key, "stands beside steps; move it into them")
            yield from self.listed(entries["steps"], ("transforms", "decoders"), prefix + "steps", engines=True)
            return
        if "preprocess" in entries:
            yield from self.listed(entries["preprocess"], ("transforms",), prefix + "preprocess")
        if "engine" in entries:
            entry = entries["engine"]
            engine = self.engine_step(entry.node, prefix + "engine")
            if engine:
                yield engine
        if "postprocess" in entries:
            yield from self.listed(entries["postprocess"], ("decoders", "transforms"), prefix + "postprocess")

    def listed(self, entry: Entry, kinds: tuple[str, ...], path: str, *, engines: bool = False) -> Iterator[Step]:
        if entry.node.items is None:
            self._problem(entry.mark, path, f"got {shown(entry.node)}, expected a list of steps")
            return
        for index, item in enumerate(entry.node.items):
            named = named_node(item)
            if engines and named and named[0] == "engine":
                found = self.engine_step(named[2], f"{path}[{index}].engine")
            else:
                found = step(item, kinds, f"{path}[{index}]", self.problems)
            if found:
                yield found

    def engine_step(self, node: Node, path: str) -> Step | None:
        if node.entries is None:
            self._problem(node.mark, path, f"got {shown(node)}, expected options such as {{model: kws}}")
            return None
        for option in self.overrides.engine_sets:
            node = assign(node, option, self.problems, "--engines …:")
        options = dict(node.entries or {})
        type_ = options.pop("type", None)
        try:
            name = self.overrides.engine or (str(type_.node.plain()) if type_ else self._engine_of_model(options, node))
            config_class = self.target.engine_config(name)
        except ConfigError as error:
            self.problems.extend(error.problems)
            return None
        except EiqError as error:
            self._problem(type_.mark if type_ else node.mark, f"{path}.type" if type_ else path, str(error))
            return None
        if self._of_another_engine(options, name, config_class, path):
            return None
        config = convert(Node(options, node.mark), config_class, path, self.problems)
        return None if config is None else Step("engines", name, config, node, path)

    def _of_another_engine(self, options: dict[str, Entry], name: str, config_class: type[Any], path: str) -> bool:
        """Tell options that the engine has, but not on this target."""
        here, there = (
            {field.encode_name for field in msgspec.structs.fields(config)}
            for config in (config_class, registry.load("engines", name).Config)
        )
        found = [key for key in options if key in there - here]
        for key in found:
            message = f"the engine {name} has no such option on the target {self.target.name}"
            self._problem(options[key].mark, f"{path}.{key}", f"{message}; put it under targets: sim:")
        return bool(found)

    @staticmethod
    def _engine_of_model(options: dict[str, Entry], node: Node) -> str:
        model = options.get("model")
        if model is None or not isinstance(model.node.value, str):
            return "tflite"  # the missing model is told by the conversion, by any engine's config
        return open_model(model.node.value, model.node.mark.folder).engine

    def _text(self, entries: dict[str, Entry], key: str) -> str:
        if key not in entries:
            return ""
        if not isinstance(entries[key].node.value, str):
            self._problem(entries[key].mark, key, f"got {shown(entries[key].node)}, expected text")
        return str(entries[key].node.value)

    def _unknown_keys(self, entries: dict[str, Entry], known: tuple[str, ...], path: str) -> None:
        for key, entry in entries.items():
            if key not in known:
                here = f"{path}.{key}" if path else key
                self._problem(entry.mark, here, f"unknown key; {registry.did_you_mean(key, list(known))}")

    def _problem(self, mark: Mark, path: str, message: str) -> None:
        self.problems.append(mark.problem(path, message))
