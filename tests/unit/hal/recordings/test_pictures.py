from __future__ import annotations

import struct
from pathlib import Path

import cv2
import numpy as np
import pytest

from hal.recordings.pictures import Pictures, find_pictures
from pipelines.errors import DataError

RED_GREEN = np.array([[[255, 0, 0], [0, 255, 0]]], np.uint8)
"""RGB: one row, red left of green."""


def write(path: Path, rgb: np.ndarray) -> Path:
    assert cv2.imwrite(str(path), cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR))
    return path


def seen(where: Path) -> list[np.ndarray]:
    return list(Pictures(where).read())


@pytest.mark.parametrize("ending", ["png", "bmp", "ppm", "tif", "webp"])
def test_one_picture_is_rgb_and_its_own(tmp_path: Path, ending: str) -> None:
    rgb = np.full((8, 6, 3), (200, 100, 50), np.uint8)
    (picture,) = seen(write(tmp_path / f"a.{ending}", rgb))
    assert picture.dtype == np.uint8
    assert picture.flags.owndata
    assert picture.shape == (8, 6, 3)
    assert np.abs(picture.astype(int) - rgb).max() <= (0 if ending != "webp" else 4)


def test_a_folder_in_the_order_of_names_without_what_is_no_picture(tmp_path: Path) -> None:
    for number in (2, 0, 1):
        write(tmp_path / f"{number}.png", np.full((2, 2, 3), number, np.uint8))
    (tmp_path / "SOURCES.md").write_text("where they are from")
    (tmp_path / ".hidden.png").write_bytes(b"a file manager's own")
    (tmp_path / "folder.png").mkdir()
    assert [int(picture[0, 0, 0]) for picture in seen(tmp_path)] == [0, 1, 2]


def test_a_glob(tmp_path: Path) -> None:
    for name in ("cat1.png", "cat2.PNG", "dog.png"):
        write(tmp_path / name, RED_GREEN)
    assert [path.name for path in find_pictures(tmp_path / "cat*")] == ["cat1.png", "cat2.PNG"]


def test_gray_becomes_three_channels(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "a.png"), np.full((2, 3), 77, np.uint8))
    (picture,) = seen(tmp_path / "a.png")
    assert picture.shape == (2, 3, 3)
    assert (picture == 77).all()


def test_transparency_is_left_out(tmp_path: Path) -> None:
    bgra = np.zeros((2, 2, 4), np.uint8)
    bgra[..., 2] = 200
    cv2.imwrite(str(tmp_path / "a.png"), bgra)
    (picture,) = seen(tmp_path / "a.png")
    assert (picture == (200, 0, 0)).all()


def test_16_bits_become_8(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "a.png"), np.full((2, 2, 3), 0x8000, np.uint16))
    assert (seen(tmp_path / "a.png")[0] == 0x80).all()


def test_a_camera_held_upright_is_turned(tmp_path: Path) -> None:
    jpeg = cv2.imencode(".jpg", np.zeros((8, 16, 3), np.uint8))[1].tobytes()
    orientation_6 = struct.pack("<2sHIHHHIHHI", b"II", 42, 8, 1, 0x0112, 3, 1, 6, 0, 0)
    exif = b"Exif\0\0" + orientation_6
    (tmp_path / "a.jpg").write_bytes(jpeg[:2] + b"\xff\xe1" + struct.pack(">H", len(exif) + 2) + exif + jpeg[2:])
    assert seen(tmp_path / "a.jpg")[0].shape == (16, 8, 3)


def test_an_interval_is_a_rate(tmp_path: Path) -> None:
    write(tmp_path / "a.png", RED_GREEN)
    assert Pictures(tmp_path, interval_ms=250).signal.rate_hz == 4.0
    assert Pictures(tmp_path).signal.rate_hz is None


def test_a_folder_without_pictures(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("none")
    for where in (tmp_path, tmp_path / "*.png"):
        with pytest.raises(DataError, match="holds no picture"):
            Pictures(where)


@pytest.mark.parametrize(("content", "message"), [(b"", "is empty"), (b"hello", "is not a picture")])
def test_a_file_that_is_no_picture_is_named_before_it_runs(tmp_path: Path, content: bytes, message: str) -> None:
    write(tmp_path / "a.png", RED_GREEN)
    (tmp_path / "b.png").write_bytes(content)
    with pytest.raises(DataError, match=message) as info:
        Pictures(tmp_path)
    assert "b.png" in str(info.value)


@pytest.mark.parametrize("ending", ["png", "jpg", "bmp"])
def test_half_a_picture_is_refused(tmp_path: Path, ending: str) -> None:
    rgb = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    path = write(tmp_path / f"a.{ending}", rgb)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(DataError, match="is damaged"):
        seen(path)


def test_a_missing_one(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"cannot open .*none\.png"):
        Pictures(tmp_path / "none.png")
