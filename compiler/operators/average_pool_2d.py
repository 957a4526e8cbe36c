"""AVERAGE_POOL_2D, and MAX_POOL_2D beside it (kernels/pool.c)."""

from __future__ import annotations

from compiler.graph import Graph, Node
from compiler.layer import Layer, Struct, Variant, unsupported
from compiler.operators import _float
from compiler.operators._matmul import window
from compiler.operators._sums import int8_only, output_range

PARAMETERS = "const eiq_pool_shape *s, const int8_t *in, int8_t *out"


def lower(graph: Graph, node: Node) -> Layer:
    """AVERAGE_POOL_2D and MAX_POOL_2D."""
    if _float.floats(graph, node):
        return _float.pool(graph, node)
    int8_only(graph, node)
    x, y = graph.tensors[node.inputs[0]], graph.tensors[node.outputs[0]]
    if x.zero_point != y.zero_point or abs(x.scale - y.scale) > 1e-6:
        raise unsupported(graph, node, f"{x} and {y} differ in scale, expected the same")
    options = node.options
    height, width = options["filter_height"], options["filter_width"]
    top, left = window(node, x, height, width, y)
    shape = Struct("eiq_pool_shape", (
        x.shape[1], x.shape[2], y.shape[1], y.shape[2], x.shape[3], height, width, options["stride_h"],
        options["stride_w"], top, left, *output_range(node, y),
    ))  # fmt: skip
    mean = node.op == "average_pool_2d"
    return Layer(node, "eiq_pool", ("pool",), ("&{s0}, {in0}, {out}",), (), (shape,), reason="window by window",
                 variant=Variant("mean" if mean else "max", PARAMETERS, str(int(mean))))  # fmt: skip
