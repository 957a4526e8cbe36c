"""LOGISTIC."""

from __future__ import annotations

from compiler.fixed_point import logistic
from compiler.graph import Graph, Node
from compiler.layer import Layer
from compiler.operators._squash import squash_layer


def lower(graph: Graph, node: Node) -> Layer:
    """LOGISTIC in gemmlowp's fixed point with four integer bits."""
    return squash_layer(graph, node, logistic, "the logistic function", steps=256, zero_point=-128, shift=23)
