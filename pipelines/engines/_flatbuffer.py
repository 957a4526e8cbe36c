"""Is this file a whole .tflite model? Asked before the interpreter, as an older one crashes where it should refuse.

The tables of TFLite's schema (tensorflow/lite/schema/schema.fbs) are walked, and every offset, vector and string that
they name must lie within the file, and the operators' inputs and outputs must be tensors that can be such. That finds
files that are cut short, and most damage to the structure. It does not find damage to the numbers (weights, shapes,
options of an operator): the sha256 in a model's manifest does.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import inf
from pathlib import Path
from struct import Struct, error, unpack_from
from typing import NamedTuple

from pipelines.engines._looks_like import looks_like
from pipelines.errors import ModelError

# field number -> what it holds, for the fields that are offsets: the size of a vector's elements in bytes, the name of
# a table, [the name of a table] for a vector of those, "" for a table that is not followed further
_Field = int | str | list[str]
_SCHEMA: dict[str, dict[int, _Field]] = {
    "": {},
    "Model": {1: ["OperatorCode"], 2: ["SubGraph"], 3: 1, 4: ["Buffer"], 5: 4, 6: ["Metadata"], 7: ["SignatureDef"]},
    "OperatorCode": {1: 1},
    "SubGraph": {0: ["Tensor"], 1: 4, 2: 4, 3: ["Operator"], 4: 1},
    "Tensor": {0: 4, 3: 1, 4: "Quantization", 6: "", 7: 4, 9: [""]},
    "Quantization": {0: 4, 1: 4, 2: 4, 3: 8, 5: ""},
    "Operator": {1: 4, 2: 4, 4: "", 5: 1, 7: 1, 8: 4, 12: ""},
    "Buffer": {0: 1},
    "Metadata": {0: 1},
    "SignatureDef": {0: ["TensorMap"], 1: ["TensorMap"], 2: 1},
    "TensorMap": {0: 1},
}
_OPTIONAL = {16, 32, 44, 52}
"""LSTM, CUSTOM, LSTM over a sequence in one direction and in both: they may lack one of their first inputs."""
_LATER = 162
"""From this number on operators are StableHLO's, whose inputs are not known here."""
_ARITHMETIC = {0, 3, 4, 9, 14, 18, 25, 28, 41}
"""ADD, CONV_2D, DEPTHWISE_CONV_2D, FULLY_CONNECTED, LOGISTIC, MUL, SOFTMAX, TANH, SUB: 8-bit numbers need a scale."""
_8_BITS = {3, 9}
"""Types uint8 and int8."""
_U8, _U16, _I32, _U32, _FLOAT = Struct("<B"), Struct("<H"), Struct("<i"), Struct("<I"), Struct("<f")


def read_model(path: Path) -> bytes:
    """The bytes of a .tflite file that is all there.

    Raises:
        ModelError: there is no such file, it is not a .tflite model (the message says what it looks like), or it is
            cut short or damaged.
    """
    try:
        data = path.read_bytes()
    except IsADirectoryError as problem:
        raise ModelError(f"{path} is a directory, expected a .tflite file; name the file inside it") from problem
    except OSError as problem:
        raise ModelError(f"cannot read the model {path} ({problem.strerror}), expected a .tflite file") from problem
    if data[4:8] != b"TFL3":
        raise ModelError(
            f"{path} looks like {looks_like(data)}, expected a .tflite model (TFL3 at byte 4); convert or fetch it"
        )
    check(data, path)
    return data


def count_graphs(data: bytes) -> int:
    """Of a model that was checked."""
    return len(_tables(data, _U32.unpack_from(data)[0], 2))


def has_operator(data: bytes, code: int) -> bool:
    """Whether a model that was checked uses an operator, by its number, in any of its graphs."""
    return any(_code(data, table) == code for table in _tables(data, _U32.unpack_from(data)[0], 1))


VAR_HANDLE = 142
"""The operator that opens a resource variable, TensorFlow's tf.Variable."""


def is_stateful(data: bytes) -> bool:
    """Whether a model that was checked keeps something from one call to the next."""
    tensors = (tensor for graph in _tables(data, _U32.unpack_from(data)[0], 2) for tensor in _tables(data, graph, 0))
    return has_operator(data, VAR_HANDLE) or any(_number(data, tensor, 5, _U8) for tensor in tensors)


class Operand(NamedTuple):
    """A tensor that an operator reads: its type's number, and how many scales it has, and its zero points."""

    type: int
    scales: int
    zero_points: tuple[int, ...]


class Operator(NamedTuple):
    """One of a graph's: its place, its number, and what it reads; None for an input that it lacks."""

    place: int
    code: int
    inputs: tuple[Operand | None, ...]


def operators(data: bytes) -> Iterator[Operator]:
    """All operators of a model that was checked."""
    model = _U32.unpack_from(data)[0]
    codes = [_code(data, table) for table in _tables(data, model, 1)]
    for graph in _tables(data, model, 2):
        tensors = [_operand(data, table) for table in _tables(data, graph, 0)]
        for index, operator in enumerate(_tables(data, graph, 3)):
            inputs = tuple(tensors[place] if place >= 0 else None for place in _ints(data, operator, 1))
            yield Operator(index, codes[_number(data, operator, 0, _U32)], inputs)


def _operand(data: bytes, tensor: int) -> Operand:
    place = _field(data, tensor, 4)
    quantisation = place + _U32.unpack_from(data, place)[0] if place else 0
    zeros = _vector(data, quantisation, 3) if place else 0
    points = unpack_from(f"<{_U32.unpack_from(data, zeros)[0]}q", data, zeros + 4) if zeros else ()
    return Operand(_number(data, tensor, 1, _U8), _count(data, quantisation, 2) if place else 0, points)


def check(data: bytes, path: Path) -> None:
    """Every table, vector and string of the model lies within ``data``, and its graphs hold together.

    Raises ModelError.
    """
    try:
        _check_places(data)
        wrong = next(_faults(data), "")
    except (error, IndexError) as problem:
        raise ModelError(
            f"{path} is cut short or damaged: {len(data)} bytes, and its tables point to more; fetch it again"
        ) from problem
    if wrong:
        raise ModelError(f"{path} is damaged: {wrong}; fetch it again")


def _check_places(data: bytes) -> None:
    """Raises struct.error or IndexError at what is not in the file."""
    pending = [("Model", _U32.unpack_from(data)[0])]
    seen = set(pending)
    while pending:
        for found in _inside(data, *pending.pop()):
            if found not in seen:  # flatbuffers may share; a damaged one may even run in circles
                seen.add(found)
                pending.append(found)


def _inside(data: bytes, table: str, at: int) -> list[tuple[str, int]]:
    """The tables that this one refers to. Raises struct.error or IndexError at what is not in the file."""
    found: list[tuple[str, int]] = []
    vtable = at - _I32.unpack_from(data, at)[0]
    if vtable < 0:
        raise IndexError(vtable)
    vtable_size, table_size = _U16.unpack_from(data, vtable)[0], _U16.unpack_from(data, vtable + 2)[0]
    _within(data, vtable, vtable_size)
    _within(data, at, table_size)
    for slot in range(4, vtable_size - 1, 2):
        if _U16.unpack_from(data, vtable + slot)[0] >= table_size:
            raise IndexError(slot)
    for field, kind in _SCHEMA[table].items():
        slot = 4 + 2 * field
        offset = _U16.unpack_from(data, vtable + slot)[0] if slot < vtable_size else 0
        if offset:
            place = at + offset
            found += _referred(data, kind, place + _U32.unpack_from(data, place)[0])
    return found


def _referred(data: bytes, kind: _Field, at: int) -> list[tuple[str, int]]:
    if isinstance(kind, str):
        return [(kind, at)]
    count = _U32.unpack_from(data, at)[0]
    if isinstance(kind, int):
        _within(data, at + 4, count * kind)
        return []
    _within(data, at + 4, count * 4)
    places = range(at + 4, at + 4 + 4 * count, 4)
    return [(kind[0], place + _U32.unpack_from(data, place)[0]) for place in places]


def _within(data: bytes, at: int, size: int) -> None:
    if at + size > len(data):
        raise IndexError(at + size)


# ---- graphs ------------------------------------------------------------------------------------------------------


def _faults(data: bytes) -> Iterator[str]:
    """What interpreters follow without looking, where it leads nowhere: in words."""
    model = _U32.unpack_from(data)[0]
    codes = [_code(data, code) for code in _tables(data, model, 1)]
    filled = [bool(_count(data, buffer, 0)) for buffer in _tables(data, model, 4)]
    graphs = _tables(data, model, 2)
    if not graphs:
        yield "it has no graph"
    for graph in graphs:
        tensors = _tables(data, graph, 0)
        buffers = [_number(data, tensor, 2, _U32) for tensor in tensors]
        if any(buffer >= max(1, len(filled)) for buffer in buffers):  # 0, no data, need not be there
            yield "a tensor names a buffer that it does not have"
            return
        if not all(0 <= place < len(tensors) for place in (*_ints(data, graph, 1), *_ints(data, graph, 2))):
            yield "its inputs or outputs name tensors that it does not have"
        constants = {place for place, buffer in enumerate(buffers) if buffer and filled[buffer]}
        for index, operator in enumerate(_tables(data, graph, 3)):
            if wrong := _wrong(data, operator, codes, tensors, constants):
                yield f"operator {index} {wrong}"


def _wrong(data: bytes, operator: int, codes: list[int], tensors: list[int], constants: set[int]) -> str:
    number = _number(data, operator, 0, _U32)
    inputs, outputs = _ints(data, operator, 1), _ints(data, operator, 2)
    if number >= len(codes) or not all(-1 <= place < len(tensors) for place in (*inputs, *outputs)):
        return "names tensors or a code that it does not have"
    code = codes[number]
    if -1 in inputs[:2] and code not in _OPTIONAL and code < _LATER:
        return "lacks an input that it needs"
    if constants.intersection(outputs):
        return "writes to a constant"
    if code not in _ARITHMETIC:
        return ""
    used = [tensors[place] for place in (*inputs, *outputs) if place >= 0]
    if not all(_has_scale(data, tensor) for tensor in used):
        return "computes with 8-bit numbers that have no scale"
    floats = [_number(data, tensors[place], 1, _U8) == 0 for place in (*inputs[:2], *outputs[:1])]
    if floats[:1] != floats[-1:] or (any(floats) and not floats[0]):  # float with weights in 8 bits is fine
        return "makes float of integers, or integers of float"
    return ""


def _has_scale(data: bytes, tensor: int) -> bool:
    """Or needs none."""
    if _number(data, tensor, 1, _U8) not in _8_BITS:
        return True
    place = _field(data, tensor, 4)
    quantisation = place + _U32.unpack_from(data, place)[0] if place else 0
    scales = _vector(data, quantisation, 2) if place else 0
    return bool(scales) and _U32.unpack_from(data, scales)[0] > 0 and 0 < _FLOAT.unpack_from(data, scales + 4)[0] < inf


def _code(data: bytes, table: int) -> int:
    """An operator's number: of two fields the larger (schema.fbs says why)."""
    return max(_number(data, table, 0, _U8), _number(data, table, 3, _I32))


def _field(data: bytes, table: int, number: int) -> int:
    """Where a field's value stands; 0 where it is left out."""
    vtable = table - _I32.unpack_from(data, table)[0]
    slot = 4 + 2 * number
    offset = _U16.unpack_from(data, vtable + slot)[0] if slot < _U16.unpack_from(data, vtable)[0] else 0
    return table + offset if offset else 0


def _number(data: bytes, table: int, number: int, kind: Struct) -> int:
    place = _field(data, table, number)
    return int(kind.unpack_from(data, place)[0]) if place else 0


def _vector(data: bytes, table: int, number: int) -> int:
    """Where a vector begins, with its count; 0 where it is left out."""
    place = _field(data, table, number)
    return place + int(_U32.unpack_from(data, place)[0]) if place else 0


def _count(data: bytes, table: int, number: int) -> int:
    place = _vector(data, table, number)
    return int(_U32.unpack_from(data, place)[0]) if place else 0


def _ints(data: bytes, table: int, number: int) -> tuple[int, ...]:
    place = _vector(data, table, number)
    return unpack_from(f"<{_U32.unpack_from(data, place)[0]}i", data, place + 4) if place else ()


def _tables(data: bytes, table: int, number: int) -> list[int]:
    place = _vector(data, table, number)
    places = range(place + 4, place + 4 + 4 * _count(data, table, number), 4)
    return [at + int(_U32.unpack_from(data, at)[0]) for at in places]
