"""The sensors of the target ``imx8``: the board's own devices, or a recording where a config names one."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

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
        device: the IIO device's name, ``iio:deviceN`` or number; the first with these channels where absent. A list of
            two where accelerometer and gyroscope are two devices.
        poll: read the raw files instead of the buffer, for a driver without an interrupt: slower, less even.
        range_g: what the accelerometer measures at least; beyond its range it says the end of it.
        range_dps: the same of the gyroscope.
    """

    device: int | str | tuple[int | str, ...] | None = None
    poll: bool = False
    range_g: Annotated[float, Meta(gt=0, le=1000)] | None = None
    range_dps: Annotated[float, Meta(gt=0, le=100_000)] | None = None

    def __post_init__(self) -> None:
        _check_one(self.file, self.live)
        if self.synthetic is not None and (self.file is not None or self.live):
            raise ValueError("got synthetic with file or live, expected one of the three; leave the others out")
        if self.device == ():
            raise ValueError("got an empty list for device, expected one or two; leave it out for the first that fit")
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

    ranges = {"accel": config.range_g, "anglvel": config.range_dps}
    return IioMotion(sysfs, config.channels, config.rate_hz, device=config.device, chunk_ms=config.chunk_ms,
                     poll=config.poll, ranges={kind: most for kind, most in ranges.items() if most})  # fmt: skip
