"""The edges of a model: real values to the numbers that a tensor stores, and back, without allocating.

Formulas: tensorflow/lite/kernels/internal/reference/quantize.h (AffineQuantize) and dequantize.h.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from pipelines.core import Array, TensorSpec
from pipelines.errors import DataError

Edge = Callable[[Array], Array]


def not_a_number(name: str) -> DataError:
    """The error of a NaN for a model's input of this name."""
    return DataError(f"a value for the model's input {name!r} is not a number (NaN); look for a logarithm of 0 or a "
                     "division by 0 in preprocess")  # fmt: skip


class Quantiser:
    """stored = saturate(round(real / scale) + zero_point), halves away from zero. A scale of 0 counts as 1.

    Rounding adds the number just below one half, with the value's sign, and truncates: exact where adding one half
    is not (0.49999997 + 0.5 is 1 in float32).
    """

    def __init__(self, spec: TensorSpec) -> None:
        # float32 as in TFLite's own kernel; its 24 bits are too few for 32-bit integers
        real = np.dtype(np.float32 if np.dtype(spec.dtype).itemsize <= 2 else np.float64).type
        limits = np.iinfo(spec.dtype)
        self._name = spec.name
        self._scale = real(np.float32(spec.scale or 1.0))
        self._zero_point = real(spec.zero_point)
        self._lowest, self._highest = real(limits.min - spec.zero_point), real(limits.max - spec.zero_point)
        if int(self._highest) > limits.max - spec.zero_point:  # int64's largest is not a float64
            self._highest = np.nextafter(self._highest, real(0))
        self._half = np.nextafter(real(0.5), real(0))
        self._real, self._sign = np.empty(spec.shape, real), np.empty(spec.shape, real)
        self._stored = np.empty(spec.shape, spec.dtype)

    def __call__(self, x: Array) -> Array:
        """Real values of the tensor's shape to what it stores, valid until the next call. Raises DataError at a NaN."""
        real, stored = self._real, self._stored
        try:
            with np.errstate(invalid="raise", over="ignore"):  # too large a value saturates; a NaN has no integer
                np.copyto(real, x)
                np.divide(real, self._scale, out=real)
                np.add(real, np.copysign(self._half, real, out=self._sign), out=real)
                np.clip(real, self._lowest, self._highest, out=real)
                np.trunc(real, out=real)
                np.add(real, self._zero_point, out=real)
                np.copyto(stored, real, casting="unsafe")
        except FloatingPointError as problem:
            raise not_a_number(self._name) from problem
        return stored


class Dequantiser:
    """real = scale * (stored - zero_point) as float32. A scale of 0 leaves the stored number as it is."""

    def __init__(self, spec: TensorSpec) -> None:
        self._scale, self._zero_point = np.float32(spec.scale), np.float32(spec.zero_point)
        self._real = np.empty(spec.shape, np.float32)

    def __call__(self, stored: Array) -> Array:
        """What a tensor stores to real values, valid until the next call."""
        if not self._scale:
            np.copyto(self._real, stored, casting="same_kind")
            return self._real
        np.subtract(stored, self._zero_point, out=self._real)
        return np.multiply(self._real, self._scale, out=self._real)


def to_stored(spec: TensorSpec) -> Edge:
    """A function from real values to what this input stores; an array of the tensor's own dtype goes as it is."""
    dtype = np.dtype(spec.dtype)
    convert: Edge = Quantiser(spec) if dtype.kind in "iu" else _Cast(spec)
    return lambda x: x if x.dtype == dtype else convert(x)


class _Cast:
    """Real values to a float tensor's own type, valid until the next call."""

    def __init__(self, spec: TensorSpec) -> None:
        self._stored = np.empty(spec.shape, spec.dtype)

    def __call__(self, x: Array) -> Array:
        np.copyto(self._stored, x, casting="same_kind")
        return self._stored
