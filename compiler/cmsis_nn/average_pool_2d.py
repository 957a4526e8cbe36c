"""AVERAGE_POOL_2D: arm_avgpool_s8. MAX_POOL_2D: arm_max_pool_s8."""

from __future__ import annotations

from compiler.cmsis_nn._call import call, context, dims, four, geometry, int8, limits
from compiler.graph import Graph, Node
from compiler.layer import Layer, Struct


def lower(graph: Graph, node: Node) -> Layer | None:
    """AVERAGE_POOL_2D and MAX_POOL_2D."""
    if not int8(graph, node):
        return None
    x, y = graph.tensors[node.inputs[0]], graph.tensors[node.outputs[0]]
    height, width = node.options["filter_height"], node.options["filter_width"]
    stride, padding, _ = geometry(node, x, y, height, width)
    mean = node.op == "average_pool_2d"
    scratch = buffer_size(x.shape[3]) if mean else 0
    return call(
        node, "arm_avgpool_s8" if mean else "arm_max_pool_s8",
        f"{context(scratch)}, &{{s0}}, &{{s1}}, {{in0}}, &{{s2}}, &{{s3}}, {{out}}",
        structs=(Struct("cmsis_nn_pool_params", (stride, padding, limits(node, y))), dims(*four(x.shape)),
                 dims(1, height, width, 1), dims(*four(y.shape))),
        scratch=scratch, reason="window by window",
    )  # fmt: skip


def buffer_size(channels: int) -> int:
    """arm_avgpool_s8_get_buffer_size_dsp: a sum for each channel."""
    return 4 * channels
