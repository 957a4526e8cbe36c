"""How much sound a WAV file promises and holds. libsndfile reads what is there and does not tell of the rest."""

from __future__ import annotations

import struct
from pathlib import Path

UNKNOWN = 0x7FFFF000
"""Sizes from here on stand for "not known": what ffmpeg and sox write into a pipe."""


def missing_samples(path: Path) -> tuple[int, int] | None:
    """(samples there, samples promised) of a WAV whose data chunk is cut short; None where it is whole or not a WAV."""
    with path.open("rb") as file:
        head = file.read(12)
        if len(head) < 12 or head[8:] != b"WAVE" or head[:4] not in (b"RIFF", b"RIFX"):
            return None
        order = "<" if head[:4] == b"RIFF" else ">"
        bytes_per_sample = 1
        while len(chunk := file.read(8)) == 8:
            name, size = struct.unpack(f"{order}4sI", chunk)
            start = file.tell()
            if name == b"fmt " and len(body := file.read(14)) == 14:
                bytes_per_sample = struct.unpack(f"{order}12xH", body)[0] or 1
            elif name == b"data":
                there = path.stat().st_size - start
                whole = size >= UNKNOWN or there >= size
                return None if whole else (there // bytes_per_sample, size // bytes_per_sample)
            file.seek(start + size + size % 2)
    return None
