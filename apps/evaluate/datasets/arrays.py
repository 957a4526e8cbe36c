"""Files that hold many items as one array. A file is opened once for all of its items."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Mapping
from functools import lru_cache
from lzma import LZMAError
from pathlib import Path
from tokenize import TokenError

import numpy as np

from hal.recordings.files import existing_file
from pipelines.core import Array
from pipelines.errors import DataError

NAMES = ("images", "x")
EXPECTED = "an NPZ with images (or x) and labels (or y)"
UNREADABLE = (OSError, ValueError, EOFError, RuntimeError, MemoryError, TokenError, LZMAError,
              zipfile.BadZipFile, zlib.error)  # fmt: skip
"""What numpy raises at an NPZ that is damaged, encrypted, or says of itself that it is larger than memory."""

SIDE, PLANES = 32, 3
RECORD = 1 + PLANES * SIDE * SIDE
"""Bytes of one picture of CIFAR-10's binary version: its label, then red, green and blue planes."""


def row_of(path: Path, row: int) -> Array:
    """One item of an array file: a picture, or samples.

    Raises:
        DataError: the file cannot be read, or has changed since it was listed.
    """
    try:
        array = _opened(path, path.stat().st_mtime_ns)
    except OSError as error:
        raise DataError(f"cannot open {path} ({error.strerror}); check that it is still there") from error
    if row >= len(array):
        raise DataError(f"{path} holds {len(array)} items, expected more than {row}; it was changed")
    item: Array = array[row]
    return item


@lru_cache(maxsize=8)
def _opened(path: Path, changed: int) -> Array:  # ``changed`` keeps an older file's array from being used
    if path.suffix == ".bin":
        return records(path)[:, 1:].reshape(-1, PLANES, SIDE, SIDE).transpose(0, 2, 3, 1)
    return one_of(npz(path), NAMES, path)


def records(path: Path) -> Array:
    """CIFAR-10's binary version: uint8 [pictures, 3073], not read before it is looked at. Raises DataError."""
    existing_file(path, "a file of CIFAR-10's binary version")
    size = path.stat().st_size
    if size % RECORD:
        raise DataError(f"{path} has {size:,} bytes, expected pictures of {RECORD} bytes each; download it again")
    return np.memmap(path, np.uint8, "r").reshape(-1, RECORD)


def npz(path: Path, expected: str = EXPECTED) -> dict[str, Array]:
    """The arrays of an NPZ by name; pickled objects are refused. Raises DataError, which says what was ``expected``."""
    existing_file(path, expected)
    try:
        with path.open("rb") as file:  # numpy leaves a damaged one open
            archive = np.load(file, allow_pickle=False)
            if not isinstance(archive, np.lib.npyio.NpzFile):
                raise DataError(f"{path} holds one array alone, expected {expected}; save it with numpy.savez")
            with archive:
                return {name: np.asarray(archive[name]) for name in archive}
    except UNREADABLE as error:
        reason = str(error).partition("\n")[0]
        raise DataError(
            f"{path} cannot be read as NPZ ({reason}), expected {expected}; save or fetch it again"
        ) from error


def one_of(arrays: Mapping[str, Array], names: tuple[str, ...], path: Path) -> Array:
    """The array with one of these names. Raises DataError."""
    for name in names:
        if name in arrays:
            return arrays[name]
    raise DataError(f"{path} holds {', '.join(arrays) or 'nothing'}, expected {EXPECTED}; rename its arrays")
