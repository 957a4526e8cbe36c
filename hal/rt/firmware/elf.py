"""Which sections of an ELF file a board holds, and where: enough for flash and RAM."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path

SHF_ALLOC, SHT_NOBITS, PT_LOAD = 2, 8, 1


@dataclass(frozen=True)
class Section:
    """An output section that takes memory on the board.

    Args:
        flash: its contents lie in flash.
        ram: it takes memory that can be written: data that is copied there, and what begins as zeros.
    """

    name: str
    size: int
    flash: bool
    ram: bool


def sections(path: Path) -> dict[str, Section]:
    """The sections of a little-endian 32-bit ELF file that take memory, by name.

    What has contents lies in flash; what has none, or lies elsewhere when it runs than where it is loaded, in RAM.
    """
    data = path.read_bytes()
    ph_at, sh_at = struct.unpack_from("<II", data, 28)
    _, ph_size, ph_count, sh_size, sh_count, names_index = struct.unpack_from("<6H", data, 40)
    segments = [struct.unpack_from("<8I", data, ph_at + i * ph_size) for i in range(ph_count)]
    moved = [(address, address + size) for kind, _, address, load, _, size, _, _ in segments
             if kind == PT_LOAD and address != load]  # fmt: skip
    headers = [struct.unpack_from("<10I", data, sh_at + i * sh_size) for i in range(sh_count)]
    names = headers[names_index][4]
    found = {}
    for name_at, kind, flags, address, _, size, *_ in headers:
        name = data[names + name_at : data.index(b"\0", names + name_at)].decode()
        if flags & SHF_ALLOC and size:
            empty = kind == SHT_NOBITS
            away = any(start <= address < end for start, end in moved)
            found[name] = Section(name, size, not empty, empty or away)
    return found
