"""MEAN (kernels/mean.c, kernels/float_mean.c)."""

from __future__ import annotations

import numpy as np

from compiler.graph import Graph, Node
from compiler.layer import Layer
from compiler.operators import _float
from compiler.operators._reduce import groups
from compiler.operators._sums import int8_only, scaled


def lower(graph: Graph, node: Node) -> Layer:
    """MEAN over any axes, as TFLite's QuantizedMeanOrSum."""
    sizes = groups(graph, node)
    call = "{in0}, {out}, " + ", ".join(map(str, sizes))
    if _float.floats(graph, node):
        return Layer(node, "eiq_float_mean", ("float_mean",), (call,), reason="float, number by number")
    int8_only(graph, node)
    x, y = graph.tensors[node.inputs[0]], graph.tensors[node.outputs[0]]
    count = sizes[1] * sizes[3]
    multiplier, exponent = scaled(graph, node, float(np.float32(x.scale)) / float(np.float32(y.scale)))
    bits = min(count.bit_length() - 1, 32, 31 + exponent)
    multiplier = (multiplier << bits) // count
    call += f", {-x.zero_point * count}, {multiplier}, {bits - exponent}, {y.zero_point}"
    return Layer(node, "eiq_mean", ("multiplied", "mean"), (call,), reason="number by number")
