"""Models of one or two operators, written byte for byte: no TensorFlow, no flatbuffers package, any runtime.

    (tmp_path / "copy.tflite").write_bytes(copy("int8", (1, 4), scale=0.5, zero_point=-3))

The tables and field numbers are those of tensorflow/lite/schema/schema.fbs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

_TYPES = {"float32": 0, "float16": 1, "int32": 2, "uint8": 3, "int64": 4, "bool": 6, "int16": 7, "int8": 9}
_ADD, _RESHAPE, _RNN, _CUSTOM, _PAD, _SUB, _CAST, _QUANTIZE = 0, 22, 24, 32, 34, 41, 53, 114
_OPTIONS = {_ADD: 11, _RESHAPE: 17, _RNN: 7, _PAD: 22, _SUB: 28, _CAST: 37, _QUANTIZE: 89, _CUSTOM: 0}

Table = dict[int, Any]
"""Field number to value: a numpy scalar, an array (a vector), text, a Table, or a list of Tables."""


@dataclass(frozen=True)
class Tensor:
    name: str
    dtype: str
    shape: Sequence[int]
    scale: float | Sequence[float] = 0.0
    zero_point: int = 0
    data: Any = None
    variable: bool = False
    signature: Sequence[int] | None = None


@dataclass(frozen=True)
class Operator:
    code: int
    inputs: Sequence[int]
    outputs: Sequence[int]
    custom: str = ""
    options: Table | None = None


# ---- the models --------------------------------------------------------------------------------------------------


def copy(
    dtype: str = "float32",
    shape: Sequence[int] = (1, 4),
    scale: float | Sequence[float] = 0.0,
    zero_point: int = 0,
    signature: Sequence[int] | None = None,
) -> bytes:
    """y = x, stored number for stored number."""
    x = Tensor("x", dtype, shape, scale, zero_point, signature=signature)
    y = Tensor("y", dtype, shape, scale, zero_point, signature=signature)
    return model([x, y], [Operator(_RESHAPE, [0], [1], options={0: _ints(shape)})], [0], [1])


def add_and_subtract(dtype: str = "float32", shape: Sequence[int] = (1, 4), scale: float = 0.0) -> bytes:
    """Two inputs a and b, two outputs in the order a - b, a + b."""
    tensors = [Tensor(name, dtype, shape, scale) for name in ("a", "b", "sum", "difference")]
    return model(tensors, [Operator(_ADD, [0, 1], [2]), Operator(_SUB, [0, 1], [3])], [0, 1], [3, 2])


def quantise(dtype: str, shape: Sequence[int], scale: float, zero_point: int) -> bytes:
    """TFLite's own QUANTIZE operator: float32 x to the given type."""
    tensors = [Tensor("x", "float32", shape), Tensor("y", dtype, shape, scale, zero_point)]
    return model(tensors, [Operator(_QUANTIZE, [0], [1])], [0], [1])


def accumulator() -> bytes:
    """A stateful model: y [1, 1] is the sum of every x [1, 1] since the last reset."""
    one = np.ones((1, 1), np.float32)
    tensors = [
        Tensor("x", "float32", (1, 1)),
        Tensor("weights", "float32", (1, 1), data=one),
        Tensor("recurrent", "float32", (1, 1), data=one),
        Tensor("bias", "float32", (1,), data=np.zeros(1, np.float32)),
        Tensor("state", "float32", (1, 1), variable=True),
        Tensor("y", "float32", (1, 1)),
    ]
    return model(tensors, [Operator(_RNN, [0, 1, 2, 3, 4], [5])], [0], [5])


def padded(dtype: str, scale: float = 0.0, zero_point: int = 0) -> bytes:
    """x [1, 1, 3, 1] with a 0 before and behind it."""
    tensors = [
        Tensor("x", dtype, (1, 1, 3, 1), scale, zero_point),
        Tensor("sizes", "int32", (4, 2), data=_ints([[0, 0], [0, 0], [1, 1], [0, 0]])),
        Tensor("y", dtype, (1, 1, 5, 1), scale, zero_point),
    ]
    return model(tensors, [Operator(_PAD, [0, 1], [2])], [0], [2])


def is_nonzero(shape: Sequence[int] = (1, 4)) -> bytes:
    """float32 to bool: y = x != 0."""
    tensors = [Tensor("x", "float32", shape), Tensor("y", "bool", shape)]
    return model(tensors, [Operator(_CAST, [0], [1])], [0], [1])


def with_custom_operator(name: str) -> bytes:
    """A model that no runtime has the operator of."""
    tensors = [Tensor("x", "float32", (1, 4)), Tensor("y", "float32", (1, 4))]
    return model(tensors, [Operator(_CUSTOM, [0], [1], custom=name)], [0], [1])


def model(
    tensors: Sequence[Tensor], operators: Sequence[Operator], inputs: Sequence[int], outputs: Sequence[int]
) -> bytes:
    """Any model: operators refer to tensors by their place."""
    subgraph: Table = {
        0: [_tensor(tensor, place + 1) for place, tensor in enumerate(tensors)],
        1: _ints(inputs),
        2: _ints(outputs),
        3: [_operator(operator, place) for place, operator in enumerate(operators)],
    }
    buffers: list[Table] = [{}, *({} if t.data is None else {0: _bytes(t.data)} for t in tensors)]
    return _flatbuffer({0: np.uint32(3), 1: [_code(o) for o in operators], 2: [subgraph], 4: buffers})


def _code(operator: Operator) -> Table:
    code: Table = {0: np.int8(min(operator.code, 127)), 2: np.int32(1), 3: np.int32(operator.code)}
    return code | ({1: operator.custom} if operator.custom else {})


def _tensor(tensor: Tensor, buffer: int) -> Table:
    table: Table = {0: _ints(tensor.shape), 1: np.int8(_TYPES[tensor.dtype]), 2: np.uint32(buffer), 3: tensor.name}
    scales = np.atleast_1d(np.asarray(tensor.scale, np.float32))
    if scales.any():
        table[4] = {2: scales, 3: np.full(scales.shape, tensor.zero_point, np.int64)}
    if len(scales) > 1:
        table[4][6] = np.int32(len(tensor.shape) - 1)  # per channel, along the last axis
    if tensor.variable:
        table[5] = np.int8(1)
    if tensor.signature is not None:
        table[7] = _ints(tensor.signature)
    return table


def _operator(operator: Operator, code: int) -> Table:
    table: Table = {0: np.uint32(code), 1: _ints(operator.inputs), 2: _ints(operator.outputs)}
    if kind := _OPTIONS[operator.code]:
        table |= {3: np.uint8(kind), 4: operator.options or {}}
    return table


def _ints(values: Sequence[int]) -> Any:
    return np.asarray(values, np.int32)


def _bytes(data: Any) -> Any:
    return np.frombuffer(np.ascontiguousarray(data).tobytes(), np.uint8)


# ---- flatbuffers -------------------------------------------------------------------------------------------------


def _flatbuffer(root: Table) -> bytes:
    out = bytearray(b"\0\0\0\0TFL3")
    _put(out, 0, _table(out, root))
    return bytes(out)


def _table(out: bytearray, fields: Table) -> int:
    """Append vtable, table and what it refers to; offsets only ever point forward, as the format wants."""
    slots = max(fields, default=-1) + 1
    places, size = [0] * slots, 4
    for field, value in fields.items():
        width = value.itemsize if np.isscalar(value) and not isinstance(value, str) else 4
        size += -size % width
        places[field], size = size, size + width
    vtable = np.array([4 + 2 * slots, size, *places], "<u2").tobytes()
    _pad(out, 8, len(vtable))
    start = len(out) + len(vtable)
    out += vtable + np.int32(len(vtable)).tobytes() + bytes(size - 4)
    for field, value in fields.items():
        at = start + places[field]
        if isinstance(value, np.generic):
            out[at : at + value.itemsize] = value.tobytes()
        else:
            _put(out, at, _referred(out, value) - at)
    return start


def _referred(out: bytearray, value: Any) -> int:
    if isinstance(value, dict):
        return _table(out, value)
    if isinstance(value, str):
        text = value.encode()
        return _vector(out, len(text), text + b"\0", 1)
    if isinstance(value, list):
        start = _vector(out, len(value), bytes(4 * len(value)), 4)
        for at, table in enumerate(value):
            place = start + 4 + 4 * at
            _put(out, place, _table(out, table) - place)
        return start
    return _vector(out, value.size, value.tobytes(), 16)


def _vector(out: bytearray, count: int, data: bytes, align: int) -> int:
    _pad(out, max(align, 4), 4)
    start = len(out)
    out += np.uint32(count).tobytes() + data
    return start


def _pad(out: bytearray, align: int, before: int) -> None:
    """So that what comes ``before`` bytes later is aligned."""
    out += bytes(-(len(out) + before) % align)


def _put(out: bytearray, at: int, value: int) -> None:
    out[at : at + 4] = np.uint32(value).tobytes()
