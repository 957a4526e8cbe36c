"""A board's clock against the host's."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hal.rt.ticks import BoardClock, measure

HZ = 1_000_000.0


class Pair:
    """A host's clock and a board's, with a link between that takes random time each way."""

    def __init__(self, seed: int, gain: float = 0.0) -> None:
        self.random, self.gain, self.now = Random(seed), gain, 500.0

    def clock(self) -> float:
        return self.now

    def ticks(self) -> int:
        self.now += self.random.uniform(0.0001, 0.02)
        found = int((self.now - 400) * (1 + self.gain) * HZ)
        self.now += self.random.uniform(0.0001, 0.02)
        return found


@given(st.integers(0, 2**32))
def test_it_is_right_within_what_it_says(seed: int) -> None:
    pair = Pair(seed)
    found = measure(pair.ticks, HZ, pair.clock)
    truth = found.ticks / HZ + 400
    assert abs(found.host_s - truth) <= found.uncertainty_s
    assert found.host(found.ticks + 1_000_000) == pytest.approx(found.host_s + 1)


def test_the_shortest_round_trip_counts() -> None:
    delays: Iterator[float] = iter([0.5, 0.002, 0.3])
    now = [10.0]

    def ticks() -> int:
        now[0] += next(delays)
        return int(now[0] * HZ)

    found = measure(ticks, HZ, lambda: now[0], exchanges=3)
    assert found.uncertainty_s == pytest.approx(0.001, rel=0.01)
    assert found.host_s == pytest.approx(10.501)


@pytest.mark.parametrize("gain", [-0.3, -1e-4, 1e-4])
def test_drift_is_what_one_clock_gains(gain: float) -> None:
    pair = Pair(1, gain)
    first = measure(pair.ticks, HZ, pair.clock)
    pair.now += 1000
    second = measure(pair.ticks, HZ, pair.clock, first)
    assert second.drift == pytest.approx(gain, rel=0.3)
    pair.now += 1000
    ticks = int((pair.now - 400) * (1 + gain) * HZ)
    assert abs(second.host(ticks) - pair.now) < 0.1 * abs(gain) * 1000 + 0.05


def test_drift_that_cannot_be_told_from_the_uncertainty_is_none() -> None:
    pair = Pair(1, 1e-6)
    first = measure(pair.ticks, HZ, pair.clock)
    pair.now += 1
    assert measure(pair.ticks, HZ, pair.clock, first).drift == 0


def test_a_clock_that_began_anew_has_no_drift() -> None:
    pair = Pair(1)
    later = BoardClock(10**15, 1.0, HZ, 0.001)
    assert measure(pair.ticks, HZ, pair.clock, later).drift == 0
