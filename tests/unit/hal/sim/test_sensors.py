from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import soundfile

from hal.live.camera import LiveCamera
from hal.live.microphone import LiveMicrophone
from hal.recordings.replay import Replay
from hal.sim import sensors
from hal.sim.sensors import Camera, Microphone, Motion
from pipelines.config.schema import InputPath
from pipelines.errors import DataError


@pytest.mark.parametrize(("cls", "other"), [(Microphone, "live"), (Camera, "live"), (Motion, "synthetic")])
def test_needs_a_recording_or_something_in_its_place(cls: type[Any], other: str) -> None:
    with pytest.raises(ValueError, match=rf"got neither file nor {other}, expected a recording"):
        cls()


@pytest.mark.parametrize("cls", [Microphone, Camera])
def test_not_both(cls: type[Any]) -> None:
    with pytest.raises(ValueError, match="got file and live together"):
        cls(file=InputPath("a"), live=True)


def test_a_desktop_has_no_motion_sensor() -> None:
    with pytest.raises(ValueError, match="no motion sensor"):
        Motion(live=True)


def test_motion_still_checks_its_portable_keys() -> None:
    with pytest.raises(ValueError, match="with its unit"):
        Motion(file=InputPath("a.csv"), channels=("x",))


def test_live_is_the_real_device() -> None:
    pytest.importorskip("cv2")
    camera = sensors.camera(Camera(live=True, device="rtsp://camera.local/1"))
    assert isinstance(camera, LiveCamera)
    assert camera.live
    camera.close()


def test_the_live_microphone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hal.live.microphone.sounddevice", lambda: None)
    assert isinstance(sensors.microphone(Microphone(live=True)), LiveMicrophone)


def test_a_video_and_pictures_are_told_apart(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "a.png"), np.zeros((48, 64, 3), np.uint8))
    writer = cv2.VideoWriter(str(tmp_path / "a.avi"), cv2.VideoWriter.fourcc(*"MJPG"), 10, (64, 48))
    writer.write(np.zeros((48, 64, 3), np.uint8))
    writer.release()

    def output(name: str, **keys: Any) -> tuple[object, object]:
        signal = sensors.camera(Camera(file=InputPath(tmp_path / name), **keys)).output
        return signal.shape, signal.rate_hz

    assert output("a.png") == ((None, None, 3), None)
    assert output("", interval_ms=500) == ((None, None, 3), 2.0)
    assert output("*.png") == ((None, None, 3), None)
    assert output("a.avi") == ((48, 64, 3), 10.0)
    with pytest.raises(DataError, match="a rate of its own"):
        output("a.avi", interval_ms=500)


@pytest.mark.parametrize(
    ("name", "expected"),
    [("none.mp4", "a video or picture that OpenCV can read (MP4, AVI, MKV, WebM, PNG, JPEG)"),
     ("none", "a video or picture that OpenCV can read (MP4, AVI, MKV, WebM, PNG, JPEG)"),
     ("none.png", "a picture (PNG, JPEG, BMP, WebP, TIFF, PNM)")],
)  # fmt: skip
@pytest.mark.parametrize("interval_ms", [0.0, 500.0])
def test_a_recording_that_is_not_there(tmp_path: Path, name: str, expected: str, interval_ms: float) -> None:
    with pytest.raises(DataError) as info:
        sensors.camera(Camera(file=InputPath(tmp_path / name), interval_ms=interval_ms))
    assert str(info.value) == (
        f"cannot open {tmp_path / name} (No such file or directory), expected {expected}; check the path"
    )


def test_pace_and_loop_reach_the_replay(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", np.zeros(320), 16000)
    config = Microphone(file=InputPath(tmp_path / "a.wav"), pace="fast", loop=True)
    sensor = sensors.microphone(config)
    assert isinstance(sensor, Replay)
    frames = sensor.frames()
    assert [next(frames).at for _ in range(3)] == [0, 320, 640]
    sensor.close()
