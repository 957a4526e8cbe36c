from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.anomaly.metrics import auc, rate_bound

Some = st.lists(st.integers(-5, 5).map(float), min_size=1, max_size=30)


@given(Some, Some)
def test_auc_is_scikit_learns(normal: list[float], faulty: list[float]) -> None:
    metrics = pytest.importorskip("sklearn.metrics")
    truth = [0] * len(normal) + [1] * len(faulty)
    assert auc(normal, faulty) == pytest.approx(metrics.roc_auc_score(truth, normal + faulty))


def test_auc_of_what_is_known() -> None:
    assert auc([1, 2], [3, 4]) == 1
    assert auc([3, 4], [1, 2]) == 0
    assert auc([1], [1]) == 0.5


def test_no_alarm_is_the_rule_of_three() -> None:
    assert rate_bound(0, 1.0) == pytest.approx(-np.log(0.05))
    assert rate_bound(0, 0.25) == pytest.approx(12.0, rel=0.01)


@given(st.integers(0, 3000), st.floats(0.01, 100))
def test_the_bound_is_the_chi_square_one(alarms: int, hours: float) -> None:
    stats = pytest.importorskip("scipy.stats")
    assert rate_bound(alarms, hours) == pytest.approx(stats.chi2.ppf(0.95, 2 * (alarms + 1)) / 2 / hours, rel=1e-6)
