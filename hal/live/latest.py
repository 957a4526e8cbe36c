"""A slot for the newest of something, between two threads."""

from __future__ import annotations

import threading
from typing import Generic, TypeVar

T = TypeVar("T")


class Latest(Generic[T]):
    """One writer, one reader; an item that was not taken in time is replaced by the next."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._item: T | None = None
        self._error: BaseException | None = None
        self._closed = False

    @property
    def closed(self) -> bool:
        return self._closed

    def put(self, item: T) -> None:
        """Offer the newest item."""
        with self._changed:
            self._item = item
            self._changed.notify_all()

    def fail(self, error: BaseException) -> None:
        """Raise this at the reader, once it has taken what is there."""
        with self._changed:
            self._error = error
            self._changed.notify_all()

    def close(self) -> None:
        """End the reader's wait, now and later."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def get(self, timeout_s: float | None = None) -> T | None:
        """The newest item, as soon as there is one that was not taken; None once closed.

        Raises:
            TimeoutError: none came for so long.
            What the writer failed with.
        """
        with self._changed:
            if not self._changed.wait_for(
                lambda: self._closed or self._item is not None or self._error is not None, timeout_s
            ):
                raise TimeoutError
            if self._closed:
                return None
            if self._item is None and self._error is not None:
                raise self._error
            item, self._item = self._item, None
            return item
