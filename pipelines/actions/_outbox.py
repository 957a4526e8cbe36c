"""Results on their way over a network: bounded, in order, and every loss counted."""

from __future__ import annotations

import json
import random
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from pipelines.actions.jsonl import record
from pipelines.core import Dropped, Event, LinkBack, LinkLost, Result
from pipelines.errors import OutputError

PATIENCE_S = 30.0
"""In replay, a server that is there and takes nothing for so long is waited for no more."""
FIRST_S, MOST_S = 0.25, 30.0


@dataclass(frozen=True, slots=True)
class Message:
    """A result as it is sent: the JSON that the action jsonl writes, and what a topic is made of."""

    body: bytes
    label: str
    pipeline: str


def message(result: Result) -> Message:
    """A result, ready to go."""
    body = json.dumps(record(result), ensure_ascii=False, allow_nan=False).encode()
    return Message(body, result.label, result.pipeline)


class Outbox:
    """Between the run's thread, which puts, and the one that sends, which takes.

    Full, it loses the oldest that waits and counts it (Dropped). In replay, where nothing may be lost, the run waits
    instead, but not for a server that is away.

    Args:
        name: of the action, for what is told.
        limit: how many wait at most, beside those that are under way.
        wake: called after each put, for a sender that waits for its socket.
    """

    def __init__(self, name: str, limit: int, wake: Callable[[], None] = lambda: None) -> None:
        self.name, self._limit, self._wake = name, limit, wake
        self._emit: Callable[[Event], None] = lambda event: None
        self._live = True
        self._changed = threading.Condition()
        self._waiting: deque[Message] = deque()
        self._underway = 0
        self._delivered = 0
        self._lost_at: float | None = None
        self._reason = ""
        self._error: Exception | None = None
        self.failed = False
        self.closing, self.stopped = threading.Event(), threading.Event()

    def watch(self, emit: Callable[[Event], None], *, live: bool) -> None:
        """Whom to tell what is lost, and whether the sensor waits. Called once, before a run."""
        self._emit, self._live = emit, live

    # ---- the run's side ----

    def put(self, new: Message) -> None:
        """Queue one. Raises what the sender met that no waiting mends, once."""
        dropped = 0
        with self._changed:
            self._raise()
            if not self._live and len(self._waiting) >= self._limit:
                self._changed.wait_for(self._has_room_or_is_away, PATIENCE_S)
                self._raise()
            while len(self._waiting) >= self._limit:
                self._waiting.popleft()
                dropped += 1
            self._waiting.append(new)
            self._changed.notify_all()
        if dropped:
            self._emit(Dropped(self.name, dropped))
        self._wake()

    def drain(self, seconds: float) -> None:
        """Wait until all is delivered, but no longer; then nothing more is sent.

        Raises:
            OutputError: some are left; says how many, and why.
        """
        self.closing.set()
        with self._changed:
            self._changed.wait_for(lambda: not self._left or self.failed, seconds)
            left, failed = self._left, self.failed
            self._waiting.clear()
            self._underway = 0
            self.stopped.set()
            self._changed.notify_all()
            self._raise()
        self._wake()
        if left and not failed:
            self._emit(Dropped(self.name, left))
            why = f" ({self._reason})" if self._lost_at is not None else ""
            raise OutputError(
                f"{self.name}: {left} results were not delivered within {seconds:g} s of the run's end{why} and are "
                f"lost; {self._delivered} were; mend the connection, or lengthen {self.name}.close_ms"
            )

    # ---- the sender's side ----

    def take(self, *, wait: bool) -> Message | None:
        """The oldest that waits, which is under way from now on; None where there is none, or no more are sent."""
        with self._changed:
            if wait:
                self._changed.wait_for(lambda: self._waiting or self.stopped.is_set())
            if not self._waiting:
                return None
            self._underway += 1
            taken = self._waiting.popleft()
            self._changed.notify_all()
            return taken

    def delivered(self) -> None:
        """One that was under way has arrived."""
        with self._changed:
            self._underway = max(0, self._underway - 1)
            self._delivered += 1
            self._changed.notify_all()

    def drop(self, why: str, count: int = 1) -> None:
        """Some that were under way will never arrive: counted."""
        with self._changed:
            self._underway = max(0, self._underway - count)
            self._changed.notify_all()
        self._emit(Dropped(f"{self.name} ({why})", count))

    def away(self, reason: str) -> None:
        """The server does not answer: told once, until it is back."""
        with self._changed:
            first, self._reason = self._lost_at is None, reason
            if first:
                self._lost_at = time.monotonic()
            self._changed.notify_all()
        if first and not self.stopped.is_set():
            self._emit(LinkLost(f"{reason}; results wait, at most {self._limit}", to=self.name))

    def back(self) -> None:
        """The server answers."""
        with self._changed:
            since, self._lost_at = self._lost_at, None
        if since is not None:
            self._emit(LinkBack(time.monotonic() - since, to=self.name))

    def fail(self, error: Exception) -> None:
        """What no waiting mends: the next put, or drain, raises it."""
        with self._changed:
            self.failed, self._error = True, error
            self._changed.notify_all()

    def pause(self, seconds: float) -> None:
        """Wait before the next try; not long where the run is at its end."""
        if not self.closing.wait(seconds):
            return
        self.stopped.wait(min(seconds, FIRST_S))

    @property
    def arrived(self) -> int:
        """How many the server has taken in this run."""
        return self._delivered

    @property
    def _left(self) -> int:
        return len(self._waiting) + self._underway

    def _has_room_or_is_away(self) -> bool:
        return len(self._waiting) < self._limit or self._lost_at is not None or self.failed

    def _raise(self) -> None:
        error, self._error = self._error, None
        if error:
            raise error


def delays(first_s: float = FIRST_S, most_s: float = MOST_S) -> Iterator[float]:
    """Seconds between tries: doubled each time, and jittered, so that a fleet of boards does not come back at once."""
    delay = first_s
    while True:
        yield delay * random.uniform(0.5, 1.0)
        delay = min(2 * delay, most_s)
