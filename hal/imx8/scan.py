"""The binary records of an IIO buffer: what ``scan_elements`` says of them, and decoding.

Documentation/ABI/testing/sysfs-bus-iio (…_type): ``[be|le]:[s|u]bits/storagebits[Xrepeat][>>shift]``; an element stands
at a multiple of its own size, a timestamp comes last, and a record ends at a multiple of its largest
(drivers/iio/industrialio-buffer.c, iio_compute_scan_bytes).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from pipelines.core import Array

TYPE = re.compile(r"(be|le):([su])(\d+)/(\d+)(?:X(\d+))?(?:>>(\d+))?")


@dataclass(frozen=True, slots=True)
class Element:
    """One channel's place and form in a record.

    Args:
        name: such as ``accel_x`` or ``timestamp``.
        bits: that count.
        storage: bits that it takes.
        shift: to the right, before the bits are taken.
        repeat: how many of them follow each other.
    """

    name: str
    index: int
    big_endian: bool
    signed: bool
    bits: int
    storage: int
    repeat: int = 1
    shift: int = 0


def parse(name: str, index: int, text: str) -> Element:
    """An element from its ``_type``.

    Raises:
        ValueError: the text is none; says what is wrong with it.
    """
    match = TYPE.fullmatch(text)
    if match is None:
        raise ValueError(f'"{text}", expected such as le:s12/16>>4')
    end, sign, *numbers = match.groups()
    bits, storage, repeat, shift = (int(number) if number else empty for number, empty in zip(numbers, (0, 0, 1, 0),
                                                                                              strict=True))  # fmt: skip
    if storage not in (8, 16, 32, 64):
        raise ValueError(f'"{text}" with {storage} bits of storage, expected 8, 16, 32 or 64')
    if not 0 < bits <= storage or shift + bits > storage:
        raise ValueError(f'"{text}", whose {bits} bits shifted by {shift} do not fit into {storage}')
    if repeat not in (1, 2, 4, 8, 16, 32, 64):  # the kernel's ALIGN knows no other
        raise ValueError(f'"{text}", whose element stands {repeat} times, expected 1, 2, 4 or another power of two')
    return Element(name, index, end == "be", sign == "s", bits, storage, repeat, shift)


class Layout:
    """The record that the enabled elements make."""

    def __init__(self, elements: Iterable[Element]) -> None:
        self.elements = tuple(sorted(elements, key=lambda element: (element.name == "timestamp", element.index)))
        if not self.elements or len({e.index for e in self.elements}) < len(self.elements):
            raise ValueError("no element, or two of one index")
        offset, largest, places = 0, 1, []
        for element in self.elements:
            # the kernel aligns to the storage size times the repeats (iio_storage_bytes_for_si)
            size = element.storage // 8 * element.repeat
            offset = -(-offset // size) * size
            places.append(offset)
            offset += size
            largest = max(largest, size)
        self.size = -(-offset // largest) * largest
        self._dtype = np.dtype({
            "names": [element.name for element in self.elements],
            "formats": [
                (f"{'>' if e.big_endian else '<'}u{e.storage // 8}", (e.repeat,) if e.repeat > 1 else ())
                for e in self.elements
            ],
            "offsets": places,
            "itemsize": self.size,
        })  # fmt: skip

    def decode(self, data: bytes | bytearray | memoryview) -> dict[str, Array]:
        """Whole records to integers by name, int64 [records] (or [records, repeat]); unsigned 64 bits wrap around."""
        records = np.frombuffer(data, self._dtype)
        return {element.name: _value(records[element.name], element) for element in self.elements}


def _value(stored: Array, element: Element) -> Array:
    unused = np.uint64(64 - element.bits)
    # to the top of 64 bits and down again: the one shift drops what is above, the other one brings the sign
    raised = (stored.astype(np.uint64) >> np.uint64(element.shift)) << unused
    if element.signed:
        return raised.view(np.int64) >> unused.astype(np.int64)
    return (raised >> unused).view(np.int64)
