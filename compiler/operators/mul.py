"""MUL (kernels/mul.c, kernels/float_pair.c)."""

from __future__ import annotations

from compiler.graph import Graph, Node
from compiler.layer import Layer, Struct
from compiler.operators import _float
from compiler.operators._broadcast import pair_shape
from compiler.operators._sums import one_scale, output_range, scaled


def lower(graph: Graph, node: Node) -> Layer:
    """MUL of two tensors; one may be a constant, or go with several numbers of the other."""
    if _float.floats(graph, node):
        return _float.pair(graph, node)
    a, b = (graph.tensors[index] for index in node.inputs)
    y = graph.tensors[node.outputs[0]]
    for tensor in (a, b, y):
        one_scale(graph, node, tensor, "int8")
    multiplier, exponent = scaled(graph, node, a.scale * b.scale / y.scale)
    low, high = output_range(node, y)
    numbers = Struct("eiq_mul_numbers", (a.zero_point, b.zero_point, multiplier, -exponent, y.zero_point, low, high))
    in_place = 0 if a.size == y.size else -1
    if a.shape == b.shape:
        return Layer(node, "eiq_mul", ("multiplied", "mul"), (f"&{{s0}}, {{in0}}, {{in1}}, {{out}}, {y.size}",), (),
                     (numbers,), in_place=in_place, reason="element by element")  # fmt: skip
    return Layer(node, "eiq_mul_broadcast", ("multiplied", "mul", "broadcast", "mul_broadcast"),
                 ("&{s1}, &{s0}, {in0}, {in1}, {out}",), (), (numbers, pair_shape(graph, node, a, b, y)),
                 in_place=in_place, reason="row by row")  # fmt: skip
