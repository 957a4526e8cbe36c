"""Two int8 tensors, element by element or spread over each other (kernels/add.c, kernels/mul.c)."""

from __future__ import annotations

from compiler.graph import Graph, Node, Tensor
from compiler.layer import Layer, Struct
from compiler.operators._broadcast import pair_shape
from compiler.operators._sums import one_scale


def int8_pair(graph: Graph, node: Node) -> tuple[Tensor, Tensor, Tensor]:
    """The two inputs and the output, each int8 with one scale. Raises ModelError."""
    a, b = (graph.tensors[index] for index in node.inputs)
    y = graph.tensors[node.outputs[0]]
    for tensor in (a, b, y):
        one_scale(graph, node, tensor, "int8")
    return a, b, y


def pair_layer(graph: Graph, node: Node, kernel: str, base: str, numbers: Struct) -> Layer:
    """Two tensors through ``kernels/<kernel>.c``, or, where their shapes differ, ``kernels/<kernel>_broadcast.c``.

    Args:
        base: the kernel's file that both need.
        numbers: their quantisation.
    """
    a, b = (graph.tensors[index] for index in node.inputs)
    y = graph.tensors[node.outputs[0]]
    in_place = 0 if a.size == y.size else -1
    if a.shape == b.shape:
        return Layer(node, f"eiq_{kernel}", (base, kernel), (f"&{{s0}}, {{in0}}, {{in1}}, {{out}}, {y.size}",), (),
                     (numbers,), in_place=in_place, reason="element by element")  # fmt: skip
    return Layer(node, f"eiq_{kernel}_broadcast", (base, kernel, "broadcast", f"{kernel}_broadcast"),
                 ("&{s1}, &{s0}, {in0}, {in1}, {out}",), (), (numbers, pair_shape(graph, node, a, b, y)),
                 in_place=in_place, reason="row by row")  # fmt: skip
