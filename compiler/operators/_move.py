"""Operators that only move elements (kernels/move.c)."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

import numpy as np

from compiler.check import integers
from compiler.graph import Graph, Node, Tensor
from compiler.layer import Struct, unsupported


def strides(shape: Sequence[int]) -> list[int]:
    """In elements, of a whole tensor."""
    return [prod(shape[axis + 1 :]) for axis in range(len(shape))]


def move(graph: Graph, node: Node, shape: Sequence[int], source: Sequence[int], target: Sequence[int],
         tensor: Tensor) -> Struct:  # fmt: skip
    """Elements of ``shape`` from strides to strides. Raises ModelError beyond five axes."""
    if len(shape) > 5:
        raise unsupported(graph, node, f"{tensor} has {len(shape)} axes, expected at most five")
    missing = 5 - len(shape)
    numbers = [1] * missing + [*shape], [0] * missing + [*source], [0] * missing + [*target]
    texts = ["{" + ", ".join(map(str, part)) + "}" for part in numbers]
    return Struct("eiq_move_shape", (*texts, np.dtype(tensor.dtype).itemsize))


def same_scale(graph: Graph, node: Node, *tensors: Tensor) -> None:
    """Moving changes no number: all have one type and scale, and if they are quantised at all, one scale."""
    first = tensors[0]
    if first.dtype in ("int8", "uint8") and len(first.scales) != 1:
        raise unsupported(graph, node, f"{first} has {len(first.scales)} scales, expected one")
    for other in tensors[1:]:
        if (other.dtype, other.scales, other.zero_points) != (first.dtype, first.scales, first.zero_points):
            raise unsupported(graph, node, f"{first} and {other} differ in type or scale, expected the same")


def constant(graph: Graph, node: Node, place: int, what: str) -> list[int]:
    """The integers of a constant input."""
    return integers(graph, node, place, what)
