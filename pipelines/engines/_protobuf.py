"""What an .onnx file says, read before ONNX Runtime sees it, with nothing but its bytes.

Wire format: protobuf.dev/programming-guides/encoding. Messages and field numbers: onnx/onnx.proto3.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import inf, prod
from pathlib import Path
from struct import iter_unpack, unpack

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
_IR_VERSION, _GRAPH, _OPSET, _DOMAIN, _VERSION = 1, 7, 8, 1, 2
_NODE, _INITIALIZER, _INPUTS, _OUTPUTS, _VALUES = 1, 5, 11, 12, 13
_VALUE_NAME, _VALUE_TYPE, _TENSOR_TYPE, _ELEMENTS, _SHAPE, _DIM, _DIM_VALUE = 1, 2, 1, 1, 2, 1, 1
_INPUT, _OUTPUT, _NODE_NAME, _OP_TYPE, _ATTRIBUTE = 1, 2, 3, 4, 5
_ATTRIBUTE_NAME, _F, _I, _S, _T, _INTS = 1, 2, 3, 4, 5, 8
_DIMS, _TYPE, _FLOAT_DATA, _INT32_DATA, _INT64_DATA, _NAME, _RAW_DATA = 1, 2, 4, 5, 7, 8, 9
_EXTERNAL_DATA, _LOCATION = 13, 14
_FLOAT, _INTEGERS = 1, {2: "B", 3: "b", 4: "H", 5: "h", 6: "i"}  # TensorProto.DataType, by struct's letter
_INT64 = 7
_FEW = 16
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


@dataclass(frozen=True, slots=True)
class Node:
    """An operator of a graph.

    Args:
        attributes: those that are a number, a text, or several integers.
    """

    name: str
    operator: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: dict[str, float | str | tuple[int, ...]]


@dataclass(frozen=True, slots=True)
class Graph:
    """A model's main graph.

    Args:
        opset: the version of ONNX's own operators.
        inputs: names, without those of constants.
        constants: names.
        shapes: of the tensors of which the file says it, constants too.
        values: of constants of up to 16 numbers, float32 or int64.
    """

    opset: int
    nodes: tuple[Node, ...]
    inputs: frozenset[str]
    constants: frozenset[str]
    shapes: dict[str, tuple[int | None, ...]]
    values: dict[str, tuple[float, ...]]


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


def read_graph(file: OnnxFile) -> Graph:
    """The main graph of a file that was read."""
    model = memoryview(file.data)
    opsets = (_bytes(value) for number, value in _fields(model) if number == _OPSET)
    own = (entry for entry in opsets if _text(entry, _DOMAIN) in ("", "ai.onnx"))
    opset = max((_integer(entry, _VERSION) for entry in own), default=1)
    graph = _part(model, _GRAPH)
    nodes = [_bytes(value) for number, value in _fields(graph) if number == _NODE]
    tensors = {_text(_bytes(value), _NAME): _bytes(value) for number, value in _fields(graph) if number == _INITIALIZER}
    for node in nodes:
        if _text(node, _OP_TYPE) == "Constant":
            tensors[_text(node, _OUTPUT)] = _part(_part(node, _ATTRIBUTE), _T)
    edges = {edge.name: edge.shape for field in (_VALUES, _OUTPUTS, _INPUTS) for edge in _edges(graph, field)}
    known = {name: _dims(tensor) for name, tensor in tensors.items()}
    values = {name: _numbers(tensor) for name, tensor in tensors.items()}
    return Graph(
        opset,
        tuple(map(_node, nodes)),
        frozenset(edge.name for edge in file.inputs),
        frozenset(tensors),
        {**edges, **known},
        {name: found for name, found in values.items() if found},
    )


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


def _node(node: memoryview) -> Node:
    attributes: dict[str, float | str | tuple[int, ...]] = {}
    for attribute in (_bytes(value) for number, value in _fields(node) if number == _ATTRIBUTE):
        name, fields = _text(attribute, _ATTRIBUTE_NAME), dict(_fields(attribute))
        if integers := _integers(attribute, _INTS):
            attributes[name] = integers
        elif isinstance(number := fields.get(_F), memoryview) and len(number) == 4:
            attributes[name] = unpack("<f", number)[0]
        elif _I in fields:
            attributes[name] = _integer(attribute, _I)
        elif _S in fields:
            attributes[name] = _text(attribute, _S)
    return Node(
        _text(node, _NODE_NAME), _text(node, _OP_TYPE), tuple(_texts(node, _INPUT)), tuple(_texts(node, _OUTPUT)),
        attributes,
    )  # fmt: skip


def _part(message: memoryview, field: int) -> memoryview:
    """A message inside another; an empty one where it is not there."""
    return next((_bytes(value) for number, value in _fields(message) if number == field), memoryview(b""))


# ---- tensors -----------------------------------------------------------------------------------------------------


def _is_external(tensor: memoryview) -> bool:
    return any(number == _EXTERNAL_DATA or (number == _LOCATION and value) for number, value in _fields(tensor))


def _integer(message: memoryview, field: int) -> int:
    return next(iter(_integers(message, field)), 0)


def _integers(message: memoryview, field: int) -> tuple[int, ...]:
    """One varint after the other, or several of them packed."""
    found: list[int] = []
    for value in (value for number, value in _fields(message) if number == field):
        if isinstance(value, int):
            found.append(value)
            continue
        at = 0
        while at < len(value):
            number, at = _varint(value, at)
            found.append(number)
    return tuple(number - (1 << 64) if number >> 63 else number for number in found)


def _dims(tensor: memoryview) -> tuple[int, ...]:
    return _integers(tensor, _DIMS)


def _numbers(tensor: memoryview) -> tuple[float, ...]:
    """Of a tensor of up to 16 of float32 or int64; empty for any other."""
    letter = {_FLOAT: "f", _INT64: "q"}.get(_integer(tensor, _TYPE), "")
    if not letter or prod(_dims(tensor)) > _FEW:
        return ()
    raw = _part(tensor, _RAW_DATA) or (_part(tensor, _FLOAT_DATA) if letter == "f" else b"")
    if raw and len(raw) % (4 if letter == "f" else 8) == 0:
        return tuple(number for (number,) in iter_unpack(f"<{letter}", raw))
    return _integers(tensor, _INT64_DATA) if letter == "q" else ()


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
