from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.core import Frame, Signal
from pipelines.errors import SignalMismatch
from pipelines.transforms.unit_rms import UnitRms

MOTION = Signal((None, 6), "float32", 100.0, "motion", ("ax_g", "ay_g", "az_g", "gx_dps", "gy_dps", "gz_dps"))


def unit(data: np.ndarray) -> np.ndarray:
    step = UnitRms(UnitRms.Config())
    assert step.resolve(MOTION) == MOTION
    (out,) = step.process(Frame(data.astype(np.float32), 0.0, 0))
    return out.array


@settings(deadline=None, max_examples=50)
@given(st.integers(0, 99), st.floats(0.01, 100), st.floats(0.01, 100))
def test_the_size_of_each_sensors_part_makes_no_difference(seed: int, g: float, dps: float) -> None:
    data = np.random.default_rng(seed).standard_normal((30, 6))
    made = unit(data)
    np.testing.assert_allclose(unit(data * np.repeat([g, dps], 3)), made, rtol=1e-4, atol=1e-5)
    for part in (made[:, :3], made[:, 3:]):
        assert np.sqrt(np.square(np.linalg.norm(part, axis=1)).mean()) == pytest.approx(1, abs=1e-5)


def test_rest_stays_rest_and_the_frame_its_own() -> None:
    data = np.zeros((5, 6), np.float32)
    data[:, 0] = 2
    np.testing.assert_array_equal(unit(data)[:, :4], [[1, 0, 0, 0]] * 5)
    assert data[0, 0] == 2


def test_channels_without_names_are_refused() -> None:
    with pytest.raises(SignalMismatch, match="with named channels"):
        UnitRms(UnitRms.Config()).resolve(MOTION.but(channels=()))
