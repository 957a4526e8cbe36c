"""RELU6 that no layer before it took up."""

from __future__ import annotations

from dataclasses import replace

from compiler.graph import Graph, Node
from compiler.layer import Layer, unsupported
from compiler.operators import _float
from compiler.operators._sums import int8_only, output_range
from compiler.operators._table import table_layer


def lower(graph: Graph, node: Node) -> Layer:
    """RELU6 of one scale: stored values held between those of 0 and 6."""
    if _float.floats(graph, node):
        return _float.clamp(graph, node)
    int8_only(graph, node)
    x, y = graph.tensors[node.inputs[0]], graph.tensors[node.outputs[0]]
    if (x.scales, x.zero_points) != (y.scales, y.zero_points):
        raise unsupported(graph, node, f"{x} and {y} differ in scale, expected the same")
    low, high = output_range(replace(node, options={"fused_activation_function": "relu6"}), y)
    return table_layer(graph, node, lambda stored: min(max(stored, low), high), "what is within 0 to 6")
