"""RELU that no layer before it took up."""

from __future__ import annotations

import numpy as np

from compiler.fixed_point import multiplied
from compiler.graph import Graph, Node
from compiler.layer import Layer
from compiler.operators import _float
from compiler.operators._sums import int8_only, scaled
from compiler.operators._table import table_layer


def lower(graph: Graph, node: Node) -> Layer:
    """RELU: to the output's scale, nothing below its zero point."""
    if _float.floats(graph, node):
        return _float.clamp(graph, node)
    int8_only(graph, node)
    x, y = graph.tensors[node.inputs[0]], graph.tensors[node.outputs[0]]
    with np.errstate(over="ignore"):
        ratio = float(np.float32(x.scale) / np.float32(y.scale))
    multiplier, exponent = scaled(graph, node, ratio)

    def answer(stored: int) -> int:
        return max(y.zero_point + multiplied(stored - x.zero_point, multiplier, exponent), y.zero_point)

    return table_layer(graph, node, answer, "what is above zero")
