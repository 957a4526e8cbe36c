from __future__ import annotations

from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.core import Frame, Signal
from pipelines.errors import SignalMismatch
from pipelines.transforms.band_power import BandPower

AXES = ("ax_g", "ay_g", "az_g")


def motion(length: int | None, rate_hz: float | None = 200.0) -> Signal:
    return Signal((length, 3), "float32", rate_hz, "motion", AXES)


def features(x: np.ndarray, rate_hz: float = 200.0, **config: Any) -> np.ndarray:
    step = BandPower(BandPower.Config(**config))
    resolved = step.resolve(motion(len(x), rate_hz))
    (out,) = step.process(Frame(x, 0.0, 0))
    assert resolved.kind == "features"
    assert (resolved.shape, resolved.dtype) == (out.array.shape, out.array.dtype)
    return out.array.copy()


def shaking(length: int, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return (rng.standard_normal((length, 3)) * [0.01, 0.05, 0.002] + [0, 0, 1]).astype(np.float32)


@pytest.mark.parametrize("length", [64, 511, 512])
@pytest.mark.parametrize(("bands", "fmin_hz", "fmax_hz"), [(1, 0.0, None), (16, 0.0, 100.0), (5, 10.0, 80.0)])
def test_it_is_what_scipy_says(length: int, bands: int, fmin_hz: float, fmax_hz: float | None) -> None:
    signal = pytest.importorskip("scipy.signal")
    x = shaking(length)
    hz, density = signal.periodogram(x.astype(float), 200.0, "hann", detrend="constant", scaling="density", axis=0)
    power, top = density * 200.0 / length, fmax_hz or 100.0
    place = np.floor((hz - fmin_hz) / (top - fmin_hz) * bands + 1e-9).astype(int)
    place[np.isclose(hz, top)] = bands - 1
    expected = np.stack([power[place == band].sum(axis=0) for band in range(bands)])
    got = features(x, bands=bands, fmin_hz=fmin_hz, fmax_hz=fmax_hz, floor=1e-30)
    np.testing.assert_allclose(got, np.log(expected), rtol=1e-5, atol=1e-5)


def test_a_tone_lies_in_its_band_with_half_its_amplitude_squared() -> None:
    t = np.arange(512) / 200.0
    x = np.zeros((512, 3), np.float32)
    x[:, 1] = 0.2 * np.sin(2 * np.pi * 40.625 * t) + 1.0  # 104 bins: in band 6 of 16
    got = features(x, bands=16)
    assert got[:, 1].argmax() == 6
    np.testing.assert_allclose(np.exp(got[6, 1]), 0.02, rtol=1e-4)
    np.testing.assert_allclose(np.exp(got[:, 0]), 1e-9, rtol=1e-4)  # nothing but the floor


@given(st.integers(0, 1000), st.floats(0.01, 100), st.integers(32, 300))
def test_a_gain_adds_twice_its_logarithm(seed: int, gain: float, length: int) -> None:
    x = shaking(length, seed).astype(np.float64)
    np.testing.assert_allclose(
        features(x * gain, bands=4, floor=1e-30), features(x, bands=4, floor=1e-30) + 2 * np.log(gain), atol=1e-4
    )


@given(st.integers(0, 1000), st.permutations([0, 1, 2]), st.floats(-2, 2))
def test_axes_stay_apart_and_gravity_does_not_count(seed: int, order: list[int], gravity: float) -> None:
    x = shaking(128, seed).astype(np.float64)
    np.testing.assert_allclose(features(x[:, order] + gravity, bands=8), features(x, bands=8)[:, order], atol=1e-4)


@given(st.integers(0, 1000), st.integers(20, 300), st.integers(1, 8))
def test_all_bands_together_are_the_mean_square(seed: int, length: int, bands: int) -> None:
    x = shaking(length, seed).astype(np.float64)
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(length) / length)
    seen = (x - x.mean(axis=0)) * hann[:, None]
    expected = np.sum(seen**2, axis=0) / np.sum(hann**2)
    np.testing.assert_allclose(np.exp(features(x, bands=bands, floor=1e-30)).sum(axis=0), expected, rtol=1e-4)


@given(st.floats(1e-6, 1.0), st.integers(0, 100))
def test_more_power_is_never_less(gain: float, seed: int) -> None:
    x = shaking(128, seed).astype(np.float64)
    assert (features(x * (1 + gain)) >= features(x)).all()


def test_nothing_is_finite_too() -> None:
    np.testing.assert_allclose(features(np.ones((64, 3), np.float32)), np.log(1e-9), rtol=1e-6)


def test_the_output_is_reused() -> None:
    step = BandPower(BandPower.Config())
    step.resolve(motion(128))
    first, second = (next(iter(step.process(Frame(shaking(128, seed), 0.0, seed)))) for seed in (0, 1))
    assert first.array is second.array


@pytest.mark.parametrize(
    ("signal", "config", "says"),
    [
        (Signal((512,), "float32", 16000.0, "audio"), {}, "motion"),
        (motion(None), {}, "put a window before it"),
        (motion(512, None), {}, "sampling rate"),
        (motion(20), {"bands": 16}, "lower bands, or lengthen the window"),
        (motion(512), {"fmax_hz": 101.0}, "within 0 to 100 Hz"),
        (motion(512), {"fmin_hz": 100.0}, "within 0 to 100 Hz"),
        (motion(10_000_000), {}, "shorten the window"),
    ],
)
def test_what_does_not_fit_is_refused(signal: Signal, config: dict[str, Any], says: str) -> None:
    with pytest.raises(SignalMismatch, match=says):
        BandPower(BandPower.Config(**config)).resolve(signal)


def test_a_range_without_width_is_refused() -> None:
    with pytest.raises((ValueError, msgspec.ValidationError), match="less than fmax_hz"):
        BandPower.Config(fmin_hz=50.0, fmax_hz=40.0)
