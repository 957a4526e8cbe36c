"""An isolation forest's verdict from the mean depth of its leaves (kernels/isolation.c)."""

from __future__ import annotations

from compiler.graph import Graph, Node
from compiler.layer import Layer
from compiler.operators import _float


def lower(graph: Graph, node: Node) -> Layer:
    """exp(factor * x) + offset."""
    call = f"{{in0}}, {{out}}, {_float.literal(node.options['factor'])}, {_float.literal(node.options['offset'])}"
    return Layer(node, "eiq_isolation", ("float_exp", "isolation"), (call,), in_place=0, reason="float")
