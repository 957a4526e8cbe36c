"""RELU that no layer before it took up."""

from __future__ import annotations

from compiler.fixed_point import multiplied, quantised_multiplier
from compiler.graph import Graph, Node
from compiler.layer import Layer
from compiler.operators._sums import int8_only
from compiler.operators._table import table_layer


def lower(graph: Graph, node: Node) -> Layer:
    """RELU: to the output's scale, nothing below its zero point."""
    int8_only(graph, node)
    x, y = graph.tensors[node.inputs[0]], graph.tensors[node.outputs[0]]
    multiplier, exponent = quantised_multiplier(x.scale / y.scale)

    def answer(stored: int) -> int:
        return max(y.zero_point + multiplied(stored - x.zero_point, multiplier, exponent), y.zero_point)

    return table_layer(graph, node, answer, "what is above zero")
