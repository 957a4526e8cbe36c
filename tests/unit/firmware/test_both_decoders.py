"""The host's decoder and the firmware's on the same bad streams: both find the same messages."""

from __future__ import annotations

import ctypes
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hal.rt.faulty import Faults, FaultyWire
from hal.rt.frames import LEAST_MESSAGE, Decoder, encode
from memory_board import MAX_FRAME, compile_core

FAULTS: dict[str, dict[str, Any]] = {
    "few": {"flip": 1e-4},
    "many": {"flip": 2e-3},
    "lost": {"drop": 3e-3},
    "doubled": {"duplicate": 3e-3},
    "inserted": {"insert": 3e-3},
    "bursts": {"burst": 2e-3, "burst_bytes": 40},
    "all": {"flip": 1e-3, "drop": 1e-3, "duplicate": 1e-3, "insert": 1e-3, "burst": 1e-3, "repeat": 0.1},
}


class Collected:
    """A good cable that keeps what was written."""

    seconds_per_byte = 0.0

    def __init__(self) -> None:
        self.data = b""

    def write(self, data: bytes) -> None:
        self.data += data

    def read(self, timeout_s: float) -> bytes:
        return b""

    def close(self) -> None: ...


class Firmwares:
    """firmware/core/eiq_frame.c, fed and silent as the host's."""

    def __init__(self, c: ctypes.CDLL) -> None:
        self._c, self._state = c, ctypes.create_string_buffer(MAX_FRAME + 64)
        c.eiq_decoder_init(self._state)

    def feed(self, data: bytes) -> list[bytes]:
        found = []
        while data:
            size = ctypes.c_size_t()
            place = self._c.eiq_decoder_space(self._state, ctypes.byref(size))
            part, data = data[: size.value], data[size.value :]
            ctypes.memmove(place, part, len(part))
            self._c.eiq_decoder_add(self._state, ctypes.c_size_t(len(part)))
            found += self._messages()
        return found

    def idle(self) -> list[bytes]:
        found = []
        while self._c.eiq_decoder_idle(self._state):
            found += self._messages()
        return found

    def _messages(self) -> list[bytes]:
        at, size, found = ctypes.c_void_p(), ctypes.c_size_t(), []
        while kind := self._c.eiq_decoder_next(self._state, ctypes.byref(at), ctypes.byref(size)):
            # 2: a header that claims too much, which the board answers; shorter than 8 bytes is no message
            if kind == 1 and size.value >= LEAST_MESSAGE:
                found.append(ctypes.string_at(at, size.value))
        return found


@pytest.fixture(scope="module")
def c(tmp_path_factory: pytest.TempPathFactory) -> ctypes.CDLL:
    library = ctypes.CDLL(str(compile_core(tmp_path_factory.mktemp("core") / "core.so", "-O1", "-shared", "-fPIC")))
    library.eiq_decoder_space.restype = ctypes.c_void_p
    return library


def stream(random: Random, faults: Faults, seed: int) -> bytes:
    """Frames of every size, headers that claim anything among them, behind a bad cable."""
    cable = Collected()
    wire = FaultyWire(cable, faults, seed)
    for _ in range(12):
        frame = encode(random.randbytes(random.choice((8, 9, 40, random.randint(8, MAX_FRAME), MAX_FRAME))))
        if random.random() < 0.2:
            claims = encode(bytes(random.choice((0, 7, 300, MAX_FRAME + 1, 65_535))))  # its header alone
            frame = claims[:6] + frame
        wire.write(frame)
    return cable.data


@pytest.mark.parametrize("name", FAULTS)
@given(seed=st.integers(0, 2**32))
@settings(max_examples=200)
def test_both_find_the_same_messages(name: str, seed: int, c: ctypes.CDLL) -> None:
    random = Random(seed)
    data = stream(random, Faults(**FAULTS[name]), seed)
    host, firmware, at = Decoder(MAX_FRAME), Firmwares(c), 0
    while at < len(data):
        size = random.choice((1, 6, 7, 64, 518, 2000))
        piece, at = data[at : at + size], at + size
        assert host.feed(piece) == firmware.feed(piece)
        if random.random() < 0.1:
            assert host.idle() == firmware.idle()
    assert host.idle() == firmware.idle()
    assert not host.partial


@given(data=st.binary(max_size=2000))
@settings(max_examples=500)
def test_noise_alone(data: bytes, c: ctypes.CDLL) -> None:
    host, firmware = Decoder(MAX_FRAME), Firmwares(c)
    assert host.feed(data) == firmware.feed(data)
    assert host.idle() == firmware.idle()
