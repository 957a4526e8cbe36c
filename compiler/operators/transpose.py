"""TRANSPOSE (kernels/move.c)."""

from __future__ import annotations

from compiler.check import axes_of
from compiler.graph import Graph, Node
from compiler.layer import Layer
from compiler.operators._move import move, same_scale, strides


def lower(graph: Graph, node: Node) -> Layer:
    """Axes in another order."""
    x, y = graph.tensors[node.inputs[0]], graph.tensors[node.outputs[0]]
    same_scale(graph, node, x, y)
    order, source = axes_of(graph, node, 1), strides(x.shape)
    shape = move(graph, node, y.shape, [source[axis] for axis in order], strides(y.shape), x)
    return Layer(node, "eiq_move", ("move",), ("&{s0}, {in0}, 0, {out}, 0",), (), (shape,), reason="element by element")
