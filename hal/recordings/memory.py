"""A recording that is an array already, such as one row of a data set."""

from __future__ import annotations

from collections.abc import Generator

from pipelines.core import Array, Signal


class Memory:
    """A Recording of one picture [height, width, 3], or of samples [samples] or [samples, channels] in one chunk.

    Args:
        data: as ``signal`` says; nobody writes to it again.
        signal: what it is.
    """

    def __init__(self, data: Array, signal: Signal) -> None:
        self._data, self.signal = data, signal

    def read(self) -> Generator[Array, None, None]:
        yield self._data
