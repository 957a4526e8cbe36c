"""FULLY_CONNECTED."""

from __future__ import annotations

from compiler.graph import Graph, Node
from compiler.layer import Layer, Struct, Variant
from compiler.operators import _float
from compiler.operators._matmul import CALL, PARAMETERS, SOURCES, fours, matmul_records, packed
from compiler.operators._sums import bias_of, int8_only, weights_of


def lower(graph: Graph, node: Node) -> Layer:
    """FULLY_CONNECTED."""
    if _float.floats(graph, node):
        return _float.fully_connected(graph, node)
    int8_only(graph, node)
    x, y = graph.tensors[node.inputs[0]], graph.tensors[node.outputs[0]]
    w, data = weights_of(graph, node)
    channels, depth = data.shape
    batches = x.size // depth
    made = matmul_records(graph, node, x, w, data, bias_of(graph, node, channels), y)
    quads = fours(depth)
    shape = Struct("eiq_conv_shape", (1, batches, depth, 1, batches, channels, 1, 1, 1, 1, 1, 1, 0, 0, quads, 0))
    return Layer(
        node, "eiq_conv", SOURCES,
        (CALL,),
        (packed(data), made.array.reshape(-1)), (shape,),
        scratch=20 * quads, macs=data.size * batches,
        reason="a pointwise convolution of one pixel", variant=Variant(made.variant, PARAMETERS, f"0, {made.fixed}"),
    )  # fmt: skip
