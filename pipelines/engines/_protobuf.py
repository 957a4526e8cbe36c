"""What an .onnx file says, read before ONNX Runtime sees it, with nothing but its bytes.

Wire format: protobuf.dev/programming-guides/encoding. Messages and field numbers: onnx/onnx.proto3.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import inf
from pathlib import Path
from struct import iter_unpack

from pipelines.engines._looks_like import looks_like
from pipelines.errors import ModelError

Value = int | memoryview
Quantisation = tuple[float, int]
"""Scale and zero point."""

# message -> field number -> message: the way to every tensor of a model
_SCHEMA: dict[str, dict[int, str]] = {
    "Model": {7: "Graph", 20: "Training", 25: "Function"},
    "Graph": {1: "Node", 5: "Tensor", 15: "SparseTensor"},
    "Node": {5: "Attribute"},
    "Attribute": {5: "Tensor", 6: "Graph", 10: "Tensor", 11: "Graph", 22: "SparseTensor", 23: "SparseTensor"},
    "Tensor": {},
    "SparseTensor": {1: "Tensor", 2: "Tensor"},
    "Training": {1: "Graph", 2: "Graph"},
    "Function": {7: "Node", 11: "Attribute"},
}
_IR_VERSION, _GRAPH = 1, 7
_NODE, _INITIALIZER, _INPUTS, _OUTPUTS = 1, 5, 11, 12
_VALUE_NAME, _VALUE_TYPE, _TENSOR_TYPE, _ELEMENTS, _SHAPE, _DIM, _DIM_VALUE = 1, 2, 1, 1, 2, 1, 1
_INPUT, _OUTPUT, _OP_TYPE = 1, 2, 4
_DIMS, _TYPE, _FLOAT_DATA, _INT32_DATA, _NAME, _RAW_DATA, _EXTERNAL_DATA, _LOCATION = 1, 2, 4, 5, 8, 9, 13, 14
_FLOAT, _INTEGERS = 1, {2: "B", 3: "b", 4: "H", 5: "h", 6: "i"}  # TensorProto.DataType, by struct's letter
_DEEPEST = 100
"""As deep as protobuf's own readers go."""


@dataclass(frozen=True, slots=True)
class OnnxFile:
    """A model's bytes, and what is known of it beforehand.

    Args:
        data: the whole file.
        quantised: scale and zero point of a tensor that one DequantizeLinear reads or one QuantizeLinear writes.
        inputs, outputs: in the file's order; constants that stand among the inputs as well are left out.
        dangling: a name that an operator or output takes and that nothing before it gives; empty where there is none.
    """

    data: bytes
    quantised: dict[str, Quantisation]
    inputs: tuple[Edge, ...] = ()
    outputs: tuple[Edge, ...] = ()
    dangling: str = ""


@dataclass(frozen=True, slots=True)
class Edge:
    """An input or output.

    Args:
        kind: the number of its element type (TensorProto.DataType); 0 where it is no tensor.
        shape: None for an open axis.
    """

    name: str
    kind: int
    shape: tuple[int | None, ...]


def read_model(path: Path) -> OnnxFile:
    """A file that is a whole ONNX model and needs no other.

    Raises:
        ModelError: there is no such file, it is no ONNX model (the message says what it looks like), it is cut short
            or damaged, or it keeps weights in other files, whose paths would be the model's to choose.
    """
    try:
        data = path.read_bytes()
    except IsADirectoryError as problem:
        raise ModelError(f"{path} is a directory, expected an .onnx file; name the file inside it") from problem
    except OSError as problem:
        raise ModelError(f"cannot read the model {path} ({problem.strerror}), expected an .onnx file") from problem
    if not data.startswith(b"\x08"):  # ir_version, which every writer puts first
        raise ModelError(f"{path} looks like {looks_like(data)}, expected an ONNX model; convert or fetch it")
    try:
        tensors = [tensor for kind, tensor in _messages("Model", memoryview(data)) if kind == "Tensor"]
        graphs = [value for number, value in _fields(memoryview(data)) if number == _GRAPH]
        outside = next((tensor for tensor in tensors if _is_external(tensor)), None)
        quantised = {name: q for graph in graphs for name, q in _quantised(_bytes(graph)).items()}
        inputs, outputs = (tuple(e for g in graphs for e in _edges(_bytes(g), field)) for field in (_INPUTS, _OUTPUTS))
        dangling = next((name for graph in graphs for name in _dangling(_bytes(graph))), "")
    except (IndexError, TypeError) as problem:
        raise ModelError(
            f"{path} is cut short or damaged, or no ONNX model: {len(data)} bytes, and what they say does not add up; "
            "fetch or convert it again"
        ) from problem
    if not graphs:
        raise ModelError(f"{path} holds no graph, expected an ONNX model; convert or fetch it")
    if outside is not None:
        raise ModelError(
            f"{path} keeps the weights {_text(outside, _NAME)!r} in another file, expected one file with everything; "
            "save it again with onnx.save(model, path, save_as_external_data=False)"
        )
    return OnnxFile(data, quantised, inputs, outputs, dangling)


# ---- messages ----------------------------------------------------------------------------------------------------


def _messages(kind: str, message: memoryview) -> Iterator[tuple[str, memoryview]]:
    """This message and all inside it that can lead to a tensor."""
    pending = [(kind, message, 0)]
    while pending:
        kind, message, depth = pending.pop()
        if depth > _DEEPEST:
            raise IndexError(f"messages {depth} deep")
        yield kind, message
        pending += [
            (_SCHEMA[kind][number], _bytes(value), depth + 1)
            for number, value in _fields(message)
            if number in _SCHEMA[kind]
        ]


def _fields(message: memoryview) -> Iterator[tuple[int, Value]]:
    """Field number and value. Raises IndexError at what is not in the message."""
    at = 0
    while at < len(message):
        key, at = _varint(message, at)
        number, wire = key >> 3, key & 7
        if wire == 0:
            value, at = _varint(message, at)
            yield number, value
            continue
        size = {1: 8, 5: 4}.get(wire, 0)
        if wire == 2:
            size, at = _varint(message, at)
        if not number or wire not in (1, 2, 5) or at + size > len(message):
            raise IndexError(at)
        yield number, message[at : at + size]
        at += size


def _varint(message: memoryview, at: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        byte = message[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
    raise IndexError(at)


def _bytes(value: Value) -> memoryview:
    if isinstance(value, int):
        raise TypeError("a number where a message should be")
    return value


def _texts(message: memoryview, field: int) -> list[str]:
    return [str(_bytes(value), "utf-8", "replace") for number, value in _fields(message) if number == field]


def _text(message: memoryview, field: int) -> str:
    return next(iter(_texts(message, field)), "")


# ---- inputs and outputs ------------------------------------------------------------------------------------------


def _edges(graph: memoryview, field: int) -> Iterator[Edge]:
    parts = list(_fields(graph))
    constants = {_text(_bytes(value), _NAME) for number, value in parts if number == _INITIALIZER}
    for value in (_bytes(value) for number, value in parts if number == field):
        name = _text(value, _VALUE_NAME)
        if name not in constants:
            tensor = _part(_part(value, _VALUE_TYPE), _TENSOR_TYPE)
            kind = next((value for number, value in _fields(tensor) if number == _ELEMENTS), 0)
            dims = [_bytes(dim) for number, dim in _fields(_part(tensor, _SHAPE)) if number == _DIM]
            yield Edge(name, kind if isinstance(kind, int) else 0, tuple(map(_size_of, dims)))


def _dangling(graph: memoryview) -> Iterator[str]:
    parts = [(number, value) for number, value in _fields(graph) if number in (_NODE, _INITIALIZER, _INPUTS, _OUTPUTS)]
    names = {_INITIALIZER: _NAME, _INPUTS: _VALUE_NAME}
    known = {""} | {_text(_bytes(value), names[number]) for number, value in parts if number in names}
    for node in (_bytes(value) for number, value in parts if number == _NODE):
        yield from (name for name in _texts(node, _INPUT) if name not in known)
        known.update(_texts(node, _OUTPUT))
    outputs = (_text(_bytes(value), _VALUE_NAME) for number, value in parts if number == _OUTPUTS)
    yield from (name for name in outputs if name not in known)


def _size_of(dim: memoryview) -> int | None:
    size = next((value for number, value in _fields(dim) if number == _DIM_VALUE), None)
    return size if isinstance(size, int) and 0 <= size < 1 << 63 else None


def _part(message: memoryview, field: int) -> memoryview:
    """A message inside another; an empty one where it is not there."""
    return next((_bytes(value) for number, value in _fields(message) if number == field), memoryview(b""))


# ---- tensors -----------------------------------------------------------------------------------------------------


def _is_external(tensor: memoryview) -> bool:
    return any(number == _EXTERNAL_DATA or (number == _LOCATION and value) for number, value in _fields(tensor))


def _quantised(graph: memoryview) -> dict[str, Quantisation]:
    """By tensor, where all that quantise or dequantise it agree, with constants."""
    parts = list(_fields(graph))
    constants = {
        _text(_bytes(value), _NAME): _scalar(_bytes(value)) for number, value in parts if number == _INITIALIZER
    }
    found: dict[str, Quantisation | None] = {}
    for node in (_bytes(value) for number, value in parts if number == _NODE):
        operator = _text(node, _OP_TYPE)
        if operator in ("QuantizeLinear", "DequantizeLinear"):
            inputs = _texts(node, _INPUT)
            tensor = next(iter(inputs if operator == "DequantizeLinear" else _texts(node, _OUTPUT)), "")
            scale, zero_point = (constants.get(name) for name in (*inputs[1:3], "", "")[:2])
            without = len(inputs) < 3 or not inputs[2]
            known = isinstance(scale, float) and 0 < scale < inf and (without or isinstance(zero_point, int))
            quantisation = (float(scale or 0), int(zero_point or 0)) if known else None
            found[tensor] = quantisation if found.get(tensor, quantisation) == quantisation else None
    return {tensor: quantisation for tensor, quantisation in found.items() if quantisation}


def _scalar(tensor: memoryview) -> float | int | None:
    """The value of a tensor of one float32 or one integer; None for any other."""
    fields: dict[int, Value] = {}
    size = 1
    for number, value in _fields(tensor):
        if number == _DIMS:  # one varint, or several of them packed
            size *= value if isinstance(value, int) else max(value, default=1)
        elif number in (_TYPE, _FLOAT_DATA, _INT32_DATA, _RAW_DATA):
            fields[number] = value
    kind = fields.get(_TYPE)
    letter = "f" if kind == _FLOAT else _INTEGERS.get(kind, "") if isinstance(kind, int) else ""
    raw = fields.get(_RAW_DATA, fields.get(_FLOAT_DATA))
    if size != 1 or not letter:
        return None
    if isinstance(raw, memoryview):
        numbers = [n for (n,) in iter_unpack(f"<{letter}", raw)] if len(raw) == _size(letter) else []
        return numbers[0] if numbers else None
    packed = fields.get(_INT32_DATA)
    if letter == "f" or packed is None:
        return None
    number = packed if isinstance(packed, int) else _varint(packed, 0)[0]
    return number - (1 << 64) if number >> 63 else number


def _size(letter: str) -> int:
    return {"B": 1, "b": 1, "H": 2, "h": 2}.get(letter, 4)
