"""The simulator's sensors: their config, and what plays behind it: a recording, or this desktop's own device."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from msgspec import Meta

from hal import capabilities
from hal.recordings.files import kind_of
from hal.recordings.pace import Pace, PaceName
from hal.recordings.pictures import is_glob, is_picture
from hal.recordings.replay import Recording, Replay
from hal.sim.fan import Fan, FanConfig
from pipelines.config.schema import Config, InputPath, NonNegative
from pipelines.core import Sensor
from pipelines.errors import DataError

ChunkMs = Annotated[float, Meta(gt=0, le=60_000)]


class Microphone(capabilities.Microphone, frozen=True, kw_only=True):
    """A sound recording, or the desktop's microphone.

    Args:
        file: the recording (WAV, FLAC, OGG).
        live: the real microphone in its place.
        pace: ``realtime`` plays as it was recorded, ``fast`` as fast as it is taken.
        loop: begin again at the end.
        device: the real one's name or number as ``eiq-demo doctor`` lists them; the system's default where absent.
        chunk_ms: how much sound a frame holds.
    """

    file: InputPath | None = None
    live: bool = False
    pace: PaceName = "realtime"
    loop: bool = False
    device: int | str | None = None
    chunk_ms: ChunkMs = 20.0

    def __post_init__(self) -> None:
        check_source(self.file, self.live)


class Camera(capabilities.Camera, frozen=True, kw_only=True):
    """Pictures (one, a folder, a glob), a video file, or a real camera.

    Args:
        file: the recording.
        live: the real camera in its place.
        pace: ``realtime`` plays as it was recorded, ``fast`` as fast as it is taken.
        loop: begin again at the end.
        interval_ms: from one picture to the next; 0 shows them as fast as they are taken. A video has its own.
        device: the real one: number, /dev/videoN, RTSP or HTTP URL, or a GStreamer pipeline that ends in appsink.
    """

    file: InputPath | None = None
    live: bool = False
    pace: PaceName = "realtime"
    loop: bool = False
    interval_ms: NonNegative = 0.0
    device: int | str = 0

    def __post_init__(self) -> None:
        check_source(self.file, self.live)


class Synthetic(Config, frozen=True, kw_only=True):
    """What a sensor makes up by itself.

    Args:
        fan: a fan's vibration.
    """

    fan: FanConfig


class Motion(capabilities.Motion, frozen=True, kw_only=True):
    """A motion recording (CSV or NPY), or one that the simulator makes up.

    Args:
        file: the recording.
        synthetic: made up in its place: ``{fan: {…}}``, whose keys stand in docs/motion.md.
        live: refused: a desktop has no motion sensor.
        nan: what a recording may hold: ``refuse`` samples that are not numbers, or ``keep`` them, for the step health.
        pace: ``realtime`` plays as it was recorded, ``fast`` as fast as it is taken.
        loop: begin again at the end.
        chunk_ms: how much a frame holds.
    """

    file: InputPath | None = None
    synthetic: Synthetic | None = None
    live: bool = False
    nan: Literal["refuse", "keep"] = "refuse"
    pace: PaceName = "realtime"
    loop: bool = False
    chunk_ms: ChunkMs = 20.0

    def __post_init__(self) -> None:
        if self.live:
            raise ValueError("got live: true, but this desktop has no motion sensor; expected a recording (file: …) "
                             "or synthetic: {fan: {…}}")  # fmt: skip
        if self.file is None and self.synthetic is None:
            raise ValueError("got neither file nor synthetic, expected a recording (file: …, --input) or "
                             "synthetic: {fan: {…}}")  # fmt: skip
        if self.file is not None and self.synthetic is not None:
            raise ValueError("got file and synthetic together, expected one of the two; leave one out")
        super().__post_init__()


def check_source(file: str | None, live: bool) -> None:
    """A recording or the real device: one of the two."""
    if file is None and not live:
        raise ValueError("got neither file nor live, expected a recording (file: …, --input) or live: true (--live)")
    if file is not None and live:
        raise ValueError("got file and live together, expected one of the two; leave one out")


def microphone(config: Microphone) -> Sensor:
    """The sensor of that config."""
    if config.file is None:
        from hal.live.microphone import LiveMicrophone

        return LiveMicrophone(config.device, config.rate_hz, channel=config.channel, chunk_ms=config.chunk_ms)
    from hal.recordings.wav import SoundFile

    sound = SoundFile(Path(config.file), rate_hz=config.rate_hz, channel=config.channel, chunk_ms=config.chunk_ms)
    return _replay(sound, config)


def camera(config: Camera) -> Sensor:
    """The sensor of that config."""
    if config.file is None:
        from hal.live.camera import LiveCamera

        return LiveCamera(config.device, fps=config.fps, width_px=config.width_px, height_px=config.height_px)
    recording = _seen(Path(config.file), config.interval_ms)
    return _replay(recording, config, timed=recording.signal.rate_hz is not None)


def motion(config: Motion) -> Sensor:
    """The sensor of that config, with a recording."""
    from hal.recordings.motion import MotionFile

    assert config.file is not None  # its config has checked that
    recorded = MotionFile(Path(config.file), rate_hz=config.rate_hz, channels=config.channels,
                          chunk_ms=config.chunk_ms, keep_nan=config.nan == "keep")  # fmt: skip
    return _replay(recorded, config)


def fan(config: Motion) -> tuple[Fan, Sensor]:
    """The synthetic fan of that config, and the sensor on it."""
    assert config.synthetic is not None  # the caller has looked
    made_up = Fan(config.synthetic.fan, rate_hz=config.rate_hz, channels=config.channels, chunk_ms=config.chunk_ms)
    return made_up, _replay(made_up, config)


def _seen(path: Path, interval_ms: float) -> Recording:
    kind = kind_of(path)
    if not is_picture(path) and (kind == "file" or (kind == "nothing" and not is_glob(path))):
        from hal.recordings.video import Video

        video = Video(path)
        if interval_ms:
            raise DataError(f"got interval_ms with the video {path}, which has a rate of its own; leave it out")
        return video
    from hal.recordings.pictures import Pictures

    return Pictures(path, interval_ms=interval_ms)


def _replay(recording: Recording, config: Microphone | Camera | Motion, *, timed: bool = True) -> Replay:
    return Replay(recording, Pace(realtime=timed and config.pace == "realtime"), loop=config.loop)
