"""A model's file as a Graph. Nothing outside the file's bytes is read, and what is odd about them is one sentence."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from math import prod
from pathlib import Path
from struct import error as struct_error
from typing import Any

import numpy as np

from compiler.graph import Graph, Node, Tensor
from pipelines.errors import ModelError
from pipelines.optional import require

DTYPES = {0: "float32", 2: "int32", 3: "uint8", 4: "int64", 6: "bool", 7: "int16", 9: "int8"}
MOST_ELEMENTS = 1 << 28
ACTIVATIONS = {0: "none", 1: "relu", 2: "relu_n1_to_1", 3: "relu6", 4: "tanh", 5: "sign_bit"}
PADDINGS = {0: "same", 1: "valid"}
ENUMS: dict[str, dict[int, str]] = {"fused_activation_function": ACTIVATIONS, "padding": PADDINGS}
OPTIONS: dict[str, tuple[str, tuple[str, ...]]] = {
    "add": ("AddOptions", ("FusedActivationFunction",)),
    "average_pool_2d": ("Pool2DOptions", ("Padding", "StrideW", "StrideH", "FilterWidth", "FilterHeight",
                                          "FusedActivationFunction")),
    "concatenation": ("ConcatenationOptions", ("Axis", "FusedActivationFunction")),
    "conv_2d": ("Conv2DOptions", ("Padding", "StrideW", "StrideH", "DilationWFactor", "DilationHFactor",
                                  "FusedActivationFunction")),
    "depthwise_conv_2d": ("DepthwiseConv2DOptions", ("Padding", "StrideW", "StrideH", "DepthMultiplier",
                                                     "DilationWFactor", "DilationHFactor",
                                                     "FusedActivationFunction")),
    "fully_connected": ("FullyConnectedOptions", ("FusedActivationFunction", "WeightsFormat", "KeepNumDims")),
    "mean": ("ReducerOptions", ("KeepDims",)),
    "mul": ("MulOptions", ("FusedActivationFunction",)),
    "softmax": ("SoftmaxOptions", ("Beta",)),
    "sub": ("SubOptions", ("FusedActivationFunction",)),
    "strided_slice": ("StridedSliceOptions", ("BeginMask", "EndMask", "EllipsisMask", "NewAxisMask",
                                              "ShrinkAxisMask")),
}  # fmt: skip
OPTIONS["max_pool_2d"] = OPTIONS["average_pool_2d"]


def read_graph(path: Path) -> Graph:
    """Read a model; a .skops file as ``compiler.classical`` does.

    Raises:
        ModelError: no such file, no .tflite model, cut short or damaged, several subgraphs, a size that is not known
            before it runs, a custom operator, or a type that is not known here.
        MissingDependency: the schema's package is not installed.
    """
    if path.suffix == ".skops":
        from compiler.classical import read_skops

        return read_skops(path, identifier(path.stem))
    try:
        data = path.read_bytes()
    except OSError as problem:
        raise ModelError(f"cannot read the model {path} ({problem.strerror}), expected a .tflite file") from problem
    if data[4:8] != b"TFL3":
        raise ModelError(f"{path} is no .tflite model (TFL3 is not at byte 4); convert it to .tflite first")
    schema = require("tflite", purpose="the compiler", install="pip install 'eiq-demo[compile]'")
    try:
        graph = _Reader(schema, data, path).graph()
    except ModelError:
        raise
    except (struct_error, IndexError, ValueError, TypeError, OverflowError, AttributeError, MemoryError) as problem:
        # what the generated accessors raise at offsets, sizes and unions that are not what the schema says
        raise ModelError(f"{path} is cut short or damaged; fetch it again") from problem
    return graph


class _Reader:
    def __init__(self, schema: Any, data: bytes, path: Path) -> None:
        self.schema, self.data, self.path = schema, data, path
        self.model = schema.Model.GetRootAs(data, 0)
        self.ops = {value: name for name, value in vars(schema.BuiltinOperator).items() if isinstance(value, int)}

    def graph(self) -> Graph:
        if self.model.SubgraphsLength() != 1:
            raise self._error(f"has {self.model.SubgraphsLength()} subgraphs, expected one")
        part = self.model.Subgraphs(0)
        tensors = _unique(tuple(self._tensor(part.Tensors(i), i) for i in _counted(part.TensorsLength(), self.data)))
        nodes = tuple(self._node(part.Operators(i), i, len(tensors))
                      for i in _counted(part.OperatorsLength(), self.data))  # fmt: skip
        graph = Graph(
            name=identifier(self.path.stem),
            tensors=tensors,
            nodes=nodes,
            inputs=self._indices(part.Inputs, part.InputsLength(), len(tensors), "an input"),
            outputs=self._indices(part.Outputs, part.OutputsLength(), len(tensors), "an output"),
            source=f"{self.path.name}, sha256 {hashlib.sha256(self.data).hexdigest()}",
        )
        self._check_order(graph)
        return graph

    def _tensor(self, tensor: Any, index: int) -> Tensor:
        name = (tensor.Name() or b"").decode("utf-8", "replace") or f"tensor_{index}"
        where = f"tensor {index} ({printable(name)})"
        if tensor.Type() not in DTYPES:
            raise self._error(
                f"{where} has the type number {tensor.Type()}, expected one of {', '.join(DTYPES.values())}"
            )
        shape = tuple(int(tensor.Shape(i)) for i in _counted(tensor.ShapeLength(), self.data))
        signature = [int(tensor.ShapeSignature(i)) for i in _counted(tensor.ShapeSignatureLength(), self.data)]
        if min(shape, default=1) < 1 or min(signature[1:], default=1) < 1:
            raise self._error(f"{where} has the shape {list(signature or shape)}, which is not known before it runs; "
                              "convert the model with fixed shapes")  # fmt: skip
        if prod(shape) > MOST_ELEMENTS:
            raise self._error(f"{where} has {prod(shape):,} elements, more than any board holds")
        scales, zero_points, axis = self._quantisation(tensor, shape, where)
        data = self._constant(tensor, shape, DTYPES[tensor.Type()], where)
        return Tensor(printable(name), shape, DTYPES[tensor.Type()], scales, zero_points, axis, data)

    def _quantisation(self, tensor: Any, shape: tuple[int, ...], where: str) -> tuple[Any, Any, int]:
        quantisation = tensor.Quantization()
        if quantisation is None or not quantisation.ScaleLength():
            return (), (), 0
        count = quantisation.ScaleLength()
        axis = int(quantisation.QuantizedDimension())
        if count > 1 and not (0 <= axis < len(shape) and shape[axis] == count):
            raise self._error(f"{where} has {count} scales along axis {axis}, its shape is {list(shape)}")
        scales = tuple(float(quantisation.Scale(i)) for i in range(count))
        zero_points = tuple(
            int(quantisation.ZeroPoint(i)) if i < quantisation.ZeroPointLength() else 0 for i in range(count)
        )
        if not all(np.isfinite(scale) and scale > 0 for scale in scales):
            raise self._error(f"{where} has a scale that is not above zero")
        return scales, zero_points, axis

    def _constant(self, tensor: Any, shape: tuple[int, ...], dtype: str, where: str) -> Any:
        if tensor.Buffer() == 0:  # by convention the empty one
            return None
        if not 0 < tensor.Buffer() < self.model.BuffersLength():
            raise self._error(f"{where} names buffer {tensor.Buffer()}, there are {self.model.BuffersLength()}")
        buffer = self.model.Buffers(tensor.Buffer())
        if not buffer.DataLength():
            return None
        raw = buffer.DataAsNumpy().tobytes()
        if len(raw) != prod(shape) * np.dtype(dtype).itemsize:
            raise self._error(f"{where} holds {len(raw)} bytes, expected {list(shape)} of {dtype}")
        return np.frombuffer(raw, np.dtype(dtype).newbyteorder("<")).astype(dtype).reshape(shape)

    def _node(self, operator: Any, index: int, tensors: int) -> Node:
        if not 0 <= operator.OpcodeIndex() < self.model.OperatorCodesLength():
            raise self._error(f"operator {index} names code {operator.OpcodeIndex()}, which is not there")
        code = self.model.OperatorCodes(operator.OpcodeIndex())
        number = max(code.BuiltinCode(), code.DeprecatedBuiltinCode())
        op = self.ops.get(number, f"number {number}").lower()
        if op == "custom":
            name = printable((code.CustomCode() or b"").decode("utf-8", "replace"))
            raise self._error(f"operator {index} is the custom operator {name}; only TFLite's own can be compiled")
        where = f"operator {index} ({op})"
        return Node(
            op=op,
            inputs=self._indices(operator.Inputs, operator.InputsLength(), tensors, where, least=-1),
            outputs=self._indices(operator.Outputs, operator.OutputsLength(), tensors, where),
            options=self._options(operator, op),
            index=index,
        )

    def _options(self, operator: Any, op: str) -> dict[str, Any]:
        if op not in OPTIONS:
            return {}
        table, fields = OPTIONS[op]
        options = getattr(self.schema, table)()
        union = operator.BuiltinOptions()
        if union is not None:
            options.Init(union.Bytes, union.Pos)
        found: dict[str, Any] = {}
        for field in fields:
            key = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", field).lower()
            value = getattr(options, field)() if union is not None else 0
            found[key] = ENUMS[key].get(value, f"number {value}") if key in ENUMS else value
        return found

    def _indices(
        self, item: Callable[[int], int], count: int, tensors: int, where: str, least: int = 0
    ) -> tuple[int, ...]:
        found = tuple(int(item(i)) for i in _counted(count, self.data))
        for index in found:
            if not least <= index < tensors:
                raise self._error(f"{where} names tensor {index}, there are {tensors}")
        return found

    def _check_order(self, graph: Graph) -> None:
        """Every node takes what is there before it, and nothing is computed twice."""
        there = set(graph.inputs) | {i for i, tensor in enumerate(graph.tensors) if tensor.data is not None}
        for node in graph.nodes:
            for index in node.inputs:
                if index >= 0 and index not in there:
                    raise self._error(f"operator {node.index} ({node.op}) takes tensor {index} "
                                      f"({graph.tensors[index].name}), which nothing before it makes")  # fmt: skip
            if there & set(node.outputs):
                raise self._error(f"operator {node.index} ({node.op}) overwrites tensor {node.outputs[0]}")
            there |= set(node.outputs)
        for index in graph.outputs:
            if index not in there:
                raise self._error(f"the output {graph.tensors[index].name} is made by nothing")

    def _error(self, what: str) -> ModelError:
        return ModelError(f"{self.path}: {what}")


TAKEN = {
    "auto", "break", "case", "char", "const", "continue", "default", "do", "double", "else", "enum", "extern", "float",
    "for", "goto", "if", "inline", "int", "long", "main", "register", "restrict", "return", "short", "signed", "sizeof",
    "static", "struct", "switch", "typedef", "union", "unsigned", "void", "volatile", "while",
}  # fmt: skip
"""Names that C keeps for itself."""


def identifier(text: str) -> str:
    """A name as C takes it."""
    name = re.sub(r"[^A-Za-z0-9_]", "_", text)
    return name if name[:1].isalpha() and name not in TAKEN else f"model_{name}"


def printable(text: str) -> str:
    """A name out of a model as it is safe to print and to put into a comment in C."""
    return "".join(c if c.isprintable() and c not in "*/\\" else "_" for c in text)[:200]


def _counted(length: int, data: bytes) -> range:
    """Indices of a vector that fits into the file: each element takes four bytes at least, or the length is damaged."""
    if length * 4 > len(data):
        raise IndexError(f"a list of {length} in a file of {len(data)} bytes")
    return range(length)


def _unique(tensors: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    seen: dict[str, int] = {}
    found = []
    for tensor in tensors:
        seen[tensor.name] = seen.get(tensor.name, 0) + 1
        again = seen[tensor.name] > 1
        found.append(_renamed(tensor, f"{tensor.name}_{seen[tensor.name]}") if again else tensor)
    return tuple(found)


def _renamed(tensor: Tensor, name: str) -> Tensor:
    from dataclasses import replace

    return replace(tensor, name=name)
