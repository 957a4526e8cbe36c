"""eRPC's basic codec: numbers little-endian and packed, one value after the other.

bool: one byte; enum: int32; string and binary: uint32 length + bytes; list: uint32 count + its elements.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any

from pipelines.errors import DeviceCorrupt

Data = bytes | bytearray | memoryview

_FORMATS = {"u8": "B", "u16": "H", "u32": "I", "u64": "Q", "i8": "b", "i16": "h", "i32": "i", "i64": "q",
            "f32": "f", "f64": "d"}  # fmt: skip
_STRUCTS = {name: struct.Struct("<" + code) for name, code in _FORMATS.items()}


def _writes(name: str) -> Callable[[Writer, Any], None]:
    pack = _STRUCTS[name].pack

    def write(self: Writer, value: Any) -> None:
        self._data += pack(value)

    return write


def _reads(name: str) -> Callable[[Reader], Any]:
    size, unpack_from = _STRUCTS[name].size, _STRUCTS[name].unpack_from

    def read(self: Reader) -> Any:
        return unpack_from(self._data, self._skip(size))[0]

    return read


class Writer:
    """Values, one after the other."""

    __slots__ = ("_data",)

    def __init__(self) -> None:
        self._data = bytearray()

    u8, u16, u32, u64 = _writes("u8"), _writes("u16"), _writes("u32"), _writes("u64")
    i8, i16, i32, i64 = _writes("i8"), _writes("i16"), _writes("i32"), _writes("i64")
    f32, f64 = _writes("f32"), _writes("f64")

    def boolean(self, value: bool) -> None:
        self._data.append(1 if value else 0)

    def binary(self, value: Data) -> None:
        self.u32(len(value))
        self._data += value

    def string(self, value: str) -> None:
        self.binary(value.encode())

    def message(self) -> bytes:
        """All that was written."""
        return bytes(self._data)


class Reader:
    """Values out of ``data`` from ``at`` on, in their order.

    Raises, from every method:
        DeviceCorrupt: bytes are missing, or what is there cannot be such a value.
    """

    __slots__ = ("_at", "_data")

    def __init__(self, data: Data, at: int = 0) -> None:
        self._data = data
        self._at = at

    u8, u16, u32, u64 = _reads("u8"), _reads("u16"), _reads("u32"), _reads("u64")
    i8, i16, i32, i64 = _reads("i8"), _reads("i16"), _reads("i32"), _reads("i64")
    f32, f64 = _reads("f32"), _reads("f64")

    def boolean(self) -> bool:
        value = self.u8()
        if value > 1:
            raise DeviceCorrupt(f"got {value} for a yes or no, expected 0 or 1")
        return bool(value)

    def binary(self) -> bytes:
        size = self.u32()
        at = self._skip(size)
        return bytes(self._data[at : at + size])

    def string(self) -> str:
        try:
            return self.binary().decode()
        except UnicodeDecodeError:
            raise DeviceCorrupt("got a text that is not UTF-8") from None

    def fork(self) -> Reader:
        """Another one at the same place, to look ahead with."""
        return Reader(self._data, self._at)

    def end(self) -> None:
        """Raises DeviceCorrupt where bytes are left over."""
        if left := len(self._data) - self._at:
            raise DeviceCorrupt(f"got {left} bytes more than expected")

    def _skip(self, size: int) -> int:
        at = self._at
        if at + size > len(self._data):
            raise DeviceCorrupt(f"got {len(self._data) - at} bytes, expected {size} more")
        self._at = at + size
        return at
