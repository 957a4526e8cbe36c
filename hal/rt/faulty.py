"""A bad cable: a wire around a wire that loses, changes, repeats and delays what goes through it, by seed.

To see what a board and its host make of it, ours or yours:

    board = Board(lambda: FaultyWire(serial_wire("/dev/ttyACM0", 115200), Faults(flip=1e-4, drop=1e-4)), print)
"""

from __future__ import annotations

import math
import threading
import time
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, fields
from random import Random
from typing import TYPE_CHECKING

from pipelines.errors import DeviceLost

if TYPE_CHECKING:
    from hal.rt.wire import Wire

_NEVER = 1 << 62
_POLL_S = 0.001
"""While writes may be held back, nobody sleeps for longer than this."""


@dataclass(frozen=True, slots=True)
class Faults:
    """What a cable does, in each direction on its own. Chances are between 0 (never) and 1 (always).

    Args:
        flip: chance that a bit is inverted; the bit error rate.
        drop: that a byte is lost.
        duplicate: that a byte comes twice.
        insert: that a random byte comes before a byte.
        burst: that a byte begins a burst, in which all bytes are random.
        burst_bytes: length of a burst.
        repeat: that what was written or read at once comes twice as a whole.
        cut: that at a byte the line goes dead in both directions: this byte and all that is sent meanwhile is lost.
        cut_s: for so long.
        stall: that a byte and all behind it wait.
        stall_s: for so long.
        delay_s: how much later all comes.
        jitter_s: up to so much later still, from read to read and write to write; the order remains.
        baud: the host's baud over the board's; either misreads the other where it is not about 1.
    """

    flip: float = 0
    drop: float = 0
    duplicate: float = 0
    insert: float = 0
    burst: float = 0
    burst_bytes: int = 16
    repeat: float = 0
    cut: float = 0
    cut_s: float = 0.2
    stall: float = 0
    stall_s: float = 0.05
    delay_s: float = 0
    jitter_s: float = 0
    baud: float = 1

    def __post_init__(self) -> None:
        chances = {"flip", "drop", "duplicate", "insert", "burst", "repeat", "cut", "stall"}
        for name in (field.name for field in fields(self)):
            value = getattr(self, name)
            if name in chances and not 0 <= value <= 1:
                raise ValueError(f"got {name}={value}, expected a chance between 0 and 1")
            if not (math.isfinite(value) and value >= 0) or (name == "baud" and value == 0):
                raise ValueError(f"got {name}={value}, expected a number that is not negative (a baud: above 0)")


class FaultyWire:
    """A Wire around a Wire, with faults that are the same each time for the same seed and the same bytes.

    Where an error falls does not depend on how the bytes are cut into writes and reads (but for ``repeat``, ``jitter``
    and ``baud``), and finding it costs nothing in the bytes between two errors.

    Args:
        wire: the good one.
        faults: may be changed at any time, which lets go of what is held back: ``wire.faults = Faults()`` mends it.
        seed: of all that is left to chance.
        clock: monotonic time in s.

    Attributes:
        done: how often each fault happened, by its name; ``read`` and ``written`` are the bytes that came through.
    """

    def __init__(
        self, wire: Wire, faults: Faults | None = None, seed: int = 0, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.done: Counter[str] = Counter()
        self.seconds_per_byte = wire.seconds_per_byte
        self._wire, self._clock = wire, clock
        self._random = Random(seed)
        self._arrived, self._leaving = _Line(), _Line()
        self._lock = threading.Lock()  # of what leaves: any thread may write
        self._sending = False
        self._dead_until = -math.inf
        self._pulled = False
        self.faults = faults or Faults()

    @property
    def faults(self) -> Faults:
        """What the cable does now."""
        return self._faults

    @faults.setter
    def faults(self, faults: Faults) -> None:
        with self._lock:
            self._faults = faults
            self._inward = _Lane(faults, faults.baud, self._random.getrandbits(64), self.done)
            self._outward = _Lane(faults, 1 / faults.baud, self._random.getrandbits(64), self.done)
            self._late = bool(faults.delay_s or faults.jitter_s or faults.stall)
            for line in (self._arrived, self._leaving):
                line.release()

    def read(self, timeout_s: float) -> bytes:
        """What came through, at most ``timeout_s`` later; empty where nothing did. Raises DeviceLost."""
        now = self._clock()
        end, polled = now + timeout_s, False
        while True:
            self._check()
            self._send(now)
            data = self._arrived.take(now)
            if data:
                self.done["read"] += len(data)
            if data or (polled and now >= end):
                return data
            nap = min(end, self._arrived.next_due, self._leaving.next_due) - now
            raw = self._wire.read(max(0.0, min(nap, _POLL_S) if self._late else nap))
            polled, now = True, self._clock()
            if raw:
                lane = self._inward
                self._arrived.put(self._spoil(lane, raw, now), lane, now, self._faults)

    def write(self, data: bytes) -> None:
        """Send, or what the cable leaves of it. Raises DeviceLost, DeviceTimeout."""
        self._check()
        with self._lock:
            now = self._clock()
            data = self._spoil(self._outward, data, now)
            held = self._late or self._sending or self._leaving.waits
            if held:
                self._leaving.put(data, self._outward, now, self._faults)
        if data and not held:
            self.done["written"] += len(data)
            self._wire.write(data)

    def cut(self, seconds: float) -> None:
        """The line goes dead for so long; both ends stay open."""
        self._dead_until = max(self._dead_until, self._clock() + seconds)
        self.done["cut"] += 1

    def pull(self) -> None:
        """The adapter is gone: every read and write of this wire raises DeviceLost from now on."""
        self._pulled = True

    def close(self) -> None:
        """Close the wire within."""
        self._wire.close()

    def _check(self) -> None:
        if self._pulled:
            raise DeviceLost("the cable was pulled (by the wire simulator); put it back")

    def _send(self, now: float) -> None:
        """Hand on what was held back and is due. Called by the reader alone, so that no piece overtakes another."""
        if not self._leaving.waits:
            return
        with self._lock:
            data = self._leaving.take(now)
            self._sending = bool(data)
        if data:
            self.done["written"] += len(data)
            try:
                self._wire.write(data)
            finally:
                self._sending = False

    def _spoil(self, lane: _Lane, data: bytes, now: float) -> bytes:
        if now < self._dead_until:
            self.done["lost in a cut"] += len(data)
            return b""
        data, cut = lane.spoil(data)
        if cut:
            self.cut(self._faults.cut_s)
        return data


class _Line:
    """Bytes under way, each piece with the time it is due; none overtakes another."""

    def __init__(self) -> None:
        self._pieces: deque[tuple[float, int, bytes]] = deque()  # due, number, data
        self._count = self._released = 0

    @property
    def waits(self) -> bool:
        return bool(self._pieces)

    @property
    def next_due(self) -> float:
        try:
            return self._due(self._pieces[0])
        except IndexError:
            return math.inf

    def _due(self, piece: tuple[float, int, bytes]) -> float:
        due, number, _ = piece
        return due if number > self._released else -math.inf

    def release(self) -> None:
        """All that was put until now is due."""
        self._released = self._count

    def put(self, data: bytes, lane: _Lane, now: float, faults: Faults) -> None:
        due = now + faults.delay_s + lane.jitter(faults.jitter_s)
        if self._pieces:
            due = max(due, self._due(self._pieces[-1]))
        start = 0
        for spot in lane.stalls(len(data)):
            self._append(due, data[start:spot])
            due, start = due + faults.stall_s, spot
        self._append(due, data[start:])

    def _append(self, due: float, data: bytes) -> None:
        if data:
            self._count += 1
            self._pieces.append((due, self._count, data))

    def take(self, now: float) -> bytes:
        pieces = []
        while self._pieces and self._due(self._pieces[0]) <= now:
            pieces.append(self._pieces.popleft()[2])
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)


class _Lane:
    """One direction: every fault draws from a stream of its own, so that none moves where another falls."""

    def __init__(self, faults: Faults, ratio: float, seed: int, done: Counter[str]) -> None:
        self._ratio, self._done = ratio, done
        random = Random(seed)
        self._burst_bytes, self._burst_left = faults.burst_bytes, 0
        names = ("flip", "drop", "duplicate", "insert", "burst", "repeat", "cut", "stall")
        self._spots = {name: _Spots(getattr(faults, name), random.getrandbits(64)) for name in names}
        self._inserts, self._noise, self._jitter = (Random(random.getrandbits(64)) for _ in range(3))
        stages = {"duplicate": self._duplicate, "drop": self._drop, "insert": self._insert, "burst": self._burst,
                  "flip": self._flip}  # fmt: skip
        self._stages = [stage for name, stage in stages.items() if getattr(faults, name)]

    def spoil(self, data: bytes) -> tuple[bytes, bool]:
        """What is left of it, and whether the line goes dead behind it."""
        cuts = self._find("cut", len(data))
        if cuts:
            data = data[: cuts[0]]
        if self._find("repeat", 1):
            data += data
        if self._ratio != 1:
            data = misread(data, self._ratio)
        for stage in self._stages:
            data = stage(data)
        return data, bool(cuts)

    def stalls(self, size: int) -> list[int]:
        return self._find("stall", size)

    def jitter(self, most: float) -> float:
        return self._jitter.uniform(0, most) if most else 0.0

    def _find(self, name: str, size: int) -> list[int]:
        spots = self._spots[name].within(size)
        if spots:
            self._done[name] += len(spots)
        return spots

    def _flip(self, data: bytes) -> bytes:
        spots = self._find("flip", 8 * len(data))
        if not spots:
            return data
        changed = bytearray(data)
        for spot in spots:
            changed[spot >> 3] ^= 1 << (spot & 7)
        return bytes(changed)

    def _drop(self, data: bytes) -> bytes:
        spots = self._find("drop", len(data))
        if not spots:
            return data
        changed = bytearray(data)
        for spot in reversed(spots):
            del changed[spot]
        return bytes(changed)

    def _duplicate(self, data: bytes) -> bytes:
        return _inserted(data, {spot: data[spot] for spot in self._find("duplicate", len(data))})

    def _insert(self, data: bytes) -> bytes:
        return _inserted(data, {spot: self._inserts.getrandbits(8) for spot in self._find("insert", len(data))})

    def _burst(self, data: bytes) -> bytes:
        spots = self._find("burst", len(data))
        if not spots and not self._burst_left:
            return data
        begins, left, changed = set(spots), self._burst_left, bytearray(data)
        for k in range(len(data)):
            if k in begins:
                left = self._burst_bytes
            if left:
                changed[k], left = self._noise.getrandbits(8), left - 1
        self._burst_left = left
        return bytes(changed)


def _inserted(data: bytes, more: dict[int, int]) -> bytes:
    """``data`` with a byte more before each of these places (in rising order)."""
    if not more:
        return data
    changed = bytearray(data)
    for place in reversed(more):
        changed.insert(place, more[place])
    return bytes(changed)


class _Spots:
    """Where something with a small chance happens in a long stream: from gap to gap (their lengths are geometric)."""

    def __init__(self, chance: float, seed: int) -> None:
        self._random = Random(seed)
        self._log = math.log1p(-chance) if chance < 1 else -math.inf
        self._left = self._gap() - 1 if chance else _NEVER

    def _gap(self) -> int:
        return min(1 + int(math.log(1 - self._random.random()) / self._log), _NEVER)

    def within(self, size: int) -> list[int]:
        """Those within the next ``size`` units of the stream, counted from here."""
        if self._left >= size:
            self._left -= size
            return []
        found = []
        while self._left < size:
            found.append(self._left)
            self._left += self._gap()
        self._left -= size
        return found


def misread(data: bytes, ratio: float) -> bytes:
    """What a UART reads from a line on which ``data`` is sent at another rate.

    The line is at rest before and after. A byte is a start bit (0), 8 bits from the lowest on, and a stop bit (1). The
    reader takes a falling edge for a start bit and samples in the middle of its own bits; a stop bit that is none is
    not looked at, as most drivers do.

    Args:
        ratio: the reader's baud over the sender's; within about 5 % of 1 nothing is misread.
    """
    line = [1]  # levels, one for each bit of the sender
    for byte in data:
        line += [0, *(byte >> k & 1 for k in range(8)), 1]

    def level(t: float) -> int:
        return line[int(t)] if t < len(line) else 1

    found, k = bytearray(), 1
    while k < len(line):
        if not (line[k - 1] and not line[k]):
            k += 1
            continue
        if level(k + 0.5 / ratio):  # gone before the middle of the start bit: no byte
            k += 1
            continue
        found.append(sum(level(k + (n + 1.5) / ratio) << n for n in range(8)))
        k = max(k + 1, math.ceil(k + 9.5 / ratio))
    return bytes(found)
