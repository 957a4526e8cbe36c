from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.core import Frame, Signal
from pipelines.errors import SignalMismatch
from pipelines.transforms.window import Window

AUDIO = Signal((None,), "float32", 1000.0, "audio")


def window(length: int, hop: int, **options: float) -> Window:
    """At 1000 Hz, so that a sample is a millisecond."""
    step = Window(Window.Config(length_ms=length, hop_ms=hop, **options))
    step.resolve(AUDIO)
    return step


def chunks(stream: np.ndarray, sizes: Sequence[int], at: int = 0) -> Iterator[Frame]:
    taken = 0
    for seq, size in enumerate(sizes):
        part = stream[taken : taken + size]
        taken += len(part)
        yield Frame(part, t=(at + taken) / 1000, seq=seq, at=at + taken - len(part))


def samples(count: int) -> np.ndarray:
    return np.arange(count, dtype=np.float32)


@settings(deadline=None, max_examples=60)
@given(st.integers(1, 40), st.integers(1, 60), st.lists(st.integers(0, 90), max_size=20), st.integers(0, 100))
def test_any_chunking_gives_the_same_windows_on_the_grid(length: int, hop: int, sizes: list[int], at: int) -> None:
    step, stream = window(length, hop), samples(sum(sizes))
    got = [out for chunk in chunks(stream, sizes, at) for out in step.process(chunk)]
    first = -(-at // hop)
    wanted = [k for k in range(first, first + 2000) if k * hop + length <= at + len(stream)]
    assert [out.seq for out in got] == wanted
    for out in got:
        assert out.at == out.seq * hop
        assert out.t == pytest.approx((out.at + length) / 1000)
        np.testing.assert_array_equal(out.array, np.arange(out.at - at, out.at - at + length, dtype=np.float32))


@settings(deadline=None, max_examples=60)
@given(st.lists(st.tuples(st.integers(1, 50), st.integers(0, 30)), min_size=1, max_size=12))
def test_no_window_is_ever_spliced_over_a_gap(runs: list[tuple[int, int]]) -> None:
    step, position, got = window(20, 7), 0, []
    complete = []
    for seq, (size, lost) in enumerate(runs):
        data = np.arange(position, position + size, dtype=np.float32)  # each sample holds its own position
        got += step.process(Frame(data, 0.0, seq, position))
        complete += [k for k in range(200) if k * 7 + 20 <= position + size and k not in complete]
        position += size + lost
    for out in got:
        np.testing.assert_array_equal(out.array, np.arange(out.at, out.at + 20))
    assert [out.seq for out in got] == sorted({out.seq for out in got})


def test_after_a_gap_windows_resume_on_the_next_place_of_the_grid() -> None:
    step = window(10, 5)
    assert [out.seq for out in step.process(Frame(samples(12), 0.0, 0, 0))] == [0]
    assert [out.seq for out in step.process(Frame(samples(12), 0.0, 2, 13))] == [3]  # 15 to 25
    assert [out.seq for out in step.process(Frame(samples(5), 0.0, 3, 25))] == [4]


def test_a_stream_that_starts_anew_starts_its_windows_anew() -> None:
    step = window(10, 5)
    assert [out.seq for out in step.process(Frame(samples(20), 0.0, 0, 0))] == [0, 1, 2]
    assert [out.seq for out in step.process(Frame(samples(10), 0.0, 0, 0))] == [0]


def test_a_stream_shorter_than_a_window_gives_none() -> None:
    assert not list(window(10, 5).process(Frame(samples(9), 0.0, 0)))


def test_a_window_is_a_captured_frame_and_owns_its_data() -> None:
    step, chunk = window(4, 1), samples(6)
    outs = list(step.process(Frame(chunk, 0.0, 0, 0, source=Frame(chunk, 0.0, 0))))
    chunk[:] = -1
    assert all(out.source is None and out.captured is out for out in outs)
    assert [out.array.tolist() for out in outs] == [[0, 1, 2, 3], [1, 2, 3, 4], [2, 3, 4, 5]]
    assert not any(np.shares_memory(a.array, b.array) for a in outs for b in outs if a is not b)


def test_a_live_window_older_than_the_hop_is_left_out() -> None:
    now = [100.0]
    step = Window(Window.Config(length_ms=10, hop_ms=10), clock=lambda: now[0])
    step.resolve(AUDIO)

    def push(at: int, arrived: float | None) -> list[tuple[int, float | None]]:
        return [(out.seq, out.arrived) for out in step.process(Frame(samples(10), 0.0, 0, at, arrived))]

    assert push(0, 99.991) == [(0, 99.991)]
    assert push(10, 99.989) == []
    assert push(20, 99.999) == [(2, 99.999)]
    assert push(30, None) == [(3, None)]


def test_max_age_says_how_old_a_live_window_may_be() -> None:
    step = Window(Window.Config(length_ms=10, hop_ms=10, max_age_ms=50), clock=lambda: 100.0)
    step.resolve(AUDIO)
    assert list(step.process(Frame(samples(10), 0.0, 0, 0, 99.951)))
    assert not list(step.process(Frame(samples(10), 0.0, 0, 10, 99.949)))


def test_motion_keeps_its_axes() -> None:
    step = Window(Window.Config(length_ms=1000, hop_ms=500))
    motion = Signal((None, 3), "float32", 119.0, "motion", ("ax_g", "ay_g", "az_g"))
    assert step.resolve(motion) == motion.but(shape=(119, 3))
    data = np.arange(200 * 3, dtype=np.float32).reshape(200, 3)
    outs = list(step.process(Frame(data, 0.0, 0)))
    assert [out.at for out in outs] == [0, 60]  # 59.5 samples, to the nearest even whole one
    np.testing.assert_array_equal(outs[1].array, data[60:179])


@pytest.mark.parametrize(
    ("signal", "options", "words"),
    [
        (Signal((8, 8, 3), "uint8", 30.0, "image"), {}, "expected a stream of audio or motion"),
        (AUDIO.but(rate_hz=None), {}, "sampling rate"),
        (AUDIO, {"hop_ms": 0.4}, "hop_ms 0.4, which is less than one sample"),
    ],
)
def test_what_it_cannot_cut_is_refused(signal: Signal, options: dict[str, float], words: str) -> None:
    with pytest.raises(SignalMismatch, match=words):
        Window(Window.Config(**{"length_ms": 10, "hop_ms": 5, **options})).resolve(signal)
