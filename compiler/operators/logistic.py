"""LOGISTIC."""

from __future__ import annotations

from compiler.fixed_point import input_radius, logistic, multiplied, rounding_divide
from compiler.graph import Graph, Node
from compiler.layer import Layer, unsupported
from compiler.operators import _float
from compiler.operators._sums import int8_only, scaled
from compiler.operators._table import table_layer


def lower(graph: Graph, node: Node) -> Layer:
    """LOGISTIC in gemmlowp's fixed point with four integer bits."""
    if _float.floats(graph, node):
        return _float.unary(graph, node, "logistic", ("float_exp", "float_logistic"))
    int8_only(graph, node)
    x, y = graph.tensors[node.inputs[0]], graph.tensors[node.outputs[0]]
    if (y.scale, y.zero_point) != (1 / 256, -128):
        raise unsupported(graph, node, f"its output {y} should have scale 1/256 and zero point -128")
    multiplier, exponent = scaled(graph, node, x.scale * (1 << 27), below=1 << 60)
    radius = input_radius(4, max(exponent, 0))

    def answer(stored: int) -> int:
        centred = stored - x.zero_point
        if abs(centred) >= radius:
            return 127 if centred > 0 else -128
        return rounding_divide(logistic(multiplied(centred, multiplier, exponent)), 23) + y.zero_point

    return table_layer(graph, node, answer, "the logistic function")
