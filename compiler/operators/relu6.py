"""RELU6 that no layer before it took up."""

from __future__ import annotations

import math

import numpy as np

from compiler.graph import Graph, Node
from compiler.layer import Layer, unsupported
from compiler.operators._sums import int8_only
from compiler.operators._table import table_layer


def lower(graph: Graph, node: Node) -> Layer:
    """RELU6 of one scale: stored values held between those of 0 and 6."""
    int8_only(graph, node)
    x, y = graph.tensors[node.inputs[0]], graph.tensors[node.outputs[0]]
    if (x.scales, x.zero_points) != (y.scales, y.zero_points):
        raise unsupported(graph, node, f"{x} and {y} differ in scale, expected the same")
    six = x.zero_point + math.floor(float(np.float32(6.0) / np.float32(x.scale)) + 0.5)
    return table_layer(graph, node, lambda stored: min(max(stored, x.zero_point), six), "what is within 0 to 6")
