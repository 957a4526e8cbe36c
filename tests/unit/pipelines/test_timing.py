from __future__ import annotations

import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from pipelines.core import Dropped, Ended, LinkBack, LinkLost, StageTime
from pipelines.timing import Histogram, Stats


@given(st.lists(st.floats(1e-8, 100), min_size=1, max_size=300), st.sampled_from([50, 95, 99]))
def test_percentiles_are_numpys_within_a_bucket(values: list[float], percent: int) -> None:
    histogram = Histogram()
    for value in values:
        histogram.add(value)
    exact = np.percentile(values, percent, method="inverted_cdf")
    assert math.isclose(histogram.percentile(percent), exact, rel_tol=0.006)
    assert histogram.largest == max(values)


def test_zero_and_nothing() -> None:
    histogram = Histogram()
    assert math.isnan(histogram.percentile(50))
    histogram.add(0.0)
    assert histogram.percentile(50) == 0.0


def test_warm_up_is_apart_and_rows_come_in_order() -> None:
    stats = Stats(warm_up=2, order=(("", "window"), ("", "tflite")))
    for seconds in (9.0, 5.0, 0.001, 0.001, 0.003):
        stats.on(StageTime("tflite", seconds, 0))
    stats.on(StageTime("window", 0.5, 0))
    window, tflite = stats.table()
    assert (window["stage"], window["frames"], window["p50_ms"]) == ("window", 0, None)
    assert (tflite["frames"], tflite["warm_up_ms"], tflite["max_ms"]) == (3, 9000.0, 3.0)
    assert math.isclose(float(str(tflite["p50_ms"])), 1.0, rel_tol=0.006)


def test_counts() -> None:
    stats = Stats()
    for event in (Dropped("camera", 2), Dropped("camera", 3), Dropped("jsonl", 1), Ended("limit", 4, 2)):
        stats.on(event)
    assert stats.dropped == {"camera": 5, "jsonl": 1}
    assert stats.ended[0].frames == 4


def test_a_stages_parts_follow_it_and_say_whose_clock_it_was() -> None:
    stats = Stats(order=tuple(("", name) for name in ("age", "board", "top", "total")))
    stats.on(StageTime("top", 1.0, 0))
    stats.on(StageTime("board", 3.0, 0))
    stats.on(StageTime("board.transport", 1.0, 0))
    stats.on(StageTime("board.device", 2.0, 0, measured="on the board, in core cycles"))
    rows = stats.table()
    assert [row["stage"] for row in rows] == ["board", "board.transport", "board.device", "top"]
    assert [row.get("measured") for row in rows] == [None, None, "on the board, in core cycles", None]


def test_every_pipeline_has_its_own_order() -> None:
    order = (("sound", "window"), ("sound", "tflm"), ("sound", "total"), ("eye", "resize"), ("eye", "tflm"))
    stats = Stats(order=order)
    for pipeline, stage in (("eye", "tflm"), ("sound", "total"), ("eye", "resize"), ("a", "more"), *order[:2]):
        stats.on(StageTime(stage, 1.0, 0, pipeline))
    rows = [(row["pipeline"], row["stage"]) for row in stats.table()]
    assert rows == [*order, ("a", "more")]


def test_a_lost_link_is_counted() -> None:
    stats = Stats()
    for event in (LinkLost("cable"), LinkBack(0.2), LinkLost("cable"), LinkLost("no route", to="mqtt")):
        stats.on(event)
    assert stats.links == {"the board": 2, "mqtt": 1}
