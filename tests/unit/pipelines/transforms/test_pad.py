from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.core import Frame, Signal
from pipelines.errors import SignalMismatch
from pipelines.transforms.pad import Pad

RGB = Signal((None, None, 3), "uint8", None, "image", ("r", "g", "b"))


@given(*[st.integers(0, 4)] * 4, st.lists(st.tuples(st.integers(1, 6), st.integers(1, 6)), min_size=1, max_size=4))
def test_pad_is_numpys_pad(top: int, bottom: int, left: int, right: int, sizes: list[tuple[int, int]]) -> None:
    step = Pad(Pad.Config(top_px=top, bottom_px=bottom, left_px=left, right_px=right, fill=9))
    step.resolve(RGB)
    for seq, size in enumerate(sizes):
        data = np.random.default_rng(seq).integers(0, 256, (*size, 3), dtype=np.uint8)
        (out,) = step.process(Frame(data, 0.0, seq))
        wanted = np.pad(data, ((top, bottom), (left, right), (0, 0)), constant_values=9)
        np.testing.assert_array_equal(out.array, wanted)


def test_a_known_size_grows() -> None:
    config = Pad.Config(top_px=1, bottom_px=2, left_px=3, fill=(1, 2, 3))
    assert Pad(config).resolve(RGB.but(shape=(10, None, 3))) == RGB.but(shape=(13, None, 3))


def test_no_border_passes_the_frame_untouched() -> None:
    step, frame = Pad(Pad.Config()), Frame(np.zeros((2, 2, 3), np.uint8), 0.0, 0)
    step.resolve(RGB)
    assert step.process(frame) == (frame,)


@pytest.mark.parametrize(("signal", "words"), [(RGB.but(kind="audio"), "a picture"), (RGB, "4 values, expected 3")])
def test_what_it_cannot_pad_is_refused(signal: Signal, words: str) -> None:
    with pytest.raises(SignalMismatch, match=words):
        Pad(Pad.Config(fill=(1, 2, 3, 4))).resolve(signal)
