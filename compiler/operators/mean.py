"""MEAN over height and width (kernels/mean.c)."""

from __future__ import annotations

import numpy as np

from compiler.fixed_point import quantised_multiplier
from compiler.graph import Graph, Node
from compiler.layer import Layer, unsupported
from compiler.operators._sums import int8_only


def lower(graph: Graph, node: Node) -> Layer:
    """MEAN over height and width."""
    int8_only(graph, node)
    x, y = graph.tensors[node.inputs[0]], graph.tensors[node.outputs[0]]
    axes = graph.tensors[node.inputs[1]].data
    if len(x.shape) != 4 or axes is None or sorted(int(a) % 4 for a in axes.reshape(-1)) != [1, 2]:
        raise unsupported(graph, node, "is not over height and width")
    pixels = x.shape[1] * x.shape[2]
    multiplier, exponent = quantised_multiplier(float(np.float32(x.scale)) / float(np.float32(y.scale)))
    bits = min(pixels.bit_length() - 1, 32, 31 + exponent)
    multiplier = (multiplier << bits) // pixels
    shift = -(exponent - bits)
    call = f"{{in0}}, {{out}}, {pixels}, {x.shape[3]}, {-x.zero_point * pixels}, {multiplier}, {shift}, {y.zero_point}"
    return Layer(node, "eiq_mean", ("mean",), (call,), reason="channel by channel")
