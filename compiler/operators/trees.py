"""Decision trees, alone and in forests (kernels/trees.c)."""

from __future__ import annotations

from compiler.graph import Graph, Node
from compiler.layer import Layer
from compiler.operators import _float


def lower(graph: Graph, node: Node) -> Layer:
    """Trees of a .skops file: inputs x, nodes, roots, values; see compiler/classical.py."""
    _, roots, _ = constants = _float.constants(graph, node)
    x, factor = graph.tensors[node.inputs[0]], _float.literal(node.options["factor"])
    call = (f"{{in0}}, {{w0}}, {{w1}}, (const float *)(const void *){{w2}}, {{out}}, {x.size}, {roots.size}, "
            f"{graph.tensors[node.outputs[0]].size}, {factor}")  # fmt: skip
    reason = f"float, {roots.size:,} trees" if roots.size > 1 else "float, a tree"
    return Layer(node, "eiq_trees", ("trees",), (call,), constants, reason=reason, status=True)
