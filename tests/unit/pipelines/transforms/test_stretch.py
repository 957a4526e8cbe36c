from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.interpolate import interp1d

from pipelines.core import Frame, Signal
from pipelines.errors import SignalMismatch
from pipelines.transforms.stretch import Stretch

MOTION = Signal((None, 2), "float32", 100.0, "motion", ("ax_g", "ay_g"))


def stretch(data: np.ndarray, samples: int) -> np.ndarray:
    step = Stretch(Stretch.Config(samples=samples))
    assert step.resolve(MOTION) == MOTION.but(shape=(samples, 2), rate_hz=None)
    (out,) = step.process(Frame(data, 0.0, 0))
    return out.array


@settings(deadline=None, max_examples=60)
@given(st.integers(2, 200), st.integers(2, 100), st.integers(0, 50))
def test_it_is_scipys_linear_interpolation(count: int, samples: int, seed: int) -> None:
    data = np.random.default_rng(seed).standard_normal((count, 2)).astype(np.float32)
    wanted = interp1d(np.linspace(0, 1, count), data, axis=0)(np.linspace(0, 1, samples))
    made = stretch(data, samples)
    np.testing.assert_allclose(made, wanted, atol=1e-5)
    np.testing.assert_array_equal(made[[0, -1]], data[[0, -1]])


def test_a_slow_and_a_fast_movement_become_the_same() -> None:
    fast, slow = (np.sin(np.linspace(0, 6, n))[:, None] * [1, 2] for n in (80, 300))
    np.testing.assert_allclose(stretch(fast, 64), stretch(slow, 64), atol=2e-3)


def test_one_sample_is_held_and_none_gives_none() -> None:
    np.testing.assert_array_equal(stretch(np.array([[3, 4]]), 3), [[3, 4]] * 3)
    step = Stretch(Stretch.Config())
    step.resolve(MOTION)
    assert list(step.process(Frame(np.empty((0, 2)), 0.0, 0))) == []


def test_a_picture_is_refused() -> None:
    with pytest.raises(SignalMismatch, match="leave stretch out"):
        Stretch(Stretch.Config()).resolve(Signal((8, 8, 3), "uint8", None, "image"))
