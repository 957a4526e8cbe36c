"""Calls over a wire: sequences, deadlines, retries.

No thread of its own: whoever waits for a reply reads for all. While a call is out, only as many bytes are sent behind
it as the board takes while it computes; the rest waits in a queue and goes out with the reply.
"""

from __future__ import annotations

import math
import random
import struct
import threading
import time
from collections import deque
from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar, cast

from hal.rt.codec import Reader
from hal.rt.frames import HEADER_BYTES, Decoder, encode
from hal.rt.protocol import FAULT, Method, Status
from hal.rt.wire import MOST_WRITE, Wire
from pipelines.errors import DeviceCorrupt, DeviceError, DeviceLost, DeviceMismatch, DeviceTimeout

T = TypeVar("T")

MAX_FRAME = 512
"""Bytes of a message. At a bit error rate of 1e-4 one in three such frames breaks; of 3,072 bytes, nine in ten."""
MESSAGE_HEADER = struct.Struct("<II")
INVOCATION, ONEWAY, REPLY = 0, 1, 2
VERSION = 1

FIRST_MARGIN_S = 0.05
"""How long a call that nothing is known of may take beyond the wire's own time before it is sent again."""
LEAST_MARGIN_S = 0.01
MOST_MARGIN_S = 0.4
"""So that a link which works again is noticed within half a second. A retry too many does no harm."""
IDLE_S = 0.1
"""A frame whose rest does not come for so long is dropped. USB adapters hold bytes back for up to 16 ms."""
SLICE_S = 0.1
"""The longest time in one read, because another thread may have sent something since."""
TRIES_ON_FAULT = 3
WATCHED_S = 0.001


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


@dataclass(slots=True, eq=False)
class Pending(Generic[T]):
    """A call that is out. ``wait`` as often as you like; ``Link`` makes these."""

    link: Link
    method: Method[T]
    sequence: int
    frame: bytes
    key: Hashable
    deadline_s: float
    deadline: float
    bad_before: int
    alone: bool
    started: float = math.inf
    """When the board turned to it, as far as is known here."""
    due: float = math.inf
    """When it is sent again."""
    answered: float = math.inf
    end: int = 0
    """Bytes of requests up to this one's last."""
    last: int = 0
    """The same, of its last retry."""
    tries: int = 0
    silent: int = 0
    """Tries since the last sign of life."""
    heard: int = 0
    hints: int = 0
    damaged: str = ""
    fault: str = ""
    done: bool = False
    result: T | None = None
    error: DeviceError | None = None

    def wait(self) -> T:
        """The reply's values. Raises DeviceError: DeviceTimeout, DeviceCorrupt, DeviceLost, DeviceMismatch."""
        return self.link.wait(self)


class Link:
    """A board at the end of a wire.

    Args:
        wire: which the link closes.
        max_frame: bytes of a message, both ways, until ``agree``.
        clock: monotonic time in s.
        first_sequence: of the first request; random where it is None, so that no reply to an earlier program fits.
    """

    def __init__(
        self,
        wire: Wire,
        max_frame: int = MAX_FRAME,
        clock: Callable[[], float] = time.monotonic,
        first_sequence: int | None = None,
    ) -> None:
        self.counters = Counters()
        self.max_frame = max_frame
        self.room = 0
        """Bytes that the board takes while it computes."""
        self._wire, self._clock = wire, clock
        self.seconds_per_byte = wire.seconds_per_byte
        self._decoder = Decoder(max_frame)
        self._sequence = random.getrandbits(32) if first_sequence is None else first_sequence
        self._state = threading.Condition(threading.Lock())
        self._queue: deque[tuple[bytes, Pending[Any] | None]] = deque()
        self._out: dict[int, Pending[Any]] = {}  # in the order in which the board gets them
        self._sent = 0  # bytes of requests
        self._received = 0
        self._wire_free = -math.inf  # when the last byte sent has left, at the wire's pace
        self._last_byte = -math.inf
        # time beyond the wire's own: mean and deviation, as TCP's (RFC 6298), and the last reply's bytes
        self._known: dict[Hashable, tuple[float, float, int]] = {}
        self._doubtful: tuple[int, Hashable, float, int] | None = None  # what a retried call took
        self._reading = False
        self._waiters = 0
        self._dead: DeviceError | None = None
        self._stalled = ""
        self._waited = False  # for the last bytes read: else they may have lain there for long

    def agree(self, max_frame: int, room: int) -> None:
        """What hello negotiated."""
        self.max_frame, self.room = max_frame, room
        self._decoder.max_message = max_frame

    def call(self, method: Method[T], arguments: bytes, deadline_s: float, key: Hashable = None) -> T:
        """One call; sent again, with the same sequence, until its reply is here: all calls are idempotent.

        Args:
            arguments: encoded by hal.rt.protocol.
            deadline_s: from now on. A wire that takes nothing more may add its own limit (FdWire's stall_s).
            key: calls of one key take about the same time; the method where it is None.

        Raises:
            DeviceTimeout: no answer within the deadline.
            DeviceCorrupt: what came within the deadline was damaged.
            DeviceMismatch: the board does not know this call.
            DeviceLost: the wire went away.
        """
        return self.begin(method, arguments, deadline_s, key=key).wait()

    def post(self, method: Method[None], arguments: bytes) -> None:
        """A oneway call. Raises DeviceLost."""
        self.post_all([self.frame_of(method, arguments)])

    def post_all(self, frames: Iterable[bytes]) -> None:
        """Frames of oneway calls, made by ``frame_of``. Raises DeviceLost."""
        with self._state:
            self._check()
            self._queue.extend((frame, None) for frame in frames)
            self._flush(self._clock())

    def frame_of(self, method: Method[Any], arguments: bytes, sequence: int = 0) -> bytes:
        """A request as it goes over the wire. A oneway's sequence means nothing."""
        if len(arguments) > self.max_frame - MESSAGE_HEADER.size:
            raise ValueError(f"{method.name} with {len(arguments)} bytes does not fit a message of {self.max_frame}")
        kind = ONEWAY if method.oneway else INVOCATION
        return encode(MESSAGE_HEADER.pack(_first_word(method.service, method.method, kind), sequence) + arguments)

    def begin(
        self,
        method: Method[T],
        arguments: bytes,
        deadline_s: float,
        key: Hashable = None,
        after: Iterable[bytes] = (),
        alone: bool = False,
        first: bool = False,
    ) -> Pending[T]:
        """Send a call, and wait for its reply later.

        Args:
            after: frames of oneway calls that go before it, and nothing between.
            alone: it waits until no call is out, for a board that keeps one result: a retry of an earlier call must not
                come behind it.
            first: it goes before all that waits.
        """
        with self._state:
            self._check()
            now = self._clock()
            sequence = self._next_sequence()
            frame = self.frame_of(method, arguments, sequence)
            key = method.name if key is None else key
            pending = Pending(
                self, method, sequence, frame, key, deadline_s, now + deadline_s, self._decoder.bad, alone
            )
            self.counters.calls += 1
            queued = [*((before, None) for before in after), (frame, pending)]
            if first:
                self._queue.extendleft(reversed(queued))
            else:
                self._queue.extend(queued)
            self._flush(now)
        return pending

    def wait(self, pending: Pending[T]) -> T:
        """What ``pending.wait`` does."""
        with self._state:
            while not pending.done:
                if not self._reading:
                    self._pump(pending)
                    continue
                self._waiters += 1
                self._state.wait(SLICE_S)
                self._waiters -= 1
                self._serve(self._clock())
        if pending.error is not None:
            raise pending.error
        return cast("T", pending.result)

    def expected_s(self, key: Hashable) -> float | None:
        """How long calls of this key took beyond the wire's own time; None where there was none."""
        known = self._known.get(key)
        return known[0] if known else None

    def close(self) -> None:
        """Calls that are out raise DeviceLost. May be called twice, from any thread."""
        with self._state:
            self._fail(DeviceLost("the link to the board was closed"))
            if not self._reading:  # else the reader closes it: its descriptor must not be another file's by then
                self._wire.close()

    # ---- all below with the lock held ----

    def _check(self) -> None:
        if self._dead is not None:
            raise self._dead

    def _next_sequence(self) -> int:
        self._sequence = (self._sequence + 1) & 0xFFFFFFFF or 1  # 0 is the board's word for "not known"
        return self._sequence

    def _pump(self, pending: Pending[Any]) -> None:
        """Read once, for everybody."""
        now = self._clock()
        self._serve(now)
        if pending.done:
            return
        data, failed = b"", None
        timeout = min(SLICE_S, self._next_event() - now)
        self._reading = True
        self._state.release()
        try:
            data = self._wire.read(max(0.0, timeout))
        except DeviceError as error:
            failed = error
        finally:
            self._state.acquire()
            self._reading = False
        if self._dead is not None:
            self._wire.close()
        elif failed is not None:
            self._fail(failed)
        else:
            end = self._clock()
            self._waited = end - now > WATCHED_S
            self._take(data, end)
        if self._waiters:
            self._state.notify_all()

    def _next_event(self) -> float:
        """When the next retry or deadline is due."""
        when = math.inf
        for pending in self._out.values():
            when = min(when, pending.due, pending.deadline)
        for _, queued in self._queue:
            if queued is not None:
                when = min(when, queued.deadline)
        return when

    def _take(self, data: bytes, now: float) -> None:
        if data:
            self._last_byte = now
            self._received += len(data)
            messages = self._decoder.feed(data)
        elif self._decoder.partial and now - self._last_byte > IDLE_S:
            messages = self._decoder.idle()
        else:
            return
        for message in messages:
            self._dispatch(message, now)
        if messages:
            self._flush(now)

    def _dispatch(self, message: bytes, now: float) -> None:
        word, sequence = MESSAGE_HEADER.unpack_from(message)
        if word >> 24 != VERSION or word & 0xFF != REPLY:
            self.counters.corrupt += 1  # or our own request, come back
            return
        if word == _first_word(FAULT.service, FAULT.method, REPLY):
            self._faulted(message, sequence, now)
            return
        pending = self._out.get(sequence)
        if pending is None:
            self._too_late_for(sequence)
            return
        if word != _first_word(pending.method.service, pending.method.method, REPLY):
            self._damaged(pending, "a reply to another call", now)
            return
        reader = Reader(message, MESSAGE_HEADER.size)
        try:
            pending.result = pending.method.decode(reader)
        except DeviceCorrupt as error:
            self._damaged(pending, str(error), now)
            return
        except DeviceError as error:  # the board speaks another version
            pending.error = error
        self._learn(pending, len(message) + HEADER_BYTES, now)
        self._finish(pending, now)

    def _damaged(self, pending: Pending[Any], what: str, now: float) -> None:
        self.counters.corrupt += 1
        pending.damaged = what
        self._hint(pending, now)

    def _faulted(self, message: bytes, sequence: int, now: float) -> None:
        self.counters.faults += 1
        reader = Reader(message, MESSAGE_HEADER.size)
        try:
            service, method, status = reader.u32(), reader.u32(), Status(reader.i32())
        except (DeviceCorrupt, ValueError):
            self.counters.corrupt += 1
            return
        if pending := self._out.get(sequence):
            pending.fault = f"{status.name} (service {service}, method {method})"
            pending.hints += 1
            if pending.hints < TRIES_ON_FAULT:  # noise may have changed the request
                pending.due = now
            else:
                pending.error = _refused(pending, status)
                self._finish(pending, now)
        elif sequence == 0 and self._out:  # noise, or a request that noise made larger
            head = next(iter(self._out.values()))
            head.fault = status.name
            self._hint(head, now)

    def _hint(self, pending: Pending[Any], now: float) -> None:
        """Something says that this call was lost: send it again at once, but not for ever so."""
        if pending.hints < TRIES_ON_FAULT:
            pending.hints += 1
            pending.due = now

    def _learn(self, pending: Pending[Any], size: int, now: float) -> None:
        took = max(0.0, now - pending.started - size * self.seconds_per_byte)
        if not (self._waited or took < LEAST_MARGIN_S):
            return  # one that nobody watched came earlier than it was read
        if pending.tries > 1:  # this may be the reply to either request: see whether another one comes
            self._doubtful = pending.sequence, pending.key, took, size
        else:
            self._keep(pending.key, took, size)

    def _keep(self, key: Hashable, took: float, size: int) -> None:
        mean, deviation, _ = self._known.get(key, (took, took / 2, 0))
        deviation += (abs(took - mean) - deviation) / 4
        self._known[key] = (mean + (took - mean) / 8, deviation, size)

    def _too_late_for(self, sequence: int) -> None:
        """A second reply shows that the first request was not lost, and that the retry was too early."""
        self.counters.late += 1
        if self._doubtful and self._doubtful[0] == sequence:
            self._keep(*self._doubtful[1:])
            self._doubtful = None

    def _finish(self, pending: Pending[Any], now: float) -> None:
        pending.done, pending.answered = True, now
        first = next(iter(self._out.values()), None)
        if self._out.pop(pending.sequence, None) is None:
            return
        if pending is first:
            self._start_head(now)
        elif first is not None and pending.end > first.last:
            self._hint(first, now)  # the board answers in order, so the earlier one was lost

    def _start_head(self, now: float) -> None:
        """The board turns to the earliest call that is out: its time runs from now on."""
        head = next(iter(self._out.values()), None)
        if head is not None and head.tries == 1:
            head.started = max(now, self._wire_free)
            head.due = head.started + self._patience(head)

    def _patience(self, pending: Pending[Any]) -> float:
        mean, deviation, size = self._known.get(pending.key, (FIRST_MARGIN_S, 0.0, self.max_frame))
        margin: float = max(LEAST_MARGIN_S, mean + 4 * deviation) * 2 ** min(pending.silent, 10)
        return min(margin, MOST_MARGIN_S) + size * self.seconds_per_byte

    def _flush(self, now: float) -> None:
        """Send what may be sent now."""
        while self._queue:
            batch: list[bytes] = []
            size = 0
            calls: list[Pending[Any]] = []
            while self._queue and size < MOST_WRITE:
                frame, pending = self._queue[0]
                if pending is not None and pending.done:
                    self._queue.popleft()
                    continue
                if not self._has_room(size + len(frame)) or (pending is not None and pending.alone and self._out):
                    break
                self._queue.popleft()
                batch.append(frame)
                size += len(frame)
                if pending is not None:
                    pending.end = pending.last = self._sent + size
                    self._out[pending.sequence] = pending
                    calls.append(pending)
            if not batch:
                return
            self._write(batch[0] if len(batch) == 1 else b"".join(batch), now)
            for pending in calls:
                pending.tries, pending.heard = 1, self._received
                if pending is next(iter(self._out.values()), None):
                    self._start_head(now)
            if self._stalled:  # try again later: each try takes its time
                return

    def _has_room(self, size: int) -> bool:
        head = next(iter(self._out.values()), None)
        return head is None or self._sent + size - head.end <= self.room

    def _write(self, data: bytes, now: float) -> None:
        self._sent += len(data)
        self._wire_free = max(now, self._wire_free) + len(data) * self.seconds_per_byte
        try:
            self._wire.write(data)
            self._stalled = ""
        except DeviceTimeout as error:  # a part is lost, as on any bad wire: retries go on until the deadline
            self._stalled = str(error)
        except DeviceError as error:
            self._fail(error)
            raise

    def _serve(self, now: float) -> None:
        """Retries and deadlines that are due."""
        late = [pending for pending in self._out.values() if now >= pending.deadline]
        late += [queued for _, queued in self._queue if queued is not None and now >= queued.deadline]
        for pending in late:
            pending.error = self._too_late(pending)
            self._finish(pending, now)
        if late or self._stalled:
            self._flush(now)
        head = next(iter(self._out.values()), None)
        if head is not None and now >= head.due:
            self._again(head, now)
            for pending in list(self._out.values())[1:]:
                if now >= pending.due and pending.tries:  # told by the board itself that it was not understood
                    self._again(pending, now)

    def _again(self, pending: Pending[Any], now: float) -> None:
        self.counters.retries += 1
        pending.tries += 1
        # damaged bytes are a sign of life: wait no longer for the next answer than for this one
        pending.silent = pending.silent + 1 if pending.heard == self._received else 0
        pending.heard = self._received
        self._write(pending.frame, now)
        pending.last = self._sent
        pending.due = max(now, self._wire_free) + self._patience(pending)

    def _too_late(self, pending: Pending[Any]) -> DeviceError:
        what = f"{pending.method.name} got no answer within {pending.deadline_s:.3g} s"
        if pending.damaged:
            return DeviceCorrupt(
                f"{pending.method.name} got only damaged answers within {pending.deadline_s:.3g} s "
                f"({pending.damaged}); check the cable"
            )
        if pending.fault:
            return DeviceCorrupt(f"{what}, and the board did not understand it ({pending.fault}); check the cable")
        if self._stalled:
            return DeviceTimeout(f"{what}: {self._stalled}")
        if not pending.tries:
            return DeviceTimeout(f"{what}, because an earlier call is still out; wait for that one")
        if self._received and not self._decoder.messages:
            return DeviceCorrupt(
                f"{what}, but {self._received} bytes that are no frames; check that both ends have the same baud rate"
            )
        if damaged := self._decoder.bad - pending.bad_before:
            return DeviceCorrupt(f"{what}, but {damaged} damaged bytes; check the cable")
        runs = "is on and runs this firmware" + (" at this baud rate" if self._wire.seconds_per_byte else "")
        return DeviceTimeout(f"{what} ({pending.tries} requests sent); check that the board {runs}, or reset it")

    def _fail(self, error: DeviceError) -> None:
        """The wire is gone: so are all calls."""
        if self._dead is None:
            self._dead = error
        for pending in [*self._out.values(), *(queued for _, queued in self._queue if queued is not None)]:
            if not pending.done:
                pending.error, pending.done = error, True
        self._out.clear()
        self._queue.clear()
        self._state.notify_all()


def _first_word(service: int, method: int, kind: int) -> int:
    return VERSION << 24 | service << 16 | method << 8 | kind


def _refused(pending: Pending[Any], status: Status) -> DeviceError:
    if status in (Status.UNKNOWN_SERVICE, Status.UNKNOWN_METHOD):
        return DeviceMismatch(
            f"the board does not know the call {pending.method.name} ({status.name}), expected firmware of this "
            "version; build and flash it again"
        )
    return DeviceError(f"the board refused the call {pending.method.name} ({pending.fault}), expected it to be taken; "
                       "build the firmware of this version, and flash it again")  # fmt: skip
