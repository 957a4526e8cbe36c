"""firmware/core/eiq_frame.c, eiq_crc.c and eiq_codec.c against the formulas in pure Python."""

from __future__ import annotations

import binascii
import ctypes
import math
import struct
import zlib
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from memory_board import MAX_FRAME, compile_core, crc16, frame, header

VECTOR = bytes.fromhex("9ac819003798 0002010101000000 ffffffff 02000000 6869 03000000 010203")
"""Service 1, method 2, sequence 1, invocation(int32 -1, "hi", binary 010203), by NXP's own library."""
FOUND_NONE, FOUND_MESSAGE, FOUND_TOO_LARGE = range(3)
MESSAGES = st.binary(max_size=MAX_FRAME)


@pytest.fixture(scope="module")
def c(tmp_path_factory: pytest.TempPathFactory) -> ctypes.CDLL:
    library = ctypes.CDLL(str(compile_core(tmp_path_factory.mktemp("core") / "core.so", "-O1", "-shared", "-fPIC")))
    library.eiq_decoder_space.restype = ctypes.c_void_p
    library.eiq_frame_finish.restype = ctypes.c_size_t
    library.eiq_crc32.restype = ctypes.c_uint32
    library.eiq_crc32_uint64.restype = ctypes.c_uint32
    library.eiq_crc16.restype = ctypes.c_uint16
    return library


class Decoder:
    """The decoder in C."""

    def __init__(self, c: ctypes.CDLL) -> None:
        self.c, self.state = c, ctypes.create_string_buffer(MAX_FRAME + 64)
        self.c.eiq_decoder_init(self.state)

    def feed(self, data: bytes) -> Iterator[bytes | None]:
        """Messages; None where a frame claims to be too large."""
        while data:
            size = ctypes.c_size_t()
            place = self.c.eiq_decoder_space(self.state, ctypes.byref(size))
            assert size.value > 0
            part, data = data[: size.value], data[size.value :]
            ctypes.memmove(place, part, len(part))
            self.c.eiq_decoder_add(self.state, ctypes.c_size_t(len(part)))
            yield from self.drain()

    def drain(self) -> Iterator[bytes | None]:
        at, size = ctypes.c_void_p(), ctypes.c_size_t()
        while (found := self.c.eiq_decoder_next(self.state, ctypes.byref(at), ctypes.byref(size))) != FOUND_NONE:
            yield ctypes.string_at(at, size.value) if found == FOUND_MESSAGE else None

    def silence(self) -> Iterator[bytes | None]:
        """The line is silent until nothing is left."""
        while self.c.eiq_decoder_idle(self.state):
            yield from self.drain()


def reference(stream: bytes, *, silence: bool = True) -> Iterator[bytes | None]:
    """All at once: a frame where one is, else one byte on."""
    at = 0
    while at + 6 <= len(stream):
        size, crc = struct.unpack_from("<HH", stream, at + 2)
        body = stream[at + 6 : at + 6 + size]
        right = stream[at : at + 6] == header(size, crc)
        if right and size > MAX_FRAME:
            yield None
        elif right and len(body) < size and not silence:
            return
        elif right and len(body) == size and crc16(body) == crc:
            yield body
            at += 5 + size
        at += 1


def split(stream: bytes, cuts: Sequence[int]) -> list[bytes]:
    places = sorted({0, len(stream), *(cut % (len(stream) + 1) for cut in cuts)})
    return [stream[a:b] for a, b in pairwise(places)]


def decoded(c: ctypes.CDLL, parts: Sequence[bytes], *, silence: bool = True) -> list[bytes | None]:
    decoder = Decoder(c)
    return [found for part in parts for found in decoder.feed(part)] + (list(decoder.silence()) if silence else [])


def test_known_vector(c: ctypes.CDLL) -> None:
    assert decoded(c, [VECTOR]) == [VECTOR[6:]]
    assert frame(VECTOR[6:]) == VECTOR
    memory = ctypes.create_string_buffer(MAX_FRAME)
    writer = (ctypes.c_void_p * 3)()
    c.eiq_writer_init(writer, memory, ctypes.c_size_t(MAX_FRAME))
    c.eiq_put_uint32(writer, 1 << 24 | 1 << 16 | 2 << 8)
    c.eiq_put_uint32(writer, 1)
    c.eiq_put_int32(writer, -1)
    c.eiq_put_string(writer, b"hi")
    data = ctypes.create_string_buffer(b"\1\2\3", 3)
    c.eiq_put_binary(writer, Bytes(ctypes.addressof(data), 3))
    size = (writer[0] or 0) - ctypes.addressof(memory)
    whole = ctypes.create_string_buffer(6 + size)
    ctypes.memmove(ctypes.addressof(whole) + 6, memory, size)
    assert c.eiq_frame_finish(whole, ctypes.c_size_t(size)) == len(VECTOR)
    assert whole.raw == VECTOR


class Bytes(ctypes.Structure):
    _fields_ = (("data", ctypes.c_void_p), ("size", ctypes.c_uint32))


@given(st.binary(max_size=600), st.integers(0, 2**16 - 1), st.integers(0, 2**32 - 1), st.integers(0, 2**64 - 1))
def test_checksums(c: ctypes.CDLL, data: bytes, start16: int, start32: int, number: int) -> None:
    size = ctypes.c_size_t(len(data))
    assert c.eiq_crc16(ctypes.c_uint16(start16), data, size) == binascii.crc_hqx(data, start16)
    assert c.eiq_crc32(ctypes.c_uint32(start32), data, size) == zlib.crc32(data, start32)
    wanted = zlib.crc32(struct.pack("<Q", number), start32)
    assert c.eiq_crc32_uint64(ctypes.c_uint32(start32), ctypes.c_uint64(number)) == wanted


@given(MESSAGES)
@example(b"")
def test_encoder(c: ctypes.CDLL, message: bytes) -> None:
    memory = ctypes.create_string_buffer(bytes(6) + message, 6 + len(message))
    assert c.eiq_frame_finish(memory, ctypes.c_size_t(len(message))) == 6 + len(message)
    assert memory.raw == frame(message)


@given(st.lists(MESSAGES, max_size=6), st.lists(st.integers(0, 10_000), max_size=12))
def test_frames_in_any_pieces(c: ctypes.CDLL, sent: list[bytes], cuts: list[int]) -> None:
    assert decoded(c, split(b"".join(map(frame, sent)), cuts), silence=False) == sent


PIECES = st.one_of(
    MESSAGES.map(frame),
    st.binary(max_size=40),
    st.tuples(st.integers(0, 65535), st.integers(0, 65535)).map(lambda claim: header(*claim)),
    st.tuples(MESSAGES.map(frame), st.integers(1, 500)).map(lambda cut: cut[0][: -cut[1]]),
)


@given(st.lists(PIECES, max_size=6), st.lists(st.integers(0, 10_000), max_size=12))
def test_any_stream_in_any_pieces_as_the_reference(c: ctypes.CDLL, pieces: list[bytes], cuts: list[int]) -> None:
    """Frames, noise, headers that claim anything, frames cut short."""
    stream = b"".join(pieces)
    parts = split(stream, cuts)
    assert decoded(c, parts) == list(reference(stream))
    assert decoded(c, parts, silence=False) == list(reference(stream, silence=False))


@given(st.binary(max_size=600), MESSAGES)
def test_a_frame_after_noise_is_found(c: ctypes.CDLL, noise: bytes, message: bytes) -> None:
    assume(not any(body is not None for body in reference(noise + bytes(6 + MAX_FRAME))))
    assert message in decoded(c, [noise, frame(message)])


@given(st.lists(st.binary(min_size=8, max_size=MAX_FRAME), min_size=1, max_size=3), st.data())
def test_flipped_bits_never_make_another_message(c: ctypes.CDLL, sent: list[bytes], data: st.DataObject) -> None:
    """A CRC-16 finds up to three wrong bits in a frame of this size."""
    stream = bytearray(b"".join(map(frame, sent)))
    for bit in data.draw(st.lists(st.integers(0, 8 * len(stream) - 1), min_size=1, max_size=3)):
        stream[bit // 8] ^= 1 << bit % 8
    found = [message for message in decoded(c, [bytes(stream)]) if message is not None]
    assert all(message in sent for message in found)


def test_the_largest_frame_and_one_byte_more(c: ctypes.CDLL) -> None:
    largest, larger = bytes(MAX_FRAME), bytes(MAX_FRAME + 1)
    assert decoded(c, [frame(largest)], silence=False) == [largest]
    assert decoded(c, [frame(larger)])[0] is None
    assert decoded(c, [header(65535, 0), frame(b"after")], silence=False) == [None, b"after"]


def test_a_header_that_waits_for_ever_hides_nothing(c: ctypes.CDLL) -> None:
    """Noise that claims 400 bytes: the frame behind it comes out once the line is silent."""
    decoder = Decoder(c)
    assert list(decoder.feed(header(400, 1) + frame(b"behind it"))) == []
    assert list(decoder.silence()) == [b"behind it"]
    assert list(decoder.feed(frame(b"next"))) == [b"next"]


class Reader(ctypes.Structure):
    _fields_ = (("at", ctypes.c_void_p), ("end", ctypes.c_void_p), ("failed", ctypes.c_int))


KINDS = {"bool": ("?", ctypes.c_uint8), "uint32": ("<I", ctypes.c_uint32), "int32": ("<i", ctypes.c_int32),
         "uint64": ("<Q", ctypes.c_uint64), "float": ("<f", ctypes.c_float)}  # fmt: skip
VALUES = st.one_of(
    st.tuples(st.just("bool"), st.booleans()),
    st.tuples(st.just("uint32"), st.integers(0, 2**32 - 1)),
    st.tuples(st.just("int32"), st.integers(-(2**31), 2**31 - 1)),
    st.tuples(st.just("uint64"), st.integers(0, 2**64 - 1)),
    st.tuples(st.just("float"), st.floats(width=32)),
    st.tuples(st.just("binary"), st.binary(max_size=20)),
)


def packed(kind: str, value: bool | int | float | bytes) -> bytes:
    if isinstance(value, bytes):
        return struct.pack("<I", len(value)) + value
    return struct.pack(KINDS[kind][0], value)


def get(c: ctypes.CDLL, reader: Reader, kind: str) -> bool | int | float | bytes:
    call = getattr(c, f"eiq_get_{kind}")
    call.restype = Bytes if kind == "binary" else KINDS[kind][1]
    value = call(ctypes.byref(reader))
    return ctypes.string_at(value.data, value.size) if isinstance(value, Bytes) else value


@given(st.lists(VALUES, max_size=6), st.integers(-3, 3))
def test_codec(c: ctypes.CDLL, values: list[tuple[str, bool | int | float | bytes]], off: int) -> None:
    """What Python's struct packs is read back; a byte less or more is noticed; what is written is the same bytes."""
    data = b"".join(packed(*value) for value in values)
    given_bytes = data[: len(data) + off] if off < 0 else data + bytes(off)
    memory = ctypes.create_string_buffer(given_bytes, max(1, len(given_bytes)))
    reader = Reader()
    c.eiq_reader_init(ctypes.byref(reader), memory, ctypes.c_size_t(len(given_bytes)))
    read = [get(c, reader, kind) for kind, _ in values]
    assert (reader.at or 0) <= (reader.end or 0)
    right = len(given_bytes) == len(data)
    assert bool(c.eiq_reader_done(ctypes.byref(reader))) == right
    if right:
        assert all(got == value or (isinstance(value, float) and math.isnan(value)) for got, (_, value) in
                   zip(read, values, strict=True))  # fmt: skip
    out = ctypes.create_string_buffer(len(data) + 1)
    writer = Reader()  # the same three members
    c.eiq_writer_init(ctypes.byref(writer), out, ctypes.c_size_t(max(0, len(data) + off)))
    for kind, value in values:
        put(c, writer, kind, value)
    assert bool(writer.failed) == (off < 0 and len(data) > 0)
    if not writer.failed:
        assert out.raw[:-1] == data


def put(c: ctypes.CDLL, writer: Reader, kind: str, value: bool | int | float | bytes) -> None:
    if isinstance(value, bytes):
        memory = ctypes.create_string_buffer(value, max(1, len(value)))
        c.eiq_put_binary(ctypes.byref(writer), Bytes(ctypes.addressof(memory), len(value)))
    else:
        getattr(c, f"eiq_put_{kind}")(ctypes.byref(writer), KINDS[kind][1](value))


def test_a_bool_is_0_or_1(c: ctypes.CDLL) -> None:
    reader = Reader()
    c.eiq_reader_init(ctypes.byref(reader), b"\2", ctypes.c_size_t(1))
    assert get(c, reader, "bool") == 0
    assert not c.eiq_reader_done(ctypes.byref(reader))


def test_clang_has_no_other_opinion(tmp_path: Path) -> None:
    compile_core(tmp_path / "core.so", "-O2", "-shared", "-fPIC", compiler="clang")
