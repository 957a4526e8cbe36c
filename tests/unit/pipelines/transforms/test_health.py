from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.core import Frame, Result, Signal
from pipelines.errors import SignalMismatch
from pipelines.transforms.health import Health
from pipelines.transforms.window import Window

G = Signal((None, 3), "float32", 200.0, "motion", ("ax_g", "ay_g", "az_g"))
FAULTS = ("sensor stuck", "sensor not a number", "sensor clipping", "axis az_g missing")


def health(signal: Signal = G, **keys: Any) -> Health:
    step = Health(Health.Config(**{"range_g": 8.0, **keys}))
    assert step.resolve(signal) is signal
    return step


def moving(seconds: float = 10, seed: int = 0) -> np.ndarray:
    """Float32 [samples, 3] of a working sensor, at 200 Hz in whole counts of 1/4096 g: it repeats values by chance."""
    counts = np.random.default_rng(seed).normal((0, 0, 4096), 6, (round(seconds * 200), 3))
    return (np.rint(counts) / 4096).astype(np.float32)


def faulty(fault: str, begin: int = 1000, end: int = 1400) -> np.ndarray:
    data = moving()
    match fault:
        case "sensor stuck":
            data[begin:end] = data[begin - 1]
        case "sensor not a number":
            data[begin:end:7, 1] = np.nan
        case "sensor clipping":
            data[begin:end] = np.clip(data[begin:end] * 3000, -8, 8)
        case "axis az_g missing":
            data[begin:end, 2] = 0
    return data


def chunked(data: np.ndarray, size: int) -> Iterator[Frame]:
    for seq, at in enumerate(range(0, len(data), size)):
        part = data[at : at + size]
        yield Frame(part, t=(at + len(part)) / 200, seq=seq, at=at)


def windows(data: np.ndarray, length_ms: float = 1000, hop_ms: float = 250) -> list[Frame]:
    window = Window(Window.Config(length_ms=length_ms, hop_ms=hop_ms))
    window.resolve(G)
    return list(window.process(Frame(data, 0.0, 0)))


def run(step: Health, frames: Any) -> tuple[list[Frame], list[Result]]:
    out = [item for frame in frames for item in step.process(frame)]
    return [o for o in out if isinstance(o, Frame)], [o for o in out if isinstance(o, Result)]


@pytest.mark.parametrize("size", [1, 4, 33, 200, 5000])
@pytest.mark.parametrize("fault", FAULTS)
def test_each_fault_is_told_once_and_its_end(fault: str, size: int) -> None:
    good, results = run(health(), chunked(faulty(fault), size))
    assert [result.label for result in results] == ([fault, "sensor ok"] if size < 5000 else [fault])
    assert 5.0 < results[0].t <= 5.1 + max(size / 200, 0.05)  # stuck and missing are known 100 ms after they began
    assert results[0].score == 1.0
    assert results[0].value is not None
    if size < 200:
        assert 7.5 <= results[1].t <= 8.1 + size / 200  # half a second after its end
    assert all(frame.array.base is not None or len(frame.array) for frame in good)
    kept = np.concatenate([np.arange(frame.at, frame.at + len(frame.array)) for frame in good] or [np.arange(0)])
    assert not np.any((kept >= 1000 + 20 + size) & (kept < 1400))
    assert np.isfinite([frame.array.sum() for frame in good]).all()


@pytest.mark.parametrize("fault", FAULTS)
def test_no_window_with_a_fault_in_it_passes(fault: str) -> None:
    frames = windows(faulty(fault))
    good, results = run(health(), frames)
    assert [result.label for result in results] == [fault, "sensor ok"]
    begin = 1000 + (20 if fault in ("sensor stuck", "axis az_g missing") else 10)
    assert all(frame.at + 200 <= begin or frame.at >= 1400 for frame in good)
    assert len(good) >= 15 + 7


@settings(max_examples=30)
@given(seed=st.integers(0, 10_000), size=st.integers(1, 300))
def test_a_working_sensor_passes_untouched(seed: int, size: int) -> None:
    frames = list(chunked(moving(3, seed), size))
    good, results = run(health(), frames)
    assert good == frames
    assert not results


def test_the_recordings_of_a_real_sensor_pass_also_of_a_fan_that_is_off(shared_data: Any) -> None:
    with np.load(shared_data / "fan" / "fan_1_3.npz") as data:
        for name in data:
            step, frames = health(), list(chunked((data[name] / 4096).astype(np.float32), 200))
            good, results = run(step, frames)
            assert not results, name
            assert len(good) == len(frames)


def test_measures() -> None:
    def first(data: np.ndarray, **keys: Any) -> Result:
        return run(health(**keys), [Frame(data, 1.0, 0)])[1][0]

    stuck = moving(1)
    stuck[100:] = stuck[99]
    assert (first(stuck).value, first(stuck).unit) == (505.0, "ms")
    holes = moving(1)
    holes[:20, 0] = np.inf
    assert (first(holes).value, first(holes).unit) == (pytest.approx(100 * 20 / 600), "%")
    clipped = moving(1)
    clipped[150:160, 0] = 8
    assert first(clipped).value == pytest.approx(10)  # of the last 100
    assert isinstance(first(clipped).value, float)


def test_a_knock_is_no_fault_and_the_share_is_an_option() -> None:
    data = moving(2)
    data[[100, 103], 1] = -8
    assert not run(health(), chunked(data, 4))[1]
    assert run(health(clipped=0.005), chunked(data, 4))[1][0].label == "sensor clipping"
    assert not run(health(range_g=None, clipped=0.0), chunked(data, 4))[1]


def test_one_fault_may_follow_another() -> None:
    data = moving(5)
    data[200:400] = np.nan
    data[400:600] = data[199]
    labels = [result.label for result in run(health(), chunked(data, 4))[1]]
    assert labels == ["sensor not a number", "sensor stuck", "sensor ok"]


def test_all_axes_that_stop_together_are_never_told_as_one_missing() -> None:
    # by chance one axis repeats its value just before all stand still, and so passes the limit earlier
    data = moving(2)
    data[200:300] = data[199]
    data[197:200, 0] = data[199, 0]
    assert [result.label for result in run(health(), chunked(data, 1))[1]] == ["sensor stuck", "sensor ok"]


def test_nothing_is_known_across_a_gap() -> None:
    still = np.repeat(moving(0.1)[-1:], 15, axis=0)
    frames = [Frame(still, 0.1, 0, 0), Frame(still, 1.0, 5, 200), Frame(still, 1.1, 6, 215)]
    step = health()
    assert [len(list(step.process(frame))) for frame in frames[:2]] == [1, 1]  # 75 ms each
    (result,) = step.process(frames[2])
    assert isinstance(result, Result)
    assert result.label == "sensor stuck"


def test_it_names_the_axis_and_lists_what_it_can_tell() -> None:
    signal = G.but(shape=(None, 4), channels=("ax_g", "ay_g", "gx_dps", "gy_dps"))
    step = health(signal, range_dps=500)
    data = np.random.default_rng(0).normal(size=(400, 4)).astype(np.float32)
    data[200:, 3] = 7
    assert [result.label for result in run(step, chunked(data, 4))[1]] == ["axis gy_dps missing"]
    data[:, 2:] = np.random.default_rng(1).normal((499, 0), 1, (400, 2))
    assert [result.label for result in run(health(signal, range_dps=500), chunked(data, 4))[1]] == ["sensor clipping"]
    assert "axis gx_dps missing" in step.labels
    assert set(FAULTS[:3]) < set(step.labels)


@pytest.mark.parametrize(("unit", "full"), [("g", 2.0), ("mg", 2000.0), ("mps2", 19.6133)])
def test_the_range_is_in_g_whatever_the_unit(unit: str, full: float) -> None:
    signal = G.but(shape=(None, 1), channels=(f"ax_{unit}",))
    data = np.random.default_rng(0).uniform(-0.9 * full, 0.9 * full, (400, 1)).astype(np.float32)
    assert not run(health(signal, range_g=2.0), chunked(data, 4))[1]
    data[100:150] = np.where(np.arange(50)[:, None] % 2, full, -full)
    assert run(health(signal, range_g=2.0), chunked(data, 4))[1][0].label == "sensor clipping"


@pytest.mark.parametrize(
    ("signal", "keys", "message"),
    [
        (Signal((None,), "float32", 16000.0, "audio"), {}, "expected motion with named channels"),
        (G.but(rate_hz=20.0), {}, "stuck_ms: 100, 2 samples of .*, expected at least 4; make it at least 200"),
        (G, {"range_dps": 500.0}, "range_dps with .*; leave range_dps out"),
        (G.but(rate_hz=None), {}, "rate_hz"),
    ],
)
def test_what_does_not_fit(signal: Signal, keys: dict[str, Any], message: str) -> None:
    with pytest.raises(SignalMismatch, match=message):
        health(signal, **{"range_g": None, **keys})
