"""ONNX models of one or two operators, written byte for byte, without the onnx package.

    (tmp_path / "copy.onnx").write_bytes(copy("int64", ["N", 4]))

Messages and field numbers are those of onnx/onnx.proto3; the wire format is protobuf's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

TYPES = {
    "float32": 1, "uint8": 2, "int8": 3, "uint16": 4, "int16": 5, "int32": 6, "int64": 7, "string": 8, "bool": 9,
    "float16": 10, "float64": 11, "uint32": 12, "uint64": 13,
}  # fmt: skip
Shape = Sequence[int | str | None]
"""An open axis is a name or None."""


@dataclass(frozen=True)
class Value:
    """An input or output."""

    name: str
    dtype: str
    shape: Shape


@dataclass(frozen=True)
class Node:
    operator: str
    inputs: Sequence[str]
    outputs: Sequence[str]
    integers: dict[str, int] = field(default_factory=dict)
    """Attributes."""
    domain: str = ""


@dataclass(frozen=True)
class Tensor:
    """A constant; ``external`` names the file that it should be read from, ``raw`` says how it is written."""

    name: str
    data: Any
    external: str = ""
    raw: bool = True


# ---- the models --------------------------------------------------------------------------------------------------


def copy(dtype: str = "float32", shape: Shape = (1, 4)) -> bytes:
    """y = x."""
    return model([Node("Identity", ["x"], ["y"])], [Value("x", dtype, shape)], [Value("y", dtype, shape)])


def cast(to: str, shape: Shape = (1, 4)) -> bytes:
    """float32 x to another type."""
    node = Node("Cast", ["x"], ["y"], {"to": TYPES[to]})
    return model([node], [Value("x", "float32", shape)], [Value("y", to, shape)])


def add_and_subtract() -> bytes:
    """Two inputs a and b [1, 4], two outputs in the order a - b, a + b."""
    nodes = [Node("Add", ["a", "b"], ["sum"]), Node("Sub", ["a", "b"], ["difference"])]
    values = {name: Value(name, "float32", (1, 4)) for name in ("a", "b", "difference", "sum")}
    return model(nodes, [values["a"], values["b"]], [values["difference"], values["sum"]])


def quantised_add_and_subtract(dtype: str = "int8", scale: float = 0.5, zero_point: int = 0, raw: bool = True) -> bytes:
    """The same in 8 bits: dequantised right at the inputs, quantised right at the outputs."""
    constants = [
        Tensor("scale", np.float32(scale), raw=raw),
        Tensor("zero_point", np.asarray(zero_point, dtype), raw=raw),
    ]
    edge = ["scale", "zero_point"]
    nodes = [
        Node("DequantizeLinear", ["a", *edge], ["real_a"]),
        Node("DequantizeLinear", ["b", *edge], ["real_b"]),
        Node("Add", ["real_a", "real_b"], ["real_sum"]),
        Node("Sub", ["real_a", "real_b"], ["real_difference"]),
        Node("QuantizeLinear", ["real_difference", *edge], ["difference"]),
        Node("QuantizeLinear", ["real_sum", *edge], ["sum"]),
    ]
    values = {name: Value(name, dtype, (1, 4)) for name in ("a", "b", "difference", "sum")}
    return model(nodes, [values["a"], values["b"]], [values["difference"], values["sum"]], constants, 19, 9)


def scaled(weights: Tensor) -> bytes:
    """y = x * weights, for x [1, 4]."""
    values = [Value("x", "float32", (1, 4)), Value("y", "float32", (1, 4))]
    return model([Node("Mul", ["x", weights.name], ["y"])], values[:1], values[1:], [weights])


def model(
    nodes: Sequence[Node],
    inputs: Sequence[Value],
    outputs: Sequence[Value],
    constants: Sequence[Tensor] = (),
    opset: int = 17,
    ir_version: int = 8,
) -> bytes:
    """Any model: nodes refer to values and constants by name."""
    graph = b"".join(
        [
            *(_message(1, _node(node)) for node in nodes),
            _message(2, b"tiny"),
            *(_message(5, _tensor(tensor)) for tensor in constants),
            *(_message(11, _value(value)) for value in inputs),
            *(_message(12, _value(value)) for value in outputs),
        ]
    )
    domains = {"": opset} | {node.domain: 1 for node in nodes if node.domain}
    opsets = (_message(8, _message(1, name.encode()) + _number(2, version)) for name, version in domains.items())
    return _number(1, ir_version) + _message(7, graph) + b"".join(opsets)


# ---- messages ----------------------------------------------------------------------------------------------------


def _node(node: Node) -> bytes:
    attributes = (
        _message(1, name.encode()) + _number(3, value) + _number(20, 2) for name, value in node.integers.items()
    )
    return b"".join(
        [
            *(_message(1, name.encode()) for name in node.inputs),
            *(_message(2, name.encode()) for name in node.outputs),
            _message(4, node.operator.encode()),
            *(_message(5, attribute) for attribute in attributes),
            _message(7, node.domain.encode()),
        ]
    )


def _tensor(tensor: Tensor) -> bytes:
    data = np.asarray(tensor.data)
    head = b"".join(_number(1, size) for size in data.shape) + _number(2, TYPES[data.dtype.name])
    if tensor.external:
        place = _message(1, b"location") + _message(2, tensor.external.encode())
        return head + _message(8, tensor.name.encode()) + _message(13, place) + _number(14, 1)
    if tensor.raw:
        return head + _message(8, tensor.name.encode()) + _message(9, data.tobytes())
    if data.dtype == np.float32:
        return head + _message(4, data.tobytes()) + _message(8, tensor.name.encode())
    packed = b"".join(_varint(int(number)) for number in data.flat)
    return head + _message(5, packed) + _message(8, tensor.name.encode())


def _value(value: Value) -> bytes:
    dims = b"".join(_message(1, _dim(size)) for size in value.shape)
    kind = _message(1, _number(1, TYPES[value.dtype]) + _message(2, dims))
    return _message(1, value.name.encode()) + _message(2, kind)


def _dim(size: int | str | None) -> bytes:
    if size is None:
        return b""
    return _message(2, size.encode()) if isinstance(size, str) else _number(1, size)


def _message(number: int, content: bytes) -> bytes:
    return _varint(number << 3 | 2) + _varint(len(content)) + content


def _number(number: int, value: int) -> bytes:
    return _varint(number << 3) + _varint(value)


def _varint(value: int) -> bytes:
    value &= (1 << 64) - 1  # a negative number takes ten bytes
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes(out) + bytes([value])
