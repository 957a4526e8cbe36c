"""Random models for hypothesis: operators alone, in chains and in branches, with odd sizes and extreme scales."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import strategies as st

from compiler.emit import Bundle, compile_graph
from compiler.reader import read_graph
from pipelines.errors import ModelError
from tflite_builder import Builder

CHANNELS = (1, 2, 3, 4, 5, 7, 8, 12, 13, 16)
SMALL = st.integers(1, 6)
KERNELS = st.sampled_from([(1, 1), (3, 3), (1, 3), (3, 1), (2, 2), (5, 5), (7, 5), (3, 5), (4, 3)])
FUSED = st.sampled_from([0, 0, 1, 2, 3])


@dataclass(frozen=True)
class Value:
    """A tensor that is computed or an input."""

    index: int
    shape: tuple[int, ...]
    scale: float
    zero: int


@dataclass(frozen=True)
class Case:
    """A model, and shapes and types of its inputs."""

    model: bytes = field(repr=False)
    inputs: tuple[tuple[tuple[int, ...], str], ...]
    operators: tuple[str, ...]
    source: tuple[Builder, list[int], list[int]] = field(repr=False)


class Making:
    """A model while it grows."""

    def __init__(self, draw: Callable[[Any], Any], dtype: str) -> None:
        self.draw, self.dtype, self.b = draw, dtype, Builder()
        self.rng = np.random.default_rng(draw(st.integers(0, 1 << 30)))
        self.values: list[Value] = []

    # ---- values
    def value(self, shape: tuple[int, ...], scale: float | None = None, zero: int | None = None) -> Value:
        if self.dtype == "float32":
            return self._keep(Value(self.b.tensor(shape, "float32"), tuple(shape), 1.0, 0))
        scale = scale if scale is not None else 2.0 ** self.draw(st.floats(-9, 0, width=32))
        zero = (
            zero if zero is not None else self.draw(st.one_of(st.sampled_from([-128, 0, 127]), st.integers(-128, 127)))
        )
        scale = float(np.float32(max(scale, 1e-7)))  # below, tflite-micro takes no RELU6
        return self._keep(Value(self.b.tensor(shape, "int8", scale, zero), tuple(shape), scale, zero))

    def like(self, x: Value, shape: tuple[int, ...]) -> Value:
        """Of the same scale."""
        return self.value(shape, x.scale, x.zero)

    def _keep(self, value: Value) -> Value:
        self.values.append(value)
        return value

    def any(self, axes: int = 0) -> Value:
        """A value that is there, with so many axes; a reshaped one where none has them."""
        fitting = [v for v in self.values if not axes or (len(v.shape) == axes and v.shape[0] == 1)]
        if fitting:
            return self.draw(st.sampled_from(fitting[-3:]))
        x = self.values[-1]
        size = int(np.prod(x.shape))
        wide = next(n for n in (4, 3, 2, 5, 1) if size % n == 0)
        y = self.like(x, (1, 1, wide, size // wide))
        self.b.op("RESHAPE", [x.index, self.b.constant(y.shape)], [y.index])
        return y

    # ---- layers of weights
    def _output(self, x: Value, shape: tuple[int, ...], weight: float, depth: int) -> Value:
        """An output whose scale is usual, or so that shifts are to the left, none, or large."""
        ratio = 2.0 ** self.draw(st.one_of(st.floats(-2, 2), st.floats(-14, 14)))
        return self.value(shape, min(max(x.scale * weight * 60 * depth**0.5 * ratio, 1e-9), 1e5))

    def _weights(self, x: Value, shape: tuple[int, ...], axis: int, biased: bool) -> tuple[list[int], float]:
        channels = shape[axis]
        if self.dtype == "float32":
            made = [self.b.tensor(shape, "float32", data=self.rng.normal(0, 1, shape))]
            return made + ([self.b.tensor((channels,), "float32", data=self.rng.normal(0, 1, channels))] * biased), 1.0
        weight = 2.0 ** self.draw(st.floats(-10, -3, width=32))
        per_channel = self.draw(st.booleans())
        scales = weight * 2.0 ** self.rng.uniform(-3, 3, channels) if per_channel else np.array([weight])
        data = np.clip(np.rint(self.rng.normal(0, self.draw(st.sampled_from([1, 40, 200])), shape)), -127, 127)
        if self.draw(st.integers(0, 5)) == 0:
            data = np.moveaxis(np.moveaxis(data, axis, 0) * self.rng.integers(0, 2, (channels, 1, 1, 1))[
                (...,) + (0,) * (4 - len(shape))], 0, axis)  # fmt: skip
        made = [self.b.tensor(shape, "int8", scales, data=data.astype(np.int8), axis=axis)]
        if biased:
            spread = self.draw(st.sampled_from([1, 1000, 100000]))
            bias = self.rng.integers(-spread, spread + 1, channels)
            made.append(self.b.tensor((channels,), "int32", np.float32(x.scale) * scales.astype(np.float32), data=bias))
        return made, weight

    def _window(self, x: Value, kernel: tuple[int, int], dilated: bool) -> tuple[tuple[int, int], dict[str, int]]:
        stride = self.draw(st.sampled_from([(1, 1), (1, 1), (2, 2), (1, 2), (3, 2)]))
        dilation = self.draw(st.sampled_from([(1, 1), (1, 1), (2, 2), (1, 3)])) if dilated else (1, 1)
        padding = self.draw(st.integers(0, 1))
        reach = [(k - 1) * d + 1 for k, d in zip(kernel, dilation, strict=True)]
        if any(r > size for r, size in zip(reach, x.shape[1:3], strict=True)):
            padding = 0
        out = tuple(-(-size // s) if padding == 0 else (size - r) // s + 1
                    for size, s, r in zip(x.shape[1:3], stride, reach, strict=True))  # fmt: skip
        options = {"Padding": padding, "StrideH": stride[0], "StrideW": stride[1]}
        if dilated:
            options |= {"DilationHFactor": dilation[0], "DilationWFactor": dilation[1]}
        return (out[0], out[1]), options

    def _framed(self, x: Value) -> Value:
        """Now and then with a PAD of height and width before it, that the layer takes up where it has no padding."""
        if self.draw(st.integers(0, 3)):
            return x
        top, bottom, left, right = (self.draw(st.integers(0, 3)) for _ in range(4))
        y = self.like(x, (1, x.shape[1] + top + bottom, x.shape[2] + left + right, x.shape[3]))
        sizes = self.b.constant([(0, 0), (top, bottom), (left, right), (0, 0)])
        self.b.op("PAD", [x.index, sizes], [y.index])
        return y

    def conv_2d(self) -> None:
        x, kernel = self._framed(self.any(4)), self.draw(KERNELS)
        channels = self.draw(st.sampled_from(CHANNELS))
        biased = self.dtype == "float32" or self.draw(st.booleans())  # LiteRT wants one in float32
        out, options = self._window(x, kernel, True)
        weights, scale = self._weights(x, (channels, *kernel, x.shape[3]), 0, biased)
        y = self._output(x, (1, *out, channels), scale, kernel[0] * kernel[1] * x.shape[3])
        self.b.op("CONV_2D", [x.index, *weights], [y.index], FusedActivationFunction=self.draw(FUSED), **options)

    def depthwise_conv_2d(self) -> None:
        x, kernel = self._framed(self.any(4)), self.draw(KERNELS)
        multiplier = self.draw(st.sampled_from([1, 1, 1, 2, 3]))
        channels = x.shape[3] * multiplier
        out, options = self._window(x, kernel, True)
        weights, scale = self._weights(x, (1, *kernel, channels), 3, True)
        y = self._output(x, (1, *out, channels), scale, kernel[0] * kernel[1])
        self.b.op("DEPTHWISE_CONV_2D", [x.index, *weights], [y.index], DepthMultiplier=multiplier,
                  FusedActivationFunction=self.draw(FUSED), **options)  # fmt: skip

    def fully_connected(self) -> None:
        x, channels = self.any(), self.draw(st.sampled_from(CHANNELS))
        size = int(np.prod(x.shape))
        depth = x.shape[-1] if self.draw(st.booleans()) and x.shape else size
        weights, scale = self._weights(x, (channels, depth), 0, self.draw(st.booleans()))
        y = self._output(x, (size // depth, channels), scale, depth)
        self.b.op("FULLY_CONNECTED", [x.index, *weights], [y.index], FusedActivationFunction=self.draw(FUSED))

    # ---- two operands
    def _pair(self, name: str) -> None:
        a = self.any()
        kind = self.draw(st.sampled_from(["same", "same", "scalar", "channel", "self", "computed"]))
        others = [v for v in self.values if v.shape == a.shape]
        shape: tuple[int, ...] = a.shape[-1:] if kind == "channel" else (1,) * len(a.shape)
        if kind == "computed" and len(a.shape) > 1:
            keep = [self.draw(st.booleans()) for _ in a.shape]
            axes = [axis for axis, kept in enumerate(keep) if not kept]
            if axes:
                b = self.value(tuple(size if kept else 1 for size, kept in zip(a.shape, keep, strict=True)))
                self.b.op("MEAN", [a.index, self.b.constant(axes)], [b.index], KeepDims=True)
            else:
                b = a
            second = b.index
        elif kind in ("same", "self", "computed"):
            b = a if kind == "self" else self.draw(st.sampled_from(others))
            second = b.index
        elif self.dtype == "float32":
            b, second = a, self.b.tensor(shape, "float32", data=self.rng.normal(0, 1, shape))
        else:
            scale, zero = 2.0 ** self.draw(st.floats(-9, 0, width=32)), self.draw(st.integers(-128, 127))
            second = self.b.tensor(shape, "int8", scale, zero, data=self.rng.integers(-128, 128, shape))
            b = Value(second, shape, scale, zero)
        ratio = 2.0 ** self.draw(st.one_of(st.floats(-2, 2), st.floats(-10, 10)))
        scale = a.scale * b.scale * 50 if name == "MUL" else max(a.scale, b.scale)
        y = self.value(a.shape, scale * ratio)
        both = [a.index, second] if self.draw(st.booleans()) or kind == "computed" else [second, a.index]
        self.b.op(name, both, [y.index], FusedActivationFunction=self.draw(FUSED))

    def add(self) -> None:
        self._pair("ADD")

    def sub(self) -> None:
        self._pair("SUB")

    def mul(self) -> None:
        self._pair("MUL")

    # ---- windows and means
    def _pool(self, name: str) -> None:
        x, kernel = self.any(4), self.draw(KERNELS)
        out, options = self._window(x, kernel, False)
        y = self.like(x, (1, *out, x.shape[3]))
        self.b.op(name, [x.index], [y.index], FilterHeight=kernel[0], FilterWidth=kernel[1],
                  FusedActivationFunction=self.draw(FUSED), **options)  # fmt: skip

    def average_pool_2d(self) -> None:
        self._pool("AVERAGE_POOL_2D")

    def max_pool_2d(self) -> None:
        self._pool("MAX_POOL_2D")

    def mean(self) -> None:
        x = self.any()
        if len(x.shape) < 2:
            return
        axes = self.draw(st.lists(st.integers(-len(x.shape), len(x.shape) - 1), min_size=1, max_size=3, unique=True))
        if len(x.shape) == 4 and self.draw(st.booleans()):
            axes = [1, 2]
        over, keep = {axis % len(x.shape) for axis in axes}, self.draw(st.booleans())
        if len(over) == len(x.shape):
            keep = True
        shape = tuple(1 if i in over else n for i, n in enumerate(x.shape) if keep or i not in over)
        y = self.value(shape, x.scale * 2.0 ** self.draw(st.floats(-6, 3)))
        self.b.op("MEAN", [x.index, self.b.constant(axes)], [y.index], KeepDims=keep)

    # ---- moves
    def pad(self) -> None:
        x = self.any()
        if len(x.shape) > 4:
            return
        low = [0] * len(x.shape) if len(x.shape) == 4 and self.draw(st.booleans()) else None
        sizes = [(self.draw(st.integers(0, 2)), self.draw(st.integers(0, 2))) for _ in x.shape]
        if low is not None:
            sizes[0] = sizes[3] = (0, 0)
        if len(x.shape) == 4:
            sizes[0] = (0, 0)
        y = self.like(x, tuple(n + a + b for n, (a, b) in zip(x.shape, sizes, strict=True)))
        self.b.op("PAD", [x.index, self.b.constant(sizes)], [y.index])

    def reshape(self) -> None:
        x = self.any()
        size = int(np.prod(x.shape))
        wide = self.draw(st.sampled_from([n for n in (1, 2, 3, 5, 7, size) if size % n == 0]))
        shape = self.draw(
            st.sampled_from([(1, wide, 1, size // wide), (size // wide, wide), (1, 1, wide, size // wide)])
        )
        y = self.like(x, shape)
        self.b.op("RESHAPE", [x.index, self.b.constant(shape)], [y.index])

    def concatenation(self) -> None:
        x = self.any()
        axis = self.draw(st.integers(0, len(x.shape) - 1))
        if axis == 0 and len(x.shape) == 4:
            axis = 3
        others = [v for v in self.values if v.scale == x.scale and v.zero == x.zero and len(v.shape) == len(x.shape)
                  and v.shape[:axis] == x.shape[:axis] and v.shape[axis + 1 :] == x.shape[axis + 1 :]]  # fmt: skip
        parts = self.draw(st.lists(st.sampled_from(others), min_size=1, max_size=4))
        indices, length = [v.index for v in parts], sum(v.shape[axis] for v in parts)
        if self.draw(st.integers(0, 3)) == 0:
            data = self.rng.integers(-128, 128, x.shape)
            scale = None if self.dtype == "float32" else x.scale
            indices.append(self.b.tensor(x.shape, self.dtype, scale, x.zero, data=data))
            length += x.shape[axis]
        y = self.like(x, (*x.shape[:axis], length, *x.shape[axis + 1 :]))
        signed = axis - len(x.shape) if self.draw(st.booleans()) else axis
        self.b.op("CONCATENATION", indices, [y.index], Axis=signed)

    def strided_slice(self) -> None:
        x = self.any()
        if len(x.shape) > 4:
            return
        begins, ends, steps, shape = [], [], [], []
        masks = {"BeginMask": 0, "EndMask": 0, "ShrinkAxisMask": 0}
        for axis, size in enumerate(x.shape):
            step = self.draw(st.sampled_from([1, 1, 2, 3, -1, -2]))
            first, last = sorted((self.draw(st.integers(0, size - 1)), self.draw(st.integers(0, size - 1))))
            begin, end = (first, last + 1) if step > 0 else (last, first - 1 if first else -size - 1)
            if axis and self.draw(st.integers(0, 5)) == 0 and len(x.shape) > 2:
                masks["ShrinkAxisMask"] |= 1 << axis
                begin, end, step = first - size * self.draw(st.integers(0, 1)), first + 1, 1
            elif self.draw(st.integers(0, 3)) == 0:
                masks["BeginMask"] |= 1 << axis
                begin = 0
            elif self.draw(st.integers(0, 3)) == 0:
                masks["EndMask"] |= 1 << axis
            bit = 1 << axis
            if not masks["ShrinkAxisMask"] & bit:
                taken = range(size)[slice(None if masks["BeginMask"] & bit else begin,
                                          None if masks["EndMask"] & bit else end, step)]  # fmt: skip
                if not taken:
                    begin, end, step, taken = 0, size, 1, range(size)
                shape.append(len(taken))
            begins.append(begin)
            ends.append(end)
            steps.append(step)
        y = self.like(x, tuple(shape))
        limits = [self.b.constant(numbers) for numbers in (begins, ends, steps)]
        self.b.op("STRIDED_SLICE", [x.index, *limits], [y.index], **masks)

    def transpose(self) -> None:
        x = self.any()
        order = self.draw(st.permutations(range(len(x.shape))))
        if x.shape[0] == 1 and len(x.shape) == 4:
            order = [0, *(axis for axis in order if axis)]
        y = self.like(x, tuple(x.shape[axis] for axis in order))
        self.b.op("TRANSPOSE", [x.index, self.b.constant(order)], [y.index])

    # ---- functions of a number
    def _unary(self, name: str, scale: float | None = None, zero: int | None = None, **options: Any) -> None:
        x = self.any()
        y = self.value(x.shape, scale, zero)
        self.b.op(name, [x.index], [y.index], **options)

    def softmax(self) -> None:
        self._unary("SOFTMAX", 1 / 256, -128, Beta=self.draw(st.sampled_from([1.0, 1.0, 0.5, 3.0])))

    def logistic(self) -> None:
        self._unary("LOGISTIC", 1 / 256, -128)

    def tanh(self) -> None:
        self._unary("TANH", 1 / 128, 0)

    def relu(self) -> None:
        x = self.any()
        y = self.like(x, x.shape) if self.draw(st.booleans()) else self.value(x.shape)
        self.b.op("RELU", [x.index], [y.index])

    def relu6(self) -> None:
        x = self.any()
        self.b.op("RELU6", [x.index], [self.like(x, x.shape).index])

    def quantize(self) -> None:
        if self.dtype == "int8":
            self._unary("QUANTIZE")

    # ---- the whole
    def case(self, steps: int, edges: bool) -> Case:
        shape = (1, self.draw(SMALL), self.draw(SMALL), self.draw(st.sampled_from(CHANNELS)))
        if self.draw(st.integers(0, 4)) == 0:
            shape = (shape[1], shape[3]) if self.draw(st.booleans()) else (1, 1, 1, shape[3])
        given = [self.value(shape)]
        if self.draw(st.integers(0, 2)) == 0:
            given.append(self.value(shape))
        inputs = [v.index for v in given]
        types = [(shape, self.dtype)] * len(given)
        if edges:
            floats = self.b.tensor(shape, "float32")
            self.b.op("QUANTIZE", [floats], [given[0].index])
            inputs[0], types[0] = floats, (shape, "float32")
        names = self.draw(st.lists(st.sampled_from(OPERATORS), min_size=1, max_size=steps))
        for name in names:
            getattr(self, name)()
        outputs = [self.values[-1].index]
        if self.draw(st.integers(0, 2)) == 0:
            outputs.append(self.draw(st.sampled_from(self.values[len(given) :] or self.values)).index)
        if edges:
            last = self.values[-1]
            outputs[0] = self.b.tensor(last.shape, "float32")
            self.b.op("DEQUANTIZE", [last.index], [outputs[0]])
        if not self.b.operators:
            self.relu()
            outputs = [self.values[-1].index]
        done = tuple(op.name for op in self.b.operators)
        outputs = list(dict.fromkeys(outputs))
        return Case(self.b.model(inputs, outputs), tuple(types), done, (self.b, inputs, outputs))


OPERATORS = (
    "conv_2d", "depthwise_conv_2d", "fully_connected", "add", "sub", "mul", "average_pool_2d", "max_pool_2d", "mean",
    "pad", "reshape", "softmax", "logistic", "relu", "relu6", "tanh", "concatenation", "strided_slice", "transpose",
    "quantize",
)  # fmt: skip


@st.composite
def int8_graphs(draw: Callable[[Any], Any]) -> Case:
    """Of int8, some with QUANTIZE and DEQUANTIZE at their ends."""
    return Making(draw, "int8").case(6, draw(st.integers(0, 4)) == 0)


@st.composite
def float_graphs(draw: Callable[[Any], Any]) -> Case:
    """Of float32."""
    return Making(draw, "float32").case(4, False)


def bundle_of(case: Case, name: str, folder: Path) -> Bundle | None:
    """None where the sums of random weights and scales go beyond what is compiled; any other refusal is a failure."""
    path = folder / f"{name}.tflite"
    path.write_bytes(case.model)
    try:
        return compile_graph(read_graph(path))
    except ModelError as refused:
        if "sums can exceed 31 bits" not in str(refused):
            raise
        return None
