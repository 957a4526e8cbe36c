"""A stream of the board as a sensor: where its windows lie, at the seam of a loop and after a reset."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from hal.rt.firmware.recording import Recorded
from hal.rt.offload import BoardStream, Recipe
from hal.rt.readings import Window
from hal.rt.sensors import Clip
from pipelines.core import Signal
from pipelines.errors import DeviceReset

RATE, LENGTH, HOP, SAMPLES = 100.0, 50, 10, 77
WINDOWS = (SAMPLES - LENGTH) // HOP + 1


class Streaming:
    """What a board says of a stream over a recording of 77 samples: windows at 0, 10 and 20."""

    info = SimpleNamespace(clock="core cycles", tick_hz=1000)

    def __init__(self, resets_at: int = -1) -> None:
        self.starts: list[bool] = []
        self.resets_at = resets_at

    def start_stream(self, sensor: int, model: int, hop: int, fast: bool) -> None:
        assert (sensor, model, hop) == (1, 2, HOP)
        self.starts.append(fast)

    def read_stream(self, window: int) -> Window:
        if window == self.resets_at:
            self.resets_at = -1
            raise DeviceReset("the board was reset")
        blob = bytes([window]) if window < WINDOWS else None
        return Window(window, WINDOWS, window >= WINDOWS, 0, 5, 7, blob, 0.001)


def stream(board: Any, *, fast: bool = True, loop: bool = False) -> BoardStream:
    recorded = Recorded("microphone", RATE, (), np.zeros(SAMPLES, np.int16), 1 / 32768)
    clip = Clip(Signal((None,), "float32", RATE, "audio"), recorded, fast=fast, loop=loop, chunk=10)
    made = BoardStream(clip, Recipe(None, None, RATE, LENGTH, HOP))
    made.bind(board, 1, 2)
    return made


def test_windows_lie_where_they_were_cut() -> None:
    frames = list(stream(Streaming()).frames())
    assert [(frame.at, frame.seq, frame.t, frame.array.tolist()) for frame in frames] == [
        (0, 0, 0.5, [0]), (10, 1, 0.6, [1]), (20, 2, 0.7, [2]),
    ]  # fmt: skip


def test_a_loop_begins_where_the_recording_ended() -> None:
    board = Streaming()
    frames = stream(board, loop=True).frames()
    assert [next(frames).at for _ in range(7)] == [0, 10, 20, 77, 87, 97, 154]
    assert len(board.starts) == 3


@pytest.mark.parametrize("fast", [True, False])
def test_after_a_reset_it_goes_on_at_its_place_and_keeps_its_pace(fast: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    board = Streaming(resets_at=1)
    made = stream(board, fast=fast)
    waited: list[float] = []
    monkeypatch.setattr(made._closed, "wait", lambda seconds: waited.append(seconds))
    assert [frame.at for frame in made.frames()] == [0, 10, 20]
    assert board.starts == [fast, True]  # what has been is there at once
    assert waited == ([] if fast else [HOP / RATE] * 2)  # the host waits in the board's place


def test_its_times_are_told_part_by_part() -> None:
    made = stream(Streaming())
    next(made.frames())
    assert [(part.name, part.seconds, part.measured) for part in made.times] == [
        ("features", 0.005, "on the board, in core cycles"),
        ("device", 0.007, "on the board, in core cycles"),
        ("wait", 0.001, "here"),
    ]
