"""Convolutions as columns against weights (kernels/conv.c, kernels/matmul.c)."""

from __future__ import annotations

from math import prod

import numpy as np

from compiler.graph import Array, Graph, Node, Tensor
from compiler.layer import Layer, Struct, Variant
from compiler.operators._sums import Records, bias_of, records
from compiler.window import padding_before

SOURCES = ("base", "multiplied", "requantise", "matmul", "conv")
CALL = "&{s0}, {in0}, {w0}, {w1}, {out}, {scratch}"
PARAMETERS = ("const eiq_conv_shape *s, const int8_t *in, const uint32_t *w, const int32_t *q, int8_t *out, "
              "uint32_t *scratch")  # fmt: skip


def fours(depth: int) -> int:
    """A column's length in fours, padded to a multiple of eight."""
    return -(-depth // 8) * 2


def packed(rows: Array) -> Array:
    """Weights int8 [channels, depth] for eiq_matmul: pairs of channels, in fours, padded with zeros to eights."""
    channels, depth = rows.shape
    whole = np.zeros((channels + channels % 2, 4 * fours(depth)), np.int8)
    whole[:channels, :depth] = rows
    return np.ascontiguousarray(whole.reshape(len(whole) // 2, 2, -1, 4).transpose(0, 2, 1, 3)).reshape(-1)


def matmul_records(graph: Graph, node: Node, x: Tensor, w: Tensor, rows: Array, bias: Array, y: Tensor) -> Records:
    """Records of a layer whose weights are ``rows`` [channels, depth], with one more where they are odd."""
    rows = rows.astype(np.int64)
    bias = bias - x.zero_point * rows.sum(axis=1)
    made = records(graph, node, x, w, bias, y, np.abs(rows).sum(axis=1), doubled=False)
    if len(rows) % 2:
        return Records(np.vstack([made.array, made.array[-1:]]), made.how, made.low, made.high)
    return made


def window(node: Node, x: Tensor, height: int, width: int, y: Tensor) -> tuple[int, int]:
    """Padding at the top and left, as TFLite's ComputePadding."""
    padding = node.options["padding"]
    if padding != "same":
        return (0, 0) if padding == "valid" else padding

    dilation_h, dilation_w = node.options.get("dilation_hfactor", 1), node.options.get("dilation_wfactor", 1)
    return (
        padding_before(x.shape[1], y.shape[1], height, node.options["stride_h"], dilation_h),
        padding_before(x.shape[2], y.shape[2], width, node.options["stride_w"], dilation_w),
    )


def matmul_layer(graph: Graph, node: Node, x: Tensor, y: Tensor, w: Tensor, data: Array) -> Layer:
    """A convolution with weights [channels, height, width, depth] as columns against weights."""
    channels, height, width, depth = data.shape
    rows = data.reshape(channels, -1)
    made = matmul_records(graph, node, x, w, rows, bias_of(graph, node, channels), y)
    top, left = window(node, x, height, width, y)
    quads = fours(rows.shape[1])
    options = node.options
    shape = Struct("eiq_conv_shape", (
        x.shape[1], x.shape[2], depth, y.shape[1], y.shape[2], channels, height, width,
        options["stride_h"], options["stride_w"], options["dilation_hfactor"], options["dilation_wfactor"],
        top, left, quads, x.zero_point,
    ))  # fmt: skip
    one = height == width == options["stride_h"] == options["stride_w"] == 1
    plain = all(options[key] == 1 for key in ("stride_h", "stride_w", "dilation_hfactor", "dilation_wfactor"))
    same = plain and x.shape[1:3] == y.shape[1:3] and channels <= depth
    ring = same and not one and ends_here(graph, node)
    return Layer(
        node, "eiq_conv", SOURCES,
        (CALL,),
        (packed(rows), made.array.reshape(-1)), (shape,),
        scratch=20 * quads + (height * x.shape[2] * depth if ring else 0),
        macs=prod(y.shape) * rows.shape[1],
        in_place=0 if ring or (one and channels <= depth) else -1,
        reason="pointwise, two pixels by two channels" if one else "columns of int16, two pixels by two channels",
        variant=Variant(("ring_" if ring else "") + made.variant, PARAMETERS, f"{int(ring)}, {made.fixed}"),
    )  # fmt: skip


def ends_here(graph: Graph, node: Node) -> bool:
    """The node's first input is an activation that nothing after it takes."""
    index = node.inputs[0]
    if index in graph.inputs or index in graph.outputs:
        return False
    return graph.users(index)[-1] is node
