from __future__ import annotations

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.core import Frame, Signal
from pipelines.errors import SignalMismatch
from pipelines.transforms.normalize import Normalize
from pipelines.transforms.scale import Scale

RGB = Signal((6, 5, 3), "uint8", None, "image", ("r", "g", "b"))
PICTURE = np.random.default_rng(0).integers(0, 256, (6, 5, 3), dtype=np.uint8)


def mapped(step: Scale | Normalize, data: np.ndarray, signal: Signal) -> np.ndarray:
    assert step.resolve(signal) == signal.but(dtype="float32")
    (out,) = step.process(Frame(data, 0.0, 0))
    assert out.array.dtype == np.float32
    return out.array


def test_scale_by_its_yaml_names() -> None:
    config = msgspec.convert({"from": [0, 255], "to": [-1, 1]}, Scale.Config)
    np.testing.assert_allclose(mapped(Scale(config), PICTURE, RGB), PICTURE / 127.5 - 1, atol=2e-7)


def test_scales_default_is_the_unit_range() -> None:
    step = Scale(Scale.Config())
    got = mapped(step, PICTURE, RGB)
    np.testing.assert_allclose(got, PICTURE / 255, atol=1e-7)
    (ends,) = step.process(Frame(np.array([[[0, 255]]], np.uint8), 0.0, 1))
    assert ends.array.tolist() == [[[0.0, 1.0]]]


@pytest.mark.parametrize("dtype", ["uint8", "int8", "int16", "float32", "float64"])
@pytest.mark.parametrize("shape", [(7,), (4, 3), (4, 5, 3)])
def test_any_number_and_shape(dtype: str, shape: tuple[int, ...]) -> None:
    data = np.random.default_rng(0).integers(0, 100, shape).astype(dtype)
    signal = Signal(shape, dtype, 10.0, "features")
    got = mapped(Normalize(Normalize.Config(mean=3, std=4)), data, signal)
    np.testing.assert_allclose(got, (data.astype(float) - 3) / 4, rtol=1e-6, atol=1e-6)


def test_normalize_per_channel() -> None:
    mean, std = (123.7, 116.3, 103.5), (58.4, 57.1, 57.4)
    got = mapped(Normalize(Normalize.Config(mean=mean, std=std)), PICTURE, RGB)
    np.testing.assert_allclose(got, (PICTURE - np.array(mean)) / std, atol=1e-6)


def test_normalize_motion_of_any_length() -> None:
    step = Normalize(Normalize.Config(mean=(1, 2), std=2))
    step.resolve(Signal((None, 2), "float32", 100.0, "motion"))
    for rows in (4, 1, 9):
        data = np.ones((rows, 2), np.float32)
        (out,) = step.process(Frame(data, 0.0, 0))
        np.testing.assert_array_equal(out.array, np.tile(np.float32([0, -0.5]), (rows, 1)))


@given(st.floats(-1e3, 1e3), st.floats(1e-3, 1e3), st.floats(-10, 10), st.floats(-10, 10))
def test_the_ends_of_a_range_meet(low: float, width: float, to_low: float, to_high: float) -> None:
    step = Scale(Scale.Config(from_=(low, low + width), to=(to_low, to_high)))
    got = mapped(step, np.array([low, low + width]), Signal((2,), "float64", None, "features"))
    loss = 1e-6 * (1 + abs(low) / width) * (1 + abs(to_high) + abs(to_low))
    np.testing.assert_allclose(got, [to_low, to_high], rtol=0, atol=loss)


@pytest.mark.parametrize(
    "options", [{"from_": (0, 0)}, {"to": (0.0, float("inf"))}, {"from_": (0.0, float("nan"))}, {"from_": (0, 1e-320)}]
)
def test_ranges_without_a_meaning_are_refused(options: dict[str, tuple[float, float]]) -> None:
    with pytest.raises(ValueError, match=r"expected two different numbers|beyond float32"):
        Scale.Config(**options)


@pytest.mark.parametrize("options", [{"mean": float("nan")}, {"mean": 1e30, "std": 1e-30}, {"std": 1e-320}])
def test_constants_that_float32_cannot_hold_are_refused(options: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=r"beyond float32, expected finite .*; correct mean and std"):
        Normalize.Config(**options)


def test_another_number_of_values_than_channels_is_refused() -> None:
    with pytest.raises(SignalMismatch, match=r"mean with 2 values .* expected 3 values; give one per channel"):
        Normalize(Normalize.Config(mean=(1, 2))).resolve(RGB)


def test_a_bundle_is_refused() -> None:
    bundle = Signal((), "", None, "bundle", (), (RGB, RGB))
    for step in (Scale(Scale.Config()), Normalize(Normalize.Config())):
        with pytest.raises(SignalMismatch, match="into the fork's branches"):
            step.resolve(bundle)
