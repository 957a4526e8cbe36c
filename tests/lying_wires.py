"""Wires that change what is said, not only how well it is heard."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from hal.rt.codec import Reader
from hal.rt.frames import LEAST_MESSAGE, Decoder, encode
from hal.rt.protocol import INFER, Status
from hal.rt.wire import Wire
from pipelines.errors import DeviceError

WRITE_INPUT = bytes([1, 4, 1, 1])
INFER_REPLY = bytes([2, 5, 1, 1])
CORRUPT = bytes([Status.CORRUPT, 0, 0, 0])
TENSOR_AT = 8 + 5 * 4  # behind session, model, check, offset, length


class UnseenErrors:
    """A Wire around a Wire with errors that a CRC-16 does not find: frames are opened, spoilt, and closed again.

    By chance one spoilt frame in 65,536 is such a one. Here there are enough of them to see what finds the rest.

    Attributes:
        chances: that a frame is spoilt on its way to the board, and back; may be changed at any time.
        spoilt: how many were, on their way to the board and back.
        in_tensors: of these, calls and replies that are as good as any, with other numbers in an input or output.
        refused: how often the board said that an input is not the one that its CRC-32 names.
    """

    def __init__(self, wire: Wire, seed: int, max_message: int = 4096) -> None:
        self.seconds_per_byte = wire.seconds_per_byte
        self.chances, self.spoilt, self.in_tensors, self.refused = (0.0, 0.0), [0, 0], [0, 0], 0
        self._wire = wire
        self._random = (Random(f"{seed} there"), Random(f"{seed} back"))
        self._decoders = (Decoder(max_message), Decoder(max_message))

    def read(self, timeout_s: float) -> bytes:
        return self._frames(self._wire.read(timeout_s), 1)

    def write(self, data: bytes) -> None:
        if frames := self._frames(data, 0):
            self._wire.write(frames)

    def close(self) -> None:
        self._wire.close()

    def _frames(self, data: bytes, way: int) -> bytes:
        return b"".join(encode(self._pass(message, way)) for message in self._decoders[way].feed(data))

    def _pass(self, message: bytes, way: int) -> bytes:
        random = self._random[way]
        self.refused += way == 1 and message[:4] == INFER_REPLY and message[-4:] == CORRUPT
        if random.random() >= self.chances[way]:
            return message
        self.spoilt[way] += 1
        changed = spoil(message, random)
        self.in_tensors[way] += changed != message and is_good(changed, message)
        return changed


def is_good(changed: bytes, message: bytes) -> bool:
    """The same call or reply, which nothing but its tensor's CRC-32 gives away."""
    if message[:4] == WRITE_INPUT:
        return changed[:TENSOR_AT] == message[:TENSOR_AT] and len(changed) == len(message)
    if changed[:8] != message[:8] or message[:4] != INFER_REPLY:
        return False
    try:
        (_, status) = INFER.decode(Reader(changed, 8))
    except DeviceError:
        return False
    return status == Status.OK


def spoil(message: bytes, random: Random) -> bytes:
    """Some bits inverted, some bytes replaced, or the end missing; every other time near the front."""
    changed = bytearray(message)
    at = random.randrange(min(len(changed), 40) if random.random() < 0.5 else len(changed))
    kind = random.randrange(4)
    if kind == 0:
        changed[at] ^= 1 << random.randrange(8)
    elif kind == 1:
        changed[at : at + 4] = random.randbytes(len(changed[at : at + 4]))
    elif kind == 2:
        for _ in range(4):
            changed[random.randrange(len(changed))] ^= 1 << random.randrange(8)
    else:
        del changed[max(at, LEAST_MESSAGE) :]
    return bytes(changed)


class ForeignReplies:
    """A Wire around a Wire that brings, before each reply, an earlier one: once as it was, once with the new sequence.

    The first is a late reply. The second is what a board would send that mixes its results up.
    """

    def __init__(self, wire: Wire, max_message: int = 4096) -> None:
        self.seconds_per_byte = wire.seconds_per_byte
        self.active, self.brought = False, 0
        self._wire, self._decoder = wire, Decoder(max_message)
        self._earlier: dict[int, bytes] = {}  # by the reply's first word: service and method

    def read(self, timeout_s: float) -> bytes:
        found = b""
        for message in self._decoder.feed(self._wire.read(timeout_s)):
            earlier = self._earlier.get(int.from_bytes(message[:4], "little"))
            if earlier and self.active:
                self.brought += 1
                found += encode(earlier) + encode(earlier[:4] + message[4:8] + earlier[8:])
            self._earlier[int.from_bytes(message[:4], "little")] = message
            found += encode(message)
        return found

    def write(self, data: bytes) -> None:
        self._wire.write(data)

    def close(self) -> None:
        self._wire.close()


class Escapes:
    """Counts, on a real cable, the messages that arrive with a good CRC-16 and were never sent.

    ``outer`` goes around the cable and ``inner`` into it.

    Attributes:
        found: to the board and back.
        frames: that came through, to the board and back.
    """

    def __init__(self, max_message: int = 512) -> None:
        self.found, self.frames = [0, 0], [0, 0]
        self._max_message = max_message

    def cable(self, wire: Wire, spoil: Callable[[Wire], Wire]) -> Wire:
        """``spoil`` makes the cable around a wire."""
        sent: list[dict[bytes, None]] = [{}, {}]
        return _End(self, spoil(_End(self, wire, sent, writes=1, max_message=self._max_message)), sent, writes=0,
                    max_message=self._max_message)  # fmt: skip


class _End:
    """One end of a cable. What is written at the outer one (writes=0) is sent; at the inner one it has arrived."""

    def __init__(
        self, told: Escapes, wire: Wire, sent: list[dict[bytes, None]], *, writes: int, max_message: int
    ) -> None:
        self.seconds_per_byte = wire.seconds_per_byte
        self._told, self._wire, self._sent, self._inner = told, wire, sent, bool(writes)
        self._decoders = (Decoder(max_message), Decoder(max_message))

    def write(self, data: bytes) -> None:
        self._see(data, 0, arrived=self._inner)
        self._wire.write(data)

    def read(self, timeout_s: float) -> bytes:
        data = self._wire.read(timeout_s)
        self._see(data, 1, arrived=not self._inner)
        return data

    def close(self) -> None:
        self._wire.close()

    def _see(self, data: bytes, way: int, *, arrived: bool) -> None:
        sent = self._sent[way]
        for message in self._decoders[way].feed(data):
            if arrived:
                self._told.frames[way] += 1
                self._told.found[way] += message not in sent
                continue
            sent[message] = None
            if len(sent) > 5000:
                del sent[next(iter(sent))]
