from __future__ import annotations

from collections.abc import Generator
from itertools import islice

import numpy as np

from hal.recordings.pace import Pace
from hal.recordings.replay import Replay
from pipelines.core import Array, Frame, Signal

AUDIO = Signal((None,), "float32", 100.0, "audio")
PICTURES = Signal((None, None, 3), "uint8", None, "image")


class Recorded:
    def __init__(self, signal: Signal, sizes: list[int]) -> None:
        self.signal, self._sizes = signal, sizes
        self.open = 0

    def read(self) -> Generator[Array, None, None]:
        self.open += 1
        try:
            for size in self._sizes:
                yield np.zeros(size, np.float32)
        finally:
            self.open -= 1


def places(frames: list[Frame]) -> list[tuple[int, int, float]]:
    return [(frame.seq, frame.at, frame.t) for frame in frames]


def test_a_chunk_is_captured_when_its_last_sample_is() -> None:
    sensor = Replay(Recorded(AUDIO, [20, 20, 5]), Pace(realtime=False))
    frames = list(sensor.frames())
    assert places(frames) == [(0, 0, 0.2), (1, 20, 0.4), (2, 40, 0.45)]
    assert all(frame.arrived is None and frame.source is None for frame in frames)
    assert not sensor.live


def test_pictures_count_themselves_where_they_have_no_rate() -> None:
    frames = list(Replay(Recorded(PICTURES, [1, 1]), Pace(realtime=False)).frames())
    assert places(frames) == [(0, 0, 0.0), (1, 1, 1.0)]


def test_pictures_with_a_rate() -> None:
    frames = list(Replay(Recorded(PICTURES.but(rate_hz=4.0), [9, 9]), Pace(realtime=False)).frames())
    assert places(frames) == [(0, 0, 0.0), (1, 1, 0.25)]


def test_a_loop_goes_on_counting() -> None:
    sensor = Replay(Recorded(AUDIO, [20, 5]), Pace(realtime=False), loop=True)
    assert places(list(islice(sensor.frames(), 4))) == [(0, 0, 0.2), (1, 20, 0.25), (2, 25, 0.45), (3, 45, 0.5)]


def test_a_second_round_of_frames_goes_on_counting() -> None:
    sensor = Replay(Recorded(AUDIO, [20]), Pace(realtime=False))
    assert places([*sensor.frames(), *sensor.frames()]) == [(0, 0, 0.2), (1, 20, 0.4)]


def test_realtime_waits_by_the_recordings_clock() -> None:
    waits: list[float] = []
    now = [0.0]

    def wait(seconds: float) -> None:
        waits.append(round(seconds, 9))
        now[0] += seconds

    pace = Pace(realtime=True, clock=lambda: now[0], wait=wait)
    assert len(list(Replay(Recorded(AUDIO, [20, 20, 5]), pace).frames())) == 3
    assert waits == [0.2, 0.2, 0.05]


def test_close_ends_it_and_closes_the_file() -> None:
    recorded = Recorded(AUDIO, [20] * 10)
    sensor = Replay(recorded, Pace(realtime=False), loop=True)
    frames = sensor.frames()
    next(frames)
    assert recorded.open == 1
    sensor.close()
    sensor.close()
    assert list(frames) == []
    assert recorded.open == 0
    assert list(sensor.frames()) == []
