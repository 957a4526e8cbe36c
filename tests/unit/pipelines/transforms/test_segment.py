from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.core import Frame, Signal
from pipelines.errors import SignalMismatch
from pipelines.transforms.segment import Segment

CHANNELS = ("ax_g", "ay_g", "az_g", "gx_dps", "gy_dps", "gz_dps")
MOTION = Signal((None, 6), "float32", 100.0, "motion", CHANNELS)
OPTIONS = {"start_dps": 80.0, "stop_dps": 40.0, "quiet_ms": 100.0, "min_ms": 50.0, "max_ms": 400.0,
           "before_ms": 20.0, "after_ms": 30.0}  # fmt: skip


def segment(**options: float) -> Segment:
    """At 100 Hz, so that 10 ms are a sample."""
    step = Segment(Segment.Config(**(OPTIONS | options)))
    step.resolve(MOTION)
    return step


def stream(*runs: tuple[int, float]) -> np.ndarray:
    """So many samples at so many degrees per second about x; ay_g counts the samples, az_g is at rest."""
    turning = np.concatenate([np.full(count, dps) for count, dps in runs])
    made = np.zeros((len(turning), 6), np.float32)
    made[:, 1], made[:, 2], made[:, 3] = np.arange(len(turning)), 1, turning
    return made


def chunks(data: np.ndarray, sizes: Sequence[int]) -> Iterator[Frame]:
    ends = [*np.cumsum([0, *sizes])]
    for seq, (first, end) in enumerate(zip(ends, [*ends[1:], len(data)], strict=True)):
        yield Frame(data[first:end], end / 100, seq, int(first), arrived=float(seq))


def found(step: Segment, frames: Iterator[Frame]) -> list[Frame]:
    return [out for frame in frames for out in step.process(frame)]


def places(frames: list[Frame]) -> list[tuple[int, int]]:
    for frame in frames:
        np.testing.assert_array_equal(frame.array[:, 1], np.arange(frame.at, frame.at + len(frame.array)))
    return [(frame.at, frame.at + len(frame.array)) for frame in frames]


def test_a_movement_with_what_stands_before_and_after() -> None:
    (out,) = found(segment(), chunks(stream((30, 0), (20, 100), (30, 0)), [5] * 16))
    assert places([out]) == [(28, 53)]
    assert (out.seq, out.t, out.source) == (0, 0.53, None)
    assert out.arrived == 11  # 100 ms of rest after sample 49 are over with sample 59


def test_between_its_thresholds_a_movement_goes_on_but_does_not_begin() -> None:
    assert found(segment(), chunks(stream((20, 0), (20, 60), (20, 0)), [])) == []
    assert places(found(segment(), chunks(stream((20, 0), (5, 100), (20, 60), (20, 0)), []))) == [(18, 48)]


def test_a_short_rest_ends_nothing() -> None:
    frames = found(segment(), chunks(stream((20, 0), (10, 100), (9, 0), (10, 100), (20, 0)), []))
    assert places(frames) == [(18, 52)]


def test_knocks_and_walks_are_left_out_and_are_not_counted() -> None:
    data = stream((20, 0), (4, 100), (20, 0), (41, 100), (20, 0), (40, 100), (20, 0))
    frames = found(segment(), chunks(data, []))
    assert places(frames) == [(103, 148)]
    assert frames[0].seq == 0


def test_before_reaches_neither_into_the_last_movement_nor_before_the_stream() -> None:
    frames = found(segment(before_ms=500), chunks(stream((3, 0), (10, 100), (12, 0), (10, 100), (20, 0)), []))
    assert places(frames) == [(0, 16), (16, 38)]


def test_the_accelerometer_is_measured_from_1_g() -> None:
    step = Segment(Segment.Config(start_g=0.5, stop_g=0.2, min_ms=50))
    step.resolve(MOTION)
    data = stream((100, 0))
    data[:, 1] = 0
    data[40:60, 2] = 0.4  # less than gravity moves too
    (out,) = found(step, chunks(data, []))
    assert (out.at, len(out.array)) == (35, 30)


RUNS = st.lists(st.tuples(st.integers(1, 60), st.sampled_from([0.0, 60.0, 100.0])), min_size=1, max_size=15)


@settings(deadline=None, max_examples=80)
@given(RUNS, st.lists(st.integers(0, 80), max_size=25), st.integers(1, 600))
def test_any_chunking_gives_the_same_movements(runs: list[tuple[int, float]], sizes: list[int], before_ms: int) -> None:
    data = stream(*runs)
    sizes = [size for size, end in zip(sizes, np.cumsum(sizes), strict=True) if end <= len(data)]
    whole = found(segment(before_ms=max(before_ms, 10)), chunks(data, []))
    parts = found(segment(before_ms=max(before_ms, 10)), chunks(data, sizes))
    assert places(parts) == places(whole)
    assert [(p.seq, p.t) for p in parts] == [(w.seq, w.t) for w in whole]


@settings(deadline=None, max_examples=80)
@given(RUNS, RUNS, st.integers(1, 500))
def test_a_gap_never_splices(one: list[tuple[int, float]], two: list[tuple[int, float]], lost: int) -> None:
    first, second = stream(*one), stream(*two)
    second[:, 1] += len(first) + lost
    frames = [Frame(first, 0.0, 0, 0), Frame(second, 0.0, 1, len(first) + lost)]
    got = places(found(segment(before_ms=300), iter(frames)))  # places: consecutive samples only
    alone = places(found(segment(before_ms=300), iter(frames[:1])))
    alone += places(found(segment(before_ms=300), iter(frames[1:])))
    assert got == alone


def test_a_movement_without_end_keeps_no_more_than_its_longest() -> None:
    step = segment()
    data = stream((100_000, 100))
    assert found(step, chunks(data, [1000] * 99)) == []
    assert len(step._kept) <= 50


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "neither start_g nor start_dps"),
        ({"start_g": 0.4}, "only one of start_g and stop_g"),
        ({"stop_dps": 10.0, "start_g": 0.4, "stop_g": 0.2}, "only one of start_dps and stop_dps"),
        ({"start_g": 0.4, "stop_g": 0.5}, "stop_g 0.5 above start_g 0.4"),
        ({"start_g": 0.4, "stop_g": 0.2, "min_ms": 900, "max_ms": 800}, "min_ms 900 above max_ms 800"),
        ({"start_g": 0.4, "stop_g": 0.2, "after_ms": 900}, "after_ms 900 above quiet_ms 250"),
    ],
)
def test_options_that_make_no_sense_are_refused(options: dict[str, float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Segment.Config(**options)


@pytest.mark.parametrize(
    ("signal", "message"),
    [
        (MOTION.but(channels=CHANNELS[:3], shape=(None, 3)), "gyroscope's gx_dps gy_dps gz_dps for start_dps; take a"),
        (MOTION.but(channels=(*CHANNELS[:3], "gx_radps", "gy_radps", "gz_radps")), "convert the recording to dps"),
        (MOTION.but(channels=("ax_mg", "ay_mg", "az_mg", *CHANNELS[3:])), "ax_g ay_g az_g for start_g; convert the"),
        (MOTION.but(kind="audio"), "stand segment behind a motion sensor"),
        (MOTION.but(shape=(100, 6)), "stand segment behind a motion sensor, before window"),
        (MOTION.but(rate_hz=None), "set the sensor's rate_hz"),
    ],
)  # fmt: skip
def test_thresholds_are_checked_against_the_channels(signal: Signal, message: str) -> None:
    step = Segment(Segment.Config(start_g=0.4, stop_g=0.2, **OPTIONS))
    with pytest.raises(SignalMismatch, match=message):
        step.resolve(signal)
