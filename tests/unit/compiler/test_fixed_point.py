from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from compiler.fixed_point import exponential, high_product, quantised_multiplier, rounding_divide, softmax_table


@given(st.floats(1e-9, 1e4))
def test_a_multiplier_is_the_real_number_to_31_bits(real: float) -> None:
    multiplier, exponent = quantised_multiplier(real)
    assert 1 << 30 <= multiplier < 1 << 31
    assert math.ldexp(multiplier, exponent - 31) == pytest.approx(real, rel=2**-31)


def test_a_multiplier_that_rounds_up_to_one_stays_in_its_range() -> None:
    assert quantised_multiplier(math.nextafter(1.0, 0.0)) == (1 << 30, 1)
    assert quantised_multiplier(2.0**-40) == (0, 0)


@given(st.integers(-(2**31), 2**31 - 1), st.integers(0, 31))
def test_division_rounds_half_away_from_zero(x: int, exponent: int) -> None:
    whole, rest = divmod(abs(x), 1 << exponent)
    expected = whole + (2 * rest >= 1 << exponent)
    assert rounding_divide(x, exponent) == (expected if x >= 0 else -expected)


def test_the_product_saturates_once() -> None:
    assert high_product(-(2**31), -(2**31)) == 2**31 - 1


@given(st.integers(-(2**31) + 1, 0))
def test_exponentials_are_near_the_real_ones(a: int) -> None:
    assert exponential(a) / 2**31 == pytest.approx(math.exp(a / 2**26), abs=3e-7)


def test_a_softmax_table_falls_from_one() -> None:
    table = softmax_table(1.0, 0.1)
    assert table[0] == 2**31 - 1
    assert table == sorted(table, reverse=True)
    assert table[10] / 2**31 == pytest.approx(math.exp(-1), abs=1e-6)
