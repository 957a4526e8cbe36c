"""What layers of int8 sums share: how a sum becomes a stored output."""

from __future__ import annotations

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
        return y.zero_point + int(np.floor(np.float32(real) / np.float32(y.scale) + np.float32(0.5)))

    match node.options.get("fused_activation_function", "none"):
        case "relu":
            low = max(low, y.zero_point)
        case "relu6":
            low, high = max(low, y.zero_point), min(high, stored(6.0))
        case "relu_n1_to_1":
            low, high = max(low, stored(-1.0)), min(high, stored(1.0))
    return low, high


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
    pairs = [quantised_multiplier(float(p) / float(np.float32(y.scale))) for p in product]
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
    data = graph.tensors[node.inputs[2]].data
    if data is None:
        raise unsupported(graph, node, "its bias is computed, expected a constant")
    return data.reshape(-1).astype(np.int64)


def weights_of(graph: Graph, node: Node) -> tuple[Tensor, Array]:
    """The constant int8 weights."""
    tensor = graph.tensors[node.inputs[1]]
    if tensor.data is None or tensor.dtype != "int8" or any(tensor.zero_points):
        raise unsupported(graph, node, f"its weights are {tensor}, expected constant int8 with zero point 0")
    return tensor, tensor.data


def int8_only(graph: Graph, node: Node) -> None:
    """Inputs and outputs that are computed must be int8 with one scale."""
    for tensor in (*graph.tensors_of(node.inputs), *graph.tensors_of(node.outputs)):
        if tensor.data is None and (tensor.dtype != "int8" or len(tensor.scales) != 1):
            raise unsupported(graph, node, f"{tensor} is not int8 with one scale")
