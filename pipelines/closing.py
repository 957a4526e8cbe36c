"""Parts that are closed together at the end of a block."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from types import TracebackType

from pipelines.errors import EiqError, together


class Closing:
    """A block at whose end parts are closed, last first, and no failure hides another.

    Raises at the end:
        EiqError: of the block itself and of every part that could not be closed; a bug in the block goes first, and
            an interrupt last.
    """

    def __init__(self) -> None:
        self._stack = ExitStack()
        self._failed: list[EiqError] = []

    def add(self, close: Callable[[], None]) -> None:
        """Call this at the end."""
        self._stack.callback(self._close, close)

    def __enter__(self) -> Closing:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()
        if not self._failed:
            return
        if isinstance(error, Exception) and not isinstance(error, EiqError | BrokenPipeError):
            for failure in self._failed:  # shown below the bug's traceback
                error.add_note(str(failure))
            return
        raise together([error, *self._failed] if isinstance(error, EiqError) else self._failed)

    def _close(self, close: Callable[[], None]) -> None:
        try:
            close()
        except EiqError as error:
            self._failed.append(error)
