"""TANH."""

from __future__ import annotations

from compiler.fixed_point import input_radius, multiplied, rounding_divide, tanh
from compiler.graph import Graph, Node
from compiler.layer import Layer, unsupported
from compiler.operators import _float
from compiler.operators._sums import int8_only, scaled
from compiler.operators._table import table_layer


def lower(graph: Graph, node: Node) -> Layer:
    """TANH in gemmlowp's fixed point with four integer bits."""
    if _float.floats(graph, node):
        return _float.unary(graph, node, "tanh", ("float_exp", "float_tanh"))
    int8_only(graph, node)
    x, y = graph.tensors[node.inputs[0]], graph.tensors[node.outputs[0]]
    if (y.scale, y.zero_point) != (1 / 128, 0):
        raise unsupported(graph, node, f"its output {y} should have scale 1/128 and zero point 0")
    multiplier, exponent = scaled(graph, node, x.scale * (1 << 27), below=1 << 60)
    radius = input_radius(4, max(exponent, 0))

    def answer(stored: int) -> int:
        centred = stored - x.zero_point
        if abs(centred) >= radius:
            return 127 if centred > 0 else -128
        return rounding_divide(tanh(multiplied(centred, multiplier, exponent)), 24) + y.zero_point

    return table_layer(graph, node, answer, "the hyperbolic tangent")
