"""DEPTHWISE_CONV_2D (kernels/depthwise.c)."""

from __future__ import annotations

from math import prod

import numpy as np

from compiler.graph import Array, Graph, Node, Tensor
from compiler.layer import Layer, Struct, Variant
from compiler.operators import _float
from compiler.operators._matmul import matmul_layer, window
from compiler.operators._sums import bias_of, int8_only, records, weights_of

PLANES = 4096  # bytes of scratch that a depthwise layer may take
PARAMETERS = ("const eiq_depthwise_shape *s, const int8_t *in, const uint32_t *w, const int32_t *q, int8_t *out, "
              "int16_t *scratch")  # fmt: skip
PLAIN_PARAMETERS = ("const eiq_depthwise_plain_shape *s, const int8_t *in, const int8_t *w, const int32_t *q, "
                    "int8_t *out")  # fmt: skip


def lower(graph: Graph, node: Node) -> Layer:
    """DEPTHWISE_CONV_2D."""
    if _float.floats(graph, node):
        return _float.convolution(graph, node)
    int8_only(graph, node)
    x, y = graph.tensors[node.inputs[0]], graph.tensors[node.outputs[0]]
    w, data = weights_of(graph, node)
    _, height, width, channels = data.shape
    if x.shape[3] == 1:  # every output channel looks at the one input channel: that is a convolution
        return matmul_layer(graph, node, x, y, w, data.transpose(3, 1, 2, 0))
    if x.shape[3] != channels or node.options["dilation_wfactor"] > 1 or node.options["dilation_hfactor"] > 1:
        return _plain(graph, node, x, y, w, data)
    taps = data[0].transpose(2, 0, 1).astype(np.int64)
    bias = bias_of(graph, node, channels) - x.zero_point * taps.sum(axis=(1, 2))
    made = records(graph, node, x, w, bias, y, np.abs(taps).sum(axis=(1, 2)), doubled=True)
    pairs = -(-width // 2)
    doubled = np.zeros((channels, height, 2 * pairs), np.int16)
    doubled[:, :, :width] = 2 * taps
    top, left = window(node, x, height, width, y)
    stride = node.options["stride_w"]
    span = max(x.shape[2] + left, stride * (y.shape[2] - 1) + 2 * pairs)
    span += span % 2
    stride_h = node.options["stride_h"]
    strip = max(1, min(y.shape[1], (PLANES // (8 * span) - height) // stride_h + 1))
    slots = stride_h * (strip - 1) + height
    shape = Struct("eiq_depthwise_shape", (
        x.shape[1], x.shape[2], y.shape[1], y.shape[2], channels, height, width, stride_h, stride,
        top, left, strip, slots, span, x.zero_point,
    ))  # fmt: skip
    return Layer(
        node, "eiq_depthwise", ("base", "multiplied", "requantise", "depthwise"),
        ("&{s0}, {in0}, {w0}, {w1}, {out}, {scratch}",),
        (doubled.reshape(-1), made.array.reshape(-1)), (shape,),
        scratch=8 * slots * span,
        macs=prod(y.shape) * height * width,
        in_place=0 if x.shape == y.shape and node.options["stride_h"] == stride == 1 else -1,
        reason=f"{height} x {width} in pairs of neighbouring taps",
        variant=Variant(f"{height}x{width}_{made.variant}", PARAMETERS, f"{height}, {pairs}, {made.fixed}"),
    )  # fmt: skip


def _plain(graph: Graph, node: Node, x: Tensor, y: Tensor, w: Tensor, data: Array) -> Layer:
    """With dilation, or several outputs for each input channel."""
    _, height, width, channels = data.shape
    taps = data[0].astype(np.int64)
    bias = bias_of(graph, node, channels) - x.zero_point * taps.sum(axis=(0, 1))
    made = records(graph, node, x, w, bias, y, np.abs(taps).sum(axis=(0, 1)), doubled=False)
    options = node.options
    shape = Struct("eiq_depthwise_plain_shape", (
        *x.shape[1:], *y.shape[1:], height, width, options["stride_h"], options["stride_w"],
        options["dilation_hfactor"], options["dilation_wfactor"], *window(node, x, height, width, y),
        channels // x.shape[3], x.zero_point,
    ))  # fmt: skip
    return Layer(
        node, "eiq_depthwise_plain", ("base", "multiplied", "requantise", "depthwise_plain"),
        ("&{s0}, {in0}, (const int8_t *){w0}, {w1}, {out}",),
        (np.ascontiguousarray(data).reshape(-1), made.array.reshape(-1)), (shape,),
        macs=prod(y.shape) * height * width,
        reason="tap by tap: it has a dilation or several outputs for each channel",
        variant=Variant(made.variant, PLAIN_PARAMETERS, made.fixed),
    )  # fmt: skip
