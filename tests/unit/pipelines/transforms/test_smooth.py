from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.core import Frame, Signal
from pipelines.errors import SignalMismatch
from pipelines.transforms.smooth import Smooth

SCORES = Signal((2,), "float32", None, "scores", ("no", "yes"))


def smoothed(over: int, steps: list[tuple[int, list[float]]]) -> list[list[float]]:
    smooth = Smooth(Smooth.Config(over=over))
    assert smooth.resolve(SCORES) == SCORES
    return [out.array.tolist() for seq, y in steps for out in smooth.process(Frame(np.array(y, np.float32), 0.0, seq))]


def test_mean_of_the_last_steps_and_fewer_at_the_start() -> None:
    got = smoothed(3, [(0, [1, 0]), (1, [0, 1]), (2, [0.5, 0.5]), (3, [0, 1])])
    np.testing.assert_allclose(got, [[1, 0], [0.5, 0.5], [0.5, 0.5], [1 / 6, 5 / 6]], atol=1e-6)


def test_a_dropped_frame_is_missing_from_the_mean() -> None:
    got = smoothed(3, [(0, [1, 0]), (1, [1, 0]), (3, [0, 1])])
    assert got[-1] == [0.5, 0.5]  # steps 1 and 3


def test_nothing_old_is_left_after_a_long_gap_or_a_new_start() -> None:
    assert smoothed(3, [(0, [1, 0]), (3, [0, 1])])[-1] == [0, 1]
    assert smoothed(3, [(5, [1, 0]), (5, [0, 1])])[-1] == [0, 1]
    assert smoothed(3, [(5, [1, 0]), (0, [0, 1])])[-1] == [0, 1]


@given(st.integers(1, 6), st.lists(st.tuples(st.integers(0, 8), st.floats(0, 1, width=32)), min_size=1, max_size=30))
def test_it_is_the_mean_over_a_window_of_steps(over: int, gaps: list[tuple[int, float]]) -> None:
    seq, steps = 0, []
    for gap, score in gaps:
        seq += 1 + gap
        steps.append((seq, [score, 1 - score]))
    for n, got in enumerate(smoothed(over, steps)):
        recent = [y for at, y in steps[: n + 1] if at > steps[n][0] - over]
        np.testing.assert_allclose(got, np.mean(recent, axis=0), atol=1e-6)


@pytest.mark.parametrize(
    "signal",
    [SCORES.but(kind="features"), SCORES.but(shape=(None,)), Signal((), "", None, "bundle", (), (SCORES,) * 2)],
)
def test_what_is_no_scores_is_refused(signal: Signal) -> None:
    with pytest.raises(SignalMismatch, match="the scores of one output"):
        Smooth(Smooth.Config(over=3)).resolve(signal)
