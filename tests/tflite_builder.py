"""Models of any operators, written with the schema's own builder: ``Builder().tensor(…)``, ``.op(…)``, ``.model(…)``.

b = Builder()
x, y = b.tensor((1, 4), scale=0.5), b.tensor((1, 4), scale=0.25)
b.op("RELU", [x], [y])
(tmp_path / "relu.tflite").write_bytes(b.model([x], [y]))
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

DTYPES = {"float32": 0, "int32": 2, "uint8": 3, "int64": 4, "bool": 6, "int16": 7, "int8": 9}
OPTIONS = {
    "ADD": "Add", "SUB": "Sub", "MUL": "Mul", "CONV_2D": "Conv2D", "DEPTHWISE_CONV_2D": "DepthwiseConv2D",
    "FULLY_CONNECTED": "FullyConnected", "AVERAGE_POOL_2D": "Pool2D", "MAX_POOL_2D": "Pool2D", "MEAN": "Reducer",
    "PAD": "Pad", "RESHAPE": "Reshape", "SOFTMAX": "Softmax", "CONCATENATION": "Concatenation",
    "STRIDED_SLICE": "StridedSlice", "TRANSPOSE": "Transpose", "QUANTIZE": "Quantize", "DEQUANTIZE": "Dequantize",
}  # fmt: skip


@dataclass(frozen=True)
class BuiltTensor:
    shape: tuple[int, ...]
    dtype: str
    scales: tuple[float, ...]
    zero_points: tuple[int, ...]
    axis: int
    data: Any


@dataclass(frozen=True)
class BuiltOperator:
    name: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    options: dict[str, Any]


class Builder:
    """Collects tensors and operators; their numbers are their places."""

    def __init__(self) -> None:
        self.tensors: list[BuiltTensor] = []
        self.operators: list[BuiltOperator] = []

    def tensor(
        self,
        shape: Sequence[int],
        dtype: str = "int8",
        scale: float | Sequence[float] | None = None,
        zero_point: int = 0,
        data: Any = None,
        axis: int = 0,
    ) -> int:
        """A tensor's number; ``scale`` may be one of each index of ``axis``."""
        scales = () if scale is None else tuple(float(s) for s in np.atleast_1d(np.float32(scale)))
        zeros = (zero_point,) * len(scales)
        data = None if data is None else np.ascontiguousarray(data, dtype).reshape(shape)
        self.tensors.append(BuiltTensor(tuple(map(int, shape)), dtype, scales, zeros, axis, data))
        return len(self.tensors) - 1

    def constant(self, values: Any, dtype: str = "int32") -> int:
        """A constant without a scale, such as axes."""
        array = np.asarray(values, dtype)
        return self.tensor(array.shape, dtype, data=array)

    def op(self, name: str, inputs: Sequence[int], outputs: Sequence[int], **options: Any) -> None:
        """An operator with the options that its table in the schema has."""
        self.operators.append(BuiltOperator(name, tuple(inputs), tuple(outputs), options))

    def model(self, inputs: Sequence[int], outputs: Sequence[int]) -> bytes:
        """The flatbuffer."""
        schema = pytest.importorskip("tflite")
        return _Writer(schema).model(self, inputs, outputs)


class _Writer:
    def __init__(self, schema: Any) -> None:
        import flatbuffers

        self.schema, self.b = schema, flatbuffers.Builder(1024)

    def model(self, graph: Builder, inputs: Sequence[int], outputs: Sequence[int]) -> bytes:
        b, schema = self.b, self.schema
        names = list(dict.fromkeys(op.name for op in graph.operators))
        buffers = [None, *(t.data for t in graph.tensors if t.data is not None)]
        places = iter(range(1, len(buffers)))
        made_buffers = [self._buffer(data) for data in buffers]
        tensors = [self._tensor(t, i, next(places) if t.data is not None else 0) for i, t in enumerate(graph.tensors)]
        operators = [self._operator(op, names.index(op.name)) for op in graph.operators]
        codes = [self._code(getattr(schema.BuiltinOperator, name)) for name in names]
        subgraph = self._table(
            "SubGraph",
            Tensors=self._tables(tensors),
            Inputs=self._ints(inputs),
            Outputs=self._ints(outputs),
            Operators=self._tables(operators),
        )
        root = self._table(
            "Model",
            Version=3,
            OperatorCodes=self._tables(codes),
            Subgraphs=self._tables([subgraph]),
            Buffers=self._tables(made_buffers),
        )
        b.Finish(root, b"TFL3")
        return bytes(b.Output())

    def _buffer(self, data: Any) -> int:
        if data is None:
            return self._table("Buffer")
        return self._table("Buffer", Data=self.b.CreateByteVector(data.tobytes()))

    def _tensor(self, tensor: BuiltTensor, place: int, buffer: int) -> int:
        quantisation = 0
        if tensor.scales:
            scales = self.b.CreateNumpyVector(np.array(tensor.scales, np.float32))
            zeros = self.b.CreateNumpyVector(np.array(tensor.zero_points, np.int64))
            quantisation = self._table("QuantizationParameters", Scale=scales, ZeroPoint=zeros,
                                       QuantizedDimension=tensor.axis)  # fmt: skip
        fields = {"Shape": self._ints(tensor.shape), "Type": DTYPES[tensor.dtype], "Buffer": buffer,
                  "Name": self.b.CreateString(f"t{place}")}  # fmt: skip
        return self._table("Tensor", **fields, **({"Quantization": quantisation} if quantisation else {}))

    def _code(self, number: int) -> int:
        return self._table("OperatorCode", DeprecatedBuiltinCode=min(number, 127), Version=1, BuiltinCode=number)

    def _operator(self, op: BuiltOperator, code: int) -> int:
        fields: dict[str, Any] = {"OpcodeIndex": code, "Inputs": self._ints(op.inputs),
                                  "Outputs": self._ints(op.outputs)}  # fmt: skip
        if op.name in OPTIONS:
            table = f"{OPTIONS[op.name]}Options"
            kind = getattr(self.schema.BuiltinOptions, table)
            fields |= {"BuiltinOptionsType": kind, "BuiltinOptions": self._table(table, **op.options)}
        return self._table("Operator", **fields)

    def _table(self, name: str, **fields: Any) -> int:
        getattr(self.schema, f"{name}Start")(self.b)
        for field, value in fields.items():
            add: Callable[[Any, Any], None] = getattr(self.schema, f"{name}Add{field}")
            add(self.b, value)
        return int(getattr(self.schema, f"{name}End")(self.b))

    def _ints(self, values: Sequence[int]) -> int:
        return int(self.b.CreateNumpyVector(np.array(values, np.int32)))

    def _tables(self, offsets: Sequence[int]) -> int:
        self.b.StartVector(4, len(offsets), 4)
        for offset in reversed(offsets):
            self.b.PrependUOffsetTRelative(offset)
        return int(self.b.EndVector())
