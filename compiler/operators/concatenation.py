"""CONCATENATION (kernels/move.c)."""

from __future__ import annotations

from compiler.graph import Graph, Node
from compiler.layer import Layer, unsupported
from compiler.operators._move import move, same_scale, strides


def lower(graph: Graph, node: Node) -> Layer:
    """Several tensors side by side."""
    y = graph.tensors[node.outputs[0]]
    inputs = list(graph.tensors_of(node.inputs))
    same_scale(graph, node, y, *inputs)
    if node.options["fused_activation_function"] != "none":
        raise unsupported(graph, node, "it has an activation, expected none")
    axis, target = node.options["axis"] % len(y.shape), strides(y.shape)
    shapes = tuple(move(graph, node, x.shape, strides(x.shape), target, x) for x in inputs)
    calls, first = [], 0
    for place, x in enumerate(inputs):
        offset = first * target[axis] * shapes[place].values[-1]
        calls.append(f"&{{s{place}}}, {{in{place}}}, 0, {{out}}, {offset}")
        first += x.shape[axis]
    return Layer(node, "eiq_move", ("move",), tuple(calls), (), shapes, reason="input by input")
