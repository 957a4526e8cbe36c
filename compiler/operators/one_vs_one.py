"""From a decision of each pair of classes to one of each class (kernels/one_vs_one.c)."""

from __future__ import annotations

from compiler.graph import Graph, Node
from compiler.layer import Layer


def lower(graph: Graph, node: Node) -> Layer:
    """A machine of several classes."""
    call = f"{{in0}}, {{out}}, {graph.tensors[node.outputs[0]].size}"
    return Layer(node, "eiq_one_vs_one", ("one_vs_one",), (call,), reason="float, votes")
