"""What the actions have in common that send over a network."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import ClassVar

from pipelines.actions._outbox import Outbox, message
from pipelines.core import Event, Result

LAST_S = 0.2
"""For the last words. A thread that hangs in a call meanwhile ends with it, and nobody waits for that."""


class Delivery(ABC):
    """A queue, and a thread that empties it: the run itself never waits for the network.

    ``start``, of the action's own, checks what it needs and hands the thread's work to ``_begin``.

    Args:
        close_ms: how long the end waits for what is left.
    """

    background: ClassVar[bool] = False  # it has its own queue and thread

    def __init__(self, outbox: Outbox, close_ms: float) -> None:
        self._outbox, self._close_s = outbox, close_ms / 1000
        self._thread: threading.Thread | None = None

    def watch(self, emit: Callable[[Event], None], *, live: bool) -> None:
        """Whom to tell what is lost."""
        self._outbox.watch(emit, live=live)

    @abstractmethod
    def start(self) -> None:
        """Begin to send."""

    def handle(self, result: Result) -> None:
        """Queue one. Raises OutputError where the server refuses for good, once."""
        if self._thread is None:
            self.start()
        self._outbox.put(message(result))

    def close(self) -> None:
        """Deliver the rest. Raises OutputError where some is left. May be called twice."""
        thread, self._thread = self._thread, None
        if thread is None:
            return
        try:
            self._outbox.drain(self._close_s)
        finally:
            thread.join(LAST_S)

    def _begin(self, send: Callable[[], None]) -> None:
        self._thread = threading.Thread(target=send, name=self._outbox.name, daemon=True)
        self._thread.start()
