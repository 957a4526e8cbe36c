"""Where an action writes: found out before the run, without touching what is there."""

from __future__ import annotations

import os
from pathlib import Path

from pipelines.errors import OutputError


def check_folder(folder: Path, key: str) -> None:
    """Raises OutputError when files cannot be made in ``folder``; ``key`` is the config's key that names it."""
    if not folder.is_dir():
        what = "is a file" if folder.exists() else "does not exist"
        raise OutputError(f"the folder {folder} {what}, expected one to write to; make it or change {key}")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise OutputError(f"the folder {folder} cannot be written to; change its permissions or {key}")


def check_file(path: Path, key: str) -> None:
    """Raises OutputError when ``path`` cannot be written."""
    if path.is_dir():
        raise OutputError(f"{path} is a directory, expected the name of a file; add one")
    if path.exists():
        if not os.access(path, os.W_OK):
            raise OutputError(f"{path} cannot be written to; change its permissions or {key}")
    else:
        check_folder(path.parent, key)
