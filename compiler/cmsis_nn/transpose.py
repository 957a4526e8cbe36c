"""TRANSPOSE: arm_transpose_s8."""

from __future__ import annotations

from compiler.cmsis_nn._call import call, dims, four
from compiler.graph import Graph, Node
from compiler.layer import Layer
from compiler.operators._move import constant, same_scale


def lower(graph: Graph, node: Node) -> Layer | None:
    """Axes of a tensor of int8 and at most four axes, in another order."""
    x, y = graph.tensors[node.inputs[0]], graph.tensors[node.outputs[0]]
    if x.dtype != "int8" or len(x.shape) > 4:
        return None
    same_scale(graph, node, x, y)
    more = 4 - len(x.shape)
    order = (*range(more), *(axis % len(x.shape) + more for axis in constant(graph, node, 1, "axes")))
    axes = "(const uint32_t[]){{" + ", ".join(map(str, order)) + "}}"
    arguments = f"{{in0}}, {{out}}, &{{s0}}, &{{s1}}, &(cmsis_nn_transpose_params){{{{4, {axes}}}}}"
    return call(node, "arm_transpose_s8", arguments, structs=(dims(*four(x.shape)), dims(*four(y.shape))),
                reason="element by element")  # fmt: skip
