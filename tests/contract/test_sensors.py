"""What every sensor promises (pipelines.core.Sensor), over all recording sensors of the simulator.

The live ones promise the same; their tests with real devices stand in tests/integration.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from itertools import islice, pairwise
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import soundfile

from hal.imx8.target import Imx8
from hal.sim.fan import FanConfig
from hal.sim.sensors import Synthetic
from hal.sim.target import Sim
from pipelines.core import Frame, Sensor, Signal

Make = Callable[..., Sensor]


def wav(folder: Path) -> str:
    soundfile.write(folder / "a.wav", np.random.default_rng(0).uniform(-1, 1, (16050, 2)), 16000)
    return "a.wav"


def wav_of_another_rate(folder: Path) -> str:
    soundfile.write(folder / "a.wav", np.random.default_rng(0).uniform(-1, 1, 44100), 44100)
    return "a.wav"


def pictures(folder: Path) -> str:
    for number in range(6):
        cv2.imwrite(str(folder / f"{number}.png"), np.full((4, 5 + number, 3), number, np.uint8))
    return ""


def glob(folder: Path) -> str:
    pictures(folder)
    return "[0-9].png"


def video(folder: Path) -> str:
    writer = cv2.VideoWriter(str(folder / "a.avi"), cv2.VideoWriter.fourcc(*"MJPG"), 25, (64, 48))
    for number in range(6):
        writer.write(np.full((48, 64, 3), 40 * number, np.uint8))
    writer.release()
    return "a.avi"


def csv(folder: Path) -> str:
    (folder / "a.csv").write_text("ax,ay,az,gx,gy,gz\n" + "1,2,3,4,5,6\n" * 51)
    return "a.csv"


def npy(folder: Path) -> str:
    np.save(folder / "a.npy", np.ones((51, 6)))
    return "a.npy"


def nothing(folder: Path) -> None:
    """What the simulator makes up needs no file."""


SYNTHETIC_FAN = {"channels": ("ax_g", "ay_g", "az_g"), "synthetic": Synthetic(fan=FanConfig(seconds=1.03))}
CASES: dict[str, tuple[str, Callable[[Path], str | None], dict[str, Any]]] = {
    "wav": ("microphone", wav, {}),
    "wav, one channel": ("microphone", wav, {"channel": 1, "chunk_ms": 7.0}),
    "wav of another rate": ("microphone", wav_of_another_rate, {}),
    "pictures": ("camera", pictures, {}),
    "pictures with an interval": ("camera", pictures, {"interval_ms": 40.0}),
    "glob": ("camera", glob, {}),
    "video": ("camera", video, {}),
    "csv": ("motion", csv, {}),
    "npy": ("motion", npy, {}),
    "synthetic fan": ("motion", nothing, SYNTHETIC_FAN),
}


@pytest.fixture(params=[Sim, Imx8], ids=["sim", "imx8"])
def target(request: pytest.FixtureRequest) -> Sim | Imx8:
    made: Sim | Imx8 = request.param()
    return made


@pytest.fixture(params=CASES)
def make(request: pytest.FixtureRequest, target: Sim | Imx8, tmp_path: Path) -> Make:
    capability, record, keys = CASES[request.param]
    name = record(tmp_path)

    def make(**more: Any) -> Sensor:
        source = {"file": str(tmp_path / name)} if name is not None else {}
        config = target.config_of(capability)(**{"pace": "fast", **source, **keys, **more})
        return target.sensor(capability, config)

    return make


def size(frame: Frame, signal: Signal) -> int:
    return 1 if signal.kind == "image" else len(frame.array)


def check(frames: list[Frame], signal: Signal) -> None:
    for frame in frames:
        assert isinstance(frame, Frame)
        assert frame.array.dtype == signal.dtype
        assert frame.array.ndim == len(signal.shape)
        assert all(want in (None, got) for want, got in zip(signal.shape, frame.array.shape, strict=True))
        assert frame.source is None
        last = frame.at if signal.kind == "image" else frame.at + size(frame, signal)
        assert frame.t == pytest.approx(last / (signal.rate_hz or 1.0))
    for before, after in pairwise(frames):
        assert after.seq == before.seq + 1
        assert after.at == before.at + size(before, signal)
        assert after.t > before.t


def test_is_a_sensor_that_opens_nothing_when_made(make: Make) -> None:
    sensor = make()
    assert isinstance(sensor, Sensor)
    assert not sensor.live
    sensor.close()
    sensor.close()


def test_frames_are_as_its_output_says(make: Make) -> None:
    sensor = make()
    frames = list(sensor.frames())
    assert len(frames) >= 3
    assert (frames[0].seq, frames[0].at) == (0, 0)
    assert all(frame.arrived is None for frame in frames)
    check(frames, sensor.output)
    sensor.close()


def test_the_same_recording_gives_the_same_frames(make: Make) -> None:
    first, second = list(make().frames()), list(make().frames())
    assert [frame.t for frame in first] == [frame.t for frame in second]
    assert all((a.array == b.array).all() for a, b in zip(first, second, strict=True))


def test_frames_own_their_data(make: Make) -> None:
    frames = list(make().frames())
    copies = [frame.array.copy() for frame in frames]
    assert all(frame.array.flags.owndata for frame in frames)
    for frame in frames:
        frame.array[...] = 0
        break
    assert all((frame.array == copy).all() for frame, copy in zip(frames[1:], copies[1:], strict=True))


def test_a_loop_and_a_second_call_go_on_counting(make: Make) -> None:
    once = len(list(make().frames()))
    sensor = make(loop=True)
    frames = list(islice(sensor.frames(), 2 * once + 1))
    frames += islice(sensor.frames(), 2)
    assert len(frames) == 2 * once + 3
    check(frames, sensor.output)
    sensor.close()


@pytest.mark.parametrize("pace", ["realtime", "fast"])
def test_close_from_another_thread_ends_it_soon(make: Make, pace: str) -> None:
    sensor = make(pace=pace, loop=True)
    begun = threading.Event()

    def consume() -> None:
        for _ in sensor.frames():
            begun.set()

    consumer = threading.Thread(target=consume)
    consumer.start()
    assert begun.wait(5)
    began = time.monotonic()
    sensor.close()
    consumer.join(5)
    assert not consumer.is_alive()
    assert time.monotonic() - began < 0.5
    assert list(sensor.frames()) == []
    sensor.close()
