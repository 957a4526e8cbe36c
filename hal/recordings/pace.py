"""How fast a recording plays: as it was recorded, or as fast as it is taken. Either stops at once."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Literal

PaceName = Literal["realtime", "fast"]


class Pace:
    """Waits until a frame's time has come.

    Args:
        realtime: False never waits.
        clock: monotonic time in s.
        wait: waits so many seconds, or less when told to close; a test passes its own.
    """

    def __init__(
        self,
        *,
        realtime: bool,
        clock: Callable[[], float] = time.monotonic,
        wait: Callable[[float], object] | None = None,
    ) -> None:
        self._realtime, self._clock = realtime, clock
        self._closed = threading.Event()
        self._wait = wait or self._closed.wait
        self._origin = clock()

    def start(self, t: float) -> None:
        """The stream time ``t`` in s is now."""
        self._origin = self._clock() - t

    def until(self, t: float) -> bool:
        """Wait for the stream time ``t``; a late one does not wait. False where closed: nothing is due any more."""
        while self._realtime and not self._closed.is_set():
            left = self._origin + t - self._clock()
            if left <= 0:
                break
            self._wait(left)
        return not self._closed.is_set()

    def close(self) -> None:
        """End every wait, now and later."""
        self._closed.set()
