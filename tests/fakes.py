"""Parts of a pipeline that a test drives by hand."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from pipelines import registry
from pipelines.config.schema import Config, PositiveFloat
from pipelines.core import Engine, Event, Frame, Light, Result, Sensor, Signal, Stage, TensorSpec
from pipelines.errors import CapabilityError, DataError, EiqError, MissingDependency, SignalMismatch
from pipelines.graph import Graph

IMAGE = Signal((4, 4, 3), "uint8", None, "image", ("r", "g", "b"))
AUDIO = Signal((None,), "float32", 1000.0, "audio")


class FakeSensor:
    """Delivers the given frames; an exception among them is raised where it stands."""

    def __init__(self, items: Iterable[Frame | EiqError], signal: Signal = IMAGE, live: bool = False) -> None:
        self.items, self.output, self.live = iter(items), signal, live
        self.opened = 0
        self.closed = threading.Event()

    def frames(self) -> Iterator[Frame]:
        self.opened += 1
        for item in self.items:
            if isinstance(item, Exception):
                raise item
            yield item

    def close(self) -> None:
        self.closed.set()


def picture(seq: int, arrived: float | None = None) -> Frame:
    return Frame(np.full((4, 4, 3), seq % 256, np.uint8), t=seq / 10, seq=seq, at=seq, arrived=arrived)


class FakeEngine:
    """Adds up each input; one output per input."""

    Config = Config
    description = "adds up"

    def __init__(self, *shapes: tuple[int, ...], outputs: int = 1) -> None:
        self.inputs = tuple(TensorSpec(f"x{i}", shape, "float32") for i, shape in enumerate(shapes))
        self.outputs = tuple(TensorSpec(f"y{i}", (1, 2), "float32") for i in range(outputs))
        self.threads: set[int] = set()

    def infer(self, *x: np.ndarray) -> tuple[np.ndarray, ...]:
        self.threads.add(threading.get_ident())
        total = float(sum(a.sum() for a in x))
        return tuple(np.array([[total, i]], np.float32) for i in range(len(self.outputs)))

    def reset(self) -> None: ...

    def close(self) -> None: ...


class ChattyEngine:
    """Prints, remembers, fails at some numbers, and says in which process it runs."""

    Config = Config
    description = "adds up what came since the last reset"

    def __init__(self, config: Config, path: Path) -> None:
        if not path.exists():
            raise MissingDependency(f"{path.name} is not there, install it")
        self.path, self.sum = path, 0.0
        self.inputs = (TensorSpec("x", (1, 4), "float32"),)
        self.outputs = (TensorSpec("y", (1, 2), "float32"),)

    def infer(self, *x: np.ndarray) -> tuple[np.ndarray, ...]:
        os.write(1, b"computing\n")
        first = x[0][0, 0]
        if first < 0:
            raise DataError(f'got {first:g}, expected none below 0; "lift" it')
        if first == 7:
            raise SignalMismatch("7", "no 7", "take 8")
        if first == 55:
            (self.path / "busy").touch()
            threading.Event().wait(60)
        if first == 99:
            os.abort()
        self.sum += float(x[0].sum())
        return (np.array([[self.sum, os.getpid() % 1000]], np.float32),)

    def reset(self) -> None:
        self.sum = 0.0

    def close(self) -> None: ...


@dataclass
class Recorder:
    """An observer that keeps every event."""

    events: list[Event] = field(default_factory=list)

    def on(self, event: Event) -> None:
        self.events.append(event)

    def of(self, kind: type) -> list[Any]:
        return [event for event in self.events if isinstance(event, kind)]


class ListAction:
    """An action that keeps every result."""

    Config = Config
    background = False

    def __init__(self) -> None:
        self.results: list[Result] = []
        self.closed = False

    def start(self) -> None: ...

    def handle(self, result: Result) -> None:
        self.results.append(result)

    def close(self) -> None:
        self.closed = True


def decode_mean(frame: Frame) -> Iterator[Result]:
    yield Result(frame.t, str(int(np.asarray(frame.data).flat[0])), 1.0, source=frame.captured)


def graph(
    sensor: Sensor, *stages: Stage, action: Any = None, decode: Callable[[Frame], Iterable[Result]] = decode_mean
) -> Graph:
    """A sensor, stages, a decoder that reads the first number, and an action."""
    decoder = Stage("decode", "decoders", decode, sensor.output, None)
    return Graph("", sensor, "camera", (*stages, decoder), (("list", action),) if action else ())


class FakeTarget:
    """A target whose camera shows what the test gives it."""

    name = "sim"

    class Camera(Config, frozen=True, kw_only=True):
        file: str | None = None
        live: bool = False
        pace: str = "realtime"
        fps: PositiveFloat = 10.0

    def __init__(self, signal: Signal = IMAGE, frames: Iterable[Frame] = ()) -> None:
        self.signal, self.frames = signal, frames
        self.configs: list[Any] = []

    def config_of(self, capability: str) -> type[Any]:
        if capability != "camera":
            raise CapabilityError(f"unknown capability {capability!r}")
        return self.Camera

    def sensor(self, capability: str, config: Any) -> Sensor:
        self.configs.append(config)
        return FakeSensor(self.frames, self.signal)

    def engine_config(self, name: str) -> type[Any]:
        config: type[Any] = registry.load("engines", name).Config
        return config

    def engine(self, name: str, config: Any, path: Path) -> Engine:
        engine: Engine = registry.load("engines", name)(config, path)
        return engine

    def led(self, name: str) -> Light:
        raise CapabilityError("no led here")

    def start(self) -> None: ...

    def close(self) -> None: ...
