from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from hal.live.camera_source import describe, open_camera, parse
from pipelines.errors import DeviceError


@pytest.mark.parametrize(
    ("device", "source"),
    [
        (0, 0),
        ("2", 2),
        ("/dev/video3", 3),
        ("rtsp://host/stream", "rtsp://host/stream"),
        ("v4l2src ! videoconvert ! appsink", "v4l2src ! videoconvert ! appsink"),
    ],
)
def test_parse(device: int | str, source: int | str) -> None:
    assert parse(device) == source


def test_a_link_is_followed(tmp_path: Path) -> None:
    (tmp_path / "usb-camera").symlink_to("/dev/video7")
    assert parse(str(tmp_path / "usb-camera")) == 7


@pytest.mark.parametrize("device", ["holiday.mp4", "", "/dev/ttyS0", "usb"])
def test_what_no_camera_is_named_by(device: str) -> None:
    with pytest.raises(DeviceError, match="expected a number, /dev/videoN"):
        parse(device)


@pytest.mark.parametrize(
    ("source", "shown"),
    [
        (0, "the camera 0"),
        ("rtsp://me:pass@word@10.0.0.1:554/1", "the camera rtsp://…@10.0.0.1:554/1"),
        ("http://10.0.0.1/video?user=me&password=secret", "the camera http://10.0.0.1/video?…"),
        (
            "rtspsrc location=rtsp://me:secret@cam/1?k=secret ! appsink",
            "the camera rtspsrc location=rtsp://…@cam/1?… ! appsink",
        ),
    ],
)
def test_secrets_are_not_shown(source: int | str, shown: str) -> None:
    assert describe(source) == shown


class Closed:
    def isOpened(self) -> bool:  # noqa: N802 - OpenCV's name
        return False

    def release(self) -> None:
        pass


def fake_cv2(calls: list[tuple[object, ...]], backends: list[int]) -> SimpleNamespace:
    def capture(*args: object) -> Closed:
        calls.append(args)
        return Closed()

    return SimpleNamespace(
        VideoCapture=capture,
        videoio_registry=SimpleNamespace(getBackends=lambda: backends),
        CAP_FFMPEG=1900,
        CAP_GSTREAMER=1800,
        CAP_V4L2=200,
        CAP_PROP_OPEN_TIMEOUT_MSEC=53,
        CAP_PROP_READ_TIMEOUT_MSEC=54,
        __version__="4.6.0",
    )


def refused(source: int | str, backends: list[int]) -> tuple[str, list[tuple[object, ...]]]:
    calls: list[tuple[object, ...]] = []
    with pytest.raises(DeviceError) as info:
        open_camera(fake_cv2(calls, backends), source)  # type: ignore[arg-type]
    return str(info.value), calls


def test_a_url_has_time_limits_where_ffmpeg_reads_it() -> None:
    message, calls = refused("rtsp://me:secret@host/1", [1900])
    assert calls == [("rtsp://me:secret@host/1", 1900, [53, 5000, 54, 3000])]
    assert "rtsp://…@host/1 cannot be opened; check the address" in message
    assert refused("rtsp://host/1", [1800])[1] == [("rtsp://host/1",)]


def test_a_number_is_v4l2_s_where_that_is_there() -> None:
    assert refused(99, [1800, 200])[1] == [(99, 200)]
    assert refused(99, [1800])[1] == [(99,)]


def test_a_pipeline_needs_gstreamer() -> None:
    assert "needs GStreamer, which this OpenCV 4.6.0 lacks" in refused("v4l2src ! appsink", [1900])[0]
    assert refused("v4l2src ! appsink", [1800])[1] == [("v4l2src ! appsink", 1800)]


def test_a_local_camera_says_what_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    present: list[Path] = []
    allowed = True
    monkeypatch.setattr(Path, "glob", lambda *_: iter(present))
    monkeypatch.setattr("os.access", lambda *_: allowed)
    assert "no /dev/video*" in refused(0, [])[0]
    present = [Path("/dev/video1"), Path("/dev/video2")]
    assert "set device to one of /dev/video1, /dev/video2" in refused(0, [])[0]
    assert "another program using /dev/video1" in refused(1, [])[0]
    allowed = False
    assert "usermod -aG video" in refused(1, [])[0]
