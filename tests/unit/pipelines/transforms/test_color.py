from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from pipelines.core import Frame, Signal
from pipelines.errors import SignalMismatch
from pipelines.transforms.color import Color

RGB = Signal((None, None, 3), "uint8", None, "image", ("r", "g", "b"))
PICTURE = np.random.default_rng(0).integers(0, 256, (9, 7, 3), dtype=np.uint8)


def converted(data: np.ndarray, signal: Signal, order: Any) -> tuple[Signal, np.ndarray]:
    pytest.importorskip("cv2")
    step = Color(Color.Config(order=order))
    resolved = step.resolve(signal)
    (out,) = step.process(Frame(data, 0.0, 0))
    return resolved, out.array


@pytest.mark.parametrize("signal", [RGB, RGB.but(channels=("b", "g", "r"))])
def test_rgb_and_bgr_are_each_others_reverse(signal: Signal) -> None:
    order = "".join(reversed(signal.channels))
    resolved, got = converted(PICTURE, signal, order)
    assert resolved == signal.but(channels=tuple(order))
    np.testing.assert_array_equal(got, PICTURE[..., ::-1])


@pytest.mark.parametrize("signal", [RGB, RGB.but(channels=("b", "g", "r"))])
def test_gray_is_bt_601(signal: Signal) -> None:
    resolved, got = converted(PICTURE, signal, "gray")
    assert resolved == signal.but(shape=(None, None, 1), channels=("gray",))
    weights = [{"r": 0.299, "g": 0.587, "b": 0.114}[channel] for channel in signal.channels]
    assert got.shape == (9, 7, 1)
    assert np.abs(got[..., 0] - PICTURE @ weights).max() < 0.51


def test_from_gray_all_colours_are_equal() -> None:
    gray = PICTURE[..., :1].copy()
    resolved, got = converted(gray, RGB.but(shape=(9, 7, 1), channels=("gray",)), "rgb")
    assert resolved == RGB.but(shape=(9, 7, 3))
    np.testing.assert_array_equal(got, gray.repeat(3, axis=2))


def test_the_wanted_order_passes_untouched() -> None:
    step = Color(Color.Config(order="rgb"))
    frame = Frame(PICTURE, 0.0, 0)
    assert step.resolve(RGB) == RGB
    assert step.process(frame) == (frame,)


@pytest.mark.parametrize("signal", [RGB.but(channels=()), RGB.but(shape=(9, 7, 1)), RGB.but(kind="motion")])
def test_unknown_channels_are_refused(signal: Signal) -> None:
    with pytest.raises(SignalMismatch, match="expected a picture"):
        Color(Color.Config(order="bgr")).resolve(signal)
