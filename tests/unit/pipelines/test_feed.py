from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest

from fakes import AUDIO, FakeSensor, Recorder, picture
from pipelines.core import Frame, SensorBack, SensorLost
from pipelines.errors import DeviceError, DeviceLost, MissingDependency
from pipelines.feed import FIRST_RETRY_S, LONGEST_RETRY_S, QUEUED_FRAMES, Capture, frames


class InstantEvent(threading.Event):
    """Its waits are noted and over at once."""

    def __init__(self) -> None:
        super().__init__()
        self.waits: list[float] = []

    def wait(self, timeout: float | None = None) -> bool:
        self.waits.append(timeout or 0.0)
        return self.is_set()


class Flaky(FakeSensor):
    """A live sensor whose every opening goes as the script says."""

    def __init__(self, *openings: list[Frame | Exception]) -> None:
        super().__init__([], AUDIO, live=True)
        self.openings = iter(openings)

    def frames(self) -> Iterator[Frame]:
        for item in next(self.openings):
            if isinstance(item, Exception):
                raise item
            yield item


def test_a_recording_is_pulled_and_never_drops() -> None:
    got = list(frames(FakeSensor(map(picture, range(5000))), Recorder().on, threading.Event()))
    assert [f.seq for f in got] == list(range(5000))


def test_a_lost_device_is_told_once_retried_with_back_off_and_told_again_when_back() -> None:
    gone = DeviceError("no such device")
    sensor = Flaky([picture(0), DeviceLost("unplugged")], [gone], [gone], [gone], [gone], [gone], [gone], [picture(9)])
    recorder, stop, now = Recorder(), InstantEvent(), iter(range(100))
    capture = Capture(sensor, recorder.on, stop, clock=lambda: float(next(now)))
    assert [f.seq for f in capture.frames()] == [0, 9]
    assert recorder.events == [SensorLost("unplugged"), SensorBack(1.0)]
    assert stop.waits == [FIRST_RETRY_S * 2**k if FIRST_RETRY_S * 2**k < LONGEST_RETRY_S else LONGEST_RETRY_S
                          for k in range(7)]  # fmt: skip


def test_a_device_that_was_never_there_is_an_error() -> None:
    with pytest.raises(DeviceError, match="no camera"):
        list(Capture(Flaky([DeviceError("no camera")]), Recorder().on, InstantEvent()).frames())


def test_what_retrying_cannot_mend_ends_the_run() -> None:
    sensor = Flaky([picture(0), DeviceLost("x")], [MissingDependency("no driver")])
    with pytest.raises(MissingDependency):
        list(Capture(sensor, Recorder().on, InstantEvent()).frames())


def test_a_slow_run_sees_the_latest_picture() -> None:
    sensor = FakeSensor(map(picture, range(100)), live=True)
    stream = Capture(sensor, Recorder().on, threading.Event()).frames()
    first = next(stream).seq
    _until(lambda: threading.active_count() == 1 or not any(t.name == "capture" for t in threading.enumerate()))
    assert [f.seq for f in stream] == ([99] if first < 99 else [])


def test_a_slow_run_keeps_audio_up_to_the_bound() -> None:
    sensor = FakeSensor(map(picture, range(QUEUED_FRAMES + 50)), AUDIO, live=True)
    capture = Capture(sensor, Recorder().on, threading.Event())
    stream = capture.frames()
    first = next(stream).seq
    _until(lambda: capture.ended)
    rest = [f.seq for f in stream]
    assert rest[-1] == QUEUED_FRAMES + 49
    assert rest == list(range(rest[0], QUEUED_FRAMES + 50))
    assert len(rest) == min(QUEUED_FRAMES, QUEUED_FRAMES + 49 - first)


def test_stopping_does_not_wait_for_a_driver_that_hangs() -> None:
    class Hanging(FakeSensor):
        def frames(self) -> Iterator[Frame]:
            yield picture(0)
            threading.Event().wait(20)

    stop = threading.Event()
    stream = Capture(Hanging([], live=True), Recorder().on, stop).frames()
    assert next(stream).seq == 0
    stop.set()
    start = time.monotonic()
    assert list(stream) == []
    assert time.monotonic() - start < 1.0


def _until(condition: object) -> None:
    deadline = time.monotonic() + 5
    while not condition() and time.monotonic() < deadline:
        threading.Event().wait(0.001)


def test_stopping_takes_nothing_more_from_the_queue() -> None:
    # ten seconds of sound may wait there, and Ctrl-C is to be answered within one
    stop = threading.Event()
    capture = Capture(FakeSensor(map(picture, range(100)), AUDIO, live=True), Recorder().on, stop)
    stream = capture.frames()
    next(stream)
    _until(lambda: capture.ended)
    stop.set()
    assert list(stream) == []
