"""Records of an IIO buffer, against an oracle of plain integers: one bit after the other, as the ABI words it."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hal.imx8.scan import Element, Layout, parse


@dataclass(frozen=True)
class Written:
    """An element and what a driver would put into a record for it."""

    name: str
    index: int
    big: bool
    signed: bool
    bits: int
    storage: int
    repeat: int
    shift: int

    def type(self, *, spare: bool) -> str:
        text = f"{'be' if self.big else 'le'}:{'s' if self.signed else 'u'}{self.bits}/{self.storage}"
        text += f"X{self.repeat}" if self.repeat > 1 or spare else ""
        return text + (f">>{self.shift}" if self.shift or spare else "")

    def bytes(self, values: list[int], noise: int) -> bytes:
        """The values in their bits, other bits as they fall."""
        out = b""
        for value in values:
            mask = ((1 << self.bits) - 1) << self.shift
            stored = (value << self.shift) & mask | noise % (1 << self.storage) & ~mask
            out += stored.to_bytes(self.storage // 8, "big" if self.big else "little")
        return out


@st.composite
def element(draw: st.DrawFn, index: int) -> Written:
    storage = draw(st.sampled_from([8, 16, 32, 64]))
    bits = draw(st.integers(1, storage))
    return Written(f"e{index}", index, draw(st.booleans()), draw(st.booleans()), bits, storage,
                   draw(st.sampled_from([1, 1, 1, 2, 4, 8])), draw(st.integers(0, storage - bits)))  # fmt: skip


def record(elements: list[Written], values: dict[str, list[int]], noise: int) -> bytes:
    """As iio_compute_scan_bytes of the kernel lays it out: ALIGN to each element's own length, then to the largest."""
    out, largest = b"", 0
    for each in sorted(elements, key=lambda e: (e.name == "timestamp", e.index)):
        length = each.storage // 8 * each.repeat
        out += b"\xa5" * (((len(out) + length - 1) & ~(length - 1)) - len(out))
        out += each.bytes(values[each.name], noise)
        largest = max(largest, length)
    return out + b"\xa5" * (((len(out) + largest - 1) & ~(largest - 1)) - len(out))


@given(st.data(), st.integers(1, 6), st.booleans(), st.integers(0, 2**64 - 1))
def test_what_is_written_is_read(data: st.DataObject, count: int, stamped: bool, noise: int) -> None:
    indices = data.draw(st.lists(st.integers(0, 20), min_size=count, max_size=count, unique=True))
    elements = [data.draw(element(index)) for index in indices]
    if stamped:  # the kernel puts it last, whatever its index
        elements.append(Written("timestamp", data.draw(st.integers(21, 30)), False, True, 64, 64, 1, 0))
    records = []
    for _ in range(data.draw(st.integers(0, 3))):
        records.append({
            e.name: data.draw(st.lists(
                st.integers(-(2 ** (e.bits - 1)), 2 ** (e.bits - 1) - 1) if e.signed else st.integers(0, 2**e.bits - 1),
                min_size=e.repeat, max_size=e.repeat))
            for e in elements
        })  # fmt: skip
    blob = b"".join(record(elements, values, noise) for values in records)
    layout = Layout([parse(e.name, e.index, e.type(spare=data.draw(st.booleans()))) for e in elements])
    assert layout.size == len(record(elements, {e.name: [0] * e.repeat for e in elements}, 0))
    decoded = layout.decode(blob)
    assert set(decoded) == {e.name for e in elements}
    for e in elements:
        got = decoded[e.name]
        assert got.dtype == np.int64
        assert got.shape == ((len(records), e.repeat) if e.repeat > 1 else (len(records),))
        # unsigned 64 bits wrap around, as said
        wanted = [[(value + 2**63) % 2**64 - 2**63 for value in values[e.name]] for values in records]
        assert got.reshape(len(records), e.repeat).tolist() == wanted


def test_a_timestamp_whose_index_is_not_the_last() -> None:
    layout = Layout([parse("timestamp", 0, "le:s64/64>>0"), parse("accel_x", 1, "le:s16/16>>0")])
    assert layout.size == 16
    decoded = layout.decode(b"\x2a\x00" + b"\xee" * 6 + (7).to_bytes(8, "little"))
    assert (decoded["accel_x"].tolist(), decoded["timestamp"].tolist()) == ([42], [7])


@pytest.mark.parametrize(
    ("text", "element"),
    [
        ("le:s12/16X2>>4", Element("x", 3, False, True, 12, 16, 2, 4)),
        ("be:u24/32", Element("x", 3, True, False, 24, 32, 1, 0)),
        ("le:s64/64>>0", Element("x", 3, False, True, 64, 64, 1, 0)),
        ("be:s8/8X1>>0", Element("x", 3, True, True, 8, 8, 1, 0)),
    ],
)
def test_types_of_real_drivers(text: str, element: Element) -> None:
    assert parse("x", 3, text) == element


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("s16/16", '"s16/16", expected such as le:s12/16>>4'),
        ("le:s16/16>>", '"le:s16/16>>", expected such as le:s12/16>>4'),
        ("le:s16/16>>-1", '"le:s16/16>>-1", expected such as le:s12/16>>4'),
        ("le:f32/32", '"le:f32/32", expected such as le:s12/16>>4'),
        ("le:s16/16\n", '"le:s16/16\n", expected such as le:s12/16>>4'),
        ("le:s12/24", '"le:s12/24" with 24 bits of storage, expected 8, 16, 32 or 64'),
        ("le:s0/16", '"le:s0/16", whose 0 bits shifted by 0 do not fit into 16'),
        ("le:s17/16", '"le:s17/16", whose 17 bits shifted by 0 do not fit into 16'),
        ("le:s12/16>>5", '"le:s12/16>>5", whose 12 bits shifted by 5 do not fit into 16'),
        ("le:s16/16X0", '"le:s16/16X0", whose element stands 0 times, expected 1, 2, 4 or another power of two'),
        ("le:s16/16X3", '"le:s16/16X3", whose element stands 3 times, expected 1, 2, 4 or another power of two'),
    ],
)
def test_what_is_no_type(text: str, says: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(says)}$"):
        parse("x", 0, text)


@given(st.from_regex(r"(le|be):[sfu]?\d{1,3}/\d{1,3}(X\d{1,3})?(>>\d{1,3})?", fullmatch=True) | st.text(max_size=20))
def test_any_text_is_a_type_that_fits_or_refused_with_its_words(text: str) -> None:
    try:
        made = parse("x", 0, text)
    except ValueError as error:
        said = str(error)
    else:
        said = ""
        assert 0 < made.bits <= made.bits + made.shift <= made.storage
        assert Layout([made]).size == made.storage // 8 * made.repeat
    assert said == "" or said.startswith(f'"{text}"')


def test_two_of_one_place() -> None:
    with pytest.raises(ValueError, match="^no element, or two of one index$"):
        Layout([parse("a", 1, "le:s8/8"), parse("b", 1, "le:s8/8")])
    with pytest.raises(ValueError, match="^no element, or two of one index$"):
        Layout([])
