"""CONCATENATION: arm_concatenation_s8_x."""

from __future__ import annotations

from math import prod

from compiler.graph import Graph, Node
from compiler.layer import Layer
from compiler.operators._move import same_scale

MOST = 65535  # its sizes are uint16


def lower(graph: Graph, node: Node) -> Layer | None:
    """Several tensors of int8 side by side: the axes from the one that grows on count as x, those before it as y."""
    y = graph.tensors[node.outputs[0]]
    inputs = list(graph.tensors_of(node.inputs))
    axis = node.options["axis"] % len(y.shape)
    rows, width = prod(y.shape[:axis]), prod(y.shape[axis:])
    if y.dtype != "int8" or max(rows, width) > MOST:
        return None
    same_scale(graph, node, y, *inputs)
    calls, first = [], 0
    for place, x in enumerate(inputs):
        part = prod(x.shape[axis:])
        calls.append(f"{{in{place}}}, {part}, {rows}, 1, 1, {{out}}, {width}, {first}")
        first += part
    return Layer(node, "arm_concatenation_s8_x", ("cmsis_nn",), tuple(calls), reason="row by row")
