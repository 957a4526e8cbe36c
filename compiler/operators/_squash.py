"""Functions that squash a value into a range, in gemmlowp's fixed point with four integer bits."""

from __future__ import annotations

from collections.abc import Callable

from compiler.fixed_point import input_radius, multiplied, rounding_divide
from compiler.graph import Graph, Node
from compiler.layer import Layer, unsupported
from compiler.operators import _float
from compiler.operators._sums import int8_only, scaled
from compiler.operators._table import table_layer


def squash_layer(
    graph: Graph, node: Node, function: Callable[[int], int], title: str, *, steps: int, zero_point: int, shift: int
) -> Layer:
    """A table of the function's answers, or its float kernel.

    Args:
        function: of x / 2^27, as Q31.
        title: its name in words.
        steps, zero_point: of its output's quantisation: so many steps in 1.
        shift: from Q31 to those steps.

    Raises:
        ModelError: the output is quantised in another way.
    """
    if _float.floats(graph, node):
        return _float.unary(graph, node, node.op, ("float_exp", f"float_{node.op}"))
    int8_only(graph, node)
    x, y = graph.tensors[node.inputs[0]], graph.tensors[node.outputs[0]]
    if (y.scale, y.zero_point) != (1 / steps, zero_point):
        raise unsupported(graph, node, f"its output {y} should have scale 1/{steps} and zero point {zero_point}")
    multiplier, exponent = scaled(graph, node, x.scale * (1 << 27), below=1 << 60)
    radius = input_radius(4, max(exponent, 0))

    def answer(stored: int) -> int:
        centred = stored - x.zero_point
        if abs(centred) >= radius:
            return 127 if centred > 0 else -128
        return rounding_divide(function(multiplied(centred, multiplier, exponent)), shift) + zero_point

    return table_layer(graph, node, answer, title)
