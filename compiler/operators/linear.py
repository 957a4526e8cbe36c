"""Weighted sums of features (kernels/linear.c)."""

from __future__ import annotations

from compiler.graph import Graph, Node
from compiler.layer import Layer
from compiler.operators import _float


def lower(graph: Graph, node: Node) -> Layer:
    """A linear model of a .skops file: inputs x, weights, what float32 left of them, bias, what it left of that."""
    constants = _float.constants(graph, node)
    rows, depth = constants[0].shape
    places = ", ".join(_float.at(place) for place in range(4))
    call = f"{{in0}}, {places}, {{out}}, {rows}, {depth}"
    return Layer(node, "eiq_linear", ("linear",), (call,), constants, macs=rows * depth,
                 reason="double, row by row", status=True)  # fmt: skip
