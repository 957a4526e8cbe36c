"""Lost samples told from late times."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hal.imx8.gaps import AROUND, Gaps

PERIOD = 10_000_000


def places(stamps: list[int], pieces: list[int]) -> list[int]:
    """Which of the device's samples each is, counted from the first, as far as it is told."""
    gaps, at, seen, found = Gaps(100.0), 0, 0, list[int]()
    ends = [*np.cumsum(pieces).tolist(), len(stamps)]
    begin = 0
    for end in ends:
        part = np.array(stamps[begin:end], np.int64)
        if len(part):
            for run, lost in gaps.add(part, np.arange(begin, begin + len(part), dtype=np.float32)[:, None]):
                assert run[:, 0].tolist() == list(range(seen, seen + len(run)))  # each once, in order
                at, seen = at + lost, seen + len(run)
                found += range(at, at + len(run))
                at += len(run)
        begin = max(begin, end)
    return found


@st.composite
def device(draw: st.DrawFn) -> tuple[list[int], list[int]]:
    """What was not lost, and its times: a clock 1.5 % off, a little jitter, late times here and there, holes."""
    count = draw(st.integers(10, 80))
    period = PERIOD * draw(st.floats(0.985, 1.015))
    drawn = draw(st.dictionaries(st.integers(0, count), st.floats(0, 1.4), max_size=4))
    hole = draw(st.integers(6, count))  # one late right before it looks like one behind it
    late = {i: by for i, by in drawn.items() if not {*range(i - 6, i)} & drawn.keys() and not 0 <= hole - i < 6}
    missing = set(range(hole, hole + draw(st.integers(0, 12))))
    kept = [i for i in range(count) if i not in missing]
    jitter = draw(st.lists(st.floats(0, 0.1), min_size=len(kept), max_size=len(kept)))
    stamps = [round(i * period + (late.get(i, 0.0) + j) * PERIOD) for i, j in zip(kept, jitter, strict=True)]
    return kept, stamps


@given(device=device(), pieces=st.lists(st.integers(1, 9), max_size=20))
def test_lost_samples_are_told_from_late_times(device: tuple[list[int], list[int]], pieces: list[int]) -> None:
    kept, stamps = device
    found = places(stamps, pieces)
    assert found == kept[: len(found)]
    assert len(found) >= len(kept) - AROUND


def test_two_late_ones_in_a_row() -> None:
    stamps = [i * PERIOD for i in range(20)]
    stamps[9] += round(0.9 * PERIOD)
    stamps[10] += round(0.9 * PERIOD)
    assert places(stamps, []) == list(range(20))


def test_one_lost_right_behind_a_late_one() -> None:
    stamps = [i * PERIOD for i in range(20)]
    stamps[9] += round(0.7 * PERIOD)
    del stamps[10]
    assert places(stamps, []) == [i for i in range(20) if i != 10]


@pytest.mark.parametrize("back", [0.5, 3.0])
def test_times_that_step_back_are_no_loss(back: float) -> None:
    stamps = [i * PERIOD if i < 10 else round((i - back) * PERIOD) for i in range(20)]
    assert places(stamps, []) == list(range(20))
