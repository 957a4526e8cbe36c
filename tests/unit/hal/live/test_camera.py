from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from hal.live.camera import LiveCamera
from pipelines.errors import DeviceError, DeviceLost


class FakeCapture:
    """A camera that gives one picture whenever the test hands it one."""

    def __init__(self) -> None:
        self.pictures: list[np.ndarray | None] = []
        self.given = threading.Semaphore(0)
        self.wishes: dict[int, float] = {}
        self.released = threading.Event()

    def give(self, picture: np.ndarray | None) -> None:
        self.pictures.append(picture)
        self.given.release()

    def read(self) -> tuple[bool, np.ndarray | None]:
        assert self.given.acquire(timeout=5)
        picture = self.pictures.pop(0)
        return picture is not None, picture

    def set(self, key: int, value: float) -> None:
        self.wishes[key] = value

    def get(self, key: int) -> float:
        return {3: 640.0, 4: 480.0, 5: 30.0}[key]

    def release(self) -> None:
        self.released.set()


BLUE_AS_BGR = np.full((2, 3, 3), (255, 0, 0), np.uint8)


@pytest.fixture
def make(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., tuple[LiveCamera, FakeCapture, list[float]]]]:
    sensors: list[tuple[LiveCamera, FakeCapture]] = []
    monkeypatch.setattr("hal.live.camera.JOIN_S", 0.01)

    def make(device: int | str = 0, **keys: Any) -> tuple[LiveCamera, FakeCapture, list[float]]:
        capture, now = FakeCapture(), [50.0]
        monkeypatch.setattr("hal.live.camera.open_camera", lambda _cv2, _source: capture)
        sensor = LiveCamera(device, clock=lambda: now[0], **keys)
        sensors.append((sensor, capture))
        return sensor, capture, now

    yield make
    for sensor, capture in sensors:
        capture.give(None)
        sensor.close()


def test_constructing_opens_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hal.live.camera.open_camera", lambda *_: pytest.fail("opened"))
    sensor = LiveCamera(0, fps=15.0)
    assert sensor.live
    assert (sensor.output.shape, sensor.output.rate_hz) == ((None, None, 3), 15.0)
    sensor.close()
    assert list(sensor.frames()) == []


def test_pictures_are_rgb_with_their_arrival(make: Callable[..., Any]) -> None:
    sensor, capture, now = make(fps=10.0, width_px=640, height_px=480)
    frames = sensor.frames()
    capture.give(BLUE_AS_BGR)
    first = next(frames)
    assert first.array[0, 0].tolist() == [0, 0, 255]
    assert (first.t, first.seq, first.at, first.arrived) == (0.0, 0, 0, 50.0)
    assert capture.wishes == {3: 640, 4: 480, 5: 10.0}  # OpenCV's numbers
    now[0] += 0.1
    capture.give(BLUE_AS_BGR)
    second = next(frames)
    assert (second.t, second.seq, second.at, second.arrived) == (pytest.approx(0.1), 1, 1, 50.1)


def test_what_a_camera_has_not_is_told(make: Callable[..., Any]) -> None:
    sensor, capture, _ = make(fps=60.0, width_px=1280, height_px=720)
    assert sensor.mode == ""
    capture.give(BLUE_AS_BGR)
    next(sensor.frames())
    assert sensor.mode == "640x480 at 30 fps, asked for 1280x720 at 60 fps"


def test_a_driver_that_hangs_is_lost_and_is_not_opened_again_while_it_does(make: Callable[..., Any]) -> None:
    sensor, capture, _ = make(stall_s=0.05)
    with pytest.raises(DeviceLost, match="the camera 0 sent no picture for 0.05 s"):
        next(sensor.frames())
    with pytest.raises(DeviceLost, match="still hangs in its driver"):
        next(sensor.frames())
    capture.give(BLUE_AS_BGR)
    assert capture.released.wait(5)
    for thread in threading.enumerate():
        if thread.name == "camera":
            thread.join(5)
    capture.give(BLUE_AS_BGR)
    assert next(sensor.frames()).array[0, 0].tolist() == [0, 0, 255]


def test_a_camera_in_the_network_is_asked_for_nothing(make: Callable[..., Any]) -> None:
    sensor, capture, _ = make("http://host/video", fps=10.0)
    capture.give(BLUE_AS_BGR)
    next(sensor.frames())
    assert capture.wishes == {}


def test_a_loss_is_told_and_the_time_goes_on(make: Callable[..., Any]) -> None:
    sensor, capture, now = make(fps=10.0)
    frames = sensor.frames()
    capture.give(BLUE_AS_BGR)
    before = next(frames)
    capture.give(None)
    with pytest.raises(DeviceLost, match="the camera 0 stopped sending pictures"):
        next(frames)
    assert capture.released.wait(5)
    now[0] += 3.0
    capture.give(BLUE_AS_BGR)
    after = next(sensor.frames())
    assert (after.t - before.t, after.at - before.at, after.seq - before.seq) == (3.0, 30, 1)


def test_not_to_be_opened_is_lost_only_if_it_was_there(
    make: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise DeviceError("no such camera")

    sensor, capture, _ = make()
    capture.give(BLUE_AS_BGR)
    frames = sensor.frames()
    next(frames)
    capture.give(None)
    frames.close()
    monkeypatch.setattr("hal.live.camera.open_camera", refuse)
    with pytest.raises(DeviceLost, match="no such camera"):
        next(sensor.frames())
    with pytest.raises(DeviceError, match="no such camera") as info:
        next(LiveCamera(0).frames())
    assert type(info.value) is DeviceError


def test_a_bug_in_the_thread_reaches_who_iterates(make: Callable[..., Any]) -> None:
    sensor, capture, _ = make()
    capture.give("no picture")
    with pytest.raises(Exception, match="cvtColor"):
        next(sensor.frames())


def test_close_ends_it_while_a_read_hangs(make: Callable[..., Any]) -> None:
    sensor, capture, _ = make()
    capture.give(BLUE_AS_BGR)
    frames = sensor.frames()
    next(frames)
    threading.Timer(0.01, sensor.close).start()
    assert list(frames) == []
    assert not capture.released.is_set()
    capture.give(BLUE_AS_BGR)
    assert capture.released.wait(5)
