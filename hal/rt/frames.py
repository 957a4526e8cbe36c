"""eRPC's frames (since 1.12): u16 crc_header, u16 size, u16 crc_body, message; little-endian.

CRC-16 with polynomial 0x1021, start 0xEF4A, not reflected; crc_header = CRC(size) + CRC(crc_body), each over its two
bytes, and of that sum 16 bits. Source: erpc_framed_transport.cpp and erpc/transport.py of NXP's eRPC.
"""

from __future__ import annotations

import struct
from binascii import crc_hqx

CRC_START = 0xEF4A
HEADER = struct.Struct("<HHH")
HEADER_BYTES = HEADER.size
LEAST_MESSAGE = 8
"""The message's own header and its sequence."""
MOST_MESSAGE = 0xFFFF

_PAIR = struct.Struct("<HH")


def encode(message: bytes | bytearray | memoryview) -> bytes:
    """The frame around one message of up to 65,535 bytes."""
    size = len(message)
    body = crc_hqx(message, CRC_START)
    return b"".join((HEADER.pack(_header_crc(_PAIR.pack(size, body)), size, body), message))


def _header_crc(size_and_body: bytes | bytearray | memoryview) -> int:
    return (crc_hqx(size_and_body[:2], CRC_START) + crc_hqx(size_and_body[2:], CRC_START)) & 0xFFFF


class Decoder:
    """Bytes to messages, without I/O.

    A header or body with a wrong CRC, or a size that nobody agreed on, costs one byte: the search goes on behind it.
    Each byte is looked at as a header once, so that a stream of garbage costs time linear in its length.

    Args:
        max_message: bytes of the largest message that is taken.
    """

    def __init__(self, max_message: int) -> None:
        self.max_message = max_message
        self.messages = 0
        """Good ones."""
        self.bad = 0
        """Bytes that were passed over, because no good frame began there."""
        self.bad_bodies = 0
        """Good headers whose body was damaged or did not come."""
        self._buffer = bytearray()

    @property
    def partial(self) -> bool:
        """A frame has begun and is not whole."""
        return bool(self._buffer)

    def feed(self, data: bytes | bytearray | memoryview) -> list[bytes]:
        """The messages that these bytes complete, in order."""
        self._buffer += data
        return self._messages(at_end=False)

    def idle(self) -> list[bytes]:
        """Nothing came for so long that the rest of a begun frame will not come: drop it.

        Returns what was behind its header: noise may have looked like one, with a good frame behind it.
        """
        found = self._messages(at_end=True)
        self.bad += len(self._buffer)
        self._buffer.clear()
        return found

    def _messages(self, *, at_end: bool) -> list[bytes]:
        buffer, found, at = self._buffer, [], 0
        have = len(buffer)
        with memoryview(buffer) as view:
            while have - at >= HEADER_BYTES:
                size = buffer[at + 2] | buffer[at + 3] << 8
                if not LEAST_MESSAGE <= size <= self.max_message:
                    at += 1
                    self.bad += 1
                    continue
                crc, _, body = HEADER.unpack_from(buffer, at)
                if crc != _header_crc(view[at + 2 : at + HEADER_BYTES]):
                    at += 1
                    self.bad += 1
                    continue
                start, end = at + HEADER_BYTES, at + HEADER_BYTES + size
                if end > have and not at_end:
                    break
                if end > have or crc_hqx(view[start:end], CRC_START) != body:
                    at += 1
                    self.bad += 1
                    self.bad_bodies += 1
                    continue
                found.append(bytes(view[start:end]))
                at = end
        self.messages += len(found)
        del buffer[:at]
        return found
