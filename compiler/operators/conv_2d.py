"""CONV_2D."""

from __future__ import annotations

from compiler.graph import Graph, Node
from compiler.layer import Layer
from compiler.operators import _float
from compiler.operators._matmul import matmul_layer
from compiler.operators._sums import int8_only, weights_of


def lower(graph: Graph, node: Node) -> Layer:
    """CONV_2D."""
    if _float.floats(graph, node):
        return _float.convolution(graph, node)
    int8_only(graph, node)
    x, y = graph.tensors[node.inputs[0]], graph.tensors[node.outputs[0]]
    w, data = weights_of(graph, node)
    return matmul_layer(graph, node, x, y, w, data)
