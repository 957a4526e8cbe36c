"""The words of a pipeline: what flows through it, and what its parts promise. Needs numpy alone.

A transform, engine, decoder or action is a class with a ``Config`` (its YAML keys, pipelines/config/schema.py) beside
what its Protocol here says.

sensor ──► preprocess ──► engine ──► postprocess ──► actions
Sensor     Transform      Engine     Transform,      Action        (and Observers of the events of a run)
                                     Decoder
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar, Protocol, runtime_checkable

from numpy.typing import NDArray

Array = NDArray[Any]
Data = Array | tuple[Array, ...]
Box = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class Signal:
    """What a link carries.

    Args:
        shape: of one frame's data; None where a length is not known beforehand. Audio streams are ``(None,)``, images
            ``(height, width, 3)``, motion ``(None, axes)``, features ``(frames, bands)``, scores ``(classes,)``.
        dtype: numpy's name of it. Audio is float32 in [-1, 1).
        rate_hz: samples per second along axis 0 of audio, motion and features; pictures per second of a video;
            None where there is none.
        kind: audio | image | motion | features | scores | bundle.
        channels: what the last axis holds: ("r", "g", "b") for pictures, ("ax_g", "ay_g", …) for motion (the
            unit is in the name), the labels for scores; empty where it goes without saying.
        parts: the signals of a bundle (several inputs or outputs of one engine: a frame's data is then a tuple).
    """

    shape: tuple[int | None, ...]
    dtype: str
    rate_hz: float | None
    kind: str
    channels: tuple[str, ...] = ()
    parts: tuple[Signal, ...] = ()

    def __str__(self) -> str:
        if self.parts:
            return f"{self.kind} of ({', '.join(map(str, self.parts))})"
        text = f"{self.kind} {shape_text(self.shape)} {self.dtype}"
        if self.rate_hz:
            text += f" at {self.rate_hz:g} Hz"
        if 0 < len(self.channels) <= 6:
            text += f" ({' '.join(self.channels)})"
        return text

    def but(self, **changes: Any) -> Signal:
        """A copy with some fields changed."""
        return replace(self, **changes)


def shape_text(shape: Iterable[int | None]) -> str:
    """``(None, 3)`` as ``[any, 3]``."""
    return "[" + ", ".join("any" if size is None else str(size) for size in shape) + "]"


@dataclass(frozen=True, slots=True)
class Result:
    """What a decoder found.

    Args:
        t: stream time in s of the frame that it was found in.
        label: the class's name.
        score: 0 to 1.
        value: a measured quantity (an anomaly's distance, a speed), where there is one.
        unit: of the value, where it has one.
        region: x, y, width, height in pixels of ``source``, where there is one.
        source: the captured frame that caused it.
        pipeline: its name, where several run together.
    """

    t: float
    label: str
    score: float
    value: float | None = None
    region: Box | None = None
    source: Frame | None = None
    pipeline: str = ""
    unit: str = ""


@dataclass(frozen=True, slots=True)
class Frame:
    """One piece of a stream.

    A sensor's or window's data is its own: nobody writes to it again. Every later step may reuse its output buffer, so
    data from those is valid until the step's next frame.

    Args:
        data: an array as its link's Signal says; a tuple of arrays on a bundle.
        t: stream time in s at which its last sample was captured; 0 is the start of the stream.
        seq: counts frames of this link; a gap is a drop.
        at: index in the stream of its first sample (audio, motion) or picture.
        arrived: host's monotonic clock in s when its last sample arrived; None in replay.
        source: the captured frame it was made from; None where it is that itself.
        cause: in a cascade, the earlier decoder's result that this frame looks into.
        region: x, y, width, height in pixels of the captured picture: what this frame's whole picture shows of it, and
            beyond its edges where a border was added; None for all of it.
    """

    data: Data
    t: float
    seq: int
    at: int = 0
    arrived: float | None = None
    source: Frame | None = None
    cause: Result | None = None
    region: Box | None = None

    def with_data(self, data: Data, region: Box | None = None) -> Frame:
        """The next step's frame: other data, the same place in the stream, the same source; of a picture, another
        region of it where one is given."""
        source, region = self.source or self, region or self.region
        return Frame(data, self.t, self.seq, self.at, self.arrived, source, self.cause, region)

    @property
    def captured(self) -> Frame:
        """The captured frame: its source, or itself."""
        return self.source or self

    @property
    def array(self) -> Array:
        """The data of a link that carries one array; a bundle is a bug of the step that asks."""
        if isinstance(self.data, tuple):
            raise TypeError("this frame carries a bundle of arrays; its step's resolve() should have refused it")
        return self.data


@dataclass(frozen=True, slots=True)
class TensorSpec:
    """One input or output of a model: real = scale * (stored - zero_point); scale 0 is not quantised."""

    name: str
    shape: tuple[int, ...]
    dtype: str
    scale: float = 0.0
    zero_point: int = 0

    def __str__(self) -> str:
        quantised = f" (scale {self.scale:.9g}, zero point {self.zero_point})" if self.scale else ""
        return f"{self.name} {shape_text(self.shape)} {self.dtype}{quantised}"


# ---- events of a run ---------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Preview:
    """A captured frame, for whoever shows pictures; valid for as long as it is held."""

    frame: Frame
    pipeline: str = ""


@dataclass(frozen=True, slots=True)
class StageTime:
    """A stage's own time for one frame, in s.

    Stage ``age``: how old a live frame was when it was taken up. Stage ``total``: all stages and actions of a sensor's
    frame that reached the engine. Stage ``board.device``: a part of the stage ``board``.

    Args:
        measured: by whose clock, where it is not this machine's: such as "on the board, in core cycles".
    """

    stage: str
    seconds: float
    seq: int
    pipeline: str = ""
    measured: str = "here"


@dataclass(frozen=True, slots=True)
class Dropped:
    """Frames, windows or results that were not processed because the run was too slow; where, and how many."""

    where: str
    count: int
    pipeline: str = ""


@dataclass(frozen=True, slots=True)
class SensorLost:
    """The sensor went away; told once, retried with back-off."""

    reason: str
    pipeline: str = ""


@dataclass(frozen=True, slots=True)
class SensorBack:
    """The sensor is back after so many seconds."""

    after_s: float
    pipeline: str = ""


@dataclass(frozen=True, slots=True)
class LinkLost:
    """The link to a board or server was lost, or the board was reset; told once, and tried again."""

    reason: str
    pipeline: str = ""
    to: str = "the board"


@dataclass(frozen=True, slots=True)
class LinkBack:
    """It answers again after so many seconds, and what was asked of it is asked again."""

    after_s: float
    pipeline: str = ""
    to: str = "the board"


@dataclass(frozen=True, slots=True)
class Ended:
    """A pipeline's last event. reason: end of input | limit | stopped | failed."""

    reason: str
    frames: int
    results: int
    pipeline: str = ""


Event = Result | Preview | StageTime | Dropped | SensorLost | SensorBack | LinkLost | LinkBack | Ended


# ---- what the parts promise --------------------------------------------------------------------------------------


@runtime_checkable
class Sensor(Protocol):
    """A source of frames. Constructing one opens no device, but refuses a recording that cannot be read."""

    @property
    def output(self) -> Signal: ...

    @property
    def live(self) -> bool:
        """True for a device that does not wait; False for a recording, of which nothing is ever dropped."""
        ...

    def frames(self) -> Iterator[Frame]:
        """Open and deliver. Raises DeviceError when it cannot open, DeviceLost when the device goes away; after that
        it may be called again, and goes on with later ``seq``, ``at`` and ``t``."""
        ...

    def close(self) -> None:
        """Stop frames() soon, from any thread, and let go of the device. May be called twice."""
        ...


@runtime_checkable
class Transform(Protocol):
    """A step from frames to frames. Built as ``Class(config)``.

    One that may find something out by itself (a stuck sensor) hands it on as a Result, which goes to the actions past
    the rest of the chain; it has the labels that it can report as ``labels``.

    ``passes = True``: it only holds frames back, and a model need not have been trained behind it. ``follows(recipe)``,
    where it is there, is told before resolve what its input is made of, in words.
    """

    def resolve(self, signal: Signal) -> Signal:
        """What comes out, given what comes in. Raises SignalMismatch. Called once, before process."""
        ...

    def process(self, frame: Frame) -> Iterable[Frame | Result]:
        """None, one or several frames for this one."""
        ...


@runtime_checkable
class Engine(Protocol):
    """Runs a model. One thread at a time. Built as ``Class(config, path)``, which loads the model file.

    ``holds_gil = True``: no other Python thread runs while it computes, so several pipelines run it in processes.
    ``stateful = True``: its model keeps something from call to call, and is not shared among pipelines.

    Raises when built:
        ModelError: the file is not a model that this engine can run; names what is wrong with it.
    """

    @property
    def inputs(self) -> tuple[TensorSpec, ...]: ...

    @property
    def outputs(self) -> tuple[TensorSpec, ...]: ...

    @property
    def description(self) -> str:
        """What really runs, in words: runtime and version, kernels, threads. No silent fall-back hides behind it."""
        ...

    def infer(self, *x: Array) -> tuple[Array, ...]:
        """Arrays in the inputs' shapes to real-valued float32 arrays in the outputs' shapes, until the next infer.

        Quantisation happens here: a float array is quantised as the tensor says (round half away from zero, saturate);
        an array of the tensor's own dtype is taken as it is; other integers count as real values.
        """
        ...

    def reset(self) -> None:
        """Forget the state of a stateful model."""
        ...

    def close(self) -> None: ...


@runtime_checkable
class AheadEngine(Engine, Protocol):
    """An Engine that can take the next input while it computes; at most one input more than outputs is out."""

    @property
    def ahead(self) -> bool:
        """Whether it should: not where a result would wait for the next frame to come."""
        ...

    def submit(self, *x: Array) -> None:
        """Begin what ``infer`` does."""
        ...

    def collect(self) -> tuple[Array, ...]:
        """The outputs of the earliest input that is out, until the next ``collect``."""
        ...


@runtime_checkable
class Decoder(Protocol):
    """From an engine's output to results. Built as ``Class(config)``.

    One that knows beforehand which labels it can report has them as ``labels`` once resolved.
    """

    def resolve(self, signal: Signal) -> None:
        """Check the scores' signal and take its labels (``signal.channels``). Raises SignalMismatch."""
        ...

    def decode(self, y: Data, frame: Frame) -> Iterable[Result]: ...


@runtime_checkable
class Action(Protocol):
    """Does something with a result. Built as ``Class(config, target)``, which opens nothing that lasts beyond close.

    One that needs to know what the results' captured frames look like (snapshot) has a ``resolve(signal)`` too, which
    raises SignalMismatch. One with a queue of its own (mqtt) has ``watch(emit, *, live)``, called before ``start``, and
    tells by it what it loses.
    """

    background: ClassVar[bool]
    """True for what touches disk or network: it gets a bounded worker of its own."""

    def start(self) -> None:
        """A run begins. (``check`` builds actions too, and starts none.)"""
        ...

    def handle(self, result: Result) -> None: ...

    def close(self) -> None: ...


@runtime_checkable
class Observer(Protocol):
    """Watches a run. Never blocks, never changes it."""

    def on(self, event: Event) -> None: ...


@dataclass(frozen=True, slots=True)
class Stage:
    """One link of a resolved chain.

    Args:
        name: the step's, numbered where it comes twice.
        kind: transforms | engines | decoders.
        process: frames in, frames or results out.
        output: what leaves it; behind a decoder the captured signal, which a cascade's next step looks into.
        part: the transform, engine or decoder itself.
        config: the step's.
        renew: makes a transform or decoder anew, as if nothing had passed it; None for an engine, and for what keeps
            nothing from frame to frame (a table).
        finish: hands on, at the end of the input, what ``process`` still holds; None where it holds nothing.
        times: the parts of the last call's time, by name, in s, and by whose clock.
    """

    name: str
    kind: str
    process: Callable[[Frame], Iterable[Frame | Result]]
    output: Signal
    part: Any
    config: Any = None
    renew: Callable[[], Stage] | None = None
    finish: Callable[[], Iterable[Frame]] | None = None
    times: Callable[[], Iterable[PartTime]] | None = None


@dataclass(frozen=True, slots=True)
class PartTime:
    """A part of a stage's time: its name, seconds, and by whose clock."""

    name: str
    seconds: float
    measured: str = "here"


class Light(Protocol):
    """An LED of a target."""

    def on(self) -> None: ...

    def off(self) -> None: ...

    @property
    def is_lit(self) -> bool: ...


class Target(Protocol):
    """A factory of capabilities. What it cannot do raises CapabilityError and names the targets that can.

    One that can take over the first steps of a chain (features on the board) has ``offload(sensor, stages)``, which
    returns the sensor and stages to run in their place. One whose link may be lost tells LinkLost and LinkBack to who
    called its ``watch(observer)``.
    """

    name: str

    def config_of(self, capability: str) -> type[Any]:
        """The config class of a sensor (or "led") on this target: portable keys and the target's own."""
        ...

    def sensor(self, capability: str, config: Any) -> Sensor: ...

    def engine_config(self, name: str) -> type[Any]:
        """The config class of the engine of that name on this target."""
        ...

    def engine(self, name: str, config: Any, path: Path) -> Engine:
        """The engine of that name (``tflite``), with the model file at ``path``."""
        ...

    def led(self, name: str) -> Light: ...

    def start(self) -> None:
        """A run begins: what was asked for is opened. Raises DeviceError. (``check`` asks, and starts nothing.)"""
        ...

    def close(self) -> None: ...
