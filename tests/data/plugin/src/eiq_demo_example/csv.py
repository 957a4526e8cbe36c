"""Results as comma-separated values."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from pipelines.config import schema
from pipelines.core import Result, Target


class Csv:
    """Appends ``t,label`` lines to a file."""

    class Config(schema.Config, frozen=True, kw_only=True):
        """path: of the file."""

        path: schema.OutputPath

    background: ClassVar[bool] = True

    def __init__(self, config: Config, target: Target) -> None:
        self._path = Path(config.path)

    def start(self) -> None:
        """The file is opened for each line."""

    def handle(self, result: Result) -> None:
        """One line."""
        with self._path.open("a", encoding="utf-8") as file:
            file.write(f"{result.t:g},{result.label}\n")

    def close(self) -> None:
        """Nothing is open."""
