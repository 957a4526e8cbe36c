"""Features brought to one scale (kernels/standard_scaler.c): (x - centre) * factor."""

from __future__ import annotations

from compiler.graph import Graph, Node
from compiler.layer import Layer
from compiler.operators import _float


def lower(graph: Graph, node: Node) -> Layer:
    """A step of a .skops file: inputs x, centre, what float32 left of the centre, factor."""
    low, high = (_float.literal(node.options[limit]) for limit in ("low", "high"))
    places = ", ".join(_float.at(place) for place in range(3))
    call = f"{{in0}}, {places}, {{out}}, {graph.tensors[node.inputs[0]].size}, {low}, {high}"
    return Layer(node, "eiq_standard_scaler", ("standard_scaler",), (call,), _float.constants(graph, node),
                 in_place=0, reason="float, feature by feature", status=True)  # fmt: skip
