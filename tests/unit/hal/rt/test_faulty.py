"""The wire simulator: does exactly what it says, by seed, and nothing else."""

from __future__ import annotations

import itertools
import random
import threading
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hal.rt.faulty import Faults, FaultyWire, misread
from pipelines.errors import DeviceLost


class Loop:
    """An echo in memory, with a clock that only moves while somebody waits."""

    seconds_per_byte = 0.0

    def __init__(self) -> None:
        self.now, self.written, self.waiting, self.closed = 0.0, bytearray(), bytearray(), False

    def clock(self) -> float:
        return self.now

    def read(self, timeout_s: float) -> bytes:
        if not self.waiting:
            self.now += timeout_s
        data = bytes(self.waiting)
        self.waiting.clear()
        return data

    def write(self, data: bytes) -> None:
        self.written += data
        self.waiting += data

    def close(self) -> None:
        self.closed = True


def through(data: bytes, seed: int = 0, cuts: tuple[int, ...] = (), **faults: Any) -> tuple[bytes, bytes]:
    """What reaches the far end, and what of its echo comes back."""
    loop = Loop()
    wire = FaultyWire(loop, Faults(**faults), seed, loop.clock)
    back, places = b"", (0, *sorted(cuts), len(data))
    for start, end in itertools.pairwise(places):
        wire.write(data[start:end])
        back += wire.read(0)
    for _ in range(3):
        back += wire.read(10)
    return bytes(loop.written), back


NOISE = random.Random(1).randbytes(100_000)


def test_a_good_cable_changes_nothing() -> None:
    assert through(NOISE) == (NOISE, NOISE)


def test_bits_flip_as_often_as_said_and_in_both_directions() -> None:
    there, back = through(NOISE, flip=1e-3)
    changed = [sum((a ^ b).bit_count() for a, b in zip(x, y, strict=True)) for x, y in ((NOISE, there), (there, back))]
    # 800,000 bits: 800 expected, standard deviation 28
    assert all(abs(count - 800) < 5 * 28 for count in changed)
    assert there != back


def test_bits_flip_independently() -> None:
    (there, _) = through(bytes(200_000), flip=0.01)
    spots = [8 * k + n for k, byte in enumerate(there) for n in range(8) if byte >> n & 1]
    gaps = [b - a for a, b in itertools.pairwise(spots)]
    # geometric: mean 100, P(gap > 100) = 0.99**100
    assert abs(sum(gaps) / len(gaps) - 100) < 5 * 100 / len(gaps) ** 0.5
    assert abs(sum(gap > 100 for gap in gaps) / len(gaps) - 0.99**100) < 5 * (0.24 / len(gaps)) ** 0.5
    assert {spot % 8 for spot in spots} == set(range(8))


@pytest.mark.parametrize("name", ["drop", "duplicate", "insert"])
def test_bytes_get_lost_and_come_in_addition(name: str) -> None:
    there, _ = through(NOISE, **{name: 1e-3})
    sign = -1 if name == "drop" else 1
    assert abs(sign * (len(there) - len(NOISE)) - 100) < 50
    kept = [there[k : k + 20] for k in range(0, len(there), 20)]
    assert sum(piece in NOISE for piece in kept) > 0.9 * len(kept)


def test_always_is_always() -> None:
    assert through(b"abc", drop=1)[0] == b""
    assert through(b"abc", duplicate=1)[0] == b"aabbcc"
    assert through(b"\x00\xff", flip=1)[0] == b"\xff\x00"
    assert through(b"abc", repeat=1)[0] == b"abcabc"
    assert through(b"abc", insert=1)[0][1::2] == b"abc"


def test_a_burst_makes_noise_of_its_length() -> None:
    there, _ = through(bytes(100_000), burst=1e-4, burst_bytes=50)
    runs = [k for k in range(len(there)) if there[k]]
    assert 5 * 50 * 0.8 < len(runs) < 20 * 50
    assert len(there) == 100_000


def test_a_burst_goes_on_in_the_next_write() -> None:
    loop = Loop()
    wire = FaultyWire(loop, Faults(burst=1e-9, burst_bytes=40), 0, loop.clock)
    wire._outward._burst_left = 40
    for _ in range(10):
        wire.write(bytes(10))
    assert any(loop.written[30:40])
    assert not any(loop.written[40:])


@given(
    st.integers(0, 2**32),
    st.lists(st.integers(0, 2000), max_size=20),
    st.sampled_from(["flip", "drop", "duplicate", "insert", "burst"]),
)
def test_errors_fall_where_they_fall_however_the_bytes_are_cut(seed: int, cuts: list[int], name: str) -> None:
    data = NOISE[:2000]
    whole, _ = through(data, seed, **{name: 0.02})
    assert through(data, seed, tuple(cuts), **{name: 0.02})[0] == whole


@given(st.integers(0, 2**32))
def test_the_same_seed_is_the_same_cable(seed: int) -> None:
    faults = {"flip": 1e-3, "drop": 1e-3, "duplicate": 1e-3, "insert": 1e-3, "burst": 1e-3, "repeat": 0.3}
    assert through(NOISE[:3000], seed, **faults) == through(NOISE[:3000], seed, **faults)


def test_another_seed_is_another_cable() -> None:
    assert len({through(NOISE[:3000], seed, flip=1e-3) for seed in range(20)}) == 20


def test_what_is_late_comes_late_and_in_order() -> None:
    loop = Loop()
    wire = FaultyWire(loop, Faults(delay_s=0.1, jitter_s=0.05), 0, loop.clock)
    wire.write(b"one ")
    wire.write(b"two")
    assert not loop.written
    back = wire.read(0.19)
    assert back == b""
    assert loop.written == b"one two"
    while len(back) < 7 and loop.now < 1:
        back += wire.read(1)
    assert back == b"one two"
    assert 0.2 <= loop.now <= 0.31


def test_a_stall_holds_back_what_is_behind_it() -> None:
    loop = Loop()
    wire = FaultyWire(loop, Faults(stall=0.3, stall_s=0.5), 3, loop.clock)
    loop.waiting += b"abcdefgh"
    pieces = [wire.read(0.5) for _ in range(12)]
    assert b"".join(pieces) == b"abcdefgh"
    assert sum(map(bool, pieces)) > 2


def test_in_a_cut_all_is_lost_and_behind_it_nothing() -> None:
    loop = Loop()
    wire = FaultyWire(loop, clock=loop.clock)
    wire.cut(0.5)
    wire.write(b"lost")
    loop.waiting += b"lost"
    assert wire.read(0.6) == b""
    wire.write(b"here")
    assert (loop.written, wire.read(0.1)) == (b"here", b"here")


def test_a_cut_by_chance_loses_what_is_behind_it_too() -> None:
    loop = Loop()
    wire = FaultyWire(loop, Faults(cut=0.01, cut_s=1), 0, loop.clock)
    wire.write(NOISE[:1000])
    sent = len(loop.written)
    assert 0 < sent < 1000
    assert loop.written == NOISE[:sent]
    loop.now = 0.9
    wire.write(b"dead")
    assert len(loop.written) == sent
    loop.now = 1.1
    wire.write(b"x")
    assert len(loop.written) == sent + 1


def test_a_pulled_cable_is_lost_for_good() -> None:
    wire = FaultyWire(Loop())
    wire.pull()
    with pytest.raises(DeviceLost):
        wire.read(0)
    with pytest.raises(DeviceLost):
        wire.write(b"x")


def test_faults_may_change_while_it_runs() -> None:
    loop = Loop()
    wire = FaultyWire(loop, Faults(drop=1), 0, loop.clock)
    wire.write(b"lost")
    wire.faults = Faults()
    wire.write(b"here")
    assert wire.read(0) == b"here"


def test_mending_lets_go_of_what_is_held_back() -> None:
    loop = Loop()
    wire = FaultyWire(loop, Faults(delay_s=100), 0, loop.clock)
    loop.waiting += b"in"
    assert wire.read(1) == b""
    wire.write(b"out")
    wire.faults = Faults()
    wire.write(b", and more")
    assert wire.read(0) == b"in"
    assert loop.written == b"out, and more"


def test_it_counts_what_it_does() -> None:
    loop = Loop()
    wire = FaultyWire(loop, Faults(flip=1e-2, drop=1e-2), 0, loop.clock)
    wire.write(NOISE[:10_000])
    assert wire.done["drop"] == 10_000 - len(loop.written)
    assert wire.done["written"] == len(loop.written)
    assert 500 < wire.done["flip"] < 1100


def test_two_writers_lose_nothing() -> None:
    loop = Loop()
    wire = FaultyWire(loop, Faults(delay_s=1e-4), 0)
    count = 2000

    def send(byte: bytes) -> None:
        for _ in range(count):
            wire.write(byte)

    threads = [threading.Thread(target=send, args=(byte,)) for byte in (b"a", b"b")]
    for thread in threads:
        thread.start()
    back, end = b"", time.monotonic() + 10
    while len(back) < 2 * count and time.monotonic() < end:
        back += wire.read(0.01)
    for thread in threads:
        thread.join()
    assert (back.count(b"a"), back.count(b"b")) == (count, count)


@pytest.mark.parametrize("wrong", [{"flip": 1.1}, {"drop": -1}, {"delay_s": float("nan")}, {"baud": 0}, {"cut_s": -1}])
def test_what_no_cable_does_is_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        Faults(**wrong)  # type: ignore[arg-type]


@given(st.binary(max_size=200), st.floats(0.96, 1.04))
def test_a_uart_reads_right_within_four_percent(data: bytes, ratio: float) -> None:
    # a receiver meets every start bit anew: at the stop bit's middle, 9.5 bits on, it may be half a bit off
    assert misread(data, ratio) == data


def test_known_misreadings() -> None:
    # the reader is twice as fast: each level is read twice
    assert misread(b"\x00", 2) == b"\x00"  # low for 18 of its bits: a start bit, 8 zeros, no stop bit; then at rest
    assert misread(b"\xff", 2) == b"\xfe"  # low for 1 bit: two of the reader's, a start bit and a zero
    # U, 0 1 0 1 0 1 0 1 0 1, is 00 11 00 11 00 11 00 11 00 11: 0 01100110 0, and from the edge behind it 0 01100111
    assert misread(b"U", 2) == bytes([0b01100110, 0b11100110])


@given(st.binary(min_size=1, max_size=100), st.sampled_from([0.25, 0.5, 2, 4, 12, 1 / 12]))
def test_any_rate_gives_bytes_and_not_more_than_the_line_has_room_for(data: bytes, ratio: float) -> None:
    assert len(misread(data, ratio)) <= len(data) * max(1, ratio) + 1
