from __future__ import annotations

import struct

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hal.recordings.jpeg import is_cut_short

NOISE = np.random.default_rng(0).integers(0, 256, (40, 40, 3), np.uint8)


def jpeg(*options: int) -> bytes:
    return cv2.imencode(".jpg", NOISE, options)[1].tobytes()


@pytest.mark.parametrize("options", [(), (cv2.IMWRITE_JPEG_PROGRESSIVE, 1)])
def test_whole_or_cut(options: tuple[int, ...]) -> None:
    data = jpeg(*options)
    assert not is_cut_short(data)
    assert not is_cut_short(data + bytes(100))  # a phone's video may follow
    assert is_cut_short(data[: len(data) * 3 // 4])
    assert is_cut_short(data[:-2])


def test_a_thumbnails_end_is_not_the_end() -> None:
    data, thumbnail = jpeg(), b"Exif\0\0" + jpeg()
    header = b"\xff\xff\xe1" + struct.pack(">H", len(thumbnail) + 2) + thumbnail  # a fill byte before it
    assert not is_cut_short(data[:2] + header + data[2:])
    assert is_cut_short(data[:2] + header + data[2 : len(data) // 2])


@given(st.binary(max_size=60))
def test_anything_is_answered(data: bytes) -> None:
    is_cut_short(b"\xff\xd8" + data)
    assert not is_cut_short(data) or data.startswith(b"\xff\xd8")
