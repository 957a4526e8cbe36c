"""MUL (kernels/mul.c, kernels/float_pair.c)."""

from __future__ import annotations

from compiler.graph import Graph, Node
from compiler.layer import Layer, Struct
from compiler.operators import _float
from compiler.operators._pair import int8_pair, pair_layer
from compiler.operators._sums import output_range, scaled


def lower(graph: Graph, node: Node) -> Layer:
    """MUL of two tensors; one may be a constant, or go with several numbers of the other."""
    if _float.floats(graph, node):
        return _float.pair(graph, node)
    a, b, y = int8_pair(graph, node)
    multiplier, exponent = scaled(graph, node, a.scale * b.scale / y.scale)
    low, high = output_range(node, y)
    numbers = Struct("eiq_mul_numbers", (a.zero_point, b.zero_point, multiplier, -exponent, y.zero_point, low, high))
    return pair_layer(graph, node, "mul", "multiplied", numbers)
