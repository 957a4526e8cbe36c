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


def multiplied(x: int, multiplier: int, exponent: int) -> int:
    """MultiplyByQuantizedMultiplier: x * multiplier / 2^31 * 2^exponent."""
    return rounding_divide(high_product(x << max(exponent, 0), multiplier), max(-exponent, 0))


def input_radius(integer_bits: int, left: int) -> int:
    """CalculateInputRadius: how far a stored difference may go before its fixed-point form overflows."""
    return math.floor(((1 << integer_bits) - 1) * (1 << (31 - integer_bits)) / (1 << left))


def exponential(a: int, integer_bits: int = 5) -> int:
    """gemmlowp's exp_on_negative_values: e to the a / 2^(31 - integer bits), a <= 0, as Q31."""
    if a == 0:
        return INT32_MAX
    fraction_bits = 31 - integer_bits
    quarter = 1 << (fraction_bits - 2)
    fraction = (a & (quarter - 1)) - quarter
    result = _exponential_near_zero(fraction << integer_bits)
    remainder = fraction - a
    factors = (1672461947, 1302514674, 790015084, 290630308, 39332535, 720401, 242)
    for exponent, factor in zip(range(-2, integer_bits), factors, strict=False):
        if remainder & (1 << (fraction_bits + exponent)):
            result = high_product(result, factor)
    return result


def logistic(x: int) -> int:
    """gemmlowp's logistic of x / 2^27, as Q31."""
    if x == 0:
        return 1 << 30
    positive = _reciprocal(exponential(-abs(x), 4))
    return positive if x > 0 else INT32_MAX - positive


def tanh(x: int) -> int:
    """gemmlowp's tanh of x / 2^27, as Q31."""
    if x == 0:
        return 0
    negative = -_one_minus_over_one_plus(exponential(-abs(x), 5))
    return -negative if x > 0 else negative


def _newton(a: int) -> int:
    """Nearly 1 / (1 + a) for a in 0 to 1, Q31, twice over as Q29: division by Newton's method."""
    half = (a + INT32_MAX + 1) // 2
    x = 1515870810 + high_product(half, -1010580540)
    for _ in range(3):
        x += high_product(x, (1 << 29) - high_product(half, x)) << 2
    return x


def _reciprocal(a: int) -> int:
    """one_over_one_plus_x_for_x_in_0_1, Q31."""
    return min(_newton(a) << 1, INT32_MAX)


def _one_minus_over_one_plus(a: int) -> int:
    """one_minus_x_over_one_plus_x_for_x_in_0_1, Q31."""
    return min((_newton(a) - (1 << 29)) << 2, INT32_MAX)


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
    radius = input_radius(5, left) if left >= 0 else 255
    return [exponential(high_product(-d << max(left, 0), multiplier)) for d in range(min(radius, 255) + 1)]
