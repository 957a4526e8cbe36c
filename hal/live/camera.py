"""The real camera, on this machine or in the network."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

from hal.live.camera_source import describe, open_camera, parse
from hal.live.latest import Latest
from hal.opencv import opencv
from hal.recordings.pictures import RGB
from pipelines.core import Array, Frame, Signal
from pipelines.errors import DeviceError, DeviceLost

STALL_S = 15.0
"""A device that says nothing for so long, although OpenCV's own limits are shorter (10 s in V4L2), counts as lost."""
JOIN_S = 0.5
"""How long close() waits for a read in progress; after that its thread ends by itself, at the read's own time limit."""


class LiveCamera:
    """A Sensor of RGB pictures, uint8 [height, width, 3].

    A thread of its own opens and reads the device, because neither can be interrupted: frames() always gives the newest
    picture, ends at once on close(), and a picture that was passed over is a gap in ``seq`` and ``at``.

    Args:
        device: number, /dev/videoN, RTSP or HTTP URL, or a GStreamer pipeline that ends in appsink.
        fps, width_px, height_px: asked of a local camera, which takes the nearest that it has.
        clock: monotonic time in s.
        stall_s: a device that gives no picture for so long counts as lost.

    ``mode`` tells what a local camera delivers ("640x480 at 30 fps"), and what it was asked for where that differs;
    empty before its first picture.

    Raises:
        DeviceError: ``device`` is none of these.
        MissingDependency: OpenCV is not installed.
    """

    live = True

    def __init__(
        self,
        device: int | str,
        *,
        fps: float | None = None,
        width_px: int | None = None,
        height_px: int | None = None,
        clock: Callable[[], float] = time.monotonic,
        stall_s: float = STALL_S,
    ) -> None:
        self._cv2 = opencv("the camera")
        self._source = parse(device)
        self._wishes = {"CAP_PROP_FRAME_WIDTH": width_px, "CAP_PROP_FRAME_HEIGHT": height_px, "CAP_PROP_FPS": fps}
        self._fps, self._clock, self._stall_s = fps, clock, stall_s
        self.mode = ""
        self._closed = False
        self._grabber: _Grabber | None = None
        self._origin: float | None = None
        self._seq, self._at, self._t = -1, -1, 0.0
        self.output = Signal((None, None, 3), "uint8", fps, "image", RGB)

    def frames(self) -> Iterator[Frame]:
        if self._closed:
            return
        if self._grabber is not None and self._grabber.hangs():
            raise DeviceLost(f"{describe(self._source)} still hangs in its driver; unplug it and plug it in again")
        grabber = self._grabber = _Grabber(self._open, self._rgb, self._clock)
        if self._closed:  # while this one was being made
            grabber.close()
        try:
            yield from self._delivered(grabber)
        except DeviceError as error:
            if self._origin is None or isinstance(error, DeviceLost):
                raise
            raise DeviceLost(str(error)) from error  # it was open before, so it went away and may come back
        finally:
            grabber.close()

    def close(self) -> None:
        self._closed = True
        if self._grabber is not None:
            self._grabber.close()

    def _delivered(self, grabber: _Grabber) -> Iterator[Frame]:
        number, seq = -1, self._seq + 1
        while (picture := self._next(grabber)) is not None:
            rgb, count, arrived = picture
            if self._origin is None:
                self._origin = arrived
            t = arrived - self._origin
            if number < 0:  # the first one of this opening: after a loss, the time without pictures counts
                self._at += max(1 + count, round((t - self._t) * (self._fps or 0.0)))
            else:
                self._at += count - number
            number, self._seq, self._t = count, seq + count, t
            yield Frame(rgb, t, self._seq, self._at, arrived)

    def _next(self, grabber: _Grabber) -> tuple[Array, int, float] | None:
        try:
            return grabber.latest.get(self._stall_s)
        except TimeoutError:
            raise DeviceLost(
                f"{describe(self._source)} sent no picture for {self._stall_s:g} s; check its cable or network"
            ) from None

    def _open(self) -> Any:
        capture = open_camera(self._cv2, self._source)
        if isinstance(self._source, int):
            for name, value in self._wishes.items():
                if value is not None:
                    capture.set(getattr(self._cv2, name), value)
            got = [capture.get(getattr(self._cv2, name)) for name in self._wishes]
            asked = [wish or value for wish, value in zip(self._wishes.values(), got, strict=True)]
            self.mode = _mode(*got) + (f", asked for {_mode(*asked)}" if asked != got else "")
        return capture

    def _rgb(self, capture: Any) -> Array:
        there, bgr = capture.read()
        if not there:
            raise DeviceLost(f"{describe(self._source)} stopped sending pictures; check its cable or network")
        rgb: Array = self._cv2.cvtColor(bgr, self._cv2.COLOR_BGR2RGB)
        return rgb


def _mode(width_px: float, height_px: float, fps: float) -> str:
    return f"{width_px:g}x{height_px:g} at {fps:g} fps"


class _Grabber:
    """One opening of the device: a thread that reads into ``latest`` until it is told to stop or the device fails.

    Args:
        open_: opens the device.
        read: gives its next picture.
    """

    def __init__(self, open_: Callable[[], Any], read: Callable[[Any], Array], clock: Callable[[], float]) -> None:
        self._open, self._read, self._clock = open_, read, clock
        self.latest: Latest[tuple[Array, int, float]] = Latest()
        self._thread = threading.Thread(target=self._run, name="camera", daemon=True)
        self._thread.start()

    def close(self) -> None:
        self.latest.close()
        self._thread.join(JOIN_S)

    def hangs(self) -> bool:
        """Whether a read that close() did not wait for is still in progress."""
        self._thread.join(JOIN_S if self.latest.closed else 0.0)
        return self.latest.closed and self._thread.is_alive()

    def _run(self) -> None:
        try:
            capture = self._open()
            try:
                self._grab(capture)
            finally:
                capture.release()
        except BaseException as error:  # noqa: BLE001 - crosses to the thread that iterates frames()
            self.latest.fail(error)

    def _grab(self, capture: Any) -> None:
        count = 0
        while not self.latest.closed:
            rgb = self._read(capture)
            self.latest.put((rgb, count, self._clock()))
            count += 1
