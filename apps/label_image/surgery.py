"""A trained network's body, cut off in front of its head, and the same body with another head: one .tflite each.

The body keeps its own arithmetic to the bit, quantised or not. The new head is float: features, dequantised where the
body is quantised, times weights plus bias, then softmax.
"""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from apps.flatbuffer import packed, schema, unpacked
from pipelines.errors import ModelError

Floats = NDArray[np.float32]

BEHIND_HEAD = {"SOFTMAX", "LOGISTIC", "RESHAPE", "SQUEEZE", "QUANTIZE", "DEQUANTIZE"}
HEADS = {"FULLY_CONNECTED", "CONV_2D"}
POOLS = {"AVERAGE_POOL_2D", "MEAN", "L2_NORMALIZATION"}
DEQUANTIZE_VERSION = {"UINT8": 1, "INT8": 2}


class Body:
    """What stands in front of a classifier's head.

    Args:
        flatbuffer: a classifier, which loses its head, or a feature extractor, which has none.
        name: of the file, for errors.

    Raises:
        ModelError: it has several inputs, outputs or graphs, or ends neither as a classifier does (a fully connected
            layer or a 1x1 convolution) nor with a global pool.
    """

    def __init__(self, flatbuffer: bytes, name: str) -> None:
        self._model, self._name = unpacked(flatbuffer), name
        graphs = self._model.subgraphs
        if len(graphs) != 1 or len(graphs[0].inputs) != 1 or len(graphs[0].outputs) != 1:
            got = f"{len(graphs)} graphs, {len(graphs[0].inputs)} inputs and {len(graphs[0].outputs)} outputs"
            raise ModelError(f"{name} has {got}, expected one of each; name a MobileNet classifier or its body")
        self._graph = graphs[0]
        self._maker = {int(output): operator for operator in self._graph.operators for output in operator.outputs}
        self._tensor = self._features()
        self.size = prod(int(n) for n in self._graph.tensors[self._tensor].shape)
        """How many features it gives."""

    def features(self) -> bytes:
        """The body alone: its output is [1, size] or [1, 1, 1, size] float32."""
        self._graph.outputs = [self._real()]
        return self._kept()

    def with_head(self, weights: Floats, bias: Floats) -> bytes:
        """The body with a new head: its output is [1, classes] float32, probabilities.

        Args:
            weights: [classes, size].
            bias: [classes].
        """
        codes, options = schema().BuiltinOperator, schema().BuiltinOptions
        classes = len(bias)
        dense, softmax = schema().FullyConnectedOptionsT(), schema().SoftmaxOptionsT()
        softmax.beta = 1.0
        logits, scores = self._add_tensor("logits", (1, classes)), self._add_tensor("scores", (1, classes))
        inputs = [self._real(), self._add_tensor("head/weights", weights.shape, weights)]
        inputs += [self._add_tensor("head/bias", bias.shape, bias)]
        self._add_operator(codes.FULLY_CONNECTED, 1, inputs, logits, options.FullyConnectedOptions, dense)
        self._add_operator(codes.SOFTMAX, 1, [logits], scores, options.SoftmaxOptions, softmax)
        self._graph.outputs = [scores]
        return self._kept()

    # ---- finding ---------------------------------------------------------------------------------------------------

    def _features(self) -> int:
        """The tensor in front of the head, looked for from the output on."""
        tensor = int(self._graph.outputs[0])
        while self._operator(tensor) in BEHIND_HEAD:
            tensor = int(self._maker[tensor].inputs[0])
        operator = self._operator(tensor)
        if operator in HEADS and self._is_dense(tensor):
            return int(self._maker[tensor].inputs[0])
        if operator in POOLS and prod(self._graph.tensors[tensor].shape) == self._graph.tensors[tensor].shape[-1]:
            return tensor
        expected = "a classifier's head (a fully connected layer or a 1x1 convolution) or a global pool"
        raise ModelError(f"{self._name} ends with {operator or 'its own input'}, expected {expected}; "
                         "name a MobileNet classifier or its body")  # fmt: skip

    def _is_dense(self, tensor: int) -> bool:
        """Whether its maker sees every feature at once: a convolution does on one pixel only."""
        given = self._graph.tensors[int(self._maker[tensor].inputs[0])].shape
        return self._operator(tensor) == "FULLY_CONNECTED" or prod(given) == given[-1]

    def _operator(self, tensor: int) -> str:
        """The name of what makes a tensor; empty for an input."""
        operator = self._maker.get(tensor)
        if operator is None:
            return ""
        code = self._model.operatorCodes[operator.opcodeIndex]
        return _name(schema().BuiltinOperator, max(code.builtinCode, code.deprecatedBuiltinCode))

    # ---- building --------------------------------------------------------------------------------------------------

    def _real(self) -> int:
        """The features as float32: themselves, or behind a DEQUANTIZE."""
        given = self._graph.tensors[self._tensor]
        stored = _name(schema().TensorType, given.type)
        if stored == "FLOAT32":
            return self._tensor
        if stored not in DEQUANTIZE_VERSION:
            raise ModelError(f"{self._name} has features of type {stored}, expected float32, int8 or uint8")
        real = self._add_tensor("features", tuple(int(n) for n in given.shape))
        options = schema().BuiltinOptions.DequantizeOptions
        self._add_operator(schema().BuiltinOperator.DEQUANTIZE, DEQUANTIZE_VERSION[stored], [self._tensor], real,
                           options, schema().DequantizeOptionsT())  # fmt: skip
        return real

    def _add_tensor(self, name: str, shape: tuple[int, ...], values: Floats | None = None) -> int:
        tensor, buffer = schema().TensorT(), schema().BufferT()
        tensor.name, tensor.shape, tensor.type = name.encode(), list(shape), schema().TensorType.FLOAT32
        if values is not None:
            buffer.data = np.frombuffer(values.astype("<f4").tobytes(), np.uint8)
        tensor.buffer = len(self._model.buffers)
        self._model.buffers.append(buffer)
        self._graph.tensors.append(tensor)
        return len(self._graph.tensors) - 1

    def _add_operator(
        self, code: int, version: int, inputs: list[int], output: int, kind: int, options: Any
    ) -> None:  # fmt: skip
        entry, operator = schema().OperatorCodeT(), schema().OperatorT()
        entry.builtinCode = entry.deprecatedBuiltinCode = code  # the three used here are below 127
        entry.version = version
        operator.opcodeIndex = len(self._model.operatorCodes)
        operator.inputs, operator.outputs = inputs, [output]
        operator.builtinOptionsType, operator.builtinOptions = kind, options
        self._model.operatorCodes.append(entry)
        self._graph.operators.append(operator)
        self._maker[output] = operator

    def _kept(self) -> bytes:
        """The flatbuffer of what the output needs: other operators, tensors and weights are left out."""
        graph, model = self._graph, self._model
        needed = self._needed()
        graph.operators = [operator for operator in graph.operators if id(operator) in needed]
        used = {int(t) for operator in graph.operators for t in (*operator.inputs, *operator.outputs) if t >= 0}
        tensors = sorted(used | {int(graph.inputs[0])})
        place = {old: new for new, old in enumerate(tensors)} | {-1: -1}
        graph.tensors = [graph.tensors[old] for old in tensors]
        graph.inputs, graph.outputs = ([place[int(t)] for t in ends] for ends in (graph.inputs, graph.outputs))
        for operator in graph.operators:
            operator.inputs = [place[int(t)] for t in operator.inputs]
            operator.outputs = [place[int(t)] for t in operator.outputs]
        buffers = [0, *sorted({tensor.buffer for tensor in graph.tensors} - {0})]
        for tensor in graph.tensors:
            tensor.buffer = buffers.index(tensor.buffer)
        model.buffers = [model.buffers[old] for old in buffers]
        codes = sorted({operator.opcodeIndex for operator in graph.operators})
        for operator in graph.operators:
            operator.opcodeIndex = codes.index(operator.opcodeIndex)
        model.operatorCodes = [model.operatorCodes[old] for old in codes]
        model.metadata, model.metadataBuffer, model.signatureDefs = [], [], []  # they tell of the old head
        model.description = b"eiq-demo label_image"
        return packed(model)

    def _needed(self) -> set[int]:
        """The operators (by id) between the input and the output."""
        wanted, needed = [int(self._graph.outputs[0])], set[int]()
        while wanted:
            operator = self._maker.get(wanted.pop())
            if operator is not None and id(operator) not in needed:
                needed.add(id(operator))
                wanted += [int(tensor) for tensor in operator.inputs]
        return needed


def _name(numbers: Any, value: int) -> str:
    """The name of an enumeration's value."""
    return next(str(name) for name, number in vars(numbers).items() if number == value)
