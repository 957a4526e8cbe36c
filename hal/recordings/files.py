"""What every reader checks first."""

from __future__ import annotations

import stat
from pathlib import Path
from typing import Literal

from pipelines.errors import DataError


def kind_of(path: Path) -> Literal["file", "folder", "other", "nothing"]:
    """What is there; any text is answered (Path's own questions raise for a name that is too long)."""
    try:
        mode = path.stat().st_mode
    except (OSError, ValueError):
        return "nothing"  # opening it says why
    return "file" if stat.S_ISREG(mode) else "folder" if stat.S_ISDIR(mode) else "other"


def existing_file(path: Path, expected: str) -> Path:
    """``path``, if it is a file with something in it.

    Raises:
        DataError: it is missing, empty, a folder, or may not be read; says what was ``expected``.
    """
    kind = kind_of(path)
    if kind == "folder":
        raise DataError(f"{path} is a folder, expected {expected}; name one file in it")
    if kind == "other":
        raise DataError(f"{path} is a device or pipe, expected {expected}; name a file")
    try:
        with path.open("rb") as file:
            first = file.read(1)
    except OSError as error:
        raise DataError(f"cannot open {path} ({_reason(path, error)}), expected {expected}; check the path") from error
    except ValueError as error:  # a path with a zero byte in it
        raise DataError(f"cannot open {str(path)!r} ({error}), expected {expected}; check the path") from error
    if not first:
        raise DataError(f"{path} is empty, expected {expected}; record or copy it again")
    return path


def _reason(path: Path, error: OSError) -> str:
    if isinstance(error, FileNotFoundError):
        for folder in reversed(path.parents):
            if kind_of(folder) == "nothing":
                return f"there is no folder {folder}"
    return error.strerror or str(error)
