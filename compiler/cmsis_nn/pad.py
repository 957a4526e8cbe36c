"""PAD that no layer after it took up: arm_pad_s8."""

from __future__ import annotations

from compiler.cmsis_nn._call import call, dims, four
from compiler.graph import Graph, Node
from compiler.layer import Layer
from compiler.operators._move import constant, same_scale


def lower(graph: Graph, node: Node) -> Layer | None:
    """Zeros around a tensor of int8 and at most four axes."""
    x, y = graph.tensors[node.inputs[0]], graph.tensors[node.outputs[0]]
    if x.dtype != "int8" or len(x.shape) > 4 or len(node.inputs) > 2:
        return None
    same_scale(graph, node, x, y)
    sides = constant(graph, node, 1, "sizes")
    before, after = ([0] * (4 - len(x.shape)) + sides[side::2] for side in (0, 1))
    structs = (dims(*four(x.shape)), dims(*before), dims(*after))
    return call(node, "arm_pad_s8", f"{{in0}}, {{out}}, {x.zero_point}, &{{s0}}, &{{s1}}, &{{s2}}", structs=structs,
                reason="row by row")  # fmt: skip
