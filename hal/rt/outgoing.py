"""What goes out to a board: requests that wait, calls that are out, and which of them is sent again."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from hal.rt.calls import Pending
from hal.rt.patience import Patience
from hal.rt.wire import MOST_WRITE, Wire
from pipelines.errors import DeviceError, DeviceTimeout

TRIES_ON_FAULT = 3


@dataclass(slots=True)
class Counters:
    """What happened on a link so far."""

    calls: int = 0
    retries: int = 0
    late: int = 0
    """Replies that nobody waited for any more."""
    corrupt: int = 0
    """Replies in a good frame that cannot be decoded."""
    faults: int = 0
    """Answers of the board that it could not take a request."""


class Outgoing:
    """A link's way to the board, all of it under the link's lock.

    While a call is out, only as many bytes are sent behind it as the board takes while it computes.

    Args:
        fail: told that the wire is gone, before the error is raised.
    """

    def __init__(
        self, wire: Wire, patience: Patience, counters: Counters, fail: Callable[[DeviceError], None], max_frame: int
    ) -> None:
        self._wire, self._patience, self._counters, self._fail = wire, patience, counters, fail
        self.max_frame = max_frame
        self.room = 0
        """Bytes that the board takes while it computes."""
        self.received = 0
        """Bytes that came back: a sign of life."""
        self.stalled = ""
        """Why the wire took nothing at the last try."""
        self.out: dict[int, Pending[Any]] = {}
        """Calls by sequence, in the order in which the board gets them."""
        self._queue: deque[tuple[bytes, Pending[Any] | None]] = deque()
        self._sent = 0  # bytes of requests
        self._free_at = -math.inf  # when the last byte sent has left, at the wire's pace

    def add(self, frames: Iterable[tuple[bytes, Pending[Any] | None]], *, first: bool = False) -> None:
        """Queue frames, each with its call; a oneway's has none. first: before all that waits."""
        if first:
            self._queue.extendleft(reversed(list(frames)))
        else:
            self._queue.extend(frames)

    def flush(self, now: float) -> None:
        """Send what may be sent now."""
        while self._queue:
            batch, calls = self._batch()
            if not batch:
                return
            self._write(batch[0] if len(batch) == 1 else b"".join(batch), now)
            for pending in calls:
                pending.tries, pending.heard = 1, self.received
                if pending is self._head():
                    self._start_head(now)
            if self.stalled:  # try again later: each try takes its time
                return

    def next_event(self) -> float:
        """When the next retry or deadline is due."""
        when = math.inf
        for pending in self.out.values():
            when = min(when, pending.due, pending.deadline)
        for queued in self._queued():
            when = min(when, queued.deadline)
        return when

    def serve(self, now: float, too_late: Callable[[Pending[Any]], DeviceError]) -> None:
        """Retries and deadlines that are due."""
        late = [pending for pending in self.out.values() if now >= pending.deadline]
        late += [queued for queued in self._queued() if now >= queued.deadline]
        for pending in late:
            pending.error = too_late(pending)
            self.finish(pending, now)
        if late or self.stalled:
            self.flush(now)
        head = self._head()
        if head is not None and now >= head.due:
            self._again(head, now)
            for pending in list(self.out.values())[1:]:
                if now >= pending.due and pending.tries:  # told by the board itself that it was not understood
                    self._again(pending, now)

    def finish(self, pending: Pending[Any], now: float) -> None:
        """It has its answer, or its error."""
        pending.done, pending.answered = True, now
        first = self._head()
        if self.out.pop(pending.sequence, None) is None:
            return
        if pending is first:
            self._start_head(now)
        elif first is not None and pending.end > first.last:
            self.hint(first, now)  # the board answers in order, so the earlier one was lost

    def hint(self, pending: Pending[Any], now: float) -> None:
        """Something says that this call was lost: send it again at once, but not for ever so."""
        if pending.hints < TRIES_ON_FAULT:
            pending.hints += 1
            pending.due = now

    def give_up(self, error: DeviceError) -> None:
        """The wire is gone: so are all calls."""
        for pending in [*self.out.values(), *self._queued()]:
            if not pending.done:
                pending.error, pending.done = error, True
        self.out.clear()
        self._queue.clear()

    def _head(self) -> Pending[Any] | None:
        """The call that the board works at."""
        return next(iter(self.out.values()), None)

    def _queued(self) -> Iterator[Pending[Any]]:
        return (queued for _, queued in self._queue if queued is not None)

    def _batch(self) -> tuple[list[bytes], list[Pending[Any]]]:
        """Frames to send in one write, and the calls among them."""
        batch: list[bytes] = []
        calls: list[Pending[Any]] = []
        size = 0
        while self._queue and size < MOST_WRITE:
            frame, pending = self._queue[0]
            if pending is not None and pending.done:
                self._queue.popleft()
                continue
            if not self._has_room(size + len(frame)) or (pending is not None and pending.alone and self.out):
                break
            self._queue.popleft()
            batch.append(frame)
            size += len(frame)
            if pending is not None:
                pending.end = pending.last = self._sent + size
                self.out[pending.sequence] = pending
                calls.append(pending)
        return batch, calls

    def _has_room(self, size: int) -> bool:
        head = self._head()
        return head is None or self._sent + size - head.end <= self.room

    def _start_head(self, now: float) -> None:
        """The board turns to the earliest call that is out: its time runs from now on."""
        head = self._head()
        if head is not None and head.tries == 1:
            head.started = max(now, self._free_at)
            head.due = head.started + self._patience.with_call(head, self.max_frame)

    def _again(self, pending: Pending[Any], now: float) -> None:
        self._counters.retries += 1
        pending.tries += 1
        # damaged bytes are a sign of life: wait no longer for the next answer than for this one
        pending.silent = pending.silent + 1 if pending.heard == self.received else 0
        pending.heard = self.received
        self._write(pending.frame, now)
        pending.last = self._sent
        pending.due = max(now, self._free_at) + self._patience.with_call(pending, self.max_frame)

    def _write(self, data: bytes, now: float) -> None:
        self._sent += len(data)
        self._free_at = max(now, self._free_at) + len(data) * self._wire.seconds_per_byte
        try:
            self._wire.write(data)
            self.stalled = ""
        except DeviceTimeout as error:  # a part is lost, as on any bad wire: retries go on until the deadline
            self.stalled = str(error)
        except DeviceError as error:
            self._fail(error)
            raise
