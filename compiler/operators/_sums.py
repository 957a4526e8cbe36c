"""What layers of int8 sums share: how a sum becomes a stored output."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from compiler.fixed_point import multiplied, quantised_multiplier
from compiler.graph import Array, Graph, Node, Tensor
from compiler.layer import unsupported

SIGNED_ONE = 1 << 30


def output_range(node: Node, y: Tensor) -> tuple[int, int]:
    """The stored values that the fused activation leaves, as CalculateActivationRangeQuantized."""
    low, high = -128, 127

    def stored(real: float) -> int:
        with np.errstate(over="ignore"):
            steps = min(max(float(np.float32(real) / np.float32(y.scale)), -1e9), 1e9)
        return y.zero_point + int(math.copysign(math.floor(abs(steps) + 0.5), steps))

    match node.options.get("fused_activation_function", "none"):
        case "relu":
            low = max(low, y.zero_point)
        case "relu6":
            low, high = max(low, y.zero_point), min(high, stored(6.0))
        case "relu_n1_to_1":
            low, high = max(low, stored(-1.0)), min(high, stored(1.0))
    return low, high


def scaled(graph: Graph, node: Node, real: float, below: int = 1 << 30) -> tuple[int, int]:
    """``real``, a ratio of scales, as a multiplier and an exponent."""
    if not 0 <= real < below:
        raise unsupported(
            graph, node, f"its scales are too far apart: their ratio is {real:.6g}, expected below {below}"
        )
    return quantised_multiplier(real)


@dataclass(frozen=True)
class Records:
    """How the sums of a layer become its output."""

    array: Array  # [channels, 4]: bias, multiplier, offset, shift
    how: str
    low: int
    high: int

    @property
    def variant(self) -> str:
        """Its rounding, and that its limits are not int8's, as a part of a function's name."""
        how = self.how.removeprefix("EIQ_").lower()
        return how if (self.low, self.high) == (-128, 127) else f"{how}_{self.low + 128}_{self.high + 128}"

    @property
    def fixed(self) -> str:
        """The arguments of a kernel's variant."""
        return f"{self.how}, {self.low}, {self.high}"


def records(
    graph: Graph, node: Node, x: Tensor, w: Tensor, bias: Array, y: Tensor, sums: Array, *, doubled: bool
) -> Records:
    """The record of every channel.

    Args:
        bias: int64 [channels], with the input's zero point already in it.
        sums: the sum of the absolute weights of every channel.
        doubled: weights and bias are held doubled.
    """
    low, high = output_range(node, y)
    scales = np.asarray(w.scales, np.float32)
    scales = np.broadcast_to(scales, bias.shape)
    product = float(np.float32(x.scale)) * scales.astype(np.float64)
    if node.op == "fully_connected" and len(w.scales) == 1 and (len(node.inputs) < 3 or node.inputs[2] < 0):
        with np.errstate(over="ignore"):
            product = product.astype(np.float32).astype(np.float64)  # as GetQuantizedConvolutionMultipler has it
    pairs = [scaled(graph, node, float(p) / float(np.float32(y.scale))) for p in product]
    multiplier, shift = np.array([m for m, _ in pairs], np.int64), -np.array([e for _, e in pairs], np.int64)
    dead = sums == 0  # a channel without weights says the same whatever comes in
    constant = [
        multiplied(int(b), int(m), -int(e)) + y.zero_point for b, m, e in zip(bias, multiplier, shift, strict=True)
    ]
    bias, multiplier, shift = (np.where(dead, 0, numbers) for numbers in (bias, multiplier, shift))
    most = np.abs(bias) + 128 * sums
    if np.any(most >= SIGNED_ONE):
        raise unsupported(graph, node, "its sums can exceed 31 bits")
    offset = np.where(shift > 0, 1 << np.maximum(shift - 1, 0), 0) + (y.zero_point << np.maximum(shift, 0))
    how = "EIQ_RELU" if low == y.zero_point else "EIQ_SIGNED"
    far = (most * multiplier >> 31) + np.abs(offset) >= SIGNED_ONE
    if np.any((shift < 0) | far | ((shift < 1) & ~dead & (how == "EIQ_SIGNED"))):
        how, offset = "EIQ_ANY", np.full_like(offset, y.zero_point)
    offset = np.where(dead, np.clip(constant, low, high), offset)
    array = np.stack([bias * (2 if doubled else 1), multiplier, offset, shift], axis=1).astype(np.int32)
    return Records(array, how, low, high)


def bias_of(graph: Graph, node: Node, channels: int) -> Array:
    """The bias as int64 [channels]; zeros where there is none."""
    if len(node.inputs) < 3 or node.inputs[2] < 0:
        return np.zeros(channels, np.int64)
    tensor = graph.tensors[node.inputs[2]]
    if tensor.data is None or tensor.dtype != "int32":
        raise unsupported(graph, node, f"its bias is {tensor}, expected constant int32")
    return tensor.data.reshape(-1).astype(np.int64)


def weights_of(graph: Graph, node: Node) -> tuple[Tensor, Array]:
    """The constant int8 weights."""
    tensor = graph.tensors[node.inputs[1]]
    if tensor.data is None or tensor.dtype != "int8" or any(tensor.zero_points) or not tensor.scales:
        raise unsupported(graph, node, f"its weights are {tensor}, expected constant int8 with zero point 0")
    return tensor, tensor.data


def int8_only(graph: Graph, node: Node) -> None:
    """The first input, the output and what else is computed must be int8 with one scale."""
    first, *others = graph.tensors_of(node.inputs)
    for tensor in (first, *(other for other in others if other.data is None), *graph.tensors_of(node.outputs)):
        one_scale(graph, node, tensor, "int8")


def one_scale(graph: Graph, node: Node, tensor: Tensor, *dtypes: str) -> None:
    """A tensor must be one of the types, with one scale."""
    if tensor.dtype not in dtypes or len(tensor.scales) != 1:
        raise unsupported(graph, node, f"{tensor} is not {' or '.join(dtypes)} with one scale")
