"""What calls of CMSIS-NN's s8 functions share: its structures, and how it is told of scales and scratch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from compiler.fixed_point import quantised_multiplier
from compiler.graph import Array, Graph, Node, Tensor
from compiler.layer import Layer, Struct
from compiler.operators._matmul import window
from compiler.operators._sums import bias_of, output_range

QUANTISED = "&(cmsis_nn_per_channel_quant_params){{(int32_t *)(uintptr_t){w1}, (int32_t *)(uintptr_t){w2}}}"
DATA = "&{s1}, {in0}, &{s2}, (const int8_t *){w0}, &{s3}, {w3}, &{s4}, {out}"


def call(node: Node, function: str, arguments: str, **more: Any) -> Layer:
    """A layer that calls ``function`` and passes on what it answers."""
    return Layer(node, function, ("cmsis_nn",), (arguments,), status=True, **more)


def int8(graph: Graph, node: Node) -> bool:
    """What is computed is int8 with one scale; the rest is left to our own kernels."""
    tensors = (*graph.tensors_of(node.inputs), *graph.tensors_of(node.outputs))
    return all(tensor.data is not None or (tensor.dtype == "int8" and len(tensor.scales) == 1) for tensor in tensors)


def dims(n: int, h: int, w: int, c: int) -> Struct:
    """Sizes of a tensor."""
    return Struct("cmsis_nn_dims", (n, h, w, c))


def pair(h: int, w: int) -> Struct:
    """Height and width, which CMSIS-NN has the other way round."""
    return Struct("cmsis_nn_tile", (w, h))


def limits(node: Node, y: Tensor) -> Struct:
    """The fused activation."""
    return Struct("cmsis_nn_activation", output_range(node, y))


def context(size: int) -> str:
    """Scratch of ``size`` bytes; where a function takes it or leaves it (size 0), it gets none."""
    return f"&(cmsis_nn_context){{{{{'{scratch}' if size else 'NULL'}, {size}}}}}"


def multipliers(x: Tensor, w: Tensor, y: Tensor, channels: int) -> tuple[Array, Array]:
    """Multiplier and left shift of every channel, int32."""
    product = float(np.float32(x.scale)) * np.broadcast_to(np.asarray(w.scales, np.float32), channels).astype(float)
    pairs = np.array([quantised_multiplier(float(p) / float(np.float32(y.scale))) for p in product], np.int32)
    return np.ascontiguousarray(pairs[:, 0]), np.ascontiguousarray(pairs[:, 1])


def bias(graph: Graph, node: Node, channels: int) -> Array:
    """The bias as CMSIS-NN adds it, int32."""
    return bias_of(graph, node, channels).astype(np.int32)


def geometry(node: Node, x: Tensor, y: Tensor, height: int, width: int) -> tuple[Struct, Struct, Struct]:
    """Stride, padding and dilation of a layer with windows of height by width."""
    options = node.options
    return (
        pair(options["stride_h"], options["stride_w"]),
        pair(*window(node, x, height, width, y)),
        pair(options.get("dilation_hfactor", 1), options.get("dilation_wfactor", 1)),
    )


def four(shape: Sequence[int]) -> tuple[int, int, int, int]:
    """A shape of up to four sizes, with ones before it."""
    n, h, w, c = (1,) * (4 - len(shape)) + tuple(shape)
    return n, h, w, c
