"""What host and board say to each other. Generated from firmware/eiq.erpc: run ``python -m hal.rt.idl``."""

# fmt: off
from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum
from typing import Generic, TypeVar

from hal.rt.codec import Reader, Writer
from pipelines.errors import DeviceCorrupt

T = TypeVar("T")
E = TypeVar("E", bound=IntEnum)
Binary = bytes  # a field is called bytes too


@dataclass(frozen=True, slots=True)
class Method(Generic[T]):
    """A call. decode: out arguments and what it returns, from a reply's arguments, to their last byte."""

    service: int
    method: int
    name: str
    oneway: bool
    decode: Callable[[Reader], T]


def _enum(kind: type[E], value: int) -> E:
    try:
        return kind(value)
    except ValueError:
        raise DeviceCorrupt(f"got {value} from the board, which is no {kind.__name__}") from None


def _list(reader: Reader, item: Callable[[], T]) -> tuple[T, ...]:
    return tuple([item() for _ in range(reader.u32())])  # a count too large ends where the bytes do


def _nothing(reader: Reader) -> None:
    reader.end()


PROTOCOL = 1
INTERFACE = 0x3AFF3415
# bytes of the messages that hold a binary, without what varies
DESCRIBE_MODEL_REPLY_BYTES = 52
WRITE_INPUT_REQUEST_BYTES = 28
INFER_REQUEST_BYTES = 24
INFER_REPLY_BYTES = 28
READ_OUTPUT_REPLY_BYTES = 16
READ_SENSOR_REPLY_BYTES = 37
READ_STREAM_REPLY_BYTES = 49


class Status(IntEnum):
    """Status of eiq.erpc."""

    OK = 0
    BAD_REQUEST = 1
    UNKNOWN_SERVICE = 2
    UNKNOWN_METHOD = 3
    TOO_LARGE = 4
    VERSION = 5
    NO_SESSION = 6
    NO_SUCH_MODEL = 7
    NO_SUCH_TENSOR = 8
    NO_SUCH_SENSOR = 9
    NO_SUCH_LED = 10
    INCOMPLETE = 11
    CORRUPT = 12
    MODEL_FAILED = 13
    NO_FEATURES = 14
    SENSOR_FAILED = 15
    NOT_READY = 16


class DType(IntEnum):
    """DType of eiq.erpc."""

    INT8 = 0
    UINT8 = 1
    INT16 = 2
    INT32 = 3
    FLOAT32 = 4
    BOOL = 5


class SensorKind(IntEnum):
    """SensorKind of eiq.erpc."""

    MOTION = 0
    MICROPHONE = 1


@dataclass(frozen=True, slots=True)
class BoardInfo:
    """BoardInfo of eiq.erpc."""

    protocol: int
    interface_crc: int
    max_frame: int
    rx_buffer: int
    tick_hz: int
    models: int
    sensors: int
    leds: int
    board: str
    clock: str
    build: str

    @classmethod
    def read(cls, reader: Reader) -> BoardInfo:
        """Out of a reply."""
        return cls(
            reader.u32(),
            reader.u32(),
            reader.u32(),
            reader.u32(),
            reader.u32(),
            reader.u32(),
            reader.u32(),
            reader.u32(),
            reader.string(),
            reader.string(),
            reader.string(),
        )

    def write(self, writer: Writer) -> None:
        """Into a reply."""
        writer.u32(self.protocol)
        writer.u32(self.interface_crc)
        writer.u32(self.max_frame)
        writer.u32(self.rx_buffer)
        writer.u32(self.tick_hz)
        writer.u32(self.models)
        writer.u32(self.sensors)
        writer.u32(self.leds)
        writer.string(self.board)
        writer.string(self.clock)
        writer.string(self.build)


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """ModelInfo of eiq.erpc."""

    name: str
    sha256: Binary
    recipe: Binary
    inputs: int
    outputs: int
    input_bytes: int
    output_bytes: int
    constant_bytes: int
    mutable_bytes: int
    activation_bytes: int

    @classmethod
    def read(cls, reader: Reader) -> ModelInfo:
        """Out of a reply."""
        return cls(
            reader.string(),
            reader.binary(),
            reader.binary(),
            reader.u32(),
            reader.u32(),
            reader.u32(),
            reader.u32(),
            reader.u32(),
            reader.u32(),
            reader.u32(),
        )

    def write(self, writer: Writer) -> None:
        """Into a reply."""
        writer.string(self.name)
        writer.binary(self.sha256)
        writer.binary(self.recipe)
        writer.u32(self.inputs)
        writer.u32(self.outputs)
        writer.u32(self.input_bytes)
        writer.u32(self.output_bytes)
        writer.u32(self.constant_bytes)
        writer.u32(self.mutable_bytes)
        writer.u32(self.activation_bytes)


@dataclass(frozen=True, slots=True)
class TensorInfo:
    """TensorInfo of eiq.erpc."""

    name: str
    dtype: DType
    shape: tuple[int, ...]
    scale: float
    zero_point: int
    place: int
    bytes: int

    @classmethod
    def read(cls, reader: Reader) -> TensorInfo:
        """Out of a reply."""
        return cls(
            reader.string(),
            _enum(DType, reader.i32()),
            _list(reader, reader.u32),
            reader.f32(),
            reader.i32(),
            reader.u32(),
            reader.u32(),
        )

    def write(self, writer: Writer) -> None:
        """Into a reply."""
        writer.string(self.name)
        writer.i32(self.dtype)
        writer.u32(len(self.shape))
        for item in self.shape:
            writer.u32(item)
        writer.f32(self.scale)
        writer.i32(self.zero_point)
        writer.u32(self.place)
        writer.u32(self.bytes)


@dataclass(frozen=True, slots=True)
class Inference:
    """Inference of eiq.erpc."""

    ticks: int
    check: int
    missing: tuple[int, ...]
    output: Binary

    @classmethod
    def read(cls, reader: Reader) -> Inference:
        """Out of a reply."""
        return cls(
            reader.u32(),
            reader.u32(),
            _list(reader, reader.u32),
            reader.binary(),
        )

    def write(self, writer: Writer) -> None:
        """Into a reply."""
        writer.u32(self.ticks)
        writer.u32(self.check)
        writer.u32(len(self.missing))
        for item in self.missing:
            writer.u32(item)
        writer.binary(self.output)


@dataclass(frozen=True, slots=True)
class SensorInfo:
    """SensorInfo of eiq.erpc."""

    kind: SensorKind
    dtype: DType
    rate_hz: float
    scale: float
    channels: str
    samples: int

    @classmethod
    def read(cls, reader: Reader) -> SensorInfo:
        """Out of a reply."""
        return cls(
            _enum(SensorKind, reader.i32()),
            _enum(DType, reader.i32()),
            reader.f32(),
            reader.f32(),
            reader.string(),
            reader.u32(),
        )

    def write(self, writer: Writer) -> None:
        """Into a reply."""
        writer.i32(self.kind)
        writer.i32(self.dtype)
        writer.f32(self.rate_hz)
        writer.f32(self.scale)
        writer.string(self.channels)
        writer.u32(self.samples)


@dataclass(frozen=True, slots=True)
class Samples:
    """Samples of eiq.erpc."""

    at: int
    ready: int
    ended: bool
    ticks: int
    check: int
    data: Binary

    @classmethod
    def read(cls, reader: Reader) -> Samples:
        """Out of a reply."""
        return cls(
            reader.u32(),
            reader.u32(),
            reader.boolean(),
            reader.u64(),
            reader.u32(),
            reader.binary(),
        )

    def write(self, writer: Writer) -> None:
        """Into a reply."""
        writer.u32(self.at)
        writer.u32(self.ready)
        writer.boolean(self.ended)
        writer.u64(self.ticks)
        writer.u32(self.check)
        writer.binary(self.data)


@dataclass(frozen=True, slots=True)
class StreamResult:
    """StreamResult of eiq.erpc."""

    window: int
    ready: int
    ended: bool
    ticks: int
    feature_ticks: int
    inference_ticks: int
    check: int
    bytes: int
    data: Binary

    @classmethod
    def read(cls, reader: Reader) -> StreamResult:
        """Out of a reply."""
        return cls(
            reader.u32(),
            reader.u32(),
            reader.boolean(),
            reader.u64(),
            reader.u32(),
            reader.u32(),
            reader.u32(),
            reader.u32(),
            reader.binary(),
        )

    def write(self, writer: Writer) -> None:
        """Into a reply."""
        writer.u32(self.window)
        writer.u32(self.ready)
        writer.boolean(self.ended)
        writer.u64(self.ticks)
        writer.u32(self.feature_ticks)
        writer.u32(self.inference_ticks)
        writer.u32(self.check)
        writer.u32(self.bytes)
        writer.binary(self.data)


@dataclass(frozen=True, slots=True)
class MemoryInfo:
    """MemoryInfo of eiq.erpc."""

    stack_bytes: int
    stack_used: int
    frames: int
    bad_frames: int
    overruns: int
    uptime_ms: int

    @classmethod
    def read(cls, reader: Reader) -> MemoryInfo:
        """Out of a reply."""
        return cls(
            reader.u32(),
            reader.u32(),
            reader.u32(),
            reader.u32(),
            reader.u32(),
            reader.u32(),
        )

    def write(self, writer: Writer) -> None:
        """Into a reply."""
        writer.u32(self.stack_bytes)
        writer.u32(self.stack_used)
        writer.u32(self.frames)
        writer.u32(self.bad_frames)
        writer.u32(self.overruns)
        writer.u32(self.uptime_ms)


def _decode_hello(reader: Reader) -> tuple[BoardInfo, Status]:
    result = (
        BoardInfo.read(reader),
        _enum(Status, reader.i32()),
    )
    reader.end()
    return result


HELLO: Method[tuple[BoardInfo, Status]] = Method(1, 1, "hello", False, _decode_hello)


def hello(protocol: int, interface_crc: int, session: int, max_frame: int) -> bytes:
    """The arguments of HELLO, encoded."""
    writer = Writer()
    writer.u32(protocol)
    writer.u32(interface_crc)
    writer.u32(session)
    writer.u32(max_frame)
    return writer.message()


def _decode_describe_model(reader: Reader) -> tuple[ModelInfo, Status]:
    result = (
        ModelInfo.read(reader),
        _enum(Status, reader.i32()),
    )
    reader.end()
    return result


DESCRIBE_MODEL: Method[tuple[ModelInfo, Status]] = Method(1, 2, "describe_model", False, _decode_describe_model)


def describe_model(model: int) -> bytes:
    """The arguments of DESCRIBE_MODEL, encoded."""
    writer = Writer()
    writer.u32(model)
    return writer.message()


def _decode_describe_tensor(reader: Reader) -> tuple[TensorInfo, Status]:
    result = (
        TensorInfo.read(reader),
        _enum(Status, reader.i32()),
    )
    reader.end()
    return result


DESCRIBE_TENSOR: Method[tuple[TensorInfo, Status]] = Method(1, 3, "describe_tensor", False, _decode_describe_tensor)


def describe_tensor(model: int, tensor: int) -> bytes:
    """The arguments of DESCRIBE_TENSOR, encoded."""
    writer = Writer()
    writer.u32(model)
    writer.u32(tensor)
    return writer.message()


WRITE_INPUT: Method[None] = Method(1, 4, "write_input", True, _nothing)


def write_input(session: int, model: int, check: int, offset: int, data: Binary) -> bytes:
    """The arguments of WRITE_INPUT, encoded."""
    writer = Writer()
    writer.u32(session)
    writer.u32(model)
    writer.u32(check)
    writer.u32(offset)
    writer.binary(data)
    return writer.message()


def _decode_infer(reader: Reader) -> tuple[Inference, Status]:
    result = (
        Inference.read(reader),
        _enum(Status, reader.i32()),
    )
    reader.end()
    return result


INFER: Method[tuple[Inference, Status]] = Method(1, 5, "infer", False, _decode_infer)


def infer(session: int, model: int, check: int, input: Binary) -> bytes:
    """The arguments of INFER, encoded."""
    writer = Writer()
    writer.u32(session)
    writer.u32(model)
    writer.u32(check)
    writer.binary(input)
    return writer.message()


def _decode_read_output(reader: Reader) -> tuple[Binary, Status]:
    result = (
        reader.binary(),
        _enum(Status, reader.i32()),
    )
    reader.end()
    return result


READ_OUTPUT: Method[tuple[Binary, Status]] = Method(1, 6, "read_output", False, _decode_read_output)


def read_output(session: int, model: int, check: int, offset: int, length: int) -> bytes:
    """The arguments of READ_OUTPUT, encoded."""
    writer = Writer()
    writer.u32(session)
    writer.u32(model)
    writer.u32(check)
    writer.u32(offset)
    writer.u32(length)
    return writer.message()


def _decode_describe_sensor(reader: Reader) -> tuple[SensorInfo, Status]:
    result = (
        SensorInfo.read(reader),
        _enum(Status, reader.i32()),
    )
    reader.end()
    return result


DESCRIBE_SENSOR: Method[tuple[SensorInfo, Status]] = Method(1, 7, "describe_sensor", False, _decode_describe_sensor)


def describe_sensor(sensor: int) -> bytes:
    """The arguments of DESCRIBE_SENSOR, encoded."""
    writer = Writer()
    writer.u32(sensor)
    return writer.message()


def _decode_start_sensor(reader: Reader) -> tuple[Status]:
    result = (
        _enum(Status, reader.i32()),
    )
    reader.end()
    return result


START_SENSOR: Method[tuple[Status]] = Method(1, 8, "start_sensor", False, _decode_start_sensor)


def start_sensor(session: int, sensor: int, fast: bool) -> bytes:
    """The arguments of START_SENSOR, encoded."""
    writer = Writer()
    writer.u32(session)
    writer.u32(sensor)
    writer.boolean(fast)
    return writer.message()


def _decode_read_sensor(reader: Reader) -> tuple[Samples, Status]:
    result = (
        Samples.read(reader),
        _enum(Status, reader.i32()),
    )
    reader.end()
    return result


READ_SENSOR: Method[tuple[Samples, Status]] = Method(1, 9, "read_sensor", False, _decode_read_sensor)


def read_sensor(session: int, sensor: int, at: int, samples: int) -> bytes:
    """The arguments of READ_SENSOR, encoded."""
    writer = Writer()
    writer.u32(session)
    writer.u32(sensor)
    writer.u32(at)
    writer.u32(samples)
    return writer.message()


def _decode_start_stream(reader: Reader) -> tuple[Status]:
    result = (
        _enum(Status, reader.i32()),
    )
    reader.end()
    return result


START_STREAM: Method[tuple[Status]] = Method(1, 10, "start_stream", False, _decode_start_stream)


def start_stream(session: int, sensor: int, model: int, hop: int, fast: bool, features_only: bool) -> bytes:
    """The arguments of START_STREAM, encoded."""
    writer = Writer()
    writer.u32(session)
    writer.u32(sensor)
    writer.u32(model)
    writer.u32(hop)
    writer.boolean(fast)
    writer.boolean(features_only)
    return writer.message()


def _decode_read_stream(reader: Reader) -> tuple[StreamResult, Status]:
    result = (
        StreamResult.read(reader),
        _enum(Status, reader.i32()),
    )
    reader.end()
    return result


READ_STREAM: Method[tuple[StreamResult, Status]] = Method(1, 11, "read_stream", False, _decode_read_stream)


def read_stream(session: int, window: int, offset: int) -> bytes:
    """The arguments of READ_STREAM, encoded."""
    writer = Writer()
    writer.u32(session)
    writer.u32(window)
    writer.u32(offset)
    return writer.message()


def _decode_set_led(reader: Reader) -> tuple[Status]:
    result = (
        _enum(Status, reader.i32()),
    )
    reader.end()
    return result


SET_LED: Method[tuple[Status]] = Method(1, 12, "set_led", False, _decode_set_led)


def set_led(led: int, on: bool) -> bytes:
    """The arguments of SET_LED, encoded."""
    writer = Writer()
    writer.u32(led)
    writer.boolean(on)
    return writer.message()


def _decode_memory(reader: Reader) -> tuple[MemoryInfo, Status]:
    result = (
        MemoryInfo.read(reader),
        _enum(Status, reader.i32()),
    )
    reader.end()
    return result


MEMORY: Method[tuple[MemoryInfo, Status]] = Method(1, 13, "memory", False, _decode_memory)


def memory() -> bytes:
    """The arguments of MEMORY, encoded."""
    writer = Writer()
    return writer.message()


def _decode_time(reader: Reader) -> tuple[int, Status]:
    result = (
        reader.u64(),
        _enum(Status, reader.i32()),
    )
    reader.end()
    return result


TIME: Method[tuple[int, Status]] = Method(1, 14, "time", False, _decode_time)


def time() -> bytes:
    """The arguments of TIME, encoded."""
    writer = Writer()
    return writer.message()


def _decode_reset(reader: Reader) -> tuple[Status]:
    result = (
        _enum(Status, reader.i32()),
    )
    reader.end()
    return result


RESET: Method[tuple[Status]] = Method(1, 15, "reset", False, _decode_reset)


def reset(session: int) -> bytes:
    """The arguments of RESET, encoded."""
    writer = Writer()
    writer.u32(session)
    return writer.message()


def _decode_fault(reader: Reader) -> tuple[int, int, Status]:
    result = (
        reader.u32(),
        reader.u32(),
        _enum(Status, reader.i32()),
    )
    reader.end()
    return result


FAULT: Method[tuple[int, int, Status]] = Method(255, 1, "fault", False, _decode_fault)
