"""ADD: arm_elementwise_add_s8."""

from __future__ import annotations

import numpy as np

from compiler.cmsis_nn._call import call, int8
from compiler.fixed_point import quantised_multiplier
from compiler.graph import Graph, Node
from compiler.layer import Layer
from compiler.operators._sums import output_range

LEFT = 20


def lower(graph: Graph, node: Node) -> Layer | None:
    """ADD of two computed tensors of one shape."""
    if not int8(graph, node):
        return None
    a, b = (graph.tensors[index] for index in node.inputs)
    y = graph.tensors[node.outputs[0]]
    if a.shape != b.shape or a.data is not None or b.data is not None:
        return None
    sizes = [float(np.float32(tensor.scale)) for tensor in (a, b, y)]
    twice = 2 * max(sizes[:2])
    m1, e1 = quantised_multiplier(sizes[0] / twice)
    m2, e2 = quantised_multiplier(sizes[1] / twice)
    m, e = quantised_multiplier(twice / ((1 << LEFT) * sizes[2]))
    low, high = output_range(node, y)
    numbers = (-a.zero_point, m1, e1, -b.zero_point, m2, e2, LEFT, "{out}", y.zero_point, m, e, low, high, y.size)
    return call(node, "arm_elementwise_add_s8", f"{{in0}}, {{in1}}, {', '.join(map(str, numbers))}", in_place=0,
                reason="element by element")  # fmt: skip
