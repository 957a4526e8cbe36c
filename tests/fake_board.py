"""A board in Python, in virtual time: it takes requests as eiq.erpc says, over a wire whose faults a test chooses.

The numbers come from a function of the test, so that a test knows the right answer without any firmware.
"""

from __future__ import annotations

import hashlib
import struct
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from zlib import crc32

from hal.rt import protocol
from hal.rt.codec import Reader, Writer
from hal.rt.frames import Decoder, encode
from hal.rt.protocol import (
    BoardInfo,
    DType,
    Inference,
    MemoryInfo,
    ModelInfo,
    Samples,
    SensorInfo,
    SensorKind,
    Status,
    StreamResult,
    TensorInfo,
)

CALLS = {
    method.method: method.name
    for method in vars(protocol).values()
    if isinstance(method, protocol.Method) and method.service == 1
}
Spoil = Callable[[bytes], bytes]
STREAM = "<IIIIIIIIQII"
"""What the check of a stream's result covers beside the result."""


class FakeClock:
    """Virtual monotonic time in s."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


@dataclass
class FakeModel:
    """``run``: from input blob to output blob; ``seconds`` of the board's time."""

    name: str
    input_bytes: int
    output_bytes: int
    seconds: float = 0.001
    run: Callable[[bytes], bytes] | None = None

    @property
    def sha256(self) -> bytes:
        return hashlib.sha256(self.name.encode()).digest()

    def output(self, blob: bytes) -> bytes:
        if self.run:
            return self.run(blob)
        digest = hashlib.sha256(self.name.encode() + blob).digest()
        return (digest * (self.output_bytes // 32 + 1))[: self.output_bytes]


@dataclass
class FakeBoard:
    """Serves requests. ``feed`` takes the bytes of the wire, and gives back reply frames, each with the board's time
    that it took."""

    models: list[FakeModel] = field(default_factory=lambda: [FakeModel("small", 16, 4), FakeModel("cifar10", 3072, 10)])
    clock: Callable[[], float] = time.monotonic
    max_frame: int = 512
    rx_buffer: int = 0
    tick_hz: int = 1_000_000
    speaks: tuple[int, int] = (protocol.PROTOCOL, protocol.INTERFACE)
    gain: float = 0.0  # seconds per second that its clock is fast
    samples: bytes = bytes(2000)  # of a recording of int16
    windows: list[bytes] = field(default_factory=lambda: [bytes([n]) * 700 for n in range(5)])
    leds: int = 2

    def __post_init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        self.decoder = Decoder(self.max_frame)
        self.session = 0
        self.input: tuple[int, int] | None = None
        self.parts: dict[int, int] = {}
        self.blob = bytearray()
        self.result: tuple[int, int, bytes, int, int] | None = None
        self.sequence = 0
        self.started: set[int] = set()
        self.streaming = False
        self.lit: dict[int, bool] = {}
        self.runs = getattr(self, "runs", 0)
        self.calls: list[str] = []

    def feed(self, data: bytes) -> list[tuple[bytes, float]]:
        replies = []
        for message in self.decoder.feed(data):
            word, sequence = struct.unpack_from("<II", message)
            self.sequence = sequence
            service, method, kind = word >> 16 & 0xFF, word >> 8 & 0xFF, word & 0xFF
            self.seconds = 0.0
            answer = self.dispatch(service, method, Reader(message, 8))
            if kind == 0 and answer is not None:
                head = struct.pack("<II", 1 << 24 | answer[0] << 16 | answer[1] << 8 | 2, sequence)
                replies.append((encode(head + answer[2]), self.seconds))
        return replies

    def dispatch(self, service: int, method: int, reader: Reader) -> tuple[int, int, bytes] | None:
        writer = Writer()
        if service != 1 or method not in CALLS:
            status = Status.UNKNOWN_SERVICE if service != 1 else Status.UNKNOWN_METHOD
            writer.u32(service)
            writer.u32(method)
            writer.i32(status)
            return protocol.FAULT.service, protocol.FAULT.method, writer.message()
        name = CALLS[method]
        self.calls.append(name)
        status = getattr(self, f"on_{name}")(reader, writer)
        if status is None:
            return None
        writer.i32(status)
        return 1, method, writer.message()

    # ---- handlers: arguments in, out arguments written, the status returned ----

    def on_hello(self, reader: Reader, writer: Writer) -> Status:
        theirs, interface, session, max_frame = reader.u32(), reader.u32(), reader.u32(), reader.u32()
        frame = min(max_frame, self.max_frame)
        same = (theirs, interface) == self.speaks
        if same:
            self.session, self.result, self.input = session, None, None
            self.started.clear()
            self.streaming = False
        BoardInfo(*self.speaks, frame, self.rx_buffer, self.tick_hz, len(self.models), 1, self.leds,
                  "fake", "microseconds", "python").write(writer)  # fmt: skip
        return Status.OK if same else Status.VERSION

    def on_describe_model(self, reader: Reader, writer: Writer) -> Status:
        index = reader.u32()
        there = index < len(self.models)
        model = self.models[index if there else 0]
        ModelInfo(model.name, model.sha256, b"", 1, 1, model.input_bytes, model.output_bytes, 1, 2, 3).write(writer)
        return Status.OK if there else Status.NO_SUCH_MODEL

    def on_describe_tensor(self, reader: Reader, writer: Writer) -> Status:
        model, tensor = self.models[reader.u32()], reader.u32()
        size = model.output_bytes if tensor else model.input_bytes
        TensorInfo("out" if tensor else "in", DType.INT8, (1, size), 0.5, -3, 0, size).write(writer)
        return Status.OK

    def on_write_input(self, reader: Reader, writer: Writer) -> None:
        session, model, check, offset, data = reader.u32(), reader.u32(), reader.u32(), reader.u32(), reader.binary()
        if session == self.session and model < len(self.models):
            self.begin(model, check)
            self.blob[offset : offset + len(data)] = data
            self.parts[offset] = max(self.parts.get(offset, 0), len(data))

    def begin(self, model: int, check: int) -> None:
        if self.input != (model, check):
            self.input = (model, check)
            self.parts.clear()
            self.blob = bytearray(self.models[model].input_bytes)

    def missing(self, size: int) -> list[int]:
        have, found = 0, []
        for offset in sorted(self.parts):
            if offset > have:
                found += [have, offset - have]
            have = max(have, offset + self.parts[offset])
        return found + ([have, size - have] if have < size else [])

    def on_infer(self, reader: Reader, writer: Writer) -> Status:
        session, model, check, whole = reader.u32(), reader.u32(), reader.u32(), reader.binary()
        if session != self.session:
            Inference(0, 0, (), b"").write(writer)
            return Status.NO_SESSION
        if self.result is None or self.result[:2] != (model, check) or self.result[4] != self.sequence:
            self.begin(model, check)
            if whole:
                self.blob[:] = whole
                self.parts = {0: len(whole)}
            if missing := self.missing(self.models[model].input_bytes):
                Inference(0, 0, tuple(missing[:32]), b"").write(writer)
                return Status.INCOMPLETE
            if crc32(self.blob) != check:
                self.parts.clear()
                Inference(0, 0, (), b"").write(writer)
                return Status.CORRUPT
            self.runs += 1
            self.seconds = self.models[model].seconds
            ticks = round(self.seconds * self.tick_hz)
            self.result = (model, check, self.models[model].output(bytes(self.blob)), ticks, self.sequence)
            self.parts.clear()  # they are used up
        _, _, output, ticks, _ = self.result
        right = crc32(output, crc32(struct.pack("<III", check, model, ticks)))
        Inference(ticks, right, (), output[: self.max_frame - 64]).write(writer)
        return Status.OK

    def on_read_output(self, reader: Reader, writer: Writer) -> Status:
        session, model, check, offset, length = (reader.u32() for _ in range(5))
        if session != self.session:
            writer.binary(b"")
            return Status.NO_SESSION
        if self.result is None or self.result[:2] != (model, check):
            writer.binary(b"")
            return Status.NO_SUCH_MODEL
        writer.binary(self.result[2][offset : offset + length])
        return Status.OK

    def on_describe_sensor(self, reader: Reader, writer: Writer) -> Status:
        SensorInfo(SensorKind.MOTION, DType.INT16, 100.0, 0.5, "ax_g ay_g", len(self.samples) // 4).write(writer)
        return Status.OK if reader.u32() == 0 else Status.NO_SUCH_SENSOR

    def on_start_sensor(self, reader: Reader, writer: Writer) -> Status:
        session, sensor = reader.u32(), reader.u32()
        if session != self.session:
            return Status.NO_SESSION
        if sensor:
            return Status.NO_SUCH_SENSOR
        self.started.add(sensor)
        return Status.OK

    def on_read_sensor(self, reader: Reader, writer: Writer) -> Status:
        session, sensor, at, count = (reader.u32() for _ in range(4))
        ready, ticks = len(self.samples) // 4, self.ticks()
        data = self.samples[4 * at : 4 * (at + min(count, (self.max_frame - 37) // 4))]
        check = crc32(data, crc32(struct.pack("<IIIIQ", sensor, at, ready, True, ticks)))
        Samples(at, ready, True, ticks, check, data).write(writer)
        return Status.OK if session == self.session and sensor in self.started else Status.NO_SESSION

    def on_start_stream(self, reader: Reader, writer: Writer) -> Status:
        self.streaming = reader.u32() == self.session
        self.stream = (reader.u32(), reader.u32(), reader.u32(), reader.boolean(), reader.boolean())
        return Status.OK if self.streaming else Status.NO_SESSION

    def on_read_stream(self, reader: Reader, writer: Writer) -> Status:
        session, window, offset = reader.u32(), reader.u32(), reader.u32()
        ready, ticks = len(self.windows), self.ticks()
        if session != self.session:
            StreamResult(0, 0, False, 0, 0, 0, 0, 0, b"").write(writer)
            return Status.NO_SESSION
        if window >= ready:
            check = crc32(struct.pack(STREAM, *self.stream, window, ready, True, ticks, 0, 0))
            StreamResult(window, ready, True, ticks, 0, 0, check, 0, b"").write(writer)
            return Status.NOT_READY
        whole = self.windows[window]
        check = crc32(whole, crc32(struct.pack(STREAM, *self.stream, window, ready, True, ticks, 5, 6)))
        StreamResult(window, ready, True, ticks, 5, 6, check, len(whole), whole[offset : offset + 300]).write(writer)
        return Status.OK

    def on_set_led(self, reader: Reader, writer: Writer) -> Status:
        led, on = reader.u32(), reader.boolean()
        if led >= self.leds:
            return Status.NO_SUCH_LED
        self.lit[led] = on
        return Status.OK

    def on_memory(self, reader: Reader, writer: Writer) -> Status:
        MemoryInfo(1000, 100, self.decoder.messages, self.decoder.bad, 0, 1).write(writer)
        return Status.OK

    def on_time(self, reader: Reader, writer: Writer) -> Status:
        writer.u64(self.ticks())
        return Status.OK

    def on_reset(self, reader: Reader, writer: Writer) -> Status:
        if reader.u32() != self.session:
            return Status.NO_SESSION
        self.reset()
        return Status.OK

    def ticks(self) -> int:
        return int(self.clock() * (1 + self.gain) * self.tick_hz)


class FakeWire:
    """A Wire to a FakeBoard, in virtual time.

    Args:
        baud: paces both directions; None: nothing does.
        latency_s: each way, besides.
        spoil_out, spoil_in: change what goes to the board, and what comes from it: one frame or write at a time.
    """

    def __init__(
        self,
        board: FakeBoard,
        clock: FakeClock,
        *,
        baud: int | None = None,
        latency_s: float = 0.0,
        spoil_out: Spoil | None = None,
        spoil_in: Spoil | None = None,
    ) -> None:
        self.seconds_per_byte = 10 / baud if baud else 0.0
        self.board, self.clock, self.latency_s = board, clock, latency_s
        self.spoil_out, self.spoil_in = spoil_out, spoil_in
        self.coming: deque[tuple[float, bytes]] = deque()
        self.out_free = self.in_free = self.board_free = 0.0
        self.held = self.lost = self.reads = 0
        self.dead: Exception | None = None
        self.mute = False
        self.closed = False
        self.written: list[bytes] = []

    def write(self, data: bytes) -> None:
        self.check()
        self.written.append(data)
        if self.mute:
            return
        self.out_free = max(self.clock.now, self.out_free) + len(data) * self.seconds_per_byte
        arrived = self.out_free + self.latency_s
        data = self.spoil_out(data) if self.spoil_out else data
        if arrived < self.board_free:  # it computes: what its buffer does not hold is lost
            self.held += len(data)
            over = max(0, self.held - self.board.rx_buffer)
            self.lost += over
            data = data[: len(data) - over]
        else:
            self.held = 0
            self.board_free = arrived
        for frame, seconds in self.board.feed(data):
            self.board_free += seconds
            frame = self.spoil_in(frame) if self.spoil_in else frame
            self.in_free = max(self.in_free, self.board_free) + len(frame) * self.seconds_per_byte
            self.coming.append((self.in_free + self.latency_s, frame))

    def read(self, timeout_s: float) -> bytes:
        self.check()
        self.reads += 1
        end = self.clock.now + timeout_s
        if self.coming and self.coming[0][0] <= end:
            when, data = self.coming.popleft()
            self.clock.now = max(self.clock.now, when)
            return data
        self.clock.now = max(end, self.clock.now + 1e-6)
        return b""

    def close(self) -> None:
        self.closed = True

    def check(self) -> None:
        if self.dead:
            raise self.dead
        assert not self.closed
