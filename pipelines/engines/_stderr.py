"""What C libraries write to the terminal: turned away meanwhile, and told to who asks."""

from __future__ import annotations

import os
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager

_ONE = threading.Lock()
_all_through = False


class Said:
    """What was written, once the block ended."""

    def __init__(self) -> None:
        self.data = b""

    @property
    def lines(self) -> list[str]:
        """Those that say something, without spaces around."""
        lines = (line.strip() for line in self.data.decode(errors="replace").splitlines())
        return [line for line in lines if line]


@contextmanager
def turned_away() -> Iterator[Said]:
    """Keep file descriptor 2 from the terminal within the block: also what the other threads write to it."""
    said = Said()
    if _all_through:
        yield said
        return
    with _ONE, tempfile.TemporaryFile() as file:
        sys.stderr.flush()
        terminal = os.dup(2)
        os.dup2(file.fileno(), 2)
        try:
            yield said
        finally:
            os.dup2(terminal, 2)
            os.close(terminal)
            file.seek(0)
            said.data = file.read()


def let_through() -> None:
    """Turn nothing away from now on: the last words of a process that may end at any time."""
    global _all_through
    _all_through = True


def hand_on(data: bytes) -> None:
    """Write to the terminal what was turned away from it."""
    if data:
        os.write(2, data)
