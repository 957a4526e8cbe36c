from __future__ import annotations

import threading
import time

from hal.recordings.pace import Pace


class Clock:
    """Time that passes only by waiting."""

    def __init__(self) -> None:
        self.now = 100.0
        self.waits: list[float] = []

    def __call__(self) -> float:
        return self.now

    def wait(self, seconds: float) -> None:
        self.waits.append(round(seconds, 9))
        self.now += seconds


def paced(clock: Clock, *, realtime: bool = True) -> Pace:
    return Pace(realtime=realtime, clock=clock, wait=clock.wait)


def test_realtime_waits_for_each_frame() -> None:
    clock = Clock()
    pace = paced(clock)
    pace.start(0.0)
    assert all(pace.until(t) for t in (0.0, 0.25, 0.5))
    assert clock.waits == [0.25, 0.25]


def test_a_late_frame_does_not_wait_and_the_next_is_on_time_again() -> None:
    clock = Clock()
    pace = paced(clock)
    pace.start(0.0)
    clock.now += 0.75
    assert pace.until(0.5)
    assert clock.waits == []
    assert pace.until(1.0)
    assert clock.waits == [0.25]


def test_goes_on_from_a_later_time() -> None:
    clock = Clock()
    pace = paced(clock)
    pace.start(10.0)
    assert pace.until(10.5)
    assert clock.waits == [0.5]


def test_fast_never_waits() -> None:
    clock = Clock()
    pace = paced(clock, realtime=False)
    pace.start(0.0)
    assert pace.until(1e9)
    assert clock.waits == []


def test_closed_is_never_due() -> None:
    for realtime in (True, False):
        pace = paced(Clock(), realtime=realtime)
        pace.close()
        assert not pace.until(0.0)


def test_close_ends_a_wait_at_once() -> None:
    pace = Pace(realtime=True)
    pace.start(0.0)
    answers: list[bool] = []
    waiter = threading.Thread(target=lambda: answers.append(pace.until(60.0)))
    began = time.monotonic()
    waiter.start()
    pace.close()
    waiter.join(5)
    assert answers == [False]
    assert time.monotonic() - began < 5
