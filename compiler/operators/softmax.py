"""SOFTMAX over the last axis (kernels/softmax.c)."""

from __future__ import annotations

import numpy as np

from compiler.fixed_point import softmax_table
from compiler.graph import Graph, Node
from compiler.layer import Layer, unsupported
from compiler.operators import _float
from compiler.operators._sums import int8_only

LONGEST = 4095  # more ones than this overflow TFLite's sum with 12 integer bits


def lower(graph: Graph, node: Node) -> Layer:
    """SOFTMAX over the last axis."""
    if _float.floats(graph, node):
        return _float.softmax(graph, node)
    int8_only(graph, node)
    x, y = graph.tensors[node.inputs[0]], graph.tensors[node.outputs[0]]
    if (y.scale, y.zero_point) != (1 / 256, -128):
        raise unsupported(graph, node, f"its output {y} should have scale 1/256 and zero point -128")
    factor = float(node.options["beta"]) * float(np.float32(x.scale)) * (1 << 26)
    if not factor > 1 or x.shape[-1] > LONGEST:
        raise unsupported(graph, node, f"of {x} with beta {node.options['beta']:.6g}; expected a scale times beta "
                          f"above 2^-26 and at most {LONGEST} numbers")  # fmt: skip
    table = np.array(softmax_table(float(node.options["beta"]), float(np.float32(x.scale))), np.int32)
    size = x.shape[-1]
    call = f"{{in0}}, {{out}}, {x.size // size}, {size}, (const int32_t *){{w0}}, {len(table)}"
    return Layer(node, "eiq_softmax", ("softmax",), (call,), (table,), in_place=-1, reason="table of exponentials")
