"""ADD, and SUB beside it (kernels/add.c, kernels/float_pair.c)."""

from __future__ import annotations

import numpy as np

from compiler.graph import Graph, Node
from compiler.layer import Layer, Struct
from compiler.operators import _float
from compiler.operators._pair import int8_pair, pair_layer
from compiler.operators._sums import output_range, scaled


def lower(graph: Graph, node: Node) -> Layer:
    """The sum or the difference of two tensors; one may be a constant, or go with several numbers of the other."""
    if _float.floats(graph, node):
        return _float.pair(graph, node)
    a, b, y = int8_pair(graph, node)
    twice = 2 * max(float(np.float32(a.scale)), float(np.float32(b.scale)))
    (m1, e1), (m2, e2) = (scaled(graph, node, float(np.float32(x.scale)) / twice) for x in (a, b))
    m, e = scaled(graph, node, twice / ((1 << 20) * float(np.float32(y.scale))), below=1)
    low, high = output_range(node, y)
    numbers = Struct("eiq_add_numbers", (a.zero_point, b.zero_point, m1, m2, m, -e1, -e2, -e, y.zero_point, low, high,
                                         -1 if node.op == "sub" else 1))  # fmt: skip
    return pair_layer(graph, node, "add", "base", numbers)
