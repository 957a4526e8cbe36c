"""The sensors of the target ``imx8``: the board's own devices, or a recording where a config names one."""

from __future__ import annotations

from hal import capabilities
from hal.imx8.sysfs import Sysfs
from hal.sim import sensors as sim
from pipelines.core import Sensor


class Microphone(sim.Microphone, frozen=True, kw_only=True):
    """The board's microphone through ALSA, or a recording.

    Args:
        file: a recording in its place.
        device: as ALSA names it (``hw:1,0``), or as ``eiq-demo doctor`` lists it; the system's default where absent.
    """

    def __post_init__(self) -> None:
        _check_one(self.file, self.live)


class Camera(sim.Camera, frozen=True, kw_only=True):
    """A camera through V4L2 or GStreamer, or a recording.

    Args:
        file: a recording in its place.
        device: number, /dev/videoN or URL, which OpenCV opens; with an exclamation mark in it a GStreamer pipeline
            (``v4l2src device=/dev/video3 ! imxvideoconvert_g2d ! videoconvert``), which runs without a copy.
    """

    def __post_init__(self) -> None:
        _check_one(self.file, self.live)


class Motion(sim.Motion, frozen=True, kw_only=True):
    """The board's accelerometer or gyroscope through IIO, or a recording.

    Args:
        file: a recording in its place.
        device: the IIO device's name, ``iio:deviceN`` or number; the first with these channels where absent.
        poll: read the raw files instead of the buffer, for a driver without an interrupt: slower, less even.
    """

    device: int | str | None = None
    poll: bool = False

    def __post_init__(self) -> None:
        _check_one(self.file, self.live)
        if self.synthetic is not None and (self.file is not None or self.live):
            raise ValueError("got synthetic with file or live, expected one of the three; leave the others out")
        capabilities.Motion.__post_init__(self)


def _check_one(file: str | None, live: bool) -> None:
    if file is not None and live:
        raise ValueError("got file and live together, expected one of the two; leave one out")


def microphone(config: Microphone) -> Sensor:
    """The sensor of that config."""
    return sim.microphone(config)


def camera(config: Camera) -> Sensor:
    """The sensor of that config."""
    if (
        config.file is None
        and isinstance(config.device, str)
        and "!" in config.device
        and "://" not in config.device.partition("!")[0]
    ):
        from hal.live.gstreamer import GStreamerCamera

        return GStreamerCamera(config.device, fps=config.fps, width_px=config.width_px, height_px=config.height_px)
    return sim.camera(config)


def motion(config: Motion, sysfs: Sysfs) -> Sensor:
    """The sensor of that config; a synthetic one is the target's business."""
    if config.file is not None:
        return sim.motion(config)
    from hal.imx8.motion import IioMotion

    return IioMotion(sysfs, config.channels, config.rate_hz, device=config.device, chunk_ms=config.chunk_ms,
                     poll=config.poll)  # fmt: skip
