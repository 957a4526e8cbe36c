"""Is this file a whole .tflite model? Asked before the interpreter, as an older one crashes where it should refuse.

The tables of TFLite's schema (tensorflow/lite/schema/schema.fbs) are walked, and every offset, vector and string that
they name must lie within the file. That finds files that are cut short, and most damage to the structure. It does not
find damage to the numbers (weights, shapes, options of an operator): the sha256 in a model's manifest does.
"""

from __future__ import annotations

from pathlib import Path
from struct import Struct, error

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
_U16, _I32, _U32 = Struct("<H"), Struct("<i"), Struct("<I")


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


def check(data: bytes, path: Path) -> None:
    """Every table, vector and string of the model lies within ``data``. Raises ModelError."""
    pending = [("Model", _U32.unpack_from(data)[0])]
    seen = set(pending)
    try:
        while pending:
            for found in _inside(data, *pending.pop()):
                if found not in seen:  # flatbuffers may share; a damaged one may even run in circles
                    seen.add(found)
                    pending.append(found)
    except (error, IndexError) as problem:
        raise ModelError(
            f"{path} is cut short or damaged: {len(data)} bytes, and its tables point to more; fetch it again"
        ) from problem


def _inside(data: bytes, table: str, at: int) -> list[tuple[str, int]]:
    """The tables that this one refers to. Raises struct.error or IndexError at what is not in the file."""
    found: list[tuple[str, int]] = []
    vtable = at - _I32.unpack_from(data, at)[0]
    if vtable < 0:
        raise IndexError(vtable)
    vtable_size, table_size = _U16.unpack_from(data, vtable)[0], _U16.unpack_from(data, vtable + 2)[0]
    _within(data, vtable, vtable_size)
    _within(data, at, table_size)
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
