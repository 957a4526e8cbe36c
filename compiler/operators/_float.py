"""Operators on float32: plain loops in the order of TFLite's reference kernels (kernels/float_*.c)."""

from __future__ import annotations

from math import prod

import numpy as np

from compiler.graph import Array, Graph, Node
from compiler.layer import Layer, Struct, unsupported
from compiler.operators._broadcast import pair_shape
from compiler.operators._matmul import window

MOST = "3.402823466e+38f"
PAIRS = {"add": "+", "mul": "*", "sub": "-"}
LIMITS = {
    "none": (f"-{MOST}", MOST),
    "relu": ("0.0f", MOST),
    "relu6": ("0.0f", "6.0f"),
    "relu_n1_to_1": ("-1.0f", "1.0f"),
}


def floats(graph: Graph, node: Node) -> bool:
    """The operator makes float32; then all that it computes with must be float32."""
    y = graph.tensors[node.outputs[0]]
    data = node.inputs[:1] if node.op == "mean" else node.inputs
    others = [tensor for tensor in graph.tensors_of(data) if tensor.dtype != "float32"]
    if y.dtype == "float32" and others:
        raise unsupported(graph, node, f"makes {y} of {others[0]}; expected float32 alone, or int8 alone")
    return y.dtype == "float32"


def literal(number: float) -> str:
    """A float32 as C writes it, so that it reads back equal."""
    text = f"{np.float32(number):.9g}"
    return f"{text}f" if "." in text or "e" in text else f"{text}.0f"


def convolution(graph: Graph, node: Node) -> Layer:
    """CONV_2D and DEPTHWISE_CONV_2D."""
    x, y, weights = graph.tensors[node.inputs[0]], graph.tensors[node.outputs[0]], _constant(graph, node, 1)
    depthwise, options = node.op == "depthwise_conv_2d", node.options
    height, width = weights.shape[1:3]
    shape = Struct("eiq_float_conv_shape", (
        *x.shape[1:], *y.shape[1:], height, width, options["stride_h"], options["stride_w"],
        options["dilation_hfactor"], options["dilation_wfactor"], *window(node, x, height, width, y),
        y.shape[3] // x.shape[3] if depthwise else 0, *_limits(node),
    ))  # fmt: skip
    call = f"&{{s0}}, {{in0}}, {at(0)}, {at(1)}, {{out}}"
    macs = prod(y.shape) * height * width * (1 if depthwise else x.shape[3])
    constants = (weights.reshape(-1), _bias(graph, node, y.shape[3]))
    return Layer(node, "eiq_float_conv", ("float_conv",), (call,), constants, (shape,),
                 macs=macs, reason="float, tap by tap")  # fmt: skip


def fully_connected(graph: Graph, node: Node) -> Layer:
    """FULLY_CONNECTED."""
    x, weights = graph.tensors[node.inputs[0]], _constant(graph, node, 1)
    channels, depth = weights.shape
    low, high = _limits(node)
    call = f"{{in0}}, {at(0)}, {at(1)}, {{out}}, {x.size // depth}, {depth}, {channels}, {low}, {high}"
    constants = (weights.reshape(-1), _bias(graph, node, channels))
    return Layer(node, "eiq_float_dense", ("float_dense",), (call,), constants,
                 macs=x.size * channels, reason="float, row by row")  # fmt: skip


def pool(graph: Graph, node: Node) -> Layer:
    """AVERAGE_POOL_2D and MAX_POOL_2D."""
    x, y, options = graph.tensors[node.inputs[0]], graph.tensors[node.outputs[0]], node.options
    height, width = options["filter_height"], options["filter_width"]
    shape = Struct("eiq_float_pool_shape", (
        *x.shape[1:3], *y.shape[1:], height, width, options["stride_h"], options["stride_w"],
        *window(node, x, height, width, y), int(node.op == "average_pool_2d"), *_limits(node),
    ))  # fmt: skip
    return Layer(node, "eiq_float_pool", ("float_pool",), ("&{s0}, {in0}, {out}",), (), (shape,),
                 reason="float, window by window")  # fmt: skip


def pair(graph: Graph, node: Node) -> Layer:
    """ADD, SUB and MUL."""
    a, b = (graph.tensors[index] for index in node.inputs)
    y = graph.tensors[node.outputs[0]]
    low, high = _limits(node)
    call = f"&{{s0}}, {{in0}}, {{in1}}, {{out}}, '{PAIRS[node.op]}', {low}, {high}"
    return Layer(node, "eiq_float_pair", ("broadcast", "float_pair"), (call,), (), (pair_shape(graph, node, a, b, y),),
                 in_place=0 if a.size == y.size else -1, reason="float, element by element")  # fmt: skip


def clamp(graph: Graph, node: Node) -> Layer:
    """RELU and RELU6."""
    low, high = LIMITS[node.op]
    call = f"{{in0}}, {{out}}, {graph.tensors[node.outputs[0]].size}, {low}, {high}"
    return Layer(node, "eiq_float_clamp", ("float_clamp",), (call,), in_place=0, reason="float, element by element")


def unary(graph: Graph, node: Node, name: str, sources: tuple[str, ...]) -> Layer:
    """A function of each number."""
    call = f"{{in0}}, {{out}}, {graph.tensors[node.outputs[0]].size}"
    return Layer(node, f"eiq_float_{name}", sources, (call,), in_place=0, reason="float, element by element")


def softmax(graph: Graph, node: Node) -> Layer:
    """SOFTMAX over the last axis."""
    x = graph.tensors[node.inputs[0]]
    beta = float(node.options["beta"])
    if not 0 < beta < 1e30:
        raise unsupported(graph, node, f"its beta is {beta:.6g}, expected above 0")
    size = x.shape[-1] if x.shape else 1
    call = f"{{in0}}, {{out}}, {x.size // size}, {size}, {literal(beta)}"
    return Layer(
        node, "eiq_float_softmax", ("float_exp", "float_softmax"), (call,), in_place=0, reason="float, row by row"
    )


def _limits(node: Node) -> tuple[str, str]:
    return LIMITS[node.options.get("fused_activation_function", "none")]


def at(place: int) -> str:
    """The address of a constant of floats, as a call has it."""
    return f"(const float *)(const void *){{w{place}}}"


def constants(graph: Graph, node: Node) -> tuple[Array, ...]:
    """All inputs but the first."""
    return tuple(_constant(graph, node, place) for place in range(1, len(node.inputs)))


def _constant(graph: Graph, node: Node, place: int) -> Array:
    tensor = graph.tensors[node.inputs[place]]
    if tensor.data is None:
        raise unsupported(graph, node, f"its weights are {tensor}, expected a constant")
    return tensor.data


def _bias(graph: Graph, node: Node, channels: int) -> Array:
    if len(node.inputs) < 3 or node.inputs[2] < 0:
        return np.zeros(channels, np.float32)
    return _constant(graph, node, 2).reshape(-1)
