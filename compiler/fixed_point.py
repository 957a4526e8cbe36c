"""TFLite's and gemmlowp's fixed-point arithmetic, as far as the compiler does it beforehand. Integers are Python's."""

from __future__ import annotations

import math

INT32_MAX = (1 << 31) - 1


def quantised_multiplier(real: float) -> tuple[int, int]:
    """``real`` as a Q31 multiplier of 2^30 to 2^31 and an exponent: real ≈ multiplier / 2^31 * 2^exponent.

    As TFLite's QuantizeMultiplier (tensorflow/lite/kernels/internal/quantization_util.cc).
    """
    if real == 0.0:
        return 0, 0
    fraction, exponent = math.frexp(real)
    multiplier = math.floor(fraction * (1 << 31) + 0.5)  # C's round: fraction is above zero
    if multiplier == 1 << 31:
        multiplier //= 2
        exponent += 1
    return (0, 0) if exponent < -31 else (multiplier, exponent)


def high_product(a: int, b: int) -> int:
    """SaturatingRoundingDoublingHighMul of two int32."""
    if a == b == -(1 << 31):
        return INT32_MAX
    return (a * b + (1 << 30)) >> 31


def rounding_divide(x: int, exponent: int) -> int:
    """RoundingDivideByPOT: x / 2^exponent, half away from zero."""
    if exponent == 0:
        return x
    return (x - (x < 0) + (1 << (exponent - 1))) >> exponent


def exponential(a: int) -> int:
    """gemmlowp's exp_on_negative_values: e to the a / 2^26, a <= 0 with 5 integer bits, as Q31."""
    if a == 0:
        return INT32_MAX
    quarter = 1 << 24
    fraction = (a & (quarter - 1)) - quarter
    result = _exponential_near_zero(fraction << 5)
    remainder = fraction - a
    factors = (1672461947, 1302514674, 790015084, 290630308, 39332535, 720401, 242)
    for place, factor in enumerate(factors):
        if remainder & (1 << (24 + place)):
            result = high_product(result, factor)
    return result


def _exponential_near_zero(a: int) -> int:
    """exp_on_interval_between_negative_one_quarter_and_0_excl, Q31: a Taylor polynomial around -1/8."""
    constant, third = 1895147668, 715827883
    x = a + (1 << 28)
    x2 = high_product(x, x)
    x3, x4 = high_product(x2, x), high_product(x2, x2)
    inner = high_product(rounding_divide(x4, 2) + x3, third) + x2
    return min(constant + high_product(constant, x + rounding_divide(inner, 1)), INT32_MAX)


def softmax_table(beta: float, scale: float) -> list[int]:
    """e to the minus d * beta * scale, Q31, for the differences d of stored values that TFLite counts."""
    real = min(beta * scale * (1 << 26), float(INT32_MAX))
    multiplier, left = quantised_multiplier(real)
    radius = math.floor(31 * (1 << 26) / (1 << left)) if left >= 0 else 255
    return [exponential(high_product(-d << max(left, 0), multiplier)) for d in range(min(radius, 255) + 1)]
