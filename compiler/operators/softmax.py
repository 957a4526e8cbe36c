"""SOFTMAX over the last axis (kernels/softmax.c)."""

from __future__ import annotations

import numpy as np

from compiler.fixed_point import softmax_table
from compiler.graph import Graph, Node
from compiler.layer import Layer, unsupported
from compiler.operators._sums import int8_only


def lower(graph: Graph, node: Node) -> Layer:
    """SOFTMAX over the last axis."""
    int8_only(graph, node)
    x, y = graph.tensors[node.inputs[0]], graph.tensors[node.outputs[0]]
    if (y.scale, y.zero_point) != (1 / 256, -128):
        raise unsupported(graph, node, f"its output {y} should have scale 1/256 and zero point -128")
    table = np.array(softmax_table(float(node.options["beta"]), float(np.float32(x.scale))), np.int32)
    size = x.shape[-1]
    call = f"{{in0}}, {{out}}, {x.size // size}, {size}, (const int32_t *){{w0}}, {len(table)}"
    return Layer(node, "eiq_softmax", ("softmax",), (call,), (table,), in_place=-1, reason="table of exponentials")
