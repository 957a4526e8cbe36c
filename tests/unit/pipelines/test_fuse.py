from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.core import Frame, Signal, TensorSpec
from pipelines.fuse import fuse
from pipelines.quantise import Quantiser
from pipelines.transforms.normalize import Normalize
from pipelines.transforms.scale import Scale
from pipelines.transforms.smooth import Smooth

SIGNAL = Signal((8, 8, 3), "uint8", None, "image", ("r", "g", "b"))
PIXEL = TensorSpec("x", (1, 8, 8, 3), "int8", 1 / 255, -128)


def scale(low: float = 0.0, high: float = 1.0) -> Scale.Config:
    return Scale.Config(from_=(0.0, 255.0), to=(low, high))


@given(
    st.integers(0, 2**32 - 1),
    st.floats(-5, 5),
    st.floats(-5, 5).filter(lambda high: abs(high) > 1e-3),
    st.floats(1e-4, 1),
    st.integers(-128, 127),
    st.sampled_from(["int8", "uint8"]),
)
@settings(max_examples=60)
def test_the_table_gives_the_same_bits(seed: int, low: float, span: float, size: float, zero: int, dtype: str) -> None:
    config = scale(low, low + span)
    spec = TensorSpec("x", (1, 8, 8, 3), dtype, size, zero + (128 if dtype == "uint8" else 0))
    step = Scale(config)
    step.resolve(SIGNAL)
    table = fuse(step, config, SIGNAL, (spec,))
    assert table is not None
    frame = Frame(np.random.default_rng(seed).integers(0, 256, (8, 8, 3), np.uint8), 0.0, 0)
    (real,) = step.process(frame)
    (stored,) = table.process(frame)
    assert stored.array.dtype == dtype
    np.testing.assert_array_equal(stored.array, Quantiser(spec)(real.array.reshape(spec.shape))[0])
    assert stored.captured is frame


def test_one_number_for_all_channels_is_a_table() -> None:
    config = Normalize.Config(mean=127.5, std=127.5)
    assert fuse(Normalize(config), config, SIGNAL, (PIXEL,)) is not None


@pytest.mark.parametrize(
    ("step", "config", "signal", "inputs"),
    [
        pytest.param(Normalize, Normalize.Config(mean=(1.0, 2.0, 3.0)), SIGNAL, (PIXEL,), id="another map per channel"),
        pytest.param(Smooth, Smooth.Config(over=2), SIGNAL, (PIXEL,), id="not pointwise"),
        pytest.param(Scale, scale(), SIGNAL.but(dtype="float32"), (PIXEL,), id="not 8-bit pictures"),
        pytest.param(Scale, scale(), SIGNAL.but(kind="features"), (PIXEL,), id="no pictures"),
        pytest.param(Scale, scale(), SIGNAL, (PIXEL, PIXEL), id="two inputs"),
        pytest.param(Scale, scale(), SIGNAL, (TensorSpec("x", (1, 8, 8, 3), "float32"),), id="a float model"),
        pytest.param(Scale, scale(), SIGNAL, (TensorSpec("x", (1, 8, 8, 3), "int16", 0.1),), id="a 16-bit model"),
    ],
)
def test_what_cannot_be_a_table(step: Any, config: Any, signal: Signal, inputs: tuple[TensorSpec, ...]) -> None:
    assert fuse(step(config), config, signal, inputs) is None
