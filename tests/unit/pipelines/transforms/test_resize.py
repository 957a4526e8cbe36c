from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.core import Frame, Signal
from pipelines.errors import SignalMismatch
from pipelines.transforms.resize import Resize, plan

ANY_SIZE = Signal((None, None, 3), "uint8", None, "image", ("r", "g", "b"))


def picture(height: int, width: int, channels: int = 3, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, channels), dtype=np.uint8)


def resized(data: np.ndarray, **options: Any) -> np.ndarray:
    pytest.importorskip("cv2")
    step = Resize(Resize.Config(**options))
    step.resolve(ANY_SIZE.but(shape=(None, None, data.shape[2]), channels=()))
    (out,) = step.process(Frame(data, 0.0, 0))
    return out.array


def test_a_picture_of_the_wanted_size_passes_untouched() -> None:
    step = Resize(Resize.Config(width_px=32, height_px=24))
    step.resolve(ANY_SIZE.but(shape=(24, 32, 3)))
    frame = Frame(picture(24, 32), 0.0, 0)
    assert step.process(frame) == (frame,)


@pytest.mark.parametrize("channels", [1, 3])
def test_area_by_a_whole_factor_is_the_mean_of_blocks(channels: int) -> None:
    data = picture(60, 80, channels)
    blocks = data.reshape(15, 4, 20, 4, channels).astype(float).mean(axis=(1, 3))
    got = resized(data, width_px=20, height_px=15)
    assert got.shape == (15, 20, channels)
    assert np.abs(got - blocks).max() <= 0.5


def test_nearest_by_a_whole_factor_repeats_pixels() -> None:
    data = picture(4, 5)
    np.testing.assert_array_equal(
        resized(data, width_px=15, height_px=12, filter="nearest"), data.repeat(3, axis=0).repeat(3, axis=1)
    )


def test_crop_takes_the_largest_centred_rectangle() -> None:
    data = picture(40, 100)
    np.testing.assert_array_equal(resized(data, width_px=40, height_px=40), data[:, 30:70])


def test_central_fraction_comes_first() -> None:
    data = picture(64, 64)
    np.testing.assert_array_equal(resized(data, width_px=56, height_px=56, crop=0.875), data[4:60, 4:60])


def test_stretch_uses_the_whole_picture() -> None:
    data = picture(40, 80)
    blocks = data.reshape(40, 40, 2, 3).astype(float).mean(axis=2)
    assert np.abs(resized(data, width_px=40, height_px=40, fit="stretch") - blocks).max() <= 0.5


def test_letterbox_fills_bars_with_its_colour() -> None:
    data = picture(20, 40)
    got = resized(data, width_px=40, height_px=40, fit="letterbox", fill=(1, 2, 3))
    np.testing.assert_array_equal(got[10:30], data)
    assert (got[:10] == (1, 2, 3)).all()
    assert (got[30:] == (1, 2, 3)).all()


def test_letterbox_of_another_size_leaves_nothing_of_the_one_before() -> None:
    pytest.importorskip("cv2")
    step = Resize(Resize.Config(width_px=20, height_px=20, fit="letterbox", fill=7))
    step.resolve(ANY_SIZE)
    list(step.process(Frame(picture(20, 40), 0.0, 0)))
    (out,) = step.process(Frame(picture(20, 10), 0.0, 1))
    assert (out.array[:, :5] == 7).all()
    assert (out.array[:, 15:] == 7).all()


@settings(deadline=None, max_examples=60)
@given(
    size=st.tuples(st.integers(1, 70), st.integers(1, 70)),
    wanted=st.tuples(st.integers(1, 50), st.integers(1, 50)),
    fit=st.sampled_from(["crop", "letterbox", "stretch"]),
    crop=st.floats(0.01, 1),
    kind=st.sampled_from(["area", "linear", "nearest", "cubic"]),
)
def test_what_comes_out_is_what_resolve_promised(
    size: tuple[int, int], wanted: tuple[int, int], fit: Any, crop: float, kind: Any
) -> None:
    pytest.importorskip("cv2")
    step = Resize(Resize.Config(height_px=wanted[0], width_px=wanted[1], fit=fit, crop=crop, filter=kind))
    promised = step.resolve(ANY_SIZE)
    data = picture(*size)
    before = data.copy()
    frame = Frame(data, 0.5, 3, 3)
    (out,) = step.process(frame)
    assert (out.array.shape, out.array.dtype) == (promised.shape, promised.dtype)
    assert promised == ANY_SIZE.but(shape=(*wanted, 3))
    assert (out.captured, out.t, out.seq) == (frame, 0.5, 3)
    np.testing.assert_array_equal(data, before)


@given(*[st.integers(1, 5000)] * 4, st.floats(0.01, 1))
def test_crop_and_letterbox_keep_the_aspect(
    width: int, height: int, to_width: int, to_height: int, crop: float
) -> None:
    source, target = plan(width, height, to_width, to_height, "letterbox", crop)
    assert target.width == to_width or target.height == to_height
    ideal = min(to_width / source.width, to_height / source.height)
    assert abs(target.width - source.width * ideal) < 1
    assert abs(target.height - source.height * ideal) < 1

    whole = plan(width, height, to_width, to_height, "stretch", crop)[0]
    source, target = plan(width, height, to_width, to_height, "crop", crop)
    assert (target.width, target.height) == (to_width, to_height)
    assert source.width == whole.width or source.height == whole.height
    ideal = min(whole.width / to_width, whole.height / to_height)
    assert abs(source.width - to_width * ideal) < 1
    assert abs(source.height - to_height * ideal) < 1
    assert 0 <= source.x <= width - source.width
    assert 0 <= source.y <= height - source.height


@pytest.mark.parametrize(
    ("signal", "fill", "words"),
    [
        (Signal((16000,), "float32", 16000.0, "audio"), 0, "expected a picture"),
        (ANY_SIZE.but(dtype="float32"), 0, "put scale and normalize after"),
        (ANY_SIZE, (1, 2), "fill with 2 values, expected 3"),
    ],
)
def test_what_it_cannot_resize_is_refused(signal: Signal, fill: Any, words: str) -> None:
    with pytest.raises(SignalMismatch, match=words):
        Resize(Resize.Config(width_px=8, height_px=8, fill=fill)).resolve(signal)
