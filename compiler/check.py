"""What every operator must be given, and the shape that it then makes: a graph that passes can be computed."""

from __future__ import annotations

from collections.abc import Callable

from compiler.graph import Graph, Node, Tensor
from compiler.layer import unsupported
from compiler.window import padded_size
from pipelines.errors import ModelError

Shape = tuple[int, ...]
ACTIVATIONS = ("none", "relu", "relu6", "relu_n1_to_1")
LIMITS = {"int8": (-128, 127), "uint8": (0, 255)}
MOST_AXES = 8


def check(graph: Graph) -> None:
    """Every operator's inputs, options and output fit together.

    Raises:
        ModelError: one that do not; names operator, tensor and index.
    """
    for node in graph.nodes:
        if node.op in RULES:
            _check_node(graph, node)


def check_ends(graph: Graph) -> None:
    """Inputs and outputs are no constants, also not once constants are folded."""
    for what, indices in (("input", graph.inputs), ("output", graph.outputs)):
        for index in indices:
            if graph.tensors[index].data is not None:
                raise ModelError(f"the {what} {graph.tensors[index]} (tensor {index}) is a constant, expected none")


def _check_node(graph: Graph, node: Node) -> None:
    least, most, rule = RULES[node.op]
    if not least <= len(node.inputs) <= most or len(node.outputs) != 1:
        raise unsupported(graph, node, f"it has {len(node.inputs)} inputs and {len(node.outputs)} outputs, expected "
                          f"{least if least == most else f'{least} to {most}'} and one")  # fmt: skip
    if min(node.inputs[:2]) < 0 or (node.inputs[-1] < 0 and node.op not in BIASED):
        raise unsupported(graph, node, "one of its inputs is left out, expected all")
    for tensor in (*graph.tensors_of(node.inputs), *graph.tensors_of(node.outputs)):
        _check_tensor(graph, node, tensor)
    if node.options.get("fused_activation_function", "none") not in ACTIVATIONS:
        raise unsupported(graph, node, f"its activation {node.options['fused_activation_function']} cannot be fused, "
                          f"expected one of {', '.join(ACTIVATIONS)}")  # fmt: skip
    expected, y = rule(graph, node), graph.tensors[node.outputs[0]]
    if y.shape != expected:
        raise unsupported(graph, node, f"it makes {list(expected)} of what it is given, not {y}")


def _check_tensor(graph: Graph, node: Node, tensor: Tensor) -> None:
    low, high = LIMITS.get(tensor.dtype, (-(1 << 31), 1 << 31))
    if not all(low <= zero <= high for zero in tensor.zero_points):
        raise unsupported(graph, node, f"{tensor} has a zero point beyond {low} to {high}")
    if len(tensor.shape) > MOST_AXES:
        raise unsupported(graph, node, f"{tensor} has {len(tensor.shape)} axes, expected at most {MOST_AXES}")


def integers(graph: Graph, node: Node, place: int, what: str) -> list[int]:
    """The integers of a constant input."""
    tensor = graph.tensors[node.inputs[place]] if place < len(node.inputs) else None
    if tensor is None or tensor.data is None:
        raise unsupported(graph, node, f"its {what} are not known before it runs")
    if tensor.dtype not in ("int32", "int64"):
        raise unsupported(graph, node, f"its {what} are {tensor}, expected int32 or int64")
    return [int(value) for value in tensor.data.reshape(-1)]


def taken(graph: Graph, node: Node) -> list[range]:
    """The indices of each axis that STRIDED_SLICE takes."""
    x, options = graph.tensors[node.inputs[0]], node.options
    if options["ellipsis_mask"] or options["new_axis_mask"]:
        raise unsupported(graph, node, "it has an ellipsis or a new axis, expected begin, end and strides alone")
    begins, ends, steps = (integers(graph, node, place, "limits") for place in (1, 2, 3))
    if not len(begins) == len(ends) == len(steps) == len(x.shape) or 0 in steps:
        raise unsupported(graph, node, f"its limits are {begins} to {ends} in steps of {steps}, "
                          f"expected one for each axis of {x} and no step of 0")  # fmt: skip
    found = []
    for axis, (size, begin, end, step) in enumerate(zip(x.shape, begins, ends, steps, strict=True)):
        bit = 1 << axis
        limits = slice(None if options["begin_mask"] & bit else begin, None if options["end_mask"] & bit else end, step)
        if options["shrink_axis_mask"] & bit:
            first = 0 if options["begin_mask"] & bit else begin
            if not -size <= first < size:
                raise unsupported(graph, node, f"it takes index {first} of axis {axis} of {x}")
            limits = slice(first % size, first % size + 1)
        found.append(range(size)[limits])
    return found


def axes_of(graph: Graph, node: Node, place: int) -> list[int]:
    """The axes of the first input that a constant input names, none twice, from 0."""
    x = graph.tensors[node.inputs[0]]
    axes = integers(graph, node, place, "axes")
    if not all(-len(x.shape) <= axis < len(x.shape) for axis in axes):
        raise unsupported(graph, node, f"its axes are {axes}, those of {x} are 0 to {len(x.shape) - 1}")
    return list(dict.fromkeys(axis % len(x.shape) for axis in axes))


def _first(graph: Graph, node: Node, axes: int = 0) -> Tensor:
    x = graph.tensors[node.inputs[0]]
    if axes and len(x.shape) != axes:
        raise unsupported(graph, node, f"its input is {x}, expected {axes} axes")
    return x


def _same(graph: Graph, node: Node) -> Shape:
    return _first(graph, node).shape


def _window(graph: Graph, node: Node, height: int, width: int) -> tuple[int, int, int]:
    """Batch, height and width of what a window leaves."""
    x, options = _first(graph, node, 4), node.options
    numbers = {key: options.get(key, 1) for key in ("stride_h", "stride_w", "dilation_hfactor", "dilation_wfactor")}
    if min(height, width, *numbers.values()) < 1:
        raise unsupported(graph, node, f"its window is {height} x {width} with {numbers}, expected 1 or more of each")
    if options["padding"] not in ("same", "valid"):
        raise unsupported(graph, node, f"its padding is {options['padding']}, expected same or valid")
    high = padded_size(options["padding"], x.shape[1], height, numbers["stride_h"], numbers["dilation_hfactor"])
    wide = padded_size(options["padding"], x.shape[2], width, numbers["stride_w"], numbers["dilation_wfactor"])
    if min(high, wide) < 1:
        raise unsupported(graph, node, f"its window of {height} x {width} does not fit into {x}")
    if x.shape[0] != 1:
        raise unsupported(graph, node, f"its input is {x}, expected a batch of 1")
    return 1, high, wide


def _weights(graph: Graph, node: Node, axes: int, channels_axis: int) -> Tensor:
    """The weights of a layer whose bias and scales fit them."""
    w = graph.tensors[node.inputs[1]]
    if len(w.shape) != axes:
        raise unsupported(graph, node, f"its weights are {w}, expected {axes} axes")
    if len(w.scales) > 1 and w.axis != channels_axis:
        raise unsupported(graph, node, f"its weights are {w} with scales along axis {w.axis}, not {channels_axis}")
    if len(node.inputs) > 2 and node.inputs[2] >= 0:
        bias = graph.tensors[node.inputs[2]]
        if bias.size != w.shape[channels_axis]:
            raise unsupported(graph, node, f"its bias is {bias}, expected {w.shape[channels_axis]} numbers")
    return w


def _conv(graph: Graph, node: Node) -> Shape:
    w, x = _weights(graph, node, 4, 0), _first(graph, node, 4)
    if w.shape[3] != x.shape[3]:
        raise unsupported(graph, node, f"its weights {w} do not fit {x}; groups cannot be compiled")
    return (*_window(graph, node, w.shape[1], w.shape[2]), w.shape[0])


def _depthwise(graph: Graph, node: Node) -> Shape:
    w, x = _weights(graph, node, 4, 3), _first(graph, node, 4)
    if w.shape[0] != 1 or w.shape[3] % x.shape[3]:
        raise unsupported(graph, node, f"its weights {w} do not fit {x}")
    return (*_window(graph, node, w.shape[1], w.shape[2]), w.shape[3])


def _fully_connected(graph: Graph, node: Node) -> Shape:
    w, x, y = _weights(graph, node, 2, 0), _first(graph, node), graph.tensors[node.outputs[0]]
    if x.size % w.shape[1] or node.options["weights_format"]:
        raise unsupported(graph, node, f"its weights {w} do not fit {x}, or are shuffled")
    rows = x.size // w.shape[1]
    fits = y.shape[-1:] == w.shape[:1] and y.size == rows * w.shape[0]
    return y.shape if fits else (rows, w.shape[0])


def _pool(graph: Graph, node: Node) -> Shape:
    window = _window(graph, node, node.options["filter_height"], node.options["filter_width"])
    return (*window, _first(graph, node, 4).shape[3])


def _broadcast(graph: Graph, node: Node) -> Shape:
    a, b = graph.tensors_of(node.inputs)
    length = max(len(a.shape), len(b.shape))
    first, second = ((1,) * (length - len(t.shape)) + t.shape for t in (a, b))
    if any(m != n and 1 not in (m, n) for m, n in zip(first, second, strict=True)):
        raise unsupported(graph, node, f"it takes {a} and {b}, expected shapes that fit")
    return tuple(max(m, n) for m, n in zip(first, second, strict=True))


def _mean(graph: Graph, node: Node) -> Shape:
    axes, shape = axes_of(graph, node, 1), _first(graph, node).shape
    if node.options["keep_dims"]:
        return tuple(1 if axis in axes else size for axis, size in enumerate(shape))
    return tuple(size for axis, size in enumerate(shape) if axis not in axes)


def _pad(graph: Graph, node: Node) -> Shape:
    x, sizes = _first(graph, node), integers(graph, node, 1, "sizes")
    if graph.tensors[node.inputs[1]].shape != (len(x.shape), 2) or min(sizes, default=0) < 0:
        raise unsupported(graph, node, f"it pads {x} by {sizes}, expected two numbers of 0 or more for each axis")
    return tuple(size + before + after for size, before, after in zip(x.shape, sizes[::2], sizes[1::2], strict=True))


def _reshape(graph: Graph, node: Node) -> Shape:
    x, y = _first(graph, node), graph.tensors[node.outputs[0]]
    return y.shape if x.size == y.size else x.shape


def _concatenation(graph: Graph, node: Node) -> Shape:
    inputs, axis = list(graph.tensors_of(node.inputs)), node.options["axis"]
    shape = inputs[0].shape
    if not -len(shape) <= axis < len(shape):
        raise unsupported(graph, node, f"it joins along axis {axis} of {inputs[0]}")
    axis %= len(shape)
    for other in inputs[1:]:
        if (
            len(other.shape) != len(shape)
            or other.shape[:axis] != shape[:axis]
            or other.shape[axis + 1 :] != shape[axis + 1 :]
        ):
            raise unsupported(graph, node, f"it joins {inputs[0]} and {other} along axis {axis}")
    return (*shape[:axis], sum(t.shape[axis] for t in inputs), *shape[axis + 1 :])


def _strided_slice(graph: Graph, node: Node) -> Shape:
    ranges, gone = taken(graph, node), node.options["shrink_axis_mask"]
    if not all(ranges):
        raise unsupported(graph, node, f"it takes nothing of {_first(graph, node)}")
    return tuple(len(part) for axis, part in enumerate(ranges) if not gone & (1 << axis))


def _transpose(graph: Graph, node: Node) -> Shape:
    x, order = _first(graph, node), axes_of(graph, node, 1)
    if len(order) != len(x.shape) or len(integers(graph, node, 1, "axes")) != len(order):
        raise unsupported(graph, node, f"its axes are {order}, expected each of {x} once")
    return tuple(x.shape[axis] for axis in order)


BIASED = ("conv_2d", "depthwise_conv_2d", "fully_connected")
RULES: dict[str, tuple[int, int, Callable[[Graph, Node], Shape]]] = {
    "add": (2, 2, _broadcast),
    "average_pool_2d": (1, 1, _pool),
    "concatenation": (1, 64, _concatenation),
    "conv_2d": (2, 3, _conv),
    "depthwise_conv_2d": (2, 3, _depthwise),
    "dequantize": (1, 1, _same),
    "fully_connected": (2, 3, _fully_connected),
    "logistic": (1, 1, _same),
    "max_pool_2d": (1, 1, _pool),
    "mean": (2, 2, _mean),
    "mul": (2, 2, _broadcast),
    "pad": (2, 2, _pad),
    "quantize": (1, 1, _same),
    "relu": (1, 1, _same),
    "relu6": (1, 1, _same),
    "reshape": (1, 2, _reshape),
    "softmax": (1, 1, _same),
    "strided_slice": (4, 4, _strided_slice),
    "sub": (2, 2, _broadcast),
    "tanh": (1, 1, _same),
    "transpose": (2, 2, _transpose),
}
