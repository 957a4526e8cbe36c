from __future__ import annotations

from hal.sim.led import HISTORY, SimLed


def test_on_and_off_are_seen_and_remembered() -> None:
    led = SimLed("led")
    assert not led.is_lit
    led.on()
    assert led.is_lit
    assert str(led) == "led on"
    led.off()
    assert not led.is_lit
    assert list(led.history) == [True, False]


def test_watchers_see_the_state_now_and_every_change() -> None:
    led, seen = SimLed("led"), []
    led.on()
    forget = led.watch(lambda led: seen.append(led.is_lit))
    led.on()  # no change
    led.off()
    forget()
    forget()
    led.on()
    assert seen == [True, False]


def test_a_watcher_may_end_itself() -> None:
    led, calls = SimLed("led"), []
    forget = led.watch(lambda led: calls.append(led.is_lit) or (forget() if led.is_lit else None))
    led.on()
    led.off()
    assert calls == [False, True]


def test_the_history_is_bounded() -> None:
    led = SimLed("led")
    for _ in range(HISTORY):
        led.on()
        led.off()
    assert len(led.history) == HISTORY
