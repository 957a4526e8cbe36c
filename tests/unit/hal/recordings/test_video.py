from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from hal.recordings.video import Video
from pipelines.errors import DataError

COLOURS = [(220, 30, 30), (30, 220, 30), (30, 30, 220)]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "a.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 12.5, (64, 48))
    for colour in COLOURS:
        writer.write(cv2.cvtColor(np.full((48, 64, 3), colour, np.uint8), cv2.COLOR_RGB2BGR))
    writer.release()
    return path


def test_pictures_in_order_as_rgb(path: Path) -> None:
    video = Video(path)
    assert video.signal.shape == (48, 64, 3)
    assert video.signal.rate_hz == pytest.approx(12.5)
    pictures = list(video.read())
    assert [int(np.argmax(picture.mean(axis=(0, 1)))) for picture in pictures] == [0, 1, 2]
    assert all(picture.shape == (48, 64, 3) and picture.flags.owndata for picture in pictures)
    assert len(list(video.read())) == 3  # again, for a loop


@pytest.mark.parametrize("content", [b"", b"no video", bytes(range(256)) * 10])
def test_what_is_no_video(tmp_path: Path, content: bytes, capfd: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a.mp4").write_bytes(content)
    with pytest.raises(DataError, match="is empty|is not a video"):
        Video(tmp_path / "a.mp4")
    assert capfd.readouterr().err == ""
