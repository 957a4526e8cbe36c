"""ADD, and SUB beside it (kernels/add.c, kernels/float_pair.c)."""

from __future__ import annotations

import numpy as np

from compiler.graph import Graph, Node
from compiler.layer import Layer, Struct
from compiler.operators import _float
from compiler.operators._broadcast import pair_shape
from compiler.operators._sums import one_scale, output_range, scaled


def lower(graph: Graph, node: Node) -> Layer:
    """The sum or the difference of two tensors; one may be a constant, or go with several numbers of the other."""
    if _float.floats(graph, node):
        return _float.pair(graph, node)
    a, b = (graph.tensors[index] for index in node.inputs)
    y = graph.tensors[node.outputs[0]]
    for tensor in (a, b, y):
        one_scale(graph, node, tensor, "int8")
    twice = 2 * max(float(np.float32(a.scale)), float(np.float32(b.scale)))
    (m1, e1), (m2, e2) = (scaled(graph, node, float(np.float32(x.scale)) / twice) for x in (a, b))
    m, e = scaled(graph, node, twice / ((1 << 20) * float(np.float32(y.scale))), below=1)
    low, high = output_range(node, y)
    numbers = Struct("eiq_add_numbers", (a.zero_point, b.zero_point, m1, m2, m, -e1, -e2, -e, y.zero_point, low, high,
                                         -1 if node.op == "sub" else 1))  # fmt: skip
    in_place = 0 if a.size == y.size else -1
    if a.shape == b.shape:
        return Layer(node, "eiq_add", ("base", "add"), (f"&{{s0}}, {{in0}}, {{in1}}, {{out}}, {y.size}",), (),
                     (numbers,), in_place=in_place, reason="element by element")  # fmt: skip
    return Layer(node, "eiq_add_broadcast", ("base", "add", "broadcast", "add_broadcast"),
                 ("&{s1}, &{s0}, {in0}, {in1}, {out}",), (), (numbers, pair_shape(graph, node, a, b, y)),
                 in_place=in_place, reason="row by row")  # fmt: skip
