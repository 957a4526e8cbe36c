"""Reductions over some axes, as [kept, over, kept, over, kept] (kernels/mean.c, kernels/float_mean.c)."""

from __future__ import annotations

from compiler.check import axes_of
from compiler.graph import Graph, Node
from compiler.layer import unsupported


def groups(graph: Graph, node: Node) -> tuple[int, int, int, int, int]:
    """Sizes of neighbouring axes, joined where both are kept or both are reduced. Raises ModelError beyond five."""
    x, axes = graph.tensors[node.inputs[0]], axes_of(graph, node, 1)
    found: list[tuple[bool, int]] = []
    for axis, size in enumerate(x.shape):
        over = axis in axes
        if size == 1:
            continue
        if found and found[-1][0] == over:
            found[-1] = (over, found[-1][1] * size)
        else:
            found.append((over, size))
    if found and found[-1][0]:
        found.append((False, 1))
    if not found or found[0][0]:
        found.insert(0, (False, 1))
    sizes = [size for _, size in found]
    if len(sizes) > 5:
        raise unsupported(graph, node, f"its axes {axes} of {x} alternate too often")
    k0, r0, k1, r1, k2 = [1] * (5 - len(sizes)) + sizes
    return k0, r0, k1, r1, k2
