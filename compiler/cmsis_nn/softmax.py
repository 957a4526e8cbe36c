"""SOFTMAX: arm_softmax_s8."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from compiler.cmsis_nn._call import call, int8
from compiler.fixed_point import INT32_MAX, input_radius, quantised_multiplier
from compiler.graph import Graph, Node
from compiler.layer import Layer


def lower(graph: Graph, node: Node) -> Layer | None:
    """SOFTMAX over the last axis, with TFLite's output scale and a beta that leaves a shift to the left."""
    if not int8(graph, node):
        return None
    x, y = graph.tensors[node.inputs[0]], graph.tensors[node.outputs[0]]
    real = min(float(node.options["beta"]) * float(np.float32(x.scale)) * (1 << 26), float(INT32_MAX))
    multiplier, left = quantised_multiplier(real)
    if (y.scale, y.zero_point) != (1 / 256, -128) or left < 0:
        return None
    size = x.shape[-1]
    numbers = (x.size // size, size, multiplier, left, -input_radius(5, left))
    layer = call(node, "arm_softmax_s8", f"{{in0}}, {', '.join(map(str, numbers))}, {{out}}", reason="row by row")
    return replace(layer, status=False)
