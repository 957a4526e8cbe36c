"""The simulator's light: shown by whoever watches it, and asserted on by tests."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable

Watcher = Callable[["SimLed"], None]
HISTORY = 1000


class SimLed:
    """A Light that exists on the screen only.

    Args:
        name: such as ``led``.

    Attributes:
        history: what it was told, oldest first (True is on); the last 1000.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.history: deque[bool] = deque(maxlen=HISTORY)
        self._lit = False
        self._watchers: list[Watcher] = []
        self._lock = threading.Lock()

    def __str__(self) -> str:
        return f"{self.name} {'on' if self._lit else 'off'}"

    def on(self) -> None:
        self._set(True)

    def off(self) -> None:
        self._set(False)

    @property
    def is_lit(self) -> bool:
        return self._lit

    def watch(self, watcher: Watcher) -> Callable[[], None]:
        """Call ``watcher(led)`` now and at every change, in the thread that changes it; it must not block.

        Returns:
            A function that ends it.
        """
        with self._lock:
            self._watchers.append(watcher)
        watcher(self)
        return lambda: self._forget(watcher)

    def _forget(self, watcher: Watcher) -> None:
        with self._lock:
            if watcher in self._watchers:
                self._watchers.remove(watcher)

    def _set(self, lit: bool) -> None:
        with self._lock:
            changed = lit != self._lit
            self._lit = lit
            self.history.append(lit)
            watchers = tuple(self._watchers) if changed else ()
        for watcher in watchers:
            watcher(self)
