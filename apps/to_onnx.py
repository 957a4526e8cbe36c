"""A .tflite network as a float .onnx, for ONNX Runtime and OpenCV: the same layers, weights and input shape.

python -m apps.to_onnx MODEL.tflite MODEL.onnx

What is quantised becomes real numbers (real = scale * (stored - zero point)), and nothing rounds in between. TFLite
keeps pictures as [1, height, width, channels], ONNX as [1, channels, height, width]: the model takes TFLite's, and
turns it once.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from apps import script
from apps.shipping import write_whole
from compiler.graph import Array, Graph, Node, Tensor
from compiler.reader import read_graph
from pipelines.errors import EiqError, ModelError
from pipelines.optional import require

OPSET, IR_VERSION = 10, 5  # old enough for OpenCV 4.6, which takes no Clip of a later one
_TO_CHANNELS_FIRST, _TO_CHANNELS_LAST = (0, 3, 1, 2), (0, 2, 3, 1)


def to_onnx(graph: Graph) -> bytes:
    """The file of a graph's float twin.

    Raises:
        ModelError: an operator that has no counterpart here; names it and its index.
        MissingDependency: the package onnx is not installed.
    """
    return _Writer(graph).model()


class _Writer:
    def __init__(self, graph: Graph) -> None:
        self.onnx = require("onnx", purpose="writing ONNX", install="pip install 'eiq-demo[train]'")
        self.graph = graph
        self.nodes: list[Any] = []
        self.constants: list[Any] = []
        self.turned: dict[int, str] = {}  # the pictures that there are with channels first, by tensor
        self.plain: dict[int, str] = {}  # and the tensors as TFLite has them

    def model(self) -> bytes:
        inputs = [self._value(f"input{i}", index) for i, index in enumerate(self.graph.inputs)]
        self.plain |= {index: value.name for index, value in zip(self.graph.inputs, inputs, strict=True)}
        for node in self.graph.nodes:
            if node.op not in OPERATORS:
                raise ModelError(f"operator {node.index} ({node.op}) has no counterpart here, expected one of: "
                                 f"{', '.join(sorted(OPERATORS))}")  # fmt: skip
            OPERATORS[node.op](self, node)
        outputs = [self._value(f"output{i}", index) for i, index in enumerate(self.graph.outputs)]
        for index, value in zip(self.graph.outputs, outputs, strict=True):
            self.nodes.append(self.onnx.helper.make_node("Identity", [self.as_is(index)], [value.name]))
        made = self.onnx.helper.make_graph(self.nodes, self.graph.name, inputs, outputs, self.constants)
        opset = [self.onnx.helper.make_opsetid("", OPSET)]
        model = self.onnx.helper.make_model(made, opset_imports=opset, ir_version=IR_VERSION, producer_name="eiq-demo")
        self.onnx.checker.check_model(model)
        return bytes(model.SerializeToString())

    def _value(self, name: str, index: int) -> Any:
        kind = self.onnx.TensorProto.FLOAT
        return self.onnx.helper.make_tensor_value_info(name, kind, self.graph.tensors[index].shape)

    def add(self, op: str, inputs: list[str], **attributes: Any) -> str:
        """A node; the name of what it makes."""
        name = f"{op.lower()}{len(self.nodes)}"
        self.nodes.append(self.onnx.helper.make_node(op, inputs, [name], **attributes))
        return name

    def constant(self, data: Array) -> str:
        name = f"constant{len(self.constants)}"
        self.constants.append(self.onnx.numpy_helper.from_array(np.ascontiguousarray(data), name))
        return name

    def as_is(self, index: int) -> str:
        """A tensor in TFLite's layout."""
        if index not in self.plain:
            tensor = self.graph.tensors[index]
            turned = self.turned.get(index)
            self.plain[index] = (
                self.constant(real(tensor)) if turned is None
                else self.add("Transpose", [turned], perm=_TO_CHANNELS_LAST)
            )  # fmt: skip
        return self.plain[index]

    def channels_first(self, index: int) -> str:
        """A picture in ONNX's layout."""
        if index not in self.turned:
            self.turned[index] = self.add("Transpose", [self.as_is(index)], perm=_TO_CHANNELS_FIRST)
        return self.turned[index]

    def activated(self, name: str, node: Node) -> str:
        """With the activation that TFLite keeps in an operator's options."""
        activation = node.options.get("fused_activation_function", "none")
        if activation == "none":
            return name
        if activation == "relu":
            return self.add("Relu", [name])
        if activation != "relu6":
            raise ModelError(f"operator {node.index} ({node.op}) has the activation {activation}, expected relu or "
                             "relu6")  # fmt: skip
        return self.add("Clip", [name], min=0.0, max=6.0)

    def pads(self, node: Node, kernel: tuple[int, int]) -> list[int]:
        """TFLite's ``same`` as what it adds above, left, below, right; more below and right where it is odd."""
        if node.options["padding"] == "valid":
            return [0, 0, 0, 0]
        given, made = (self.graph.tensors[index].shape[1:3] for index in (node.inputs[0], node.outputs[0]))
        strides, dilations = _strides(node), _dilations(node)
        total = [max(0, (made[i] - 1) * strides[i] + (kernel[i] - 1) * dilations[i] + 1 - given[i]) for i in range(2)]
        return [total[0] // 2, total[1] // 2, total[0] - total[0] // 2, total[1] - total[1] // 2]


def real(tensor: Tensor) -> Array:
    """A constant's real values; what is not quantised as it is."""
    assert tensor.data is not None  # the reader's order: made by no node, so it is a constant
    if not tensor.scales:
        return tensor.data.astype(np.float32) if tensor.data.dtype.kind == "f" else tensor.data
    shape = [-1 if axis == tensor.axis and len(tensor.scales) > 1 else 1 for axis in range(tensor.data.ndim)]
    scale, zero = (np.array(values, np.float64).reshape(shape) for values in (tensor.scales, tensor.zero_points))
    return np.asarray((tensor.data - zero) * scale, np.float32)


# ---- operators ---------------------------------------------------------------------------------------------------


def _strides(node: Node) -> tuple[int, int]:
    return node.options["stride_h"], node.options["stride_w"]


def _dilations(node: Node) -> tuple[int, int]:
    return node.options.get("dilation_hfactor", 1), node.options.get("dilation_wfactor", 1)


def _convolution(writer: _Writer, node: Node) -> None:
    weights = real(writer.graph.tensors[node.inputs[1]])
    depthwise = node.op == "depthwise_conv_2d"
    kernel = (weights.shape[1], weights.shape[2])
    # [out, h, w, in] or, depthwise, [1, h, w, out] to [out, in of the group, h, w]
    laid = weights.transpose(3, 0, 1, 2) if depthwise else weights.transpose(0, 3, 1, 2)
    inputs = [writer.channels_first(node.inputs[0]), writer.constant(laid)]
    if len(node.inputs) > 2 and node.inputs[2] >= 0:
        inputs.append(writer.constant(real(writer.graph.tensors[node.inputs[2]])))
    group = writer.graph.tensors[node.inputs[0]].shape[3] if depthwise else 1
    made = writer.add("Conv", inputs, group=group, kernel_shape=kernel, strides=_strides(node),
                      dilations=_dilations(node), pads=writer.pads(node, kernel))  # fmt: skip
    writer.turned[node.outputs[0]] = writer.activated(made, node)


def _pool(writer: _Writer, node: Node) -> None:
    kernel = (node.options["filter_height"], node.options["filter_width"])
    op = "MaxPool" if node.op == "max_pool_2d" else "AveragePool"
    made = writer.add(op, [writer.channels_first(node.inputs[0])], kernel_shape=kernel, strides=_strides(node),
                      pads=writer.pads(node, kernel))  # fmt: skip
    writer.turned[node.outputs[0]] = writer.activated(made, node)


def _add(writer: _Writer, node: Node) -> None:
    pictures = all(index in writer.turned for index in node.inputs)
    given = [writer.turned[index] if pictures else writer.as_is(index) for index in node.inputs]
    made = writer.activated(writer.add("Add", given), node)
    (writer.turned if pictures else writer.plain)[node.outputs[0]] = made


def _fully_connected(writer: _Writer, node: Node) -> None:
    weights = real(writer.graph.tensors[node.inputs[1]])
    given = writer.as_is(node.inputs[0])
    if len(writer.graph.tensors[node.inputs[0]].shape) != 2:
        given = writer.add("Reshape", [given, writer.constant(np.array([-1, weights.shape[1]], np.int64))])
    # MatMul and Add, not Gemm: OpenCV 4.6 reads a Gemm's transB only with constants of some shapes
    made = writer.add("MatMul", [given, writer.constant(weights.T)])
    if len(node.inputs) > 2 and node.inputs[2] >= 0:
        made = writer.add("Add", [made, writer.constant(real(writer.graph.tensors[node.inputs[2]]))])
    writer.plain[node.outputs[0]] = writer.activated(made, node)


def _mean(writer: _Writer, node: Node) -> None:
    axes = writer.graph.tensors[node.inputs[1]].data
    given = writer.graph.tensors[node.inputs[0]]
    if len(given.shape) != 4 or axes is None or sorted(axis % 4 for axis in axes.reshape(-1).tolist()) != [1, 2]:
        raise ModelError(f"operator {node.index} (mean) is not over height and width, expected that")
    made = writer.add("GlobalAveragePool", [writer.channels_first(node.inputs[0])])
    _reshaped(writer, node, made)


def _reshape(writer: _Writer, node: Node) -> None:
    _reshaped(writer, node, writer.as_is(node.inputs[0]))


def _reshaped(writer: _Writer, node: Node, given: str) -> None:
    shape = np.array(writer.graph.tensors[node.outputs[0]].shape, np.int64)
    writer.plain[node.outputs[0]] = writer.add("Reshape", [given, writer.constant(shape)])


def _softmax(writer: _Writer, node: Node) -> None:
    if node.options["beta"] != 1:
        raise ModelError(f"operator {node.index} (softmax) has beta {node.options['beta']}, expected 1")
    writer.plain[node.outputs[0]] = writer.add("Softmax", [writer.as_is(node.inputs[0])], axis=-1)


def _each(op: str) -> Callable[[_Writer, Node], None]:
    """Value by value, in the layout that is there."""

    def write(writer: _Writer, node: Node) -> None:
        layout = writer.turned if node.inputs[0] in writer.turned else writer.plain
        layout[node.outputs[0]] = writer.add(op, [layout.get(node.inputs[0]) or writer.as_is(node.inputs[0])])

    return write


def _quantised(writer: _Writer, node: Node) -> None:
    """QUANTIZE and DEQUANTIZE: of real numbers there is nothing to do."""
    for layout in (writer.turned, writer.plain):
        if node.inputs[0] in layout:
            layout[node.outputs[0]] = layout[node.inputs[0]]


OPERATORS: dict[str, Callable[[_Writer, Node], None]] = {
    "add": _add,
    "average_pool_2d": _pool,
    "conv_2d": _convolution,
    "depthwise_conv_2d": _convolution,
    "dequantize": _quantised,
    "fully_connected": _fully_connected,
    "logistic": _each("Sigmoid"),
    "max_pool_2d": _pool,
    "mean": _mean,
    "quantize": _quantised,
    "relu": _each("Relu"),
    "reshape": _reshape,
    "softmax": _softmax,
    "tanh": _each("Tanh"),
}


def main() -> None:
    """Convert by the command line's two arguments."""
    if len(sys.argv) != 3:
        raise EiqError(f"got {len(sys.argv) - 1} arguments, expected two: a .tflite to read and an .onnx to write")
    source, target = map(Path, sys.argv[1:])
    write_whole(target, to_onnx(read_graph(source)))
    print(f"wrote {target}", file=sys.stderr)


if __name__ == "__main__":
    script.run(main)
