"""PAD that no layer after it took up (kernels/pad.c)."""

from __future__ import annotations

from compiler.graph import Graph, Node
from compiler.layer import Layer
from compiler.operators._move import constant, move, same_scale, strides


def lower(graph: Graph, node: Node) -> Layer:
    """Zeros around a tensor."""
    x, y = graph.tensors[node.inputs[0]], graph.tensors[node.outputs[0]]
    same_scale(graph, node, x, y)
    before = constant(graph, node, 1, "sizes")[::2]
    target = strides(y.shape)
    shape = move(graph, node, x.shape, strides(x.shape), target, x)
    first = sum(count * stride for count, stride in zip(before, target, strict=True)) * shape.values[-1]
    zero = x.zero_point if x.dtype == "int8" else 0
    call = f"&{{s0}}, {{in0}}, {{out}}, {first}, {y.size * shape.values[-1]}, {zero}"
    return Layer(node, "eiq_pad", ("move", "pad"), (call,), (), (shape,), reason="a frame of zeros, then the rest")
