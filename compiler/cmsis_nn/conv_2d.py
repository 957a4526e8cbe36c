"""CONV_2D: arm_convolve_wrapper_s8."""

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
    """CONV_2D; grouped ones too."""
    if not int8(graph, node):
        return None
    x, y = graph.tensors[node.inputs[0]], graph.tensors[node.outputs[0]]
    w, data = weights_of(graph, node)
    channels, height, width, depth = data.shape
    stride, padding, dilation = geometry(node, x, y, height, width)
    one = (height, width, *padding.values) == (1, 1, 0, 0) and set(dilation.values) == {1} and depth == x.shape[3]
    scratch = 0 if one else buffer_size(x.shape[3], height, width)
    parameters = Struct(
        "cmsis_nn_conv_params", (-x.zero_point, y.zero_point, stride, padding, dilation, limits(node, y))
    )
    inner = ("arm_convolve_1x1_s8_fast" if set(stride.values) == {1} else "arm_convolve_1x1_s8") if one else (
        "arm_convolve_s8"
    )  # fmt: skip
    return call(
        node, "arm_convolve_wrapper_s8",
        f"{context(scratch)}, &{{s0}}, {QUANTISED}, {DATA}",
        constants=(data, *multipliers(x, w, y, channels), bias(graph, node, channels)),
        structs=(parameters, dims(*four(x.shape)), dims(channels, height, width, depth), dims(1, 1, 1, channels),
                 dims(*four(y.shape))),
        scratch=scratch, macs=prod(y.shape) * height * width * depth, reason=f"takes {inner}",
    )  # fmt: skip


def buffer_size(depth: int, height: int, width: int) -> int:
    """arm_convolve_s8_get_buffer_size on a core with the DSP instructions: two columns of int16, in fours.

    A pointwise one needs none: armclang's would take some, and goes without where it gets none.
    """
    return 4 * -(-depth * height * width // 4) * 4
