"""TANH."""

from __future__ import annotations

from compiler.fixed_point import tanh
from compiler.graph import Graph, Node
from compiler.layer import Layer
from compiler.operators._squash import squash_layer


def lower(graph: Graph, node: Node) -> Layer:
    """TANH in gemmlowp's fixed point with four integer bits."""
    return squash_layer(graph, node, tanh, "the hyperbolic tangent", steps=128, zero_point=0, shift=24)
