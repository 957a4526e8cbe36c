"""ADD of two tensors of one shape (kernels/add.c)."""

from __future__ import annotations

import numpy as np

from compiler.fixed_point import quantised_multiplier
from compiler.graph import Graph, Node
from compiler.layer import Layer, Struct, unsupported
from compiler.operators._sums import int8_only, output_range


def lower(graph: Graph, node: Node) -> Layer:
    """ADD of two tensors of one shape."""
    int8_only(graph, node)
    a, b = (graph.tensors[index] for index in node.inputs)
    y = graph.tensors[node.outputs[0]]
    if a.shape != b.shape or a.data is not None or b.data is not None:
        raise unsupported(graph, node, f"adds {a} and {b}, expected two computed tensors of one shape")
    twice = 2 * max(float(np.float32(a.scale)), float(np.float32(b.scale)))
    m1, e1 = quantised_multiplier(float(np.float32(a.scale)) / twice)
    m2, e2 = quantised_multiplier(float(np.float32(b.scale)) / twice)
    m, e = quantised_multiplier(twice / ((1 << 20) * float(np.float32(y.scale))))
    low, high = output_range(node, y)
    numbers = Struct("eiq_add_numbers", (a.zero_point, b.zero_point, m1, m2, m, -e1, -e2, -e, y.zero_point, low, high))
    return Layer(node, "eiq_add", ("base", "add"), (f"&{{s0}}, {{in0}}, {{in1}}, {{out}}, {y.size}",), (), (numbers,),
                 in_place=0, reason="element by element")  # fmt: skip
