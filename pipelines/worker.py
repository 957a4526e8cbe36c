"""A bounded worker for an action that touches disk or network, so that a slow disk does not slow the run."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from contextlib import suppress

from pipelines.core import Action, Dropped, Event, Result
from pipelines.errors import OutputError

WAITING = 256
CLOSE_S = 5.0


class Worker:
    """Runs one action's handle() on a thread of its own.

    Live, a full queue loses the new result and counts it; in replay the run waits, so that nothing is lost.

    Raises from handle and close:
        whatever the action raised, once.
    """

    def __init__(self, name: str, action: Action, emit: Callable[[Event], None], *, live: bool) -> None:
        self.name, self.action, self.emit, self.live = name, action, emit, live
        self.queue: queue.Queue[Result | None] = queue.Queue(WAITING)
        self.failed = False
        self.error: BaseException | None = None
        self.thread = threading.Thread(target=self._work, name=f"action-{name}", daemon=True)
        self.thread.start()

    def handle(self, result: Result) -> None:
        """Queue one result."""
        self._raise()
        if not self.live:
            self.queue.put(result)
            return
        try:
            self.queue.put_nowait(result)
        except queue.Full:
            self.emit(Dropped(self.name, 1))

    def close(self) -> None:
        """Let the queue run empty; the action itself is closed by whoever built it."""
        with suppress(queue.Full):  # then it hangs, and is alive below
            self.queue.put(None, timeout=CLOSE_S)
            self.thread.join(CLOSE_S)
        if self.thread.is_alive():
            raise OutputError(f"{self.name} is still writing {self.queue.qsize()} results after {CLOSE_S:g} s; "
                              "its disk or network does not answer")  # fmt: skip
        self._raise()

    def _work(self) -> None:
        # after an error it goes on taking results without handling them, so that nobody waits on a full queue
        while (result := self.queue.get()) is not None:
            if not self.failed:
                try:
                    self.action.handle(result)
                except BaseException as error:  # noqa: BLE001 - raised again by the run's thread
                    self.failed, self.error = True, error

    def _raise(self) -> None:
        error, self.error = self.error, None
        if error:
            raise error
