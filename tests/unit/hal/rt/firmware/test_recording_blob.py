from __future__ import annotations

import struct

import numpy as np
import pytest

from hal.rt.firmware.recording import Recorded, blob
from pipelines.errors import DataError


def test_a_blob_is_laid_out_as_the_board_reads_it() -> None:
    motion = np.arange(6, dtype=np.float32).reshape(2, 3)
    sound = np.array([1, -2, 3], np.int16)
    data = blob([
        Recorded("motion", 200.0, ("ax_g", "ay_g", "az_g"), motion),
        Recorded("microphone", 16000.0, (), sound, 1 / 32768),
    ])  # fmt: skip
    assert data[:12] == b"EIQR" + struct.pack("<II", 1, 2)
    first, second = (struct.unpack_from("<IIIffII100s", data, 12 + 128 * i) for i in range(2))
    assert first[:7] == (0, 4, 3, 200.0, 1.0, 2, 268)
    assert first[7].rstrip(b"\0") == b"ax_g ay_g az_g"
    assert second[:7] == (1, 2, 1, 16000.0, 1 / 32768, 3, 292)
    assert second[7] == bytes(100)
    assert np.array_equal(np.frombuffer(data, "<f4", 6, 268).reshape(2, 3), motion)
    assert np.array_equal(np.frombuffer(data, "<i2", 3, 292), sound)
    assert len(data) == 300  # the last one is padded to four bytes as well


@pytest.mark.parametrize("order", [">i2", "<i2"])
def test_bytes_are_little_endian_on_every_machine(order: str) -> None:
    data = blob([Recorded("microphone", 8000.0, (), np.array([258], order))])
    assert data[140:142] == b"\x02\x01"


@pytest.mark.parametrize(("changes", "words"), [
    ({"data": np.zeros(3)}, "float64"),
    ({"data": np.zeros((2, 2, 2), np.int16)}, r"\[2, 2, 2\]"),
    ({"data": np.zeros(0, np.int16)}, r"\[0\]"),
    ({"channels": ("a", "b")}, "1 channels named 'a b'"),
    ({"channels": ("x" * 100,)}, "at most 99 bytes"),
    ({"rate_hz": 0.0}, "a rate"),
])  # fmt: skip
def test_what_no_blob_can_hold_is_refused(changes: dict[str, object], words: str) -> None:
    given = {"kind": "motion", "rate_hz": 100.0, "channels": ("a",), "data": np.zeros(4, np.int16)} | changes
    with pytest.raises(DataError, match=words):
        blob([Recorded(**given)])  # type: ignore[arg-type]
