from typing import Any

import numpy as np
import pytest

from pipelines.core import Frame, Result, Signal
from pipelines.decoders.value import Value
from pipelines.errors import ModelError, SignalMismatch

NAMED = Signal((1,), "float32", None, "scores", ("vibration z",))
BARE = Signal((1,), "float32", None, "scores")
TWO = Signal((2,), "float32", None, "scores", ("speed", "load"))
BUNDLE = Signal((), "", None, "bundle", (), (TWO, BARE))


def value(signal: Signal = NAMED, **config: Any) -> Value:
    decoder = Value(Value.Config(**config))
    decoder.resolve(signal)
    return decoder


def run(decoder: Value, *values: float, period_s: float = 0.1) -> list[Result]:
    found: list[Result] = []
    for hop, number in enumerate(values):
        found += decoder.decode(np.array([number], np.float32), Frame(np.zeros(1), t=hop * period_s, seq=hop))
    return found


def test_a_result_has_the_value_and_its_unit() -> None:
    (result,) = run(value(unit="mg"), 12.5)
    assert (result.label, result.value, result.unit, result.score) == ("vibration z", 12.5, "mg", 1.0)


def test_its_name_is_the_configs_or_the_labels_or_none() -> None:
    assert value(name="z").labels == ("z",)
    assert value().labels == ("vibration z",)
    assert value(BARE).labels == ("value",)


def test_another_unit_by_scale_and_offset() -> None:
    (result,) = run(value(unit="degF", scale=1.8, offset=32), 100)
    assert result.value == pytest.approx(212)


def test_what_is_not_plausible_is_reported_with_the_score_0() -> None:
    assert [result.score for result in run(value(low=0, high=10), -1, 0, 10, 11)] == [0, 1, 1, 0]


def test_a_range_may_be_open() -> None:
    assert [result.score for result in run(value(low=0), -1, 1e9)] == [0, 1]
    assert [result.score for result in run(value(high=0), -1e9, 1)] == [1, 0]
    assert [result.score for result in run(value(), -1e9, 1e9)] == [1, 1]


def test_the_range_is_of_the_reported_unit() -> None:
    assert [result.score for result in run(value(scale=1000, high=100), 0.05, 0.2)] == [1, 0]


def test_it_reports_every_so_often() -> None:
    found = run(value(every_ms=300), *range(8))
    assert [result.value for result in found] == [0, 3, 6]


def test_it_reports_what_changed() -> None:
    found = run(value(changed_by=2), 1, 2, 2.9, 3, 4, 1)
    assert [result.value for result in found] == [1, 3, 1]


def test_both_must_hold() -> None:
    found = run(value(every_ms=200, changed_by=1), 0, 5, 5, 5, 6)
    assert [(round(result.t, 1), result.value) for result in found] == [(0, 0), (0.2, 5), (0.4, 6)]


def test_one_of_several() -> None:
    y = np.array([3, 4], np.float32)
    frame = Frame(np.zeros(1), 0, 0)
    assert [result.value for of in ("load", 1) for result in value(TWO, of=of).decode(y, frame)] == [4, 4]
    (result,) = value(BUNDLE, output=1, name="x").decode((y, np.array([7], np.float32)), frame)
    assert result.value == 7


@pytest.mark.parametrize(
    ("signal", "config", "said"),
    [
        (TWO, {}, "2 values, expected one value; say which with the key of"),
        (TWO, {"of": "lod"}, 'did you mean "load"?'),
        (TWO, {"of": 2}, "got of: 2, expected 0 to 1"),
        (NAMED, {"output": 1}, "expected 0, as there is one output"),
        (Signal((None,), "float32", 16000, "audio"), {}, "expected a fixed number of values"),
    ],
)
def test_what_does_not_fit_is_refused(signal: Signal, config: dict[str, Any], said: str) -> None:
    with pytest.raises(SignalMismatch) as error:
        value(signal, **config)
    assert said in str(error.value)


@pytest.mark.parametrize(
    ("config", "said"),
    [({"low": 3, "high": 3}, "expected low to be less than high"), ({"scale": 0}, "a scale other than 0"),
     ({"offset": float("nan")}, "expected finite numbers"), ({"low": float("nan")}, "expected low to be less")],
)  # fmt: skip
def test_a_config_that_means_nothing_is_refused(config: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        Value.Config(**config)


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_what_is_not_finite_is_an_error(number: float) -> None:
    with pytest.raises(ModelError, match="expected a finite number"):
        run(value(), number)
