"""firmware/core/eiq_server.c and eiq_calls.c: what each call of eiq.erpc does, and what is no call."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hal.rt import protocol as p
from hal.rt.firmware.recording import Recorded, blob
from hal.rt.protocol import DType, SensorKind, Status
from memory_board import (
    FAULT,
    INVOCATION,
    MAX_FRAME,
    ONEWAY,
    RATE_HZ,
    SESSION,
    MemoryBoard,
    compile_core,
    frame,
    header,
    message,
)

MIX, TURN, FAIL, REPEAT, NONE = range(5)
INPUT = bytes(range(10))
OUTPUT = bytes(b ^ 0x5A for b in INPUT[:6]) + bytes(a + b for a, b in zip(INPUT[6:], (3, 5, 7, 11), strict=True))
BIG = bytes(np.random.default_rng(5).integers(0, 256, 4000, np.uint8))
HELLO = frame(message(1, 1, INVOCATION, 7, p.hello(p.PROTOCOL, p.INTERFACE, SESSION, MAX_FRAME)))


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return compile_core(tmp_path_factory.mktemp("core") / "core.so", "-O1", "-shared", "-fPIC")


@pytest.fixture
def board(library: Path) -> MemoryBoard:
    board = MemoryBoard(library)
    board.hello()
    return board


def infer(board: MemoryBoard, model: int, check: int, data: bytes = b"") -> tuple[p.Inference, Status]:
    return board.call(p.INFER, p.infer(SESSION, model, check, data))


def write(board: MemoryBoard, model: int, check: int, offset: int, data: bytes, session: int = SESSION) -> None:
    board.call(p.WRITE_INPUT, p.write_input(session, model, check, offset, data))


def result_check(model: int, data: bytes, ticks: int, output: bytes) -> int:
    return zlib.crc32(struct.pack("<III", zlib.crc32(data), model, ticks) + output)


def test_hello(library: Path) -> None:
    board = MemoryBoard(library)
    info, status = board.hello(max_frame=400)
    assert status == Status.OK
    assert (info.protocol, info.interface_crc) == (p.PROTOCOL, p.INTERFACE)
    assert (info.max_frame, info.rx_buffer, info.tick_hz) == (400, 1000, 1000)
    assert (info.models, info.sensors, info.leds, info.board, info.clock) == (4, 0, 3, "memory", "test ticks")
    assert board.hello(max_frame=4000)[0].max_frame == MAX_FRAME
    assert board.hello(max_frame=255)[1] == Status.BAD_REQUEST


@pytest.mark.parametrize(("protocol", "interface"), [(p.PROTOCOL + 1, p.INTERFACE), (p.PROTOCOL, p.INTERFACE ^ 1)])
def test_another_version_is_told_so(library: Path, protocol: int, interface: int) -> None:
    board = MemoryBoard(library)
    info, status = board.call(p.HELLO, p.hello(protocol, interface, SESSION, 512))
    assert status == Status.VERSION
    assert (info.protocol, info.interface_crc) == (p.PROTOCOL, p.INTERFACE)
    assert infer(board, MIX, 0)[1] == Status.NO_SESSION


def test_descriptions(board: MemoryBoard) -> None:
    info, status = board.call(p.DESCRIBE_MODEL, p.describe_model(TURN))
    assert status == Status.OK
    sha256, recipe = bytes([4, 5, 6]) + bytes(29), bytes([9, 9]) + bytes(6)
    assert info == p.ModelInfo("turn", sha256, recipe, 1, 1, 4000, 1500, 4, 5500, 0)
    assert board.call(p.DESCRIBE_MODEL, p.describe_model(MIX))[0].recipe == b""
    tensor, _ = board.call(p.DESCRIBE_TENSOR, p.describe_tensor(MIX, 1))
    assert tensor == p.TensorInfo("b", DType.UINT8, (4,), 0.25, 128, 6, 4)
    assert board.call(p.DESCRIBE_TENSOR, p.describe_tensor(MIX, 3))[0].shape == (2, 3)
    assert board.call(p.DESCRIBE_TENSOR, p.describe_tensor(MIX, 4))[1] == Status.NO_SUCH_TENSOR
    assert board.call(p.DESCRIBE_TENSOR, p.describe_tensor(NONE, 0))[1] == Status.NO_SUCH_MODEL
    assert board.call(p.DESCRIBE_MODEL, p.describe_model(2**32 - 1))[1] == Status.NO_SUCH_MODEL


def test_inference_in_one_call(board: MemoryBoard) -> None:
    result, status = infer(board, MIX, zlib.crc32(INPUT), INPUT)
    assert status == Status.OK
    assert result == p.Inference(123, result_check(MIX, INPUT, 123, OUTPUT), (), OUTPUT)
    again = p.infer(SESSION, MIX, zlib.crc32(INPUT), INPUT)
    assert board.call(p.INFER, again, sequence=board.sequence) == (result, Status.OK)  # the one that is there
    assert board.c.board_runs() == 1
    assert board.call(p.INFER, again) == (result, Status.OK)
    assert board.c.board_runs() == 2  # another request is computed, and its time measured


def test_the_same_large_input_twice_is_computed_twice(board: MemoryBoard) -> None:
    check = zlib.crc32(BIG)
    for runs in (1, 2):
        for at in range(0, 4000, 400):
            write(board, TURN, check, at, BIG[at : at + 400])
        assert infer(board, TURN, check)[1] == Status.OK
        assert board.c.board_runs() == runs


def test_a_large_input_in_any_order(board: MemoryBoard) -> None:
    check = zlib.crc32(BIG)
    for offset in (3200, 0, 400, 1200, 800, 1600, 1600, 2000, 2400, 2800, 3600):
        write(board, TURN, check, offset, BIG[offset : offset + 400])
    result, status = infer(board, TURN, check)
    assert (status, result.missing) == (Status.OK, ())
    whole = BIG[::-1][:1500]
    assert result.output == whole[: len(result.output)]
    assert len(result.output) == MAX_FRAME - 28
    parts = [board.call(p.READ_OUTPUT, p.read_output(SESSION, TURN, check, at, 300))[0] for at in range(0, 1500, 300)]
    assert b"".join(parts) == whole
    assert result.check == result_check(TURN, BIG, 4567, whole)
    assert len(board.call(p.READ_OUTPUT, p.read_output(SESSION, TURN, check, 0, 1500))[0]) == MAX_FRAME - 16
    assert board.call(p.READ_OUTPUT, p.read_output(SESSION, TURN, check, 1500, 10)) == (b"", Status.OK)
    assert board.call(p.READ_OUTPUT, p.read_output(SESSION, TURN, check, 1501, 10)) == (b"", Status.BAD_REQUEST)
    assert board.call(p.READ_OUTPUT, p.read_output(SESSION, TURN, check ^ 1, 0, 10)) == (b"", Status.NOT_READY)
    assert board.call(p.READ_OUTPUT, p.read_output(SESSION, 9, check, 0, 10)) == (b"", Status.NO_SUCH_MODEL)


def test_what_is_missing_is_told(board: MemoryBoard) -> None:
    check = zlib.crc32(BIG)
    assert infer(board, TURN, check)[0].missing == (0, 4000)
    write(board, TURN, check, 100, BIG[100:200])
    write(board, TURN, check, 300, BIG[300:400])
    result, status = infer(board, TURN, check)
    assert (status, result.missing) == (Status.INCOMPLETE, (0, 100, 200, 100, 400, 3600))
    for offset, size in zip(result.missing[::2], result.missing[1::2], strict=True):
        for at in range(offset, offset + size, 400):
            write(board, TURN, check, at, BIG[at : min(at + 400, offset + size)])
    assert infer(board, TURN, check)[1] == Status.OK


def test_more_gaps_than_are_kept(board: MemoryBoard) -> None:
    """Every second ten bytes: 200 gaps. Nothing is lost for ever, and nothing is believed that was not kept."""
    check = zlib.crc32(BIG)
    for at in range(0, 4000, 20):
        write(board, TURN, check, at, BIG[at : at + 10])
    for _ in range(200):
        result, status = infer(board, TURN, check)
        if status == Status.OK:
            break
        assert status == Status.INCOMPLETE
        assert len(result.missing) <= 32
        for offset, size in zip(result.missing[::2], result.missing[1::2], strict=True):
            write(board, TURN, check, offset, BIG[offset : offset + min(size, 400)])
    assert status == Status.OK
    assert result.output == BIG[::-1][: len(result.output)]


@given(st.lists(st.tuples(st.integers(0, 3999), st.integers(1, 400)), max_size=80))
@settings(max_examples=100)
def test_missing_is_what_was_not_written(library: Path, chunks: list[tuple[int, int]]) -> None:
    board = MemoryBoard(library)
    board.hello()
    check, there = zlib.crc32(BIG), np.zeros(4000, bool)
    for offset, size in chunks:
        end = min(4000, offset + size)
        write(board, TURN, check, offset, BIG[offset:end])
        there[offset:end] = True
    result, status = infer(board, TURN, check)
    missing = np.zeros(4000, bool)
    for offset, size in zip(result.missing[::2], result.missing[1::2], strict=True):
        missing[offset : offset + size] = True
    edges = int(np.count_nonzero(np.diff(there, prepend=False, append=False))) // 2
    assert (status == Status.OK) == bool(there.all())
    if edges < 16:
        assert (missing == ~there).all()
    assert not missing[there].any() or edges > 16


def test_a_wrong_byte_is_found(board: MemoryBoard) -> None:
    """What a frame's CRC-16 lets through: the whole input is sent again, and then it is right."""
    check, wrong = zlib.crc32(BIG), bytearray(BIG)
    wrong[1234] ^= 4
    for data, wanted in ((bytes(wrong), Status.CORRUPT), (BIG, Status.OK)):
        assert infer(board, TURN, check)[0].missing == (0, 4000)
        for at in range(0, 4000, 400):
            write(board, TURN, check, at, data[at : at + 400])
        assert infer(board, TURN, check)[1] == wanted
    assert board.c.board_runs() == 1
    assert infer(board, MIX, zlib.crc32(INPUT) ^ 1, INPUT)[1] == Status.CORRUPT
    write(board, TURN, check ^ 1, 0, BIG[:400])
    assert infer(board, TURN, check ^ 1)[0].missing == (400, 3600)


def test_the_next_input_comes_while_the_last_result_is_read(board: MemoryBoard) -> None:
    check, other = zlib.crc32(BIG), BIG[::-1]
    for at in range(0, 4000, 400):
        write(board, TURN, check, at, BIG[at : at + 400])
    infer(board, TURN, check)
    for at in range(0, 4000, 400):
        write(board, TURN, zlib.crc32(other), at, other[at : at + 400])
        write(board, TURN, check, 0, BIG[:400])  # late, of the input that is done: harmless
        part, status = board.call(p.READ_OUTPUT, p.read_output(SESSION, TURN, check, 0, 1500))
        assert (part, status) == (BIG[::-1][: len(part)], Status.OK)
    infer(board, MIX, zlib.crc32(INPUT), INPUT)  # a small one in between
    result, status = infer(board, TURN, zlib.crc32(other))
    assert (status, result.output) == (Status.OK, BIG[: len(result.output)])


def test_inputs_that_cannot_be(board: MemoryBoard) -> None:
    check = zlib.crc32(BIG)
    assert infer(board, MIX, 0, INPUT[:9])[1] == Status.BAD_REQUEST
    assert infer(board, MIX, 0, INPUT + b"x")[1] == Status.BAD_REQUEST
    assert infer(board, NONE, 0)[1] == Status.NO_SUCH_MODEL
    for offset, data in ((3999, b"ab"), (4001, b"a"), (2**32 - 1, b"ab"), (0, b"")):
        write(board, TURN, check, offset, data)
    write(board, 7, check, 0, b"abc")
    write(board, TURN, check, 0, b"abc", session=SESSION + 1)
    assert infer(board, TURN, check)[0].missing == (0, 4000)
    write(board, TURN, check, 0, b"abc")
    write(board, FAIL, check, 3, b"def")  # another model is another input
    assert infer(board, FAIL, check)[0].missing == (0, 3, 6, 3994)


def test_a_model_that_fails(board: MemoryBoard) -> None:
    check = zlib.crc32(BIG)
    infer(board, MIX, zlib.crc32(INPUT), INPUT)
    for _ in range(2):
        for at in range(0, 4000, 400):
            write(board, FAIL, check, at, BIG[at : at + 400])
        assert infer(board, FAIL, check)[1] == Status.MODEL_FAILED
    assert board.c.board_runs() == 3  # a failure is no result that is kept
    assert board.call(p.READ_OUTPUT, p.read_output(SESSION, FAIL, check, 0, 10))[1] == Status.NOT_READY


def test_sessions(board: MemoryBoard) -> None:
    check = zlib.crc32(INPUT)
    infer(board, MIX, check, INPUT)
    board.hello()  # the same once more, late: forgets nothing
    assert board.call(p.READ_OUTPUT, p.read_output(SESSION, MIX, check, 0, 10)) == (OUTPUT, Status.OK)
    board.hello(session=5)
    assert infer(board, MIX, check)[1] == Status.NO_SESSION
    assert board.call(p.READ_OUTPUT, p.read_output(5, MIX, check, 0, 10))[1] == Status.NOT_READY
    for method, arguments in (
        (p.READ_OUTPUT, p.read_output(SESSION, MIX, check, 0, 10)),
        (p.START_SENSOR, p.start_sensor(SESSION, 0, True)),
        (p.READ_SENSOR, p.read_sensor(SESSION, 0, 0, 1)),
        (p.START_STREAM, p.start_stream(SESSION, 0, 0, 1, True, True)),
        (p.READ_STREAM, p.read_stream(SESSION, 0, 0)),
        (p.RESET, p.reset(SESSION)),
    ):
        assert board.call(method, arguments)[-1] == Status.NO_SESSION  # type: ignore[arg-type, index]


def test_reset(board: MemoryBoard) -> None:
    board.c.board_pass(1234)
    assert board.call(p.TIME, p.time()) == (1234, Status.OK)
    assert board.call(p.MEMORY, p.memory())[0].uptime_ms == 1234
    board.call(p.SET_LED, p.set_led(1, True))
    assert board.call(p.RESET, p.reset(SESSION)) == (Status.OK,)
    assert board.call(p.TIME, p.time()) == (0, Status.OK)
    assert infer(board, MIX, 0)[1] == Status.NO_SESSION
    assert board.c.board_leds() == 0
    assert board.alive()


def test_leds_and_memory(board: MemoryBoard) -> None:
    assert board.call(p.SET_LED, p.set_led(0, True)) == (Status.OK,)
    assert board.call(p.SET_LED, p.set_led(2, True)) == (Status.OK,)
    assert board.call(p.SET_LED, p.set_led(0, False)) == (Status.OK,)
    assert board.call(p.SET_LED, p.set_led(3, True)) == (Status.NO_SUCH_LED,)
    assert board.c.board_leds() == 4
    memory, status = board.call(p.MEMORY, p.memory())
    assert (status, memory) == (Status.OK, p.MemoryInfo(4096, 100, 6, 0, 0, 0))
    flipped = bytearray(HELLO)
    flipped[20] ^= 1
    assert board.say(bytes(flipped)) == b""
    assert board.call(p.MEMORY, p.memory())[0].bad_frames == 1


MOTION = np.arange(300, dtype=np.int16).reshape(100, 3)
SOUND = np.arange(50, dtype=np.float32) / 8


def with_sensors(library: Path) -> MemoryBoard:
    recordings = blob([Recorded("motion", 100.0, ("ax_g", "ay_g", "az_g"), MOTION, 0.5),
                       Recorded("microphone", 1000.0, (), SOUND)])  # fmt: skip
    board = MemoryBoard(library, recordings)
    assert board.hello()[0].sensors == 2
    return board


def read(board: MemoryBoard, sensor: int, at: int, samples: int) -> tuple[p.Samples, Status]:
    found, status = board.call(p.READ_SENSOR, p.read_sensor(SESSION, sensor, at, samples))
    if status == Status.OK:
        fields = (sensor, found.at, found.ready, found.ended, found.ticks)
        assert found.check == zlib.crc32(struct.pack("<IIIIQ", *fields) + found.data)
    return found, status


def test_sensors_play_their_recordings(library: Path) -> None:
    board = with_sensors(library)
    info, status = board.call(p.DESCRIBE_SENSOR, p.describe_sensor(0))
    assert status == Status.OK
    assert info == p.SensorInfo(SensorKind.MOTION, DType.INT16, 100.0, 0.5, "ax_g ay_g az_g", 100)
    info, _ = board.call(p.DESCRIBE_SENSOR, p.describe_sensor(1))
    assert info == p.SensorInfo(SensorKind.MICROPHONE, DType.FLOAT32, 1000.0, 1.0, "", 50)
    assert board.call(p.DESCRIBE_SENSOR, p.describe_sensor(2))[1] == Status.NO_SUCH_SENSOR
    assert board.call(p.START_SENSOR, p.start_sensor(SESSION, 2, True)) == (Status.NO_SUCH_SENSOR,)
    assert read(board, 0, 0, 10)[1] == Status.NOT_READY

    board.c.board_pass(5000)
    assert board.call(p.START_SENSOR, p.start_sensor(SESSION, 0, False)) == (Status.OK,)
    for passed, ready in (
        (0, 0),
        (9, 0),
        (1, 1),
        (9, 1),
        (1, 2),
        (981, 100),
    ):  # ms; sample n is there after (n + 1) / rate
        board.c.board_pass(passed)
        samples, _ = read(board, 0, 0, 1000)
        assert (samples.at, samples.ready, samples.ended) == (0, ready, ready == 100)
        assert samples.data == MOTION[: min(ready, (MAX_FRAME - 37) // 6)].tobytes()
    assert samples.ticks == 6001
    assert read(board, 0, 40, 7)[0].data == MOTION[40:47].tobytes()
    assert read(board, 0, 100, 7)[0].data == b""
    assert read(board, 0, 2**32 - 1, 7)[0].data == b""

    assert board.call(p.START_SENSOR, p.start_sensor(SESSION, 1, True)) == (Status.OK,)
    samples, _ = read(board, 1, 10, 40)
    assert (samples.ready, samples.ended, samples.data) == (50, True, SOUND[10:50].tobytes())


def test_a_late_start_once_more_does_not_start_again(library: Path) -> None:
    board = with_sensors(library)
    start = p.start_sensor(SESSION, 0, False)
    board.call(p.START_SENSOR, start, sequence=900)
    board.c.board_pass(500)
    assert board.call(p.START_SENSOR, start, sequence=900) == (Status.OK,)
    assert read(board, 0, 0, 1)[0].ready == 50
    assert board.call(p.START_SENSOR, start, sequence=901) == (Status.OK,)
    assert read(board, 0, 0, 1)[0].ready == 0


def windows(board: MemoryBoard, hop: int, *, features_only: bool) -> dict[int, bytes]:
    """Every result of a stream over a whole recording, read as a host does."""
    start = p.start_stream(SESSION, 0, REPEAT, hop, True, features_only)
    assert board.call(p.START_STREAM, start) == (Status.OK,)
    found: dict[int, bytes] = {}
    while True:
        result, status = board.call(p.READ_STREAM, p.read_stream(SESSION, len(found), 0))
        data = result.data
        while status == Status.OK and len(data) < result.bytes:
            data += board.call(p.READ_STREAM, p.read_stream(SESSION, result.window, len(data)))[0].data
        head = struct.pack("<IIIIIIIIQII", 0, REPEAT, hop, True, features_only, result.window, result.ready,
                           result.ended, result.ticks, result.feature_ticks, result.inference_ticks)  # fmt: skip
        assert result.check == zlib.crc32(head + data)
        if status == Status.NOT_READY:
            assert result.ended
            return found
        assert status == Status.OK
        assert result.inference_ticks == (0 if features_only else 7)
        found[result.window] = data


def test_a_stream_of_features_and_of_results(library: Path) -> None:
    sound = np.random.default_rng(3).integers(-2000, 2000, 400).astype(np.int16)
    board = MemoryBoard(library, blob([Recorded("microphone", float(RATE_HZ), (), sound)]))
    board.hello()
    features, results = windows(board, 25, features_only=True), windows(board, 25, features_only=False)
    assert list(features) == list(results) == list(range((400 - 70) // 25 + 1))
    assert len({*features.values()}) == len(features)
    for window, data in features.items():
        assert len(data) == 14
        assert results[window] == (data * 43)[:600]
    assert board.call(p.READ_STREAM, p.read_stream(SESSION, 0, 601))[1] in (Status.BAD_REQUEST, Status.NOT_READY)
    assert board.call(p.START_STREAM, p.start_stream(SESSION, 1, REPEAT, 9, True, True)) == (Status.NO_SUCH_SENSOR,)
    assert board.call(p.START_STREAM, p.start_stream(SESSION, 0, MIX, 9, True, True)) == (Status.NO_FEATURES,)
    assert board.call(p.START_STREAM, p.start_stream(SESSION, 0, NONE, 9, True, True)) == (Status.NO_SUCH_MODEL,)
    assert board.alive()


@pytest.mark.parametrize("size", [0, 3, 12, 100, 139, 140, 300])
def test_a_blob_that_is_cut_short_is_none(library: Path, size: int) -> None:
    whole = blob([Recorded("motion", 100.0, ("ax_g", "ay_g", "az_g"), MOTION, 0.5)])
    board = MemoryBoard(library, whole[:size])
    assert board.hello()[0].sensors == 0


@pytest.mark.parametrize(
    ("at", "value"),
    [(4, 2), (8, 200), (12, 2), (16, 5), (20, 0), (20, 33), (27, 0xC0), (35, 1), (38, 1), (139, ord("x"))],
    ids=["version", "sensors", "kind", "dtype", "no channels", "channels", "rate", "samples", "offset", "names"],
)
def test_a_wrong_description_is_none(library: Path, at: int, value: int) -> None:
    changed = bytearray(blob([Recorded("motion", 100.0, ("ax_g", "ay_g", "az_g"), MOTION, 0.5)]))
    changed[at] = value
    assert MemoryBoard(library, bytes(changed)).hello()[0].sensors == 0


@given(st.integers(0, 139), st.integers(0, 255))
def test_any_description_of_a_recording_is_safe(library: Path, at: int, value: int) -> None:
    """A board with a wrong blob has no sensors, or ones that stay inside it."""
    changed = bytearray(blob([Recorded("motion", 100.0, ("ax_g", "ay_g", "az_g"), MOTION, 0.5)]))
    changed[at] = value
    board = MemoryBoard(library, bytes(changed))
    if board.hello()[0].sensors == 1:
        assert board.call(p.START_SENSOR, p.start_sensor(SESSION, 0, True)) == (Status.OK,)
        samples, status = read(board, 0, 0, 3)
        assert status == Status.OK
        assert samples.data in bytes(changed)


def call(method: int, arguments: bytes, sequence: int = 1, service: int = 1, kind: int = INVOCATION) -> bytes:
    return frame(message(service, method, kind, sequence, arguments))


INFER, WRITE_INPUT, SET_LED = p.INFER.method, p.WRITE_INPUT.method, p.SET_LED.method
SHORT = struct.pack("<III", SESSION, MIX, 0)
BAD = {
    "claims 65,535 bytes": (header(65535, 0x1234), (0, 0, 0, Status.TOO_LARGE)),
    "unknown service": (call(1, b"", 44, service=9), (44, 9, 1, Status.UNKNOWN_SERVICE)),
    "the service that nobody calls": (call(FAULT[1], b"", 44, FAULT[0]), (44, *FAULT, Status.UNKNOWN_SERVICE)),
    "unknown method": (call(99, b"", 45), (45, 1, 99, Status.UNKNOWN_METHOD)),
    "arguments missing": (call(INFER, SHORT, 46), (46, 1, INFER, Status.BAD_REQUEST)),
    "no arguments": (call(1, b"", 46), (46, 1, 1, Status.BAD_REQUEST)),
    "bytes left over": (call(p.TIME.method, b"x", 47), (47, 1, p.TIME.method, Status.BAD_REQUEST)),
    "length beyond the message": (call(INFER, SHORT + struct.pack("<I", 11) + bytes(10), 48),
                                  (48, 1, INFER, Status.BAD_REQUEST)),
    "length of 4 GB": (call(INFER, SHORT + b"\xff" * 4 + bytes(10), 49), (49, 1, INFER, Status.BAD_REQUEST)),
    "a bool of 2": (call(SET_LED, struct.pack("<IB", 0, 2), 50), (50, 1, SET_LED, Status.BAD_REQUEST)),
    "wrong codec version": (frame(message(1, 1, INVOCATION, 51, b"", version=2)), (51, 1, 1, Status.VERSION)),
    "a oneway that is invoked": (call(WRITE_INPUT, SHORT + bytes(8), 52), (52, 1, WRITE_INPUT, Status.BAD_REQUEST)),
    "shorter than a message": (frame(b"1234567"), (0, 0, 0, Status.BAD_REQUEST)),
    "empty": (frame(b""), (0, 0, 0, Status.BAD_REQUEST)),
}  # fmt: skip


@pytest.mark.parametrize("what", BAD)
def test_what_is_no_call_gets_a_fault(board: MemoryBoard, what: str) -> None:
    data, fault = BAD[what]
    assert board.fault(data) == fault
    assert board.alive()


SILENT = {
    "oneway: unknown method": call(99, b"", kind=ONEWAY),
    "oneway: unknown service": call(1, b"", service=9, kind=ONEWAY),
    "oneway: wrong arguments": call(WRITE_INPUT, b"x", kind=ONEWAY),
    "oneway: a call that answers": call(p.TIME.method, b"", kind=ONEWAY),
    "oneway: wrong version": frame(message(1, 1, ONEWAY, 1, b"", version=3)),
    "a reply": call(p.TIME.method, b"", kind=2),
    "a notification": call(p.TIME.method, b"", kind=3),
    "another type": call(p.TIME.method, b"", kind=200),
    "wrong crc": HELLO[:-1] + b"\1",
    "noise": bytes(range(1, 200)),
}


@pytest.mark.parametrize("what", SILENT)
def test_what_gets_no_answer(board: MemoryBoard, what: str) -> None:
    assert board.say(SILENT[what]) == b""
    assert board.alive()


def test_half_a_frame_is_dropped_after_a_silence(board: MemoryBoard) -> None:
    assert board.say(HELLO[:20]) == b""
    assert not board.c.board_sleeps()
    board.c.board_pass(40)
    assert len(board.answers(HELLO[20:])) == 1  # a pause, and no silence
    assert board.c.board_sleeps()
    board.say(HELLO[:20])
    board.c.board_pass(50)
    board.say(b"")
    assert board.c.board_sleeps()
    assert board.say(HELLO[20:]) == b""
    assert board.alive()


def test_what_came_during_a_long_inference_is_no_half_frame(board: MemoryBoard) -> None:
    """The clock goes on by seconds while the model runs, and the next input waits in the port's buffer."""
    check, other = zlib.crc32(BIG), zlib.crc32(BIG[::-1])
    for at in range(0, 4000, 400):
        write(board, TURN, check, at, BIG[at : at + 400])
    parts = [p.write_input(SESSION, TURN, other, at, BIG[::-1][at : at + 400]) for at in (0, 400)]
    stream = call(INFER, p.infer(SESSION, TURN, check, b""))
    stream += b"".join(call(WRITE_INPUT, part, kind=ONEWAY) for part in parts)
    assert len(board.answers(stream)) == 1
    assert infer(board, TURN, other)[0].missing == (800, 3200)


def test_a_reply_that_the_hosts_frame_cannot_hold_is_told(library: Path) -> None:
    board = MemoryBoard(library)
    board.hello()
    tensor, status = board.call(p.DESCRIBE_TENSOR, p.describe_tensor(REPEAT, 1))
    assert (status, len(tensor.name)) == (Status.OK, 300)
    board.hello(max_frame=256)
    method = p.DESCRIBE_TENSOR.method
    assert board.fault(call(method, p.describe_tensor(REPEAT, 1), 5)) == (5, 1, method, Status.TOO_LARGE)


def test_many_calls_at_once_are_answered_in_turn(board: MemoryBoard) -> None:
    calls = b"".join(call(p.TIME.method, b"", sequence) for sequence in range(50))
    assert [sequence for _, _, sequence, _ in board.answers(calls)] == list(range(50))


def test_replies_keep_to_the_hosts_frame(library: Path) -> None:
    board = MemoryBoard(library)
    board.hello(max_frame=256)
    check = zlib.crc32(BIG)
    for at in range(0, 4000, 200):
        write(board, TURN, check, at, BIG[at : at + 200])
    assert len(infer(board, TURN, check)[0].output) == 256 - 28
    assert len(board.call(p.READ_OUTPUT, p.read_output(SESSION, TURN, check, 0, 1500))[0]) == 256 - 16
