"""MUL: arm_elementwise_mul_s8."""

from __future__ import annotations

from compiler.cmsis_nn._call import call, int8
from compiler.fixed_point import quantised_multiplier
from compiler.graph import Graph, Node
from compiler.layer import Layer
from compiler.operators._sums import output_range


def lower(graph: Graph, node: Node) -> Layer | None:
    """MUL of two computed tensors of one shape."""
    if not int8(graph, node):
        return None
    a, b = (graph.tensors[index] for index in node.inputs)
    y = graph.tensors[node.outputs[0]]
    if a.shape != b.shape or a.data is not None or b.data is not None:
        return None
    multiplier, exponent = quantised_multiplier(a.scale * b.scale / y.scale)
    low, high = output_range(node, y)
    numbers = (-a.zero_point, -b.zero_point, "{out}", y.zero_point, multiplier, exponent, low, high, y.size)
    return call(node, "arm_elementwise_mul_s8", f"{{in0}}, {{in1}}, {', '.join(map(str, numbers))}", in_place=0,
                reason="element by element")  # fmt: skip
