from __future__ import annotations

import numpy as np
import pytest

from apps.anomaly.data import Recording
from apps.anomaly.streams import Join, Quiet, joins, judge, warm


def recording(state: str, index: int, value: float) -> Recording:
    samples = np.full((60_000, 3), value, np.float32)
    samples[:, 0] = np.arange(60_000)
    return Recording(1, state, index, samples)


RECORDINGS = (recording("on", 1, 1), recording("on", 2, 2), recording("clog", 1, 3), recording("off", 1, 4))


def test_a_join_is_the_warm_end_and_then_the_fault() -> None:
    join = Join(RECORDINGS[0], RECORDINGS[2], at_s=118.0, from_s=60.0)
    samples = join.samples
    assert len(samples) == 178 * 200
    assert samples[0].tolist() == [180 * 200, 1, 1]
    assert samples[118 * 200 - 1].tolist() == [(180 + 118) * 200 - 1, 1, 1]
    assert samples[118 * 200].tolist() == [60 * 200, 3, 3]


def test_every_normal_meets_every_stretch_of_every_fault() -> None:
    found = list(joins(RECORDINGS, 1))
    assert len(found) == 2 * 2 * 5
    assert len({(id(one.normal), id(one.faulty), one.from_s) for one in found}) == 20
    assert all(116 < one.at_s <= 120 for one in found)
    assert len({round(one.at_s % 0.64, 3) for one in found}) > 10  # the fault begins anywhere between two windows
    assert not list(joins(RECORDINGS, 3))


def test_what_is_warm() -> None:
    assert warm(RECORDINGS[0])[0, 0] == 36_000


def test_the_judge() -> None:
    join = Join(RECORDINGS[0], RECORDINGS[2], at_s=119.0, from_s=0.0)
    runs = [
        [(2.5, "learning normal"), (121.0, "anomaly"), (150.0, "anomaly")],
        [(125.0, "anomaly"), (130.0, "normal")],
        [(2.5, "learning normal")],
        [(100.0, "anomaly"), (110.0, "normal"), (121.0, "anomaly")],
    ]
    verdict = judge([(join, reports) for reports in runs])
    assert (verdict.streams, verdict.early, verdict.missed, verdict.delays_s) == (4, 1, 1, (2.0, 6.0))
    assert verdict.delay_s(0.5) == 4.0
    assert np.isnan(judge([]).delay_s(0.5))


def test_alarms_per_hour() -> None:
    quiet = Quiet(alarms=2, hours=0.5)
    assert quiet.rate == 4.0
    assert quiet.bound == pytest.approx(12.59, abs=0.01)
