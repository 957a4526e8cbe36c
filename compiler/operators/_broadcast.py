"""Two tensors whose shapes fit, as rows (kernels/broadcast.c)."""

from __future__ import annotations

from compiler.graph import Graph, Node, Tensor
from compiler.layer import Struct, unsupported
from compiler.operators._move import strides


def pair_shape(graph: Graph, node: Node, a: Tensor, b: Tensor, y: Tensor) -> Struct:
    """Sizes and strides of both, axes joined where both go on as before. Raises ModelError if three do not do."""
    axes = [(size, x, z) for size, x, z in zip(y.shape, _strides(a, y), _strides(b, y), strict=True) if size > 1]
    joined: list[tuple[int, int, int]] = []
    for size, x, z in reversed(axes):
        if joined:
            inner, x0, z0 = joined[0]
            if (x, z) == (inner * x0, inner * z0):
                joined[0] = (size * inner, x0, z0)
                continue
        joined.insert(0, (size, x, z))
    if len(joined) > 3:
        raise unsupported(graph, node, f"{a} and {b} alternate too often to be spread over {y}")
    joined = [(1, 0, 0)] * (3 - len(joined)) + joined
    return Struct("eiq_pair_shape", tuple("{" + ", ".join(map(str, part)) + "}" for part in zip(*joined, strict=True)))


def _strides(tensor: Tensor, y: Tensor) -> list[int]:
    """Of the output's axes; 0 where one number goes with all."""
    shape = (1,) * (len(y.shape) - len(tensor.shape)) + tensor.shape
    return [0 if size == 1 else stride for size, stride in zip(shape, strides(shape), strict=True)]
