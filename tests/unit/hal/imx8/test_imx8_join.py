"""Joining the samples of two devices."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hal.imx8.join import Join
from pipelines.core import Array

RATE_HZ = 100.0
PERIOD = 10_000_000
NAMES = ("A", "B")


def join() -> Join:
    return Join(NAMES, (1, 1), RATE_HZ, 7.0)


def at(*periods: float) -> Array:
    return np.array([round(period * PERIOD) for period in periods], np.int64)


def column(*values: float) -> Array:
    return np.array(values, np.float32)[:, None]


def joined(first: tuple[Array, Array], second: tuple[Array, Array]) -> tuple[list[float], list[list[float]]]:
    of = join()
    of.add(0, *first)
    times, rows = of.add(1, *second)
    return (times / PERIOD).tolist(), rows.tolist()


def test_the_seconds_values_are_those_at_the_firsts_times() -> None:
    assert joined((at(1, 2, 3), column(10, 20, 30)), (at(0.5, 1.5, 2.5, 3.5), column(0, 100, 200, 300))) == (
        [1, 2, 3], [[10, 50], [20, 150], [30, 250]],
    )  # fmt: skip


def test_equal_times_are_no_interpolation() -> None:
    assert joined((at(1, 2), column(1, 2)), (at(1, 2), column(7, 9))) == ([1, 2], [[1, 7], [2, 9]])


def test_what_the_second_lost_is_left_out_and_nothing_else() -> None:
    """A timer samples both, the second a moment later; of that the third is lost."""
    first = at(0, 1, 2, 3, 4), column(0, 1, 2, 3, 4)
    times, rows = joined(first, (at(0.01, 1.01, 3.01, 4.01), column(0, 10, 30, 40)))
    assert times == [0, 1, 3, 4]  # at 3 the second's next is near, though its last is far
    np.testing.assert_allclose([row[1] for row in rows], [0, 9.9, 30, 39.9], atol=0.2)


def test_what_the_first_lost_stays_lost() -> None:
    assert joined((at(0, 3), column(0, 3)), (at(0, 1, 2, 3), column(0, 1, 2, 3)))[0] == [0, 3]


def test_nothing_before_both_have_begun() -> None:
    of = join()
    assert of.add(0, at(0, 1, 2), column(0, 1, 2))[1].shape == (0, 2)
    times, rows = of.add(1, at(1.4, 2.4), column(14, 24))
    assert (times / PERIOD).tolist() == [2]
    np.testing.assert_allclose(rows, [[2, 20]])


def test_times_that_step_back_begin_anew() -> None:
    """As st_lsm6dsx's do, where the chip's counter starts again and its clock was fast."""
    of = join()
    of.add(0, at(0, 1, 2), column(0, 1, 2))
    assert len(of.add(1, at(0, 1, 2), column(0, 1, 2))[0]) == 3
    of.add(0, at(3, 2.5, 3.5), column(3, 4, 5))
    times, rows = of.add(1, at(3, 2.5, 3.5), column(6, 7, 8))
    assert times.tolist() == []  # what the first gave since is not known to be of one time with it
    of.add(0, at(4.5, 5.5), column(9, 10))
    times, rows = of.add(1, at(4.5, 5.5), column(11, 12))
    assert (times / PERIOD).tolist() == [4.5, 5.5]
    assert rows.tolist() == [[9, 11], [10, 12]]


def test_times_that_step_back_again_and_again() -> None:
    of = join()
    with pytest.raises(ValueError, match="^the times of B go back$"):
        for _ in range(11):
            of.add(1, at(5, 4), column(0, 0))


@pytest.mark.parametrize("ahead", [0, 1])
def test_times_of_two_clocks(ahead: int) -> None:
    """One counts from the start of the machine, one from 1970; neither waits for ever, nor is silently left out."""
    of = join()
    of.add(1 - ahead, at(0), column(0))
    of.add(ahead, at(9000), column(0))
    with pytest.raises(ValueError, match=r"^the times of A and B are (89|90)\.0 s apart, expected one clock for both$"):
        for second in range(1, 20):
            times = np.arange(second * 100, second * 100 + 100) * PERIOD
            assert not len(of.add(1 - ahead, times, np.zeros((100, 1), np.float32))[0])
            assert not len(of.add(ahead, times + 9000 * PERIOD, np.zeros((100, 1), np.float32))[0])


def test_a_reader_that_was_away_for_long() -> None:
    """The kernel kept the first two seconds and then has new ones; one device's are read across the hole first."""
    of = join()
    for place in range(2):
        of.add(place, np.arange(200) * PERIOD, np.zeros((200, 1), np.float32))
    of.add(0, np.arange(6000, 6064) * PERIOD, np.zeros((64, 1), np.float32))
    times, _ = of.add(1, np.arange(6000, 6064) * PERIOD, np.zeros((64, 1), np.float32))
    assert (times / PERIOD).tolist() == list(range(6000, 6064))


def test_one_that_never_gives_anything() -> None:
    of = join()
    with pytest.raises(ValueError, match="^of A and B only one gives samples$"):
        of.add(1, np.arange(701) * PERIOD, np.zeros((701, 1), np.float32))


@st.composite
def two_devices(draw: st.DrawFn) -> list[tuple[Array, Array]]:
    """Stamps and values of both: other rates, a phase, jitter, losses, hours of uptime."""
    uptime = draw(st.integers(0, 10**15))
    devices = []
    for place in range(2):
        count = draw(st.integers(0, 40))
        drift = draw(st.floats(0.98, 1.02))
        phase = draw(st.floats(0, 3))
        jitter = draw(st.lists(st.floats(0, 0.1), min_size=count, max_size=count))
        lost = draw(st.lists(st.integers(0, 9), min_size=count, max_size=count))
        stamps = [uptime + round((phase + i * drift + j) * PERIOD) for i, j in enumerate(jitter) if lost[i]]
        values = [float(1000 * place + i) for i in range(count) if lost[i]]
        devices.append((np.array(stamps, np.int64), column(*values) if values else np.empty((0, 1), np.float32)))
    return devices


def expected(devices: list[tuple[Array, Array]]) -> dict[int, tuple[float, float]]:
    """One row after the other, in Python's own integers."""
    (times, values), (others, measured) = devices
    rows = {}
    for time, value in zip(times.tolist(), values[:, 0].tolist(), strict=True):
        pairs = zip(others.tolist(), measured[:, 0].tolist(), strict=True)
        points = [*pairs]
        if not points or time > points[-1][0]:
            continue
        for (t0, v0), (t1, v1) in pairwise(points):
            near = min(abs(time - t0), abs(t1 - time)) <= 0.25 * PERIOD
            if t0 <= time <= t1 and (t1 - t0 <= 1.9 * PERIOD or near):
                rows[time] = (value, v0 + (v1 - v0) * ((time - t0) / (t1 - t0)))
                break
        else:
            if 0 <= points[0][0] - time <= 0.25 * PERIOD:
                rows[time] = (value, points[0][1])
    return rows


@given(devices=two_devices(), data=st.data())
def test_the_same_rows_however_the_samples_come(devices: list[tuple[Array, Array]], data: st.DataObject) -> None:
    of, got = join(), {}
    left = [0, 0]
    while any(left[place] < len(devices[place][0]) for place in range(2)):
        place = data.draw(st.sampled_from([p for p in range(2) if left[p] < len(devices[p][0])]))
        end = left[place] + data.draw(st.integers(1, 12))
        times, rows = of.add(place, devices[place][0][left[place] : end], devices[place][1][left[place] : end])
        left[place] = end
        got |= dict(zip(times.tolist(), map(tuple, rows.tolist()), strict=True))
    wanted = expected(devices)
    assert list(got) == list(wanted)
    for time, row in wanted.items():
        assert got[time] == pytest.approx(row, rel=1e-5, abs=1e-3)


def test_what_is_kept_has_a_bound() -> None:
    """An hour, the second's clock 2 % slow: it gives 98 samples for the first's 100."""
    of = join()
    for second in range(3600):
        of.add(0, np.arange(second * 100, second * 100 + 100) * PERIOD, np.zeros((100, 1), np.float32))
        times = np.arange(second * 98, second * 98 + 98) * (PERIOD / 0.98)
        of.add(1, times.astype(np.int64), np.zeros((98, 1), np.float32))
    assert max(map(len, of._stamps)) <= 4
