"""Calls over a wire: sequences, deadlines, retries.

No thread of its own: whoever waits for a reply reads for all. While a call is out, only as many bytes are sent behind
it as the board takes while it computes; the rest waits in a queue and goes out with the reply.

In the order in which a call goes: hal.rt.calls, hal.rt.outgoing (with hal.rt.patience), here, hal.rt.verdicts.
"""

from __future__ import annotations

import math
import random
import threading
import time
from collections.abc import Callable, Hashable, Iterable
from typing import Any, TypeVar, cast

from hal.rt.calls import MESSAGE_HEADER, REPLY, VERSION, Pending, first_word, request
from hal.rt.codec import Reader
from hal.rt.frames import HEADER_BYTES, Decoder
from hal.rt.outgoing import TRIES_ON_FAULT, Counters, Outgoing
from hal.rt.patience import Patience
from hal.rt.protocol import FAULT, Method, Status
from hal.rt.verdicts import refused, too_late
from hal.rt.wire import Wire
from pipelines.errors import DeviceCorrupt, DeviceError, DeviceLost

T = TypeVar("T")

MAX_FRAME = 512
"""Bytes of a message. At a bit error rate of 1e-4 one in three such frames breaks; of 3,072 bytes, nine in ten."""
IDLE_S = 0.1
"""A frame whose rest does not come for so long is dropped. USB adapters hold bytes back for up to 16 ms."""
SLICE_S = 0.1
"""The longest time in one read, because another thread may have sent something since."""
WATCHED_S = 0.001


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
        self._wire, self._clock = wire, clock
        self.seconds_per_byte = wire.seconds_per_byte
        self._decoder = Decoder(max_frame)
        self._sequence = random.getrandbits(32) if first_sequence is None else first_sequence
        self._state = threading.Condition(threading.Lock())
        self._patience = Patience(wire.seconds_per_byte)
        self._outgoing = Outgoing(wire, self._patience, self.counters, self._fail, max_frame)
        self._last_byte = -math.inf
        self._reading = False
        self._waiters = 0
        self._dead: DeviceError | None = None
        self._waited = False  # for the last bytes read: else they may have lain there for long

    def agree(self, max_frame: int, room: int) -> None:
        """What hello negotiated: bytes of a message, and how many the board takes while it computes."""
        self.max_frame = self._outgoing.max_frame = max_frame
        self._outgoing.room = room
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
            self._outgoing.add((frame, None) for frame in frames)
            self._outgoing.flush(self._clock())

    def frame_of(self, method: Method[Any], arguments: bytes, sequence: int = 0) -> bytes:
        """A request as it goes over the wire. A oneway's sequence means nothing."""
        return request(method, arguments, sequence, self.max_frame)

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
                self.wait, method, sequence, frame, key, deadline_s, now + deadline_s, self._decoder.bad, alone
            )
            self.counters.calls += 1
            queued = [*((before, None) for before in after), (frame, pending)]
            self._outgoing.add(queued, first=first)
            self._outgoing.flush(now)
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
        return self._patience.expected_s(key)

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
        timeout = min(SLICE_S, self._outgoing.next_event() - now)
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

    def _take(self, data: bytes, now: float) -> None:
        if data:
            self._last_byte = now
            self._outgoing.received += len(data)
            messages = self._decoder.feed(data)
        elif self._decoder.partial and now - self._last_byte > IDLE_S:
            messages = self._decoder.idle()
        else:
            return
        for message in messages:
            self._dispatch(message, now)
        if messages:
            self._outgoing.flush(now)

    def _dispatch(self, message: bytes, now: float) -> None:
        word, sequence = MESSAGE_HEADER.unpack_from(message)
        if word >> 24 != VERSION or word & 0xFF != REPLY:
            self.counters.corrupt += 1  # or our own request, come back
            return
        if word == first_word(FAULT.service, FAULT.method, REPLY):
            self._faulted(message, sequence, now)
            return
        pending = self._outgoing.out.get(sequence)
        if pending is None:
            self.counters.late += 1
            self._patience.second_reply(sequence)
            return
        if word != first_word(pending.method.service, pending.method.method, REPLY):
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
        self._patience.learn(pending, len(message) + HEADER_BYTES, now, watched=self._waited)
        self._outgoing.finish(pending, now)

    def _damaged(self, pending: Pending[Any], what: str, now: float) -> None:
        self.counters.corrupt += 1
        pending.damaged = what
        self._outgoing.hint(pending, now)

    def _faulted(self, message: bytes, sequence: int, now: float) -> None:
        self.counters.faults += 1
        reader = Reader(message, MESSAGE_HEADER.size)
        try:
            service, method, status = reader.u32(), reader.u32(), Status(reader.i32())
        except (DeviceCorrupt, ValueError):
            self.counters.corrupt += 1
            return
        if pending := self._outgoing.out.get(sequence):
            pending.fault = f"{status.name} (service {service}, method {method})"
            pending.hints += 1
            if pending.hints < TRIES_ON_FAULT:  # noise may have changed the request
                pending.due = now
            else:
                pending.error = refused(pending, status)
                self._outgoing.finish(pending, now)
        elif sequence == 0 and self._outgoing.out:  # noise, or a request that noise made larger
            head = next(iter(self._outgoing.out.values()))
            head.fault = status.name
            self._outgoing.hint(head, now)

    def _serve(self, now: float) -> None:
        """Retries and deadlines that are due."""
        self._outgoing.serve(now, self._too_late)

    def _too_late(self, pending: Pending[Any]) -> DeviceError:
        out = self._outgoing
        return too_late(pending, self._decoder, out.received, out.stalled, baud=self._wire.seconds_per_byte > 0)

    def _fail(self, error: DeviceError) -> None:
        """The wire is gone: so are all calls."""
        if self._dead is None:
            self._dead = error
        self._outgoing.give_up(error)
        self._state.notify_all()
