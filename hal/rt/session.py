"""A host's session on a board: hello, and finding back after a lost link or a reset."""

from __future__ import annotations

import math
import secrets
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple, TypeVar

from hal.rt import protocol
from hal.rt.codec import Reader
from hal.rt.link import MAX_FRAME, Link
from hal.rt.protocol import HELLO, INTERFACE, PROTOCOL, READ_OUTPUT, BoardInfo, Method, Status
from hal.rt.wire import Wire
from pipelines.core import Event, LinkBack, LinkLost
from pipelines.errors import (
    CapabilityError,
    DeviceCorrupt,
    DeviceError,
    DeviceLost,
    DeviceMismatch,
    DeviceReset,
    DeviceTimeout,
)

T = TypeVar("T")

OPEN_S = 5.0
"""For the first hello: a board may still be starting."""
CALL_S = 2.0
GIVE_UP_S = 60.0
"""Long enough to look for the cable and put it back."""
PAUSES_S = (0.05, 0.4)
"""Between two tries to find back: the first one, doubled until the last."""
PROBE_S = (0.5, 2.0)
"""How long such a try may take: the first one, and the longest."""
MOST_ATTEMPTS = 5
"""Of one call, each over a link that was mended."""
LEAST_FRAME = 256
"""Every description fits in it; the firmware refuses less."""
NOWHERE = 0xFFFFFFFF
TRIES = 8


class Now(NamedTuple):
    """What a call needs, as it is at one moment."""

    link: Link
    number: int
    """Of the session; the board knows it until it is reset."""
    generation: int
    """Counts what was mended."""


class Session:
    """Keeps a link to a board alive.

    Args:
        connect: opens the wire; raises DeviceError while there is none.
        watch: gets LinkLost and LinkBack.
        renewed: called in each new session, but for the first one, before anybody else uses it; may refuse the board.
        give_up_s: how long to look for a board that was lost.
        clock: monotonic time in s.
        sleep: waits so many seconds; for tests.
    """

    def __init__(
        self,
        connect: Callable[[], Wire],
        watch: Callable[[Event], None],
        renewed: Callable[[Link], None],
        *,
        max_frame: int = MAX_FRAME,
        give_up_s: float = GIVE_UP_S,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], object] | None = None,
    ) -> None:
        self._connect, self._watch, self._renewed = connect, watch, renewed
        self._max_frame, self._give_up_s, self._clock = max_frame, give_up_s, clock
        self._closed = threading.Event()
        self._sleep = sleep or self._closed.wait
        self._mending = threading.Lock()
        self._given_up = False
        self._lost_at = 0.0
        self._now: Now | None = None
        self._found: Link | None = None  # while it is not known to be good
        self.info: BoardInfo | None = None

    @property
    def now(self) -> Now:
        """Link and session. Raises DeviceLost before ``open`` and after ``close``."""
        if self._now is None or self._closed.is_set():
            raise DeviceLost("the board is not connected; open it first")
        return self._now

    def open(self) -> BoardInfo:
        """Connect and say hello.

        Raises:
            DeviceError: there is no board, or it does not answer; nothing is tried again for longer than OPEN_S.
            DeviceMismatch: it speaks another version.
        """
        self._closed.clear()
        self._given_up = False
        link = Link(self._connect(), self._max_frame, self._clock)
        try:
            number = self._hello(link, OPEN_S)
        except BaseException:
            link.close()
            raise
        self._now = Now(link, number, 0)
        assert self.info is not None
        return self.info

    def run(self, attempt: Callable[[Link, int], T], *, again_after_reset: bool = True) -> T:
        """Call ``attempt(link, session number)``; where the link fails, mend it and call again.

        Args:
            again_after_reset: False where the board's reset took away what the call is about.

        Raises:
            DeviceReset: the board was reset, and the call makes no sense any more.
            DeviceError: as ``attempt`` does; DeviceLost after ``give_up_s`` without a board.
        """
        end, attempts = math.inf, 0
        while True:
            attempts += 1
            link, number, generation = self.now
            try:
                return attempt(link, number)
            except (DeviceLost, DeviceTimeout, DeviceCorrupt, DeviceReset) as error:
                # a board that answers hello, but never this call, ends here as well
                end = min(end, self._clock() + self._give_up_s)
                if self._closed.is_set() or self._clock() >= end or attempts == MOST_ATTEMPTS:
                    raise
                self.mend(generation, error)
                if not again_after_reset and self.now.number != number:
                    raise was_reset() from error

    def mend(self, generation: int, error: DeviceError) -> None:
        """Find back to the board, or to a new session on it, unless another thread has done so meanwhile.

        After it was given up, each later call looks for it once.
        """
        with self._mending:
            now = self.now
            if now.generation != generation:
                return
            limit_s = 0.0 if self._given_up else self._give_up_s
            if not self._given_up:
                self._lost_at = self._clock()
                self._watch(LinkLost(str(error).partition("; ")[0]))  # what to do is being done
            self._given_up = True
            link, number = self._find(now, limit_s, error)
            self._given_up = False
            self._now = Now(link, number, generation + 1)
            if self._closed.is_set():  # meanwhile
                link.close()
            self._watch(LinkBack(self._clock() - self._lost_at))

    def close(self) -> None:
        """Calls that are out raise DeviceLost. May be called twice."""
        self._closed.set()
        for link in (self._now and self._now.link, self._found):
            if link is not None:
                link.close()

    def _find(self, now: Now, limit_s: float, error: DeviceError) -> tuple[Link, int]:
        start, pause, probe_s = self._clock(), PAUSES_S[0], PROBE_S[0]
        is_reset = isinstance(error, DeviceReset)  # then the link is good
        self._found = link = now.link
        while True:
            try:
                if not is_reset:
                    link.close()
                    self._found = link = self._linked()
                number = now.number
                if is_reset or not self._knows_us(link, number, probe_s):
                    number = self._hello(link, probe_s)
                    self._renewed(link)
                return link, number
            except DeviceMismatch:
                link.close()
                raise
            except DeviceError as failure:
                is_reset = False
                if self._closed.is_set():
                    raise
                if self._clock() + pause - start >= limit_s:
                    link.close()
                    raise DeviceLost(
                        f"the board did not come back within {self._give_up_s:g} s ({failure}); connect it, and "
                        "start again"
                    ) from failure
            except BaseException:
                link.close()
                raise
            self._sleep(pause)
            pause, probe_s = min(2 * pause, PAUSES_S[1]), min(1.5 * probe_s, PROBE_S[1])

    def _linked(self) -> Link:
        """A new link, with what was negotiated before."""
        assert self.info is not None
        link = Link(self._connect(), self._max_frame, self._clock)
        link.agree(self.info.max_frame, self.info.rx_buffer)
        return link

    def _knows_us(self, link: Link, number: int, deadline_s: float) -> bool:
        """Whether the session is still there: a cable that was pulled ends no stream."""
        _, status = link.call(READ_OUTPUT, protocol.read_output(number, NOWHERE, 0, 0, 0), deadline_s)
        return status != Status.NO_SESSION

    def _hello(self, link: Link, deadline_s: float) -> int:
        """Begin a session: its number."""
        number = secrets.randbits(32) or 1
        arguments = protocol.hello(PROTOCOL, INTERFACE, number, self._max_frame)
        try:
            info, status = told_twice(link, _HELLO, arguments, deadline_s)
        except DeviceMismatch:  # of another version, or damaged
            info, status = told_twice(link, _HELLO, arguments, deadline_s)
        refuse(status, "hello")
        if not LEAST_FRAME <= info.max_frame <= self._max_frame or not info.tick_hz:
            raise DeviceMismatch(
                f"the board wants messages of {info.max_frame} bytes and counts {info.tick_hz} ticks per second, "
                f"expected {LEAST_FRAME} to {self._max_frame} bytes and a clock that runs; mend its firmware"
            )
        link.agree(info.max_frame, info.rx_buffer)
        self.info = info
        return number


def _decode_hello(reader: Reader) -> tuple[BoardInfo, Status]:
    ahead = reader.fork()  # all that another version keeps are the first two fields
    theirs = ahead.u32(), ahead.u32()
    if theirs != (PROTOCOL, INTERFACE):
        raise DeviceMismatch(
            f"the board speaks protocol {theirs[0]} with interface {theirs[1]:08x}, expected {PROTOCOL} with "
            f"{INTERFACE:08x}; build its firmware with this version (eiq-demo firmware build), and flash it"
        )
    return HELLO.decode(reader)


_HELLO = replace(HELLO, decode=_decode_hello)

_REFUSALS: dict[Status, str] = {
    Status.BAD_REQUEST: "an argument is out of its range",
    Status.TOO_LARGE: "it is larger than the board takes; build the firmware with a larger frame or model",
    Status.NO_SUCH_TENSOR: "its model has no such tensor",
    Status.INCOMPLETE: "parts of the input are missing",
    Status.CORRUPT: "the input arrived damaged",
    Status.MODEL_FAILED: "the model reported an error; compile it again",
    Status.NOT_READY: "there is nothing to read yet",
}
_LACKS: dict[Status, str] = {
    Status.NO_SUCH_MODEL: "model",
    Status.NO_SUCH_SENSOR: "sensor",
    Status.NO_SUCH_LED: "LED",
    Status.NO_FEATURES: "features for this model; build the firmware with the demo's own configuration",
}


def refuse(status: Status, what: str) -> None:
    """Nothing where a board's status is OK.

    Raises:
        DeviceReset: it does not know this session.
        DeviceMismatch: it speaks another version.
        CapabilityError: it has not what was asked for.
        DeviceError: anything else.
    """
    if status == Status.OK:
        return
    if status == Status.NO_SESSION:
        raise was_reset()
    if status == Status.VERSION:
        raise DeviceMismatch("the board speaks another version of this protocol; build and flash its firmware again")
    if lacking := _LACKS.get(status):
        raise CapabilityError(f"the board has no such {lacking} ({what})")
    if status == Status.SENSOR_FAILED:
        raise DeviceError(f"the board's sensor does not answer ({what}); check its cable, and reset the board")
    raise DeviceError(f"the board refused {what}: {_REFUSALS.get(status, status.name)}")


def told_twice(link: Link, method: Method[T], arguments: bytes, deadline_s: float) -> T:
    """The answer to a question whose answer has no CRC-32 and is always the same: the one that came twice in a row.

    Raises:
        DeviceCorrupt: no two were alike.
        DeviceError: as Link.call.
    """
    found = link.call(method, arguments, deadline_s)
    for _ in range(TRIES):
        again = link.call(method, arguments, deadline_s)
        if again == found:
            return again
        found = again
    raise DeviceCorrupt(f"{method.name} was answered {TRIES} times, each time otherwise; check the cable")


def was_reset() -> DeviceReset:
    """The error of a call whose session is gone."""
    return DeviceReset(
        "the board was reset, or another program uses it: what was started on it is gone; start it again"
    )
