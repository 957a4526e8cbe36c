import numpy as np
import pytest

from apps.anomaly.data import Recording
from apps.regression.data import AXIS, severity, windows


def recording(state: str = "on", index: int = 1, seconds: float = 3.5, seed: int = 1) -> Recording:
    samples = np.random.default_rng(seed).normal(0, 0.02, (round(200 * seconds), 3)).astype(np.float32)
    return Recording(1, state, index, samples + np.float32([0, 0, 1]))


def test_severity_is_the_rms_of_all_axes_without_gravity() -> None:
    t = np.arange(200) / 200
    samples = np.stack([0.03 * np.sqrt(2) * np.sin(2 * np.pi * 10 * t), np.zeros(200), np.ones(200)], axis=1)
    samples[:, 1] = 0.04 * np.sqrt(2) * np.cos(2 * np.pi * 20 * t)
    assert severity(samples.astype(np.float32)) == pytest.approx(50, rel=1e-5)


def test_windows_do_not_overlap_and_know_what_was_measured() -> None:
    one = recording("clog", 2)
    found = windows([one])
    assert found.x.shape == (3, 10, 1)
    assert found.y == pytest.approx([severity(one.samples[k : k + 200]) for k in (0, 200, 400)])
    assert set(found.recording) == {"fan-1-vd2-clog"}
    assert found.turning.all()


def test_the_features_are_of_the_one_axis() -> None:
    one = recording()
    others = one.samples.copy()
    others[:, [axis for axis in range(3) if axis != AXIS]] *= 7
    np.testing.assert_array_equal(windows([one]).x, windows([Recording(1, "on", 1, others)]).x)


def test_the_power_of_the_bands_is_the_axis_mean_square() -> None:
    one = recording(seconds=300)
    power = np.exp(windows([one]).x.astype(np.float64)).sum(axis=1).mean()
    assert power == pytest.approx(one.samples[:, AXIS].var(), rel=0.02)


def test_off_is_not_turning() -> None:
    found = windows([recording("on"), recording("off")])
    assert found.turning.tolist() == [True] * 3 + [False] * 3
    assert set(found.where(found.turning).state) == {"on"}
