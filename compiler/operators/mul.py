"""MUL (kernels/mul.c)."""

from __future__ import annotations

from compiler.fixed_point import quantised_multiplier
from compiler.graph import Graph, Node
from compiler.layer import Layer, Struct, unsupported
from compiler.operators._sums import int8_only, output_range


def lower(graph: Graph, node: Node) -> Layer:
    """MUL of two tensors of one shape."""
    int8_only(graph, node)
    a, b = (graph.tensors[index] for index in node.inputs)
    y = graph.tensors[node.outputs[0]]
    if a.shape != b.shape or a.data is not None or b.data is not None:
        raise unsupported(graph, node, f"multiplies {a} and {b}, expected two computed tensors of one shape")
    multiplier, exponent = quantised_multiplier(a.scale * b.scale / y.scale)
    low, high = output_range(node, y)
    numbers = Struct("eiq_mul_numbers", (a.zero_point, b.zero_point, multiplier, -exponent, y.zero_point, low, high))
    return Layer(node, "eiq_mul", ("mul",), (f"&{{s0}}, {{in0}}, {{in1}}, {{out}}, {y.size}",), (), (numbers,),
                 in_place=0, reason="element by element")  # fmt: skip
