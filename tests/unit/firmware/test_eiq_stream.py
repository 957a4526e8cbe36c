"""firmware/core/eiq_stream.c on this machine: a sensor and a server in C that the test holds, eiq_mfcc.c behind it."""

from __future__ import annotations

import ctypes
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hal.rt.features import Tables, tables
from hal.rt.protocol import DType, SensorKind, Status
from pipelines.core import TensorSpec
from pipelines.quantise import Quantiser
from pipelines.transforms.log_mel import LogMel
from pipelines.transforms.mfcc import Mfcc
from pipelines.transforms.window import Window
from tests.board_features import CORE, MFCC, Frames, address, frames, library

RATE_HZ, TICK_HZ, LENGTH, KEPT = 1000, 25_000_000, 70, 3
CONFIG = Mfcc.Config(window_samples=16, hop_samples=8, fft=16, mels=3, coefficients=2)
SIZES = """#define EIQ_MUTABLE_BYTES 4096u
#define EIQ_ACTIVATION_BYTES 1u
#define EIQ_INPUT_BYTES 2048u
#define EIQ_OUTPUT_BYTES 16u
#define EIQ_FEATURE_VALUES %(values)du
#define EIQ_FEATURE_SAMPLES %(samples)du
#define EIQ_FEATURE_POINTS %(points)du
#define EIQ_RESULT_BYTES 2048u
#define EIQ_STREAM_RESULTS 3
"""
DOORS = """
#include <string.h>
#include "eiq_stream.h"
#include "eiq_rpc.h"
#include "eiq_server.h"

extern const struct eiq_window %(symbol)s;
uint8_t eiq_mutable_memory[EIQ_MUTABLE_BYTES], eiq_activations[EIQ_ACTIVATION_BYTES];
static uint8_t constants[1];

/* The output: how many bytes the input has, and their sum with their places. It leaves nothing of its input. */
static int run(uint8_t *constant, uint8_t *memory, uint8_t *activations)
{
    uint32_t i, sum[2] = {%(bytes)du, 0};
    (void)constant, (void)activations;
    for (i = 0; i < sum[0]; i++) sum[1] += (i + 1) * memory[64 + i];
    memset(memory, 0x55, EIQ_MUTABLE_BYTES);
    memcpy(memory + 8, sum, sizeof sum);
    return 0;
}

static const struct eiq_tensor tensors[] = {
    {"features", %(dtype)d, 1, {%(values)d}, %(scale).9gf, %(zero_point)d, %(bytes)d, 0, 64},
    {"bytes", EIQ_DTYPE_INT32, 1, {1}, 0.0f, 0, 4, 4, 8},
    {"sum", EIQ_DTYPE_INT32, 1, {1}, 0.0f, 0, 4, 0, 12},
};
const struct eiq_model eiq_models[] = {
    {"with", {1}, {1}, run, constants, 1, EIQ_MUTABLE_BYTES, 1, %(bytes)d, 8, 1, 2, tensors, &%(symbol)s},
    {"without", {1}, {1}, run, constants, 1, EIQ_MUTABLE_BYTES, 1, %(bytes)d, 8, 1, 2, tensors, 0},
    {"two inputs", {1}, {1}, run, constants, 1, EIQ_MUTABLE_BYTES, 1, %(bytes)d, 8, 2, 1, tensors, &%(symbol)s},
    {"another size", {1}, {1}, run, constants, 1, EIQ_MUTABLE_BYTES, 1, 4, 8, 1, 1, tensors + 1, &%(symbol)s},
};
const uint32_t eiq_model_count = 4;

struct sound { const int16_t *data; uint32_t origin, ready, lost, starts; int fast, fails; };
static struct sound sound;
static uint64_t the_clock;
static int model_fails;
static struct eiq_stream stream;

static int start_sound(void *user, int fast)
{
    struct sound *s = user;
    s->fast = fast;
    s->starts++;
    return s->fails;
}
static uint32_t ready_of(void *user) { return ((struct sound *)user)->ready; }
static uint32_t read_sound(void *user, uint32_t *at, uint32_t count, void *out)
{
    struct sound *s = user;
    the_clock += 3;
    if ((int32_t)(s->lost - *at) > 0) *at = s->lost;
    if (s->fails || (int32_t)(s->ready - *at) <= 0) return 0;
    if (count > s->ready - *at) count = s->ready - *at;
    memcpy(out, s->data + (*at - s->origin), count * sizeof *s->data);
    return count;
}
static uint64_t ticks_of_port(void *user) { (void)user; return the_clock; }
static struct eiq_sensor sensors[1] = {{0, 0, 0, 0, 0, "", 0, &sound, start_sound, ready_of, read_sound}};
static struct eiq_port port;

int eiq_server_run(struct eiq_server *server, uint32_t model, uint32_t *ticks)
{
    (void)server;
    *ticks = 77;
    the_clock += 77;
    return model_fails ? 1 : eiq_models[model].run(constants, eiq_mutable_memory, eiq_activations);
}

void plug(int kind, int dtype, int channels, float rate_hz, uint32_t samples, const int16_t *data);
void plug(int kind, int dtype, int channels, float rate_hz, uint32_t samples, const int16_t *data)
{
    memset(&stream, 0, sizeof stream);
    memset(&sound, 0, sizeof sound);
    sound.data = data;
    sensors[0].kind = (uint8_t)kind;
    sensors[0].dtype = (uint8_t)dtype;
    sensors[0].channels = (uint8_t)channels;
    sensors[0].rate_hz = rate_hz;
    sensors[0].samples = samples;
    port.sensors = sensors;
    port.sensor_count = 1;
    port.tick_hz = %(tick_hz)du;
    port.ticks = ticks_of_port;
    the_clock = 0;
    model_fails = 0;
}
void hear(uint32_t ready, uint32_t lost);
void hear(uint32_t ready, uint32_t lost) { sound.ready = ready, sound.lost = lost; }
void wait_ticks(uint64_t ticks);
void wait_ticks(uint64_t ticks) { the_clock += ticks; }
void fail(int sensor, int model);
void fail(int sensor, int model) { sound.fails = sensor, model_fails = model; }
void shift(uint32_t origin);
void shift(uint32_t origin) { sound.origin = stream.base = origin; }
uint32_t starts(void);
uint32_t starts(void) { return sound.starts; }
int start(uint32_t sensor, uint32_t model, uint32_t hop, int fast, int only);
int start(uint32_t sensor, uint32_t model, uint32_t hop, int fast, int only)
{
    return eiq_stream_start(&stream, &port, sensor, model, hop, fast, only);
}
void stop(void);
void stop(void) { eiq_stream_stop(&stream); }
int step(void);
int step(void) { the_clock += 5; return eiq_stream_step(&stream, 0); }
int read_result(uint32_t window, uint32_t *told, uint64_t *ticks, uint8_t *data);
int read_result(uint32_t window, uint32_t *told, uint64_t *ticks, uint8_t *data)
{
    const struct eiq_result *result;
    int ended, status = eiq_stream_read(&stream, window, &result, told, &ended);
    told[1] = (uint32_t)ended;
    if (!result) return status;
    told[2] = result->window, told[3] = result->feature_ticks, told[4] = result->inference_ticks;
    told[5] = result->bytes;
    *ticks = result->ticks;
    memcpy(data, result->data, result->bytes);
    return status;
}
"""
STORE = """
void store_of(int dtype, float scale, int32_t zero_point, const float *row, uint32_t count, uint8_t *out);
void store_of(int dtype, float scale, int32_t zero_point, const float *row, uint32_t count, uint8_t *out)
{
    struct eiq_tensor tensor = {0};
    tensor.dtype = (uint8_t)dtype;
    tensor.scale = scale;
    tensor.zero_point = zero_point;
    store(&tensor, row, count, out);
}
"""


@dataclass
class Told:
    """A reading: the result is there where status is OK."""

    status: Status
    ready: int
    ended: bool
    window: int = -1
    feature_ticks: int = 0
    inference_ticks: int = 0
    ticks: int = 0
    data: bytes = b""


class Stream:
    """The stream in C, with a microphone that plays ``sound``."""

    def __init__(self, folder: Path, config: LogMel.Config = CONFIG, dtype: str = "int8", zero_point: int = 3) -> None:
        self.made: Tables = tables(Window.Config(length_ms=LENGTH, hop_ms=8), config, RATE_HZ, "some")
        self.spec = TensorSpec(
            "features", (self.made.values // self.made.bands, self.made.bands), dtype, 0.11, zero_point
        )
        self.frames: Frames = frames(self.made, folder)
        bytes_ = self.made.values * np.dtype(dtype).itemsize
        numbers = {
            **vars(self.made), "bytes": bytes_, "dtype": DType[dtype.upper()], "scale": self.spec.scale,
            "zero_point": self.spec.zero_point, "tick_hz": TICK_HZ,
        }  # fmt: skip
        self.sources = {"models.h": SIZES % numbers, "doors.c": DOORS % numbers, "tables.c": self.made.c}
        self.c: Any = library(folder, self.sources, (MFCC, CORE / "eiq_crc.c", CORE / "eiq_stream.c"))

    def plug(
        self, sound: np.ndarray, *, recording: bool = True, kind: SensorKind = SensorKind.MICROPHONE,
        dtype: DType = DType.INT16, channels: int = 1, rate_hz: float = RATE_HZ,
    ) -> None:  # fmt: skip
        self.sound = np.ascontiguousarray(sound, np.int16)
        self.c.plug(kind, dtype, channels, ctypes.c_float(rate_hz), len(sound) * recording, address(self.sound))

    def start(self, hop: int, *, fast: bool = False, only: bool = True, sensor: int = 0, model: int = 0) -> Status:
        return Status(self.c.start(sensor, model, hop, fast, only))

    def hear(self, ready: int, lost: int = 0) -> None:
        self.c.hear(ctypes.c_uint32(ready), ctypes.c_uint32(lost))

    def work(self) -> int:
        """All that can be done now; how many steps it took."""
        for steps in range(100_000):
            if not self.c.step():
                return steps
        raise AssertionError("it never rests")

    def read(self, window: int) -> Told:
        told, ticks, data = np.zeros(6, np.uint32), np.zeros(1, np.uint64), np.zeros(2048, np.uint8)
        status = Status(self.c.read_result(window, address(told), address(ticks), address(data)))
        ready, ended, at, feature_ticks, inference_ticks, size = map(int, told)
        if status is not Status.OK:
            return Told(status, ready, bool(ended))
        found = data[:size].tobytes()
        return Told(status, ready, bool(ended), at, feature_ticks, inference_ticks, int(ticks[0]), found)

    def expected(self, window: int, hop: int, *, only: bool = True) -> bytes:
        """What the window's result must hold: features of the window by itself, quantised as the pipeline does."""
        rows = self.frames(self.sound[window * hop : window * hop + LENGTH], 8)
        stored = rows if self.spec.dtype == "float32" else Quantiser(self.spec)(rows)
        blob = stored.astype(self.spec.dtype).tobytes()
        if only:
            return blob
        total = sum((i + 1) * byte for i, byte in enumerate(blob)) % 2**32
        return np.array([total, len(blob)], np.uint32).tobytes()


def noise(count: int, seed: int = 0) -> np.ndarray:
    random = np.random.default_rng(seed)
    return (random.integers(-32768, 32768, count) * random.random(count) ** 3).astype(np.int16)


@pytest.fixture(scope="module")
def make(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Stream]:
    return lambda **options: Stream(tmp_path_factory.mktemp("stream"), **options)


@pytest.fixture(scope="module")
def stream(make: Callable[..., Stream]) -> Stream:
    return make()


@pytest.fixture(scope="module")
def inside(tmp_path_factory: pytest.TempPathFactory, stream: Stream) -> Any:
    """eiq_stream.c with a door to its quantising."""
    sources = {**stream.sources, "inside.c": f'#include "eiq_stream.c"\n{STORE}'}
    return library(tmp_path_factory.mktemp("inside"), sources, (MFCC, CORE / "eiq_crc.c"))


# ---- recordings --------------------------------------------------------------------------------------------------


@settings(max_examples=300)
@pytest.mark.slow
@given(
    hop=st.integers(1, 120),
    count=st.integers(1, 900),
    chunks=st.lists(st.integers(0, 200), min_size=1, max_size=8),
    only=st.booleans(),
    reads=st.lists(st.integers(0, 3), min_size=1, max_size=5),
)
def test_a_recordings_windows_all_come_and_are_right(
    stream: Stream, hop: int, count: int, chunks: list[int], only: bool, reads: list[int]
) -> None:
    stream.plug(noise(count, hop))
    assert stream.start(hop, only=only) is Status.OK
    windows = max(0, 1 + (count - LENGTH) // hop)
    ready = asked = 0
    for turn in range(10_000):
        ready = min(count, ready + chunks[turn % len(chunks)] + (turn % 7 == 6))  # it ends some time
        stream.hear(ready)
        stream.work()
        for _ in range(reads[turn % len(reads)] + (ready == count)):
            told = stream.read(asked)
            assert told.ready <= asked + KEPT
            if told.status is Status.OK:
                assert told.window == asked
                assert told.data == stream.expected(asked, hop, only=only)
                asked += 1
            else:
                assert told.status is Status.NOT_READY
        told = stream.read(asked)
        if told.ended and told.status is Status.NOT_READY:
            break
    assert told.ended
    assert asked == told.ready == windows


def test_asking_again_gives_the_same_and_asking_on_forgets(stream: Stream) -> None:
    stream.plug(noise(200))
    stream.start(8)
    stream.hear(200)
    stream.work()
    first = stream.read(0)
    assert stream.read(0) == first
    assert first.window == 0
    assert first.ready == KEPT
    assert stream.read(2).window == 2
    assert stream.read(0).window == 2  # the host has been further


def test_a_recording_waits_until_the_host_has_asked_on(stream: Stream) -> None:
    stream.plug(noise(900))
    stream.start(8)
    stream.hear(900)
    stream.work()
    assert not stream.c.step()
    assert stream.read(0).ready == KEPT
    stream.work()
    assert stream.read(1).ready == KEPT  # asking for 0 keeps it
    stream.work()
    assert stream.read(1).ready == KEPT + 1


def test_a_hop_costs_its_new_frames_and_the_inference(stream: Stream) -> None:
    stream.plug(noise(900))
    stream.start(24)
    frames_of_one = stream.spec.shape[0]
    stream.hear(LENGTH)
    assert stream.work() == frames_of_one + 1
    stream.hear(LENGTH + 24)
    assert stream.work() == 3 + 1
    assert [stream.read(window).feature_ticks for window in (0, 1)] == [3 * frames_of_one, 3 * 3]  # 3 for each reading
    stream.start(20)  # no multiple of the analysis hop: every window has frames of its own
    stream.hear(LENGTH + 20)
    assert stream.work() == 2 * (frames_of_one + 1) + 5  # and five of the next, whose samples are there


def test_frames_do_not_wait_for_the_whole_window(stream: Stream) -> None:
    stream.plug(noise(900))
    stream.start(8)
    stream.hear(16 + 8)
    assert stream.work() == 2


def test_a_recording_shorter_than_a_window_has_ended(stream: Stream) -> None:
    stream.plug(noise(LENGTH - 1))
    assert stream.start(8) is Status.OK
    assert stream.read(0) == Told(Status.NOT_READY, 0, True)


def test_one_of_just_a_window_gives_it_and_ends(stream: Stream) -> None:
    stream.plug(noise(LENGTH))
    stream.start(8)
    stream.hear(LENGTH - 1)
    stream.work()
    assert stream.read(0) == Told(Status.NOT_READY, 0, False)
    stream.hear(LENGTH)
    stream.work()
    told = stream.read(0)
    assert (told.window, told.ready, told.ended) == (0, 1, True)
    assert stream.read(1) == Told(Status.NOT_READY, 1, True)


# ---- real sensors ------------------------------------------------------------------------------------------------


@settings(max_examples=300)
@given(
    hop=st.integers(1, 120),
    capacity=st.integers(16, 150),
    chunks=st.lists(st.tuples(st.integers(0, 120), st.integers(0, 40)), min_size=1, max_size=40),
    origin=st.sampled_from([0, 2**32 - 200, 2**31 - 300]),
)
def test_a_real_sensors_windows_are_whole_whatever_is_lost(
    stream: Stream, hop: int, capacity: int, chunks: list[tuple[int, int]], origin: int
) -> None:
    """Sample indices may wrap on the way; a host that does not ask loses results, a board that lags loses samples."""
    stream.plug(noise(sum(chunk for chunk, _ in chunks) + 1, hop), recording=False)
    assert stream.start(hop) is Status.OK
    stream.c.shift(ctypes.c_uint32(origin))
    heard = asked = 0
    for chunk, steps in chunks:
        heard += chunk
        stream.hear((origin + heard) % 2**32, (origin + max(0, heard - capacity)) % 2**32)
        for _ in range(steps):
            stream.c.step()
        told = stream.read(asked)
        assert not told.ended
        if told.status is Status.OK:
            assert told.window >= asked
            assert told.data == stream.expected(told.window, hop)
            asked = told.window + 1


def test_the_oldest_results_are_lost_where_the_host_does_not_ask(stream: Stream) -> None:
    stream.plug(noise(900), recording=False)
    stream.start(8)
    stream.hear(LENGTH + 9 * 8)
    stream.work()
    told = stream.read(0)
    assert (told.window, told.ready) == (10 - KEPT, 10)
    assert told.data == stream.expected(told.window, 8)


@pytest.mark.parametrize(("lost", "window"), [(300, 10), (301, 11)])
def test_after_a_gap_windows_go_on_on_the_grid(stream: Stream, lost: int, window: int) -> None:
    stream.plug(noise(900), recording=False)
    stream.start(30)
    stream.hear(40)
    stream.work()
    stream.hear(400, lost)
    stream.work()
    assert stream.read(0).window == window
    assert stream.read(0).data == stream.expected(window, 30)


# ---- time --------------------------------------------------------------------------------------------------------


def test_a_paced_recordings_window_was_there_at_its_time(stream: Stream) -> None:
    stream.plug(noise(900))
    stream.c.wait_ticks(ctypes.c_uint64(10**10))
    stream.start(10)
    stream.hear(300)
    stream.work()
    for window in range(KEPT):
        told = stream.read(window)
        assert told.ticks == 10**10 + (window * 10 + LENGTH) * TICK_HZ // RATE_HZ


def test_a_real_sensors_window_was_there_before_what_came_since(stream: Stream) -> None:
    stream.plug(noise(900), recording=False)
    stream.start(10)
    stream.c.wait_ticks(ctypes.c_uint64(10**10))
    stream.hear(LENGTH + 7)
    stream.work()
    assert stream.read(0).ticks == 10**10 + 5 - 7 * TICK_HZ // RATE_HZ


def test_a_window_played_fast_is_there_when_it_is_taken_up(stream: Stream) -> None:
    stream.plug(noise(900))
    stream.start(10, fast=True, only=False)
    stream.hear(900)
    stream.work()
    first = (5 + 3) * stream.spec.shape[0] + 5 + 77
    told = stream.read(1)
    assert told.ticks == first + 5
    assert told.inference_ticks == 77


# ---- refusals and failures ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("microphone", "options", "status"),
    [
        ({}, {"hop": 0}, Status.BAD_REQUEST),
        ({}, {"hop": 2**30 + 1}, Status.BAD_REQUEST),
        ({}, {"hop": 8, "sensor": 1}, Status.NO_SUCH_SENSOR),
        ({}, {"hop": 8, "model": 4}, Status.NO_SUCH_MODEL),
        ({}, {"hop": 8, "model": 1}, Status.NO_FEATURES),
        ({}, {"hop": 8, "model": 2}, Status.NO_FEATURES),
        ({}, {"hop": 8, "model": 3}, Status.NO_FEATURES),
        ({"kind": SensorKind.MOTION}, {"hop": 8}, Status.BAD_REQUEST),
        ({"dtype": DType.FLOAT32}, {"hop": 8}, Status.BAD_REQUEST),
        ({"channels": 2}, {"hop": 8}, Status.BAD_REQUEST),
        ({"rate_hz": 1001.0}, {"hop": 8}, Status.BAD_REQUEST),
    ],
)
def test_what_cannot_be_streamed_is_refused(
    stream: Stream, microphone: dict[str, Any], options: dict[str, Any], status: Status
) -> None:
    stream.plug(noise(900), **microphone)
    assert stream.start(**options) is status
    assert stream.c.starts() == 0
    assert stream.work() == 0
    assert stream.read(0) == Told(Status.BAD_REQUEST, 0, False)


def test_a_refused_start_ends_the_stream_before(stream: Stream) -> None:
    stream.plug(noise(900))
    stream.start(8)
    assert stream.start(0) is Status.BAD_REQUEST
    assert stream.read(0).status is Status.BAD_REQUEST


def test_a_sensor_that_does_not_start(stream: Stream) -> None:
    stream.plug(noise(900))
    stream.c.fail(1, 0)
    assert stream.start(8) is Status.SENSOR_FAILED
    assert stream.read(0).status is Status.BAD_REQUEST


def test_a_sensor_that_fails_is_told_after_the_results_before(stream: Stream) -> None:
    stream.plug(noise(900))
    stream.start(8)
    stream.hear(LENGTH)
    stream.work()
    stream.c.fail(1, 0)
    stream.hear(900)
    stream.work()
    assert stream.read(0).status is Status.OK
    assert stream.read(1) == Told(Status.SENSOR_FAILED, 1, False)
    assert stream.work() == 0


def test_a_model_that_fails_is_told(stream: Stream) -> None:
    stream.plug(noise(900))
    stream.start(8, only=False)
    stream.c.fail(0, 1)
    stream.hear(900)
    stream.work()
    assert stream.read(0) == Told(Status.MODEL_FAILED, 0, False)


def test_a_stopped_stream_does_nothing(stream: Stream) -> None:
    stream.plug(noise(900))
    stream.start(8)
    stream.hear(900)
    stream.c.stop()
    assert stream.work() == 0
    assert stream.read(0).status is Status.BAD_REQUEST
    assert stream.start(8) is Status.OK
    assert stream.work() > 0


# ---- what models take --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("dtype", "zero_point"), [("int8", 90), ("uint8", 200), ("int16", -700), ("float32", 0)])
def test_features_are_stored_as_the_models_input(make: Callable[..., Stream], dtype: str, zero_point: int) -> None:
    log_mel = LogMel.Config(window_samples=16, hop_samples=8, fft=16, mels=4)
    stream = make(dtype=dtype, zero_point=zero_point, config=log_mel)
    stream.plug(noise(900))
    stream.start(8)
    stream.hear(900)
    stream.work()
    told = stream.read(0)
    assert told.data == stream.expected(0, 8)
    assert len(set(told.data)) > 8
    assert len(told.data) == stream.made.values * np.dtype(dtype).itemsize


@settings(max_examples=200)
@given(
    dtype=st.sampled_from(["int8", "uint8", "int16"]),
    scale=st.floats(2**-10, 128, width=32),
    zero_point=st.integers(0, 127),
    steps=st.lists(st.integers(-40_000, 40_000), min_size=1, max_size=40),
)
def test_quantising_is_the_engines(inside: Any, dtype: str, scale: float, zero_point: int, steps: list[int]) -> None:
    halves = np.array(steps, np.float32) / 2
    real = np.concatenate([halves, np.nextafter(halves, np.float32(np.inf)), np.nextafter(halves, np.float32(-np.inf))])
    real = np.concatenate([real, np.float32([0.49999997, -0.49999997, 0.0, -0.0, 1e36, -1e36])])
    x = np.concatenate([real * np.float32(scale), real])
    stored = np.empty(len(x), dtype)
    inside.store_of(DType[dtype.upper()], ctypes.c_float(scale), zero_point, address(x), len(x), address(stored))
    np.testing.assert_array_equal(stored, Quantiser(TensorSpec("x", x.shape, dtype, scale, zero_point))(x))


@pytest.mark.parametrize("size", ["FEATURE_VALUES", "FEATURE_SAMPLES", "FEATURE_POINTS", "RESULT_BYTES"])
def test_a_firmware_without_room_for_features_builds_and_refuses(tmp_path: Path, stream: Stream, size: str) -> None:
    sizes = re.sub(rf"(#define EIQ_{size}) \w+", r"\1 0", stream.sources["models.h"])
    opened: Any = library(
        tmp_path, {**stream.sources, "models.h": sizes}, (MFCC, CORE / "eiq_crc.c", CORE / "eiq_stream.c")
    )
    sound = noise(900)
    opened.plug(SensorKind.MICROPHONE, DType.INT16, 1, ctypes.c_float(RATE_HZ), 900, address(sound))
    assert opened.start(0, 0, 8, 0, 1) == Status.NO_FEATURES
