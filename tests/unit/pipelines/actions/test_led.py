import threading
from collections.abc import Callable
from typing import Any

import pytest

from pipelines.actions.led import Led
from pipelines.core import Result
from pipelines.errors import CapabilityError, DeviceLost


class Clock:
    """Time and timers that move only when told to."""

    def __init__(self) -> None:
        self.now = 0.0
        self.waiting: list[tuple[float, Callable[[], None]]] = []

    def __call__(self) -> float:
        return self.now

    def timer(self, seconds: float, call: Callable[[], None]) -> Any:
        entry = (self.now + seconds, call)
        clock = self

        class Timer:
            daemon = False

            def start(self) -> None:
                clock.waiting.append(entry)

            def cancel(self) -> None:
                if entry in clock.waiting:
                    clock.waiting.remove(entry)

        return Timer()

    def go_on(self, seconds: float) -> None:
        end = self.now + seconds
        while due := [entry for entry in self.waiting if entry[0] <= end]:
            first = min(due, key=lambda entry: entry[0])
            self.waiting.remove(first)
            self.now = first[0]
            first[1]()
        self.now = end


@pytest.fixture
def clock() -> Clock:
    return Clock()


def led(target: Any, clock: Clock, **config: Any) -> Led:
    return Led(Led.Config(**config), target, timer=clock.timer, clock=clock)


YES, NO = Result(0, "yes", 1), Result(0, "no", 1)


def test_it_lights_up_and_goes_out(target: Any, clock: Clock) -> None:
    action, light = led(target, clock, on_ms=500), target.led("led")
    action.handle(YES)
    assert light.is_lit
    clock.go_on(0.499)
    assert light.is_lit
    clock.go_on(0.001)
    assert light.history == [True, False]
    action.close()
    assert light.history == [True, False]


def test_a_further_result_lengthens_it(target: Any, clock: Clock) -> None:
    action, light = led(target, clock, on_ms=500), target.led("led")
    for _ in range(4):
        action.handle(YES)
        clock.go_on(0.3)
    assert light.history == [True]
    clock.go_on(0.3)
    assert light.history == [True, False]
    action.handle(YES)
    assert light.is_lit
    action.close()


def test_only_its_labels_light_it(target: Any, clock: Clock) -> None:
    action = led(target, clock, labels=("yes",))
    action.handle(NO)
    assert not target.led("led").history
    action.handle(YES)
    assert target.led("led").is_lit
    action.close()


def test_close_puts_it_out_and_may_be_called_twice(target: Any, clock: Clock) -> None:
    action = led(target, clock)
    action.handle(YES)
    action.close()
    action.close()
    assert target.led("led").history == [True, False]
    clock.go_on(9)
    assert target.led("led").history == [True, False]


def test_a_light_that_is_not_there_is_found_when_it_is_built(target: Any, clock: Clock) -> None:
    with pytest.raises(CapabilityError):
        led(target, clock, name="laser")


def test_an_error_while_going_out_is_told_at_the_next_result(target: Any, clock: Clock) -> None:
    action, light = led(target, clock), target.led("led")
    action.handle(YES)
    light.error = DeviceLost("the board is gone")
    clock.go_on(1)
    light.error = None
    with pytest.raises(DeviceLost, match="the board is gone"):
        action.handle(YES)
    action.close()


def test_a_real_timer_puts_it_out(target: Any) -> None:
    light, out = target.led("led"), threading.Event()
    light.off = lambda: out.set()
    action = Led(Led.Config(on_ms=1), target)
    action.handle(YES)
    assert out.wait(20)
    action.close()
