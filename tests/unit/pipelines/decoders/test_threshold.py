from typing import Any

import numpy as np
import pytest

from pipelines.core import Frame, Result, Signal
from pipelines.decoders.threshold import Threshold
from pipelines.errors import ModelError, SignalMismatch

DISTANCE = Signal((1,), "float32", None, "scores")
WINDOW = Signal((4, 2), "float32", 100.0, "motion", ("ax_g", "ay_g"))  # the channels name the last axis only
SCORES = Signal((2,), "float32", None, "scores", ("quiet", "person"))


def threshold(signal: Signal = DISTANCE, **config: Any) -> Threshold:
    decoder = Threshold(Threshold.Config(**config))
    decoder.resolve(signal)
    return decoder


def run(decoder: Threshold, *values: float) -> list[tuple[float, str]]:
    found: list[Result] = []
    for hop, value in enumerate(values):
        found += decoder.decode(np.array([value], np.float32), Frame(np.zeros(1), t=hop / 10, seq=hop))
    return [(result.t, result.label) for result in found]


def test_it_reports_when_the_value_goes_above() -> None:
    assert run(threshold(above=3, label="clog"), 1, 3, 4, 5, 4, 2, 6) == [(0.2, "clog"), (0.6, "clog")]


def test_it_reports_when_the_value_goes_below() -> None:
    assert run(threshold(below=3), 5, 3, 2, 1, 4, 2) == [(0.2, "below"), (0.5, "below")]


def test_hysteresis() -> None:
    assert run(threshold(above=3, hysteresis=1), 4, 2.5, 4, 2, 4) == [(0.0, "above"), (0.4, "above")]
    assert run(threshold(below=3, hysteresis=1), 2, 3.5, 2, 4, 2) == [(0.0, "below"), (0.4, "below")]


def test_coming_back_is_reported_if_asked_for() -> None:
    decoder = threshold(above=3, hysteresis=1, label="clog", cleared="fine")
    assert run(decoder, 1, 4, 2.5, 1.9, 1) == [(0.1, "clog"), (0.3, "fine")]


def test_the_refractory_time_delays_a_value_that_stays() -> None:
    assert run(threshold(above=3, refractory_ms=300), 4, 1, 4, 4, 4) == [(0.0, "above"), (0.3, "above")]


def test_a_measured_quantity_has_its_value_and_the_score_1() -> None:
    (result,) = threshold(above=3).decode(np.array([4.5], np.float32), Frame(np.zeros(1), 0, 0))
    assert (result.value, result.score) == (4.5, 1.0)


def test_a_class_has_its_label_and_score() -> None:
    for of in ("person", 1):
        decoder = threshold(SCORES, above=0.5, of=of)
        (result,) = decoder.decode(np.array([0.25, 0.75], np.float32), Frame(np.zeros(1), 0, 0))
        assert (result.label, result.value, result.score) == ("person", 0.75, 0.75)


def test_a_value_that_no_channel_names_is_taken_by_its_index() -> None:
    decoder = threshold(WINDOW, above=3, of=3)
    values = np.array([[9, 9], [9, 4], [9, 9], [9, 9]], np.float32)  # the fourth is 4
    (result,) = decoder.decode(values, Frame(np.zeros(1), 0, 0))
    assert (result.label, result.value, result.score) == ("above", 4.0, 1.0)


def test_a_channel_names_a_value_where_each_has_one() -> None:
    (result,) = threshold(Signal((2,), "float32", 100.0, "motion", ("ax_g", "ay_g")), above=3, of="ay_g").decode(
        np.array([9, 4], np.float32), Frame(np.zeros(1), 0, 0)
    )
    assert (result.label, result.value, result.score) == ("ay_g", 4.0, 1.0)


def test_one_of_above_and_below() -> None:
    for config in ({}, {"above": 1.0, "below": 2.0}):
        with pytest.raises(ValueError, match="expected one of above and below"):
            Threshold.Config(**config)


@pytest.mark.parametrize(
    ("signal", "config", "said"),
    [
        (SCORES, {}, "2 values, expected one value; say which with the key of"),
        (SCORES, {"of": 2}, "got of: 2, expected 0 to 1"),
        (WINDOW, {"of": 8}, "got of: 8, expected 0 to 7"),
        (WINDOW, {"of": "ay_g"}, "of: 'ay_g'"),
        (SCORES, {"of": "persona"}, 'did you mean "person"?'),
        (Signal((None,), "float32", 16000, "audio"), {}, "expected a fixed number of values"),
    ],
)
def test_what_does_not_fit_is_refused(signal: Signal, config: dict[str, Any], said: str) -> None:
    with pytest.raises(SignalMismatch) as error:
        threshold(signal, above=1, **config)
    assert said in str(error.value)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_what_is_not_finite_is_an_error(value: float) -> None:
    with pytest.raises(ModelError, match="expected a finite number"):
        run(threshold(above=1), value)
