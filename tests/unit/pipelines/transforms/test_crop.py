from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.core import Box, Frame, Result, Signal
from pipelines.errors import SignalMismatch
from pipelines.transforms.crop import Crop

RGB = Signal((40, 60, 3), "uint8", None, "image", ("r", "g", "b"))
PICTURE = np.random.default_rng(0).integers(0, 256, (40, 60, 3), dtype=np.uint8)


def look_into(region: Box | None, **options: Any) -> list[np.ndarray]:
    """What crop gives for a cascade's frame."""
    step = Crop(Crop.Config(**options))
    assert step.resolve(RGB) == RGB.but(shape=(None, None, 3))
    captured = Frame(PICTURE, 0.0, 0)
    frame = replace(captured, source=captured, cause=Result(0.0, "face", 0.9, region=region))
    return [out.array for out in step.process(frame)]


def test_a_results_region_is_cut_out_of_the_captured_picture() -> None:
    (got,) = look_into((10, 5, 20, 8))
    np.testing.assert_array_equal(got, PICTURE[5:13, 10:30])
    assert np.shares_memory(got, PICTURE)


def test_a_margin_is_added_at_each_side_up_to_the_edge() -> None:
    (got,) = look_into((2, 10, 20, 10), margin=0.5)
    np.testing.assert_array_equal(got, PICTURE[5:25, 0:32])


def test_a_region_outside_the_picture_gives_nothing() -> None:
    assert look_into((70, 5, 20, 8)) == []
    assert look_into((-30, 5, 20, 8)) == []


@given(*[st.floats(-100, 100)] * 2, *[st.floats(0.1, 100)] * 2, st.floats(0, 1))
def test_any_region_gives_pixels_of_the_picture_or_nothing(
    x: float, y: float, w: float, h: float, margin: float
) -> None:
    for got in look_into((x, y, w, h), margin=margin):
        assert got.size
        assert np.shares_memory(got, PICTURE)


def test_a_fixed_region() -> None:
    step = Crop(Crop.Config(region=(10, 5, 20, 8), margin=0.25))
    assert step.resolve(RGB) == RGB.but(shape=(12, 30, 3))
    frame = Frame(PICTURE, 0.0, 0)
    (out,) = step.process(frame)
    np.testing.assert_array_equal(out.array, PICTURE[3:15, 5:35])
    assert out.captured is frame


def test_a_fixed_region_must_lie_inside() -> None:
    step = Crop(Crop.Config(region=(50, 5, 20, 8)))
    with pytest.raises(
        SignalMismatch, match="60 px wide and 40 px high, expected one that lies inside; move or shrink"
    ):
        step.resolve(RGB)
    assert step.resolve(RGB.but(shape=(None, None, 3))).shape == (None, None, 3)
    with pytest.raises(SignalMismatch, match="lies inside"):
        step.process(Frame(PICTURE, 0.0, 0))


def test_without_any_region_it_says_what_to_do() -> None:
    with pytest.raises(SignalMismatch, match="put crop behind such a decoder, or give it a region"):
        look_into(None)
    with pytest.raises(SignalMismatch, match="a picture"):
        Crop(Crop.Config()).resolve(RGB.but(kind="audio"))
