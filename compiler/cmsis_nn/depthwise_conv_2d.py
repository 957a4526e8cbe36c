"""DEPTHWISE_CONV_2D: arm_depthwise_conv_wrapper_s8."""

from __future__ import annotations

from math import prod

from compiler.cmsis_nn._call import (
    DATA,
    QUANTISED,
    bias,
    call,
    context,
    dims,
    four,
    geometry,
    int8,
    limits,
    multipliers,
)
from compiler.graph import Graph, Node
from compiler.layer import Layer, Struct
from compiler.operators._sums import weights_of


def lower(graph: Graph, node: Node) -> Layer | None:
    """DEPTHWISE_CONV_2D."""
    if not int8(graph, node):
        return None
    x, y = graph.tensors[node.inputs[0]], graph.tensors[node.outputs[0]]
    w, data = weights_of(graph, node)
    _, height, width, channels = data.shape
    depth = x.shape[3]
    stride, padding, dilation = geometry(node, x, y, height, width)
    inner, scratch = "arm_depthwise_conv_s8", 0
    if channels == depth and x.shape[0] == 1 and set(dilation.values) == {1}:
        small = height == width == 3 and max(padding.values) <= 1
        inner = "arm_depthwise_conv_3x3_s8" if small else "arm_depthwise_conv_s8_opt"
        scratch = 0 if small else buffer_size(depth, height, width)
    parameters = Struct(
        "cmsis_nn_dw_conv_params",
        (-x.zero_point, y.zero_point, channels // depth, stride, padding, dilation, limits(node, y)),
    )
    return call(
        node, "arm_depthwise_conv_wrapper_s8",
        f"{context(scratch)}, &{{s0}}, {QUANTISED}, {DATA}",
        constants=(data, *multipliers(x, w, y, channels), bias(graph, node, channels)),
        structs=(parameters, dims(*four(x.shape)), dims(1, height, width, channels), dims(1, 1, 1, channels),
                 dims(*four(y.shape))),
        scratch=scratch, macs=prod(y.shape) * height * width, reason=f"takes {inner}",
    )  # fmt: skip


def buffer_size(depth: int, height: int, width: int) -> int:
    """arm_depthwise_conv_s8_opt_get_buffer_size_dsp: a window of int16."""
    return 2 * depth * height * width
