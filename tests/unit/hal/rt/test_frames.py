"""eRPC's frames: against NXP's own framing, and through whatever a wire does to them."""

from __future__ import annotations

import struct
from binascii import crc_hqx
from random import Random

import pytest
from erpc.transport import FramedTransport
from hypothesis import given
from hypothesis import strategies as st

from hal.rt.frames import HEADER_BYTES, Decoder, encode

KNOWN = bytes.fromhex("9ac819003798 0002010101000000 ffffffff 02000000 6869 03000000 010203")
"""Service 1, method 2, sequence 1, invocation(int32 -1, "hi", binary 010203): from NXP's eRPC."""
MESSAGES = st.lists(st.binary(min_size=8, max_size=80), min_size=1, max_size=5)


class NxpTransport(FramedTransport):
    """NXP's framing over a buffer."""

    def __init__(self, data: bytes = b"") -> None:
        super().__init__()
        self.data = bytearray(data)

    def _base_send(self, data: bytes) -> None:
        self.data += data

    def _base_receive(self, count: int) -> bytes:
        taken, self.data = self.data[:count], self.data[count:]
        return bytes(taken)


def feed_all(decoder: Decoder, data: bytes, cuts: list[int]) -> list[bytes]:
    """In pieces of these lengths, the rest byte by byte."""
    found, at = [], 0
    for size in [*cuts, *([1] * len(data))]:
        found += decoder.feed(data[at : at + size])
        at += size
    return found


def test_the_known_vector() -> None:
    assert encode(KNOWN[HEADER_BYTES:]) == KNOWN
    assert Decoder(512).feed(KNOWN) == [KNOWN[HEADER_BYTES:]]


@given(st.binary(min_size=8, max_size=600))
def test_frames_are_those_of_nxps_transport(message: bytes) -> None:
    nxp = NxpTransport()
    nxp.send(bytearray(message))
    assert bytes(nxp.data) == encode(message)
    assert bytes(NxpTransport(encode(message)).receive()) == message


@given(MESSAGES, st.lists(st.integers(1, 60)))
def test_however_it_is_cut(messages: list[bytes], cuts: list[int]) -> None:
    decoder = Decoder(512)
    assert feed_all(decoder, b"".join(map(encode, messages)), cuts) == messages
    assert (decoder.messages, decoder.bad, decoder.partial) == (len(messages), 0, False)


@given(MESSAGES, st.lists(st.binary(max_size=40), min_size=6, max_size=6), st.lists(st.integers(1, 60)))
def test_garbage_between_frames_costs_none_of_them(
    messages: list[bytes], garbage: list[bytes], cuts: list[int]
) -> None:
    decoder = Decoder(512)
    data = b"".join(noise + encode(message) for noise, message in zip(garbage, messages, strict=False)) + garbage[-1]
    found = feed_all(decoder, data, cuts) + decoder.idle()
    # noise may look like a frame (that is what the CRC-32 above is for), but never eats one
    position = iter(found)
    assert all(message in position for message in messages)


@given(MESSAGES, st.data())
def test_a_flipped_bit_costs_no_other_frame(messages: list[bytes], data: st.DataObject) -> None:
    frames = list(map(encode, messages))
    hit = data.draw(st.integers(0, len(frames) - 1))
    changed = bytearray(frames[hit])
    bit = data.draw(st.integers(0, 8 * len(changed) - 1))
    changed[bit >> 3] ^= 1 << (bit & 7)
    frames[hit] = bytes(changed)
    decoder = Decoder(512)
    assert decoder.feed(b"".join(frames)) + decoder.idle() == messages[:hit] + messages[hit + 1 :]
    assert decoder.bad > 0


@given(MESSAGES, st.data())
def test_a_lost_byte_costs_no_frame_after_it(messages: list[bytes], data: st.DataObject) -> None:
    whole = b"".join(map(encode, messages))
    lost = data.draw(st.integers(0, len(whole) - 1))
    decoder = Decoder(512)
    found = decoder.feed(whole[:lost] + whole[lost + 1 :]) + decoder.idle()
    assert len(found) >= len(messages) - 1
    assert all(message in messages for message in found)


def test_a_size_that_nobody_agreed_on_is_refused() -> None:
    small, decoder = bytes(range(8)), Decoder(64)
    assert decoder.feed(encode(bytes(65)) + encode(small)) == [small]
    assert decoder.bad == 65 + HEADER_BYTES
    # 65,535 bytes with a header that is right: nothing is waited for
    assert Decoder(64).feed(encode(bytes(65535))[:HEADER_BYTES] + encode(small)) == [small]


def test_idle_drops_a_partial_frame_and_finds_what_hid_behind_it() -> None:
    decoder = Decoder(512)
    assert decoder.feed(encode(bytes(100))[:50]) == []
    assert decoder.partial
    assert decoder.idle() == []
    assert not decoder.partial
    good = encode(b"eight or more")
    assert decoder.feed(encode(bytes(300))[:HEADER_BYTES] + good) == []  # noise that claims what follows as its body
    assert decoder.idle() == [b"eight or more"]


def test_work_is_linear_in_garbage(monkeypatch: pytest.MonkeyPatch) -> None:
    # the worst: every six bytes a right header of the largest size, with a wrong body
    header = encode(bytes(512))[:HEADER_BYTES]
    noise = Random(1).randbytes(60_000)
    looked_at: list[int] = []

    def counted(data: bytes, start: int) -> int:
        looked_at.append(len(data))
        return crc_hqx(data, start)

    monkeypatch.setattr("hal.rt.frames.crc_hqx", counted)

    def work(data: bytes) -> int:
        looked_at.clear()
        decoder = Decoder(512)
        for at in range(0, len(data), 100):
            decoder.feed(data[at : at + 100])
        return sum(looked_at)

    for data in (noise, header * 10_000):
        assert work(data) < 5 * work(data[: len(data) // 4])  # 4 times where linear, 16 where quadratic


def test_no_message_is_shorter_than_its_header() -> None:
    tiny = struct.pack("<I", 1)
    assert Decoder(512).feed(encode(tiny) + KNOWN) == [KNOWN[HEADER_BYTES:]]


@pytest.mark.parametrize("size", [8, 512])
def test_the_limits_are_taken(size: int) -> None:
    assert Decoder(512).feed(encode(bytes(size))) == [bytes(size)]
