import numpy as np
import pytest

from apps.regression.data import Windows
from apps.regression.score import baselines, score


def some(count: int = 60, seed: int = 1) -> Windows:
    rng = np.random.default_rng(seed)
    number = np.arange(count) % 6
    state = np.where(number < 2, "on", np.where(number < 4, "clog", "off"))
    recording = np.array([f"fan-1-vd{n}-{s}" for n, s in zip(number, state, strict=True)])
    y = rng.uniform(5, 50, count) + 10.0 * number
    x = np.log(np.full((count, 10, 1), (y[:, None, None] / 2000) ** 2 / 10)).astype(np.float32)  # its rms is y / 2
    return Windows(x, y, recording, state)


def test_the_measures_are_scikit_learns() -> None:
    metrics = pytest.importorskip("sklearn.metrics")
    found = some()
    said = found.y + np.random.default_rng(2).normal(0, 5, len(found.y))
    result = score(said, found)
    assert result.mae == pytest.approx(metrics.mean_absolute_error(found.y, said))
    assert result.r2 == pytest.approx(metrics.r2_score(found.y, said))
    assert (result.samples, result.recordings) == (60, 6)
    assert result.mae_95[0] < result.mae < result.mae_95[1]
    assert result.r2_95[0] < result.r2 < result.r2_95[1]


def test_the_interval_is_of_recordings_and_not_of_windows() -> None:
    found = some(6000)
    wrong = 10.0 * (found.recording == found.recording[0])  # all windows of one recording alike
    result = score(found.y + wrong, found)
    assert result.mae_95[1] - result.mae_95[0] > 3  # 6,000 independent windows would give less than 0.3


def test_what_is_right_has_no_error() -> None:
    found = some()
    result = score(found.y.copy(), found)
    assert (result.mae, result.r2) == (0, 1)


def test_the_baselines_learn() -> None:
    found = some()
    mean, squares, told = baselines(found).values()
    assert mean(found) == pytest.approx(np.full(60, found.y[found.turning].mean()))
    assert squares(found) == pytest.approx(found.y, rel=1e-3)  # twice the axis' rms, by construction
    assert told(found)[0] == pytest.approx(found.y[found.state == "on"].mean())
