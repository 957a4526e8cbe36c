from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as st_numpy

from pipelines.core import TensorSpec
from pipelines.engines.tflite import Tflite
from pipelines.errors import DataError
from pipelines.quantise import Dequantiser, Quantiser
from tiny_models import quantise

SIZE = 64
BELOW_HALF = float(np.nextafter(np.float32(0.5), np.float32(0)))


def spec(dtype: str, scale: float, zero_point: int, size: int = SIZE) -> TensorSpec:
    return TensorSpec("x", (1, size), dtype, scale, zero_point)


def steps(dtype: str, *values: float, scale: float = 1.0, zero_point: int = 0) -> list[int]:
    x = np.array([values], np.float32)
    return list(Quantiser(spec(dtype, scale, zero_point, len(values)))(x)[0])


def test_halves_go_away_from_zero() -> None:
    assert steps("int8", 0.5, -0.5, 1.5, -1.5, 2.5, -2.5) == [1, -1, 2, -2, 3, -3]


def test_just_below_a_half_goes_to_zero() -> None:
    assert steps("int8", BELOW_HALF, -BELOW_HALF) == [0, 0]


def test_what_is_too_large_saturates() -> None:
    assert steps("int8", 1e9, -1e9, np.inf, -np.inf, 127.4, zero_point=-3) == [127, -128, 127, -128, 124]
    assert steps("uint8", -1, 300, 0.25, scale=0.5, zero_point=128) == [126, 255, 129]
    assert steps("int16", 1e9, -1e9) == [32767, -32768]
    assert steps("int32", 3e9, -3e9) == [2**31 - 1, -(2**31)]
    assert steps("int64", 1e30, -1e30)[1] == -(2**63)


def test_an_overflow_in_the_division_saturates() -> None:
    assert steps("int8", 3e38, -3e38, scale=1e-6) == [127, -128]


def test_large_whole_numbers_stay_exact() -> None:
    quantiser = Quantiser(spec("int32", 0, 0, 1))
    assert quantiser(np.array([[16_777_217]], np.int64))[0, 0] == 16_777_217


def test_a_nan_is_refused() -> None:
    with pytest.raises(DataError, match="a value for the model's input 'x' is not a number"):
        steps("int8", 1.0, float("nan"))


def test_a_nan_among_many_is_refused() -> None:
    x = np.zeros((1, 4099), np.float32)
    for place in (0, 7, 2048, 4098):
        x[:] = 0
        x[0, place] = np.nan
        for dtype in ("int8", "uint8", "int16", "int32"):
            with pytest.raises(DataError):
                Quantiser(spec(dtype, 0.1, 0, 4099))(x)


@pytest.fixture(scope="module")
def oracle() -> dict[tuple[str, float, int], Tflite]:
    return {}


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    x=st_numpy.arrays(
        np.float32,
        (1, SIZE),
        elements=st.one_of(
            st.floats(-300, 300, width=32), st.integers(-600, 600).map(lambda halves: halves / 2), st.just(BELOW_HALF)
        ),
    ),
    kind=st.sampled_from([("int8", 1.0, 0), ("int8", 0.5, -3), ("uint8", 0.0078125, 128), ("int8", 0.0123, 7)]),
)
def test_it_agrees_with_tflite(
    oracle: dict[tuple[str, float, int], Tflite],
    tflite: Callable[..., Tflite],
    x: np.ndarray,
    kind: tuple[str, float, int],
) -> None:
    """With the reference kernel of the QUANTIZE operator. (XNNPACK's rounds halves to even.)"""
    dtype, scale, zero_point = kind
    if kind not in oracle:
        oracle[kind] = tflite(quantise(dtype, (1, SIZE), scale, zero_point), kernels="reference")
    (expected,) = oracle[kind].infer(x)
    tensor = spec(dtype, scale, zero_point)
    np.testing.assert_array_equal(Dequantiser(tensor)(Quantiser(tensor)(x)), expected)


@pytest.mark.parametrize(("dtype", "scale", "zero_point"), [("int8", 0.1, -5), ("uint8", 0.25, 3), ("int16", 0.01, 0)])
def test_every_stored_number_survives_the_way_there_and_back(dtype: str, scale: float, zero_point: int) -> None:
    limits = np.iinfo(dtype)
    stored = np.arange(limits.min, limits.max + 1).astype(dtype)[None]
    tensor = spec(dtype, scale, zero_point, stored.size)
    np.testing.assert_array_equal(Quantiser(tensor)(Dequantiser(tensor)(stored)), stored)


def test_nothing_is_allocated_for_the_result() -> None:
    quantiser, x = Quantiser(spec("int8", 0.1, 0)), np.ones((1, SIZE), np.float32)
    assert quantiser(x) is quantiser(x)
