"""The host's decoder behind the wire simulator: no message that was not sent, and none lost once the cable is good."""

from __future__ import annotations

import zlib
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hal.rt.faulty import Faults, FaultyWire
from hal.rt.frames import HEADER_BYTES, Decoder, encode

MAX = 512
FAULTS = [
    {"flip": 1e-3},
    {"drop": 3e-3},
    {"duplicate": 3e-3},
    {"insert": 3e-3},
    {"burst": 2e-3, "burst_bytes": 30},
    {"repeat": 0.3},
    {"flip": 1e-3, "drop": 1e-3, "duplicate": 1e-3, "insert": 1e-3, "burst": 1e-3, "repeat": 0.1},
    pytest.param({"baud": 1.5}, marks=pytest.mark.slow),
]


class Buffer:
    """The good cable: what was written waits to be read."""

    seconds_per_byte = 0.0

    def __init__(self) -> None:
        self.waiting = b""

    def read(self, timeout_s: float) -> bytes:
        data, self.waiting = self.waiting, b""
        return data

    def write(self, data: bytes) -> None:
        self.waiting += data

    def close(self) -> None: ...


def messages(random: Random, count: int) -> list[bytes]:
    return [random.randbytes(random.randint(8, MAX)) for _ in range(count)]


def is_subsequence(found: list[bytes], sent: list[bytes]) -> bool:
    rest = iter(sent)
    return all(message in rest for message in found)


@pytest.mark.parametrize("faults", FAULTS, ids=lambda faults: " ".join(faults) if len(faults) < 4 else "all")
@given(seed=st.integers(0, 2**32), pieces=st.integers(1, 700))
def test_only_what_was_sent_and_all_of_it_once_the_cable_is_good(
    faults: dict[str, Any], seed: int, pieces: int
) -> None:
    random, buffer = Random(seed), Buffer()
    wire, decoder = FaultyWire(buffer, Faults(**faults), seed), Decoder(MAX)
    early, late = messages(random, 20), messages(random, 5)

    def received(sent: list[bytes]) -> list[bytes]:
        for message in sent:
            wire.write(encode(message))
        data = wire.read(0)
        return [message for k in range(0, len(data), pieces) for message in decoder.feed(data[k : k + pieces])]

    found = received(early)
    found += decoder.idle()
    doubled = [message for message in early for _ in range(4)]  # a repeated write, read in a repeated chunk
    assert is_subsequence(found, doubled) or "repeat" in faults
    assert set(found) <= set(early)
    wire.faults = Faults()
    assert received(late) == late


@pytest.mark.slow
def test_a_crc_16_lets_through_what_a_crc_32_finds() -> None:
    """Noise in the bodies of 250,000 frames: one in 65,536 passes the CRC-16. This is why every tensor has a CRC-32."""
    random, decoder = Random(3), Decoder(MAX)
    payload = random.randbytes(60)
    frame = encode(payload + zlib.crc32(payload).to_bytes(4, "little"))
    passed = []
    for _ in range(250_000):
        noisy = frame[: HEADER_BYTES + 20] + random.randbytes(20) + frame[HEADER_BYTES + 40 :]
        passed += decoder.feed(noisy)
        decoder.idle()
    assert 1 <= len(passed) <= 12  # 3.8 expected
    assert all(zlib.crc32(message[:-4]) != int.from_bytes(message[-4:], "little") for message in passed)
