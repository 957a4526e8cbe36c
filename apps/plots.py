"""What every --plot needs: matplotlib, a file name that it can write, and a whole file or none."""

from __future__ import annotations

import io
from pathlib import Path
from types import ModuleType
from typing import Any

from apps.shipping import write_whole
from pipelines.errors import CapabilityError, OutputError
from pipelines.optional import require

SUFFIXES = (".png", ".pdf", ".svg")


def check_plot(path: Path) -> None:
    """Whether it can be drawn, before an hour's work.

    Raises:
        CapabilityError: it has an ending that cannot be drawn.
        MissingDependency: matplotlib is not installed.
        OutputError: its folder is not there.
    """
    if path.suffix.lower() not in SUFFIXES:
        raise CapabilityError(f"got --plot {path}, expected a file name that ends in {', '.join(SUFFIXES)}")
    if not path.absolute().parent.is_dir():
        raise OutputError(f"cannot write {path}: there is no folder {path.absolute().parent}; make it")
    matplotlib("figure")


def matplotlib(module: str) -> ModuleType:
    """A module of it. Raises MissingDependency."""
    return require(f"matplotlib.{module}", purpose="--plot", install="pip install 'eiq-demo[plot]'")


def figure(width: float, height: float) -> Any:
    """An empty figure, sizes in inches, by itself: pyplot would look for a display and keep what it has drawn."""
    return matplotlib("figure").Figure(figsize=(width, height), layout="constrained")


def save(drawn: Any, path: Path) -> None:
    """Write a figure. Raises OutputError."""
    picture = io.BytesIO()
    drawn.savefig(picture, format=path.suffix.lower()[1:], dpi=150, bbox_inches="tight")
    write_whole(path, picture.getvalue())
