"""eRPC's basic codec, against NXP's own."""

from __future__ import annotations

import struct

import pytest
from erpc.basic_codec import BasicCodec
from hypothesis import given
from hypothesis import strategies as st

from hal.rt.codec import Reader, Writer
from pipelines.errors import DeviceCorrupt

RANGES = {"u8": (0, 8), "u16": (0, 16), "u32": (0, 32), "u64": (0, 64), "i8": (1, 8), "i16": (1, 16), "i32": (1, 32),
          "i64": (1, 64)}  # fmt: skip
NXP = {"u8": "uint8", "u16": "uint16", "u32": "uint32", "u64": "uint64", "i8": "int8", "i16": "int16", "i32": "int32",
       "i64": "int64", "f32": "float", "f64": "double", "boolean": "bool", "string": "string",
       "binary": "binary"}  # fmt: skip


def integers(name: str) -> st.SearchStrategy[tuple[str, object]]:
    signed, bits = RANGES[name]
    low = -(1 << bits - 1) if signed else 0
    return st.tuples(st.just(name), st.integers(low, low + (1 << bits) - 1))


VALUES = st.one_of(
    *(integers(name) for name in RANGES),
    st.tuples(st.just("f32"), st.floats(width=32, allow_nan=False)),
    st.tuples(st.just("f64"), st.floats(allow_nan=False)),
    st.tuples(st.just("boolean"), st.booleans()),
    st.tuples(st.just("string"), st.text(st.characters(codec="utf-8"))),
    st.tuples(st.just("binary"), st.binary()),
)


@given(st.lists(VALUES))
def test_it_writes_what_nxps_codec_writes_and_reads_it_back(values: list[tuple[str, object]]) -> None:
    ours, theirs = Writer(), BasicCodec()
    for name, value in values:
        getattr(ours, name)(value)
        getattr(theirs, f"write_{NXP[name]}")(value)
    assert ours.message() == bytes(theirs.buffer)
    reader = Reader(ours.message())
    assert [getattr(reader, name)() for name, _ in values] == [value for _, value in values]
    reader.end()


@given(st.lists(VALUES, min_size=1), st.data())
def test_what_is_cut_off_is_corrupt(values: list[tuple[str, object]], data: st.DataObject) -> None:
    writer = Writer()
    for name, value in values:
        getattr(writer, name)(value)
    message = writer.message()
    reader = Reader(message[: data.draw(st.integers(0, len(message) - 1))])
    with pytest.raises(DeviceCorrupt, match="expected .* more"):
        for name, _ in values:
            getattr(reader, name)()


@given(st.binary(max_size=40), st.lists(st.sampled_from([*NXP])))
def test_garbage_is_a_value_or_corrupt_and_nothing_else(data: bytes, names: list[str]) -> None:
    reader = Reader(data)
    try:
        for name in names:
            getattr(reader, name)()
        reader.end()
    except DeviceCorrupt:
        pass


def test_bytes_left_over_are_corrupt() -> None:
    reader = Reader(bytes(5))
    reader.u32()
    with pytest.raises(DeviceCorrupt, match="got 1 bytes more than expected"):
        reader.end()


def test_a_yes_or_no_is_nothing_else() -> None:
    with pytest.raises(DeviceCorrupt, match="got 2 for a yes or no"):
        Reader(b"\x02").boolean()


def test_text_is_utf8() -> None:
    with pytest.raises(DeviceCorrupt, match="not UTF-8"):
        Reader(struct.pack("<I", 1) + b"\xff").string()


def test_a_fork_leaves_its_origin_where_it_was() -> None:
    reader = Reader(struct.pack("<II", 7, 8))
    ahead = reader.fork()
    assert (ahead.u32(), ahead.u32()) == (7, 8)
    assert reader.u32() == 7
