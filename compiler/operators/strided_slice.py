"""STRIDED_SLICE (kernels/move.c)."""

from __future__ import annotations

from compiler.check import taken
from compiler.graph import Graph, Node
from compiler.layer import Layer
from compiler.operators._move import move, same_scale, strides


def lower(graph: Graph, node: Node) -> Layer:
    """A part of a tensor, with steps."""
    x, y = graph.tensors[node.inputs[0]], graph.tensors[node.outputs[0]]
    same_scale(graph, node, x, y)
    ranges, source = taken(graph, node), strides(x.shape)
    sizes = [len(part) for part in ranges]
    first = sum(part.start * stride for part, stride in zip(ranges, source, strict=True))
    shape = move(graph, node, sizes, [stride * part.step for part, stride in zip(ranges, source, strict=True)],
                 strides(sizes), x)  # fmt: skip
    call = f"&{{s0}}, {{in0}}, {first * shape.values[-1]}, {{out}}, 0"
    return Layer(node, "eiq_move", ("move",), (call,), (), (shape,), reason="element by element")
