from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from pipelines.core import Frame, Signal
from pipelines.errors import SignalMismatch
from pipelines.transforms.level import Level

CHANNELS = ("ax_g", "ay_g", "az_g", "gx_dps", "gy_dps", "gz_dps")
MOTION = Signal((None, 6), "float32", 100.0, "motion", CHANNELS)
UNIT = {"x": [1, 0, 0], "y": [0, 1, 0], "z": [0, 0, 1]}


def level(data: np.ndarray, about: str = "x") -> np.ndarray:
    step = Level(Level.Config(about=about))  # type: ignore[arg-type]
    assert step.resolve(MOTION) == MOTION
    (out,) = step.process(Frame(data.astype(np.float32), 0.0, 0))
    return out.array


def movement(seed: int) -> np.ndarray:
    data = np.random.default_rng(seed).standard_normal((50, 6))
    return data + np.array([0.5, 1.0, 2.0, 0, 0, 0])


def turned(data: np.ndarray, about: str, degrees: float) -> np.ndarray:
    turn = Rotation.from_rotvec(np.radians(degrees) * np.array(UNIT[about]))
    return np.hstack([turn.apply(data[:, :3]), turn.apply(data[:, 3:])])


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 100), st.sampled_from("xyz"), st.floats(-360, 360))
def test_how_the_sensor_is_turned_about_the_axis_makes_no_difference(seed: int, about: str, degrees: float) -> None:
    data = movement(seed)
    np.testing.assert_allclose(level(turned(data, about, degrees), about), level(data, about), atol=1e-4)


@pytest.mark.parametrize(("about", "zero", "down"), [("x", 1, 2), ("y", 2, 0), ("z", 0, 1)])
def test_it_is_a_turn_that_puts_gravity_in_its_place(about: str, zero: int, down: int) -> None:
    data = movement(1)
    made = level(data, about)
    mean = made[:, :3].mean(axis=0)
    assert mean[zero] == pytest.approx(0, abs=1e-5)
    assert mean[down] > 0
    turn, _ = Rotation.align_vectors(made[:, :3], data[:, :3])
    np.testing.assert_allclose(turn.apply(data[:, 3:]), made[:, 3:], atol=1e-4)  # the gyroscope by the same


def test_without_gravity_across_the_axis_nothing_is_turned() -> None:
    data = np.zeros((4, 6))
    data[:, 0], data[:, 4] = 1, 30
    np.testing.assert_array_equal(level(data), data)


@pytest.mark.parametrize(
    "signal",
    [
        MOTION.but(kind="audio"),
        MOTION.but(channels=CHANNELS[3:], shape=(None, 3)),  # a gyroscope alone knows no gravity
        MOTION.but(channels=CHANNELS[:5], shape=(None, 5)),
    ],
)
def test_other_signals_are_refused(signal: Signal) -> None:
    with pytest.raises(SignalMismatch, match="x, y and z of an accelerometer"):
        Level(Level.Config()).resolve(signal)
