"""Where a camera is, and why it cannot be opened."""

from __future__ import annotations

import os
import re
from pathlib import Path
from types import ModuleType
from typing import Any

from pipelines.errors import DeviceError

Source = int | str
"""Number of a local camera; else a URL or a GStreamer pipeline."""

OPEN_TIMEOUT_MS = 5000
READ_TIMEOUT_MS = 3000
EXPECTED = "a number, /dev/videoN, an rtsp:// or http:// URL, or a GStreamer pipeline that ends in appsink"
OTHER = "or take a recording (file: …, --input)"


def parse(device: int | str) -> Source:
    """A config's ``device`` as a Source. Links such as /dev/v4l/by-id/… are followed.

    Raises:
        DeviceError: it is nothing that a camera is named by.
    """
    if isinstance(device, int):
        return device
    if device.isdecimal():
        return int(device)
    if "://" in device or "!" in device:
        return device
    if match := re.fullmatch(r"/dev/video(\d+)", os.path.realpath(device)):
        return int(match[1])
    raise DeviceError(f'the camera "{device}" is not known, expected {EXPECTED}; a video file goes under file')


def describe(source: Source) -> str:
    """For a sentence; user, password and query of a URL stay secret."""
    if isinstance(source, int):
        return f"the camera {source}"
    shown = re.sub(r"://[^/\s]*@", "://…@", source)
    return f"the camera {re.sub(r'[?][^ !]*', '?…', shown)}"


def open_camera(cv2: ModuleType, source: Source) -> Any:
    """An open cv2.VideoCapture.

    Raises:
        DeviceError: it cannot be opened.
    """
    capture = _capture(cv2, source)
    if not capture.isOpened():
        capture.release()
        raise DeviceError(f"{describe(source)} cannot be opened; {_hint(source)}, {OTHER}")
    return capture


def _capture(cv2: ModuleType, source: Source) -> Any:
    backends = cv2.videoio_registry.getBackends()
    if isinstance(
        source, int
    ):  # left to itself a BSP's OpenCV takes GStreamer, which fails at a mode that is not there
        return cv2.VideoCapture(source, cv2.CAP_V4L2) if cv2.CAP_V4L2 in backends else cv2.VideoCapture(source)
    if "!" in source and "://" not in source.partition("!")[0]:
        if cv2.CAP_GSTREAMER not in backends:
            raise DeviceError(
                f"{describe(source)} needs GStreamer, which this OpenCV {cv2.__version__} lacks; "
                "use your system's OpenCV, or set device to a number or URL"
            )
        return cv2.VideoCapture(source, cv2.CAP_GSTREAMER)
    if cv2.CAP_FFMPEG not in backends:  # a BSP's OpenCV opens URLs with GStreamer, which has time limits of its own
        return cv2.VideoCapture(source)
    limits = [cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, OPEN_TIMEOUT_MS, cv2.CAP_PROP_READ_TIMEOUT_MSEC, READ_TIMEOUT_MS]
    return cv2.VideoCapture(source, cv2.CAP_FFMPEG, limits)


def _hint(source: Source) -> str:
    if isinstance(source, str) and "!" in source and "://" not in source.partition("!")[0]:
        return "try it with gst-launch-1.0, or with --target imx8, which says what is wrong in a pipeline"
    if not isinstance(source, int):
        return "check the address, the network and the password"
    present = sorted(Path("/dev").glob("video*"))
    wanted = Path(f"/dev/video{source}")
    if not present:
        return "this machine has no /dev/video*: plug a camera in"
    if wanted not in present:
        return f"set device to one of {', '.join(map(str, present))}"
    if not os.access(wanted, os.R_OK | os.W_OK):
        return f"you may not use {wanted}: sudo usermod -aG video $USER, and log in again"
    return f"is another program using {wanted}?"
