from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from apps.anomaly.features import HOP, LENGTH, Variation, band_powers, varied, windows
from pipelines.core import Frame, Signal
from pipelines.transforms.window import Window

NOTHING = Variation(gain_db=0.0, tilt_db=0.0, shift_hz=0.0)


def noise(samples: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((samples, 3)).astype(np.float32)


def test_windows_are_those_of_the_step() -> None:
    samples = noise(3 * LENGTH + 7)
    step = Window(Window.Config(length_ms=2560, hop_ms=640))
    step.resolve(Signal((None, 3), "float32", 200.0, "motion", ("ax_g", "ay_g", "az_g")))
    expected = [frame.array for frame in step.process(Frame(samples, 0.0, 0))]
    np.testing.assert_array_equal(windows(samples), np.stack(expected))
    assert len(windows(samples, LENGTH)) == 3
    assert HOP == 128


@given(st.integers(0, 100))
def test_no_variation_takes_the_mean_and_nothing_else(seed: int) -> None:
    cut = windows(noise(2 * LENGTH, seed))
    got = varied(cut, NOTHING, np.random.default_rng(seed))
    np.testing.assert_allclose(got, cut - cut.mean(axis=1, keepdims=True), atol=1e-5)


@given(st.integers(0, 100), st.floats(0.5, 45))
def test_a_shift_moves_a_line_and_keeps_its_power(seed: int, most_hz: float) -> None:
    t = np.arange(LENGTH) / 200.0
    cut = np.repeat(np.sin(2 * np.pi * 50 * t).astype(np.float32)[None, :, None], 3, axis=2)  # in the middle
    got = varied(cut, Variation(0.0, 0.0, most_hz), np.random.default_rng(seed))
    power = np.abs(np.fft.rfft(got[0, :, 0])) ** 2
    assert abs(power.argmax() * 200 / LENGTH - 50) <= most_hz + 0.2
    assert power.max() > 0.999 * power.sum()
    np.testing.assert_allclose((got**2).mean(axis=1), 0.5, rtol=1e-3)


def test_shifts_go_both_ways_and_all_axes_alike() -> None:
    t = np.arange(LENGTH) / 200.0
    cut = np.broadcast_to(np.sin(2 * np.pi * 50 * t).astype(np.float32)[None, :, None], (200, LENGTH, 3))
    got = varied(cut, Variation(0.0, 0.0, 10.0), np.random.default_rng(1))
    peaks_hz = np.abs(np.fft.rfft(got, axis=1)).argmax(axis=1) * 200 / LENGTH
    assert (peaks_hz == peaks_hz[:, :1]).all()
    assert 39.6 < peaks_hz.min() < 42
    assert 58 < peaks_hz.max() < 60.4  # to the nearest bin


def test_what_becomes_free_is_filled() -> None:
    got = varied(windows(noise(LENGTH), LENGTH), Variation(0.0, 0.0, 50.0), np.random.default_rng(2))
    power = np.abs(np.fft.rfft(got[0], axis=0)) ** 2
    assert power[1:32].mean() > 0.3 * power.mean()
    assert power[-32:].mean() > 0.3 * power.mean()


def test_gain_and_tilt_have_their_spread() -> None:
    cut = np.broadcast_to(noise(LENGTH), (800, LENGTH, 3))
    got = varied(cut, Variation(gain_db=2.0, tilt_db=1.0, shift_hz=0.0), np.random.default_rng(1))
    plain = cut[0] - cut[0].mean(axis=0)
    decibels = 10 * np.log10((got**2).mean(axis=1) / (plain**2).mean(axis=0))
    np.testing.assert_allclose(decibels.std(axis=0), np.sqrt(5), rtol=0.1)
    np.testing.assert_allclose((decibels[:, 0] - decibels[:, 1]).std(), np.sqrt(2), rtol=0.1)


def test_band_powers_are_the_steps() -> None:
    powers = band_powers(windows(noise(2 * LENGTH)), 4)
    assert powers.shape == (5, 4, 3)
    np.testing.assert_allclose(np.exp(powers).sum(axis=1).mean(), 1.0, rtol=0.1)
    assert (powers[0] != powers[1]).any()
