from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.evaluate.datasets.items import Item
from apps.evaluate.playing import Piece, Player, signal_of
from demos import sound
from hal.recordings.memory import Memory
from hal.recordings.pace import Pace
from hal.recordings.replay import Replay
from hal.sim.target import Sim
from pipelines.config.demo import SensorSpec
from pipelines.config.yaml12 import Mark, Node
from pipelines.core import Array, Sensor, Signal
from pipelines.errors import CapabilityError, DataError

AUDIO = Signal((None,), "float32", 100.0, "audio")


def player(capability: str, **config: object) -> Player:
    spec = spec_of(capability, **config)
    return Player(Sim(), spec, signal_of(spec))


def spec_of(capability: str, **config: object) -> SensorSpec:
    made = Sim().config_of(capability)(file="other.file", pace="fast", **config)
    return SensorSpec(capability, made, Node({}, Mark("t", 1, 1, Path.cwd())), f"sensor.{capability}")


def samples(sensor: Sensor) -> Array:
    return np.concatenate([frame.array for frame in sensor.frames()])


class Chunks:
    """A sensor that gives 0, 1, 2, … in chunks."""

    live, output = False, AUDIO

    def __init__(self, count: int, chunk: int) -> None:
        data = np.arange(count, dtype=np.float32)
        self._replays = [Memory(data[start : start + chunk], AUDIO) for start in range(0, count, chunk)]
        self.closed = False

    def frames(self):  # type: ignore[no-untyped-def]
        at = 0
        for seq, recording in enumerate(self._replays):
            (frame,) = Replay(recording, Pace(realtime=False)).frames()
            yield type(frame)(frame.data, (at + len(frame.array)) / 100, seq, at)
            at += len(frame.array)

    def close(self) -> None:
        self.closed = True


@given(count=st.integers(0, 60), chunk=st.integers(1, 25), start=st.integers(0, 70), length=st.integers(1, 70))
def test_a_piece_is_a_slice_filled_up_with_zeros(count: int, chunk: int, start: int, length: int) -> None:
    inner = Chunks(count, chunk)
    piece = Piece(inner, start / 100, length / 100)
    frames = list(piece.frames())
    got = np.concatenate([frame.array for frame in frames])
    expected = np.arange(count, dtype=np.float32)[start : start + length]
    np.testing.assert_array_equal(got, np.pad(expected, (0, length - len(expected))))
    assert [frame.at for frame in frames] == np.cumsum([0, *(len(f.array) for f in frames)])[:-1].tolist()
    assert [frame.seq for frame in frames] == list(range(len(frames)))
    assert frames[-1].t == pytest.approx(length / 100)
    piece.close()
    assert inner.closed


def test_a_file_plays_through_the_configs_own_sensor(tmp_path: Path) -> None:
    sound(tmp_path / "a.wav", np.full((16, 2), 16384, np.int16), 8000)
    sensor = player("microphone", rate_hz=8000, channel=1).sensor(Item("a", "x", tmp_path / "a.wav"))
    np.testing.assert_array_equal(samples(sensor), np.full(16, 0.5, np.float32))
    with pytest.raises(DataError, match="got channel 2"):
        player("microphone", rate_hz=8000, channel=2).sensor(Item("a", "x", tmp_path / "a.wav"))
    with pytest.raises(DataError, match="cannot open"):
        player("microphone").sensor(Item("b", "x", tmp_path / "b.wav"))


def test_pictures_have_no_rate_of_their_own(tmp_path: Path) -> None:
    import cv2

    cv2.imwrite(str(tmp_path / "a.png"), np.zeros((2, 3, 3), np.uint8))
    (frame,) = player("camera", interval_ms=40).sensor(Item("a", "x", tmp_path / "a.png")).frames()
    assert frame.array.shape == (2, 3, 3)


def rows(tmp_path: Path, x: Array) -> Item:
    np.savez(tmp_path / "a.npz", x=x, y=np.zeros(len(x), int))
    return Item("a.npz[0]", "x", tmp_path / "a.npz", 0)


@pytest.mark.parametrize("shape", [(1, 2, 3), (1, 2, 3, 1)])
def test_gray_arrays_get_three_equal_channels(tmp_path: Path, shape: tuple[int, ...]) -> None:
    gray = np.arange(6, dtype=np.uint8).reshape(shape)
    (frame,) = player("camera").sensor(rows(tmp_path, gray)).frames()
    np.testing.assert_array_equal(frame.array, np.repeat(gray.reshape(2, 3, 1), 3, axis=2))


def test_sound_in_16_bits_is_scaled_and_floats_are_taken(tmp_path: Path) -> None:
    mono = player("microphone")
    np.testing.assert_array_equal(
        samples(mono.sensor(rows(tmp_path, np.array([[-32768, 16384]], np.int16)))), [-1, 0.5]
    )
    np.testing.assert_array_equal(samples(mono.sensor(rows(tmp_path, np.array([[0.25, -1]])))), [0.25, -1])


def test_motion_is_samples_by_channels(tmp_path: Path) -> None:
    imu = player("motion", rate_hz=50, channels=("ax_g", "ay_g"))
    sensor = imu.sensor(rows(tmp_path, np.arange(8).reshape(1, 4, 2)))
    assert sensor.output == Signal((None, 2), "float32", 50.0, "motion", ("ax_g", "ay_g"))
    np.testing.assert_array_equal(samples(sensor), np.arange(8).reshape(4, 2))


@pytest.mark.parametrize(
    ("capability", "x", "said"),
    [
        ("camera", np.zeros((1, 2, 3, 3), np.float32), "float32 [2, 3, 3], expected pictures uint8"),
        ("camera", np.zeros((1, 2, 3, 4), np.uint8), "uint8 [2, 3, 4], expected pictures"),
        ("camera", np.zeros((1, 5), np.uint8), "uint8 [5], expected pictures"),
        ("microphone", np.zeros((1, 5, 2), np.float32), "float32 [5, 2], expected numbers, audio"),
        ("microphone", np.full((1, 5), np.nan), "not finite"),
        ("microphone", np.zeros((1, 5), bool), "bool [5], expected numbers"),
        ("motion", np.zeros((1, 5, 3)), "float64 [5, 3], expected numbers, motion"),
    ],
)
def test_other_arrays_are_told(tmp_path: Path, capability: str, x: Array, said: str) -> None:
    with pytest.raises(DataError) as error:
        player(capability).sensor(rows(tmp_path, x))
    assert said in str(error.value)


def test_other_sensors_have_no_data_sets() -> None:
    spec = SensorSpec("radar", None, Node({}, Mark("t", 1, 1, Path.cwd())), "sensor.radar")
    with pytest.raises(CapabilityError, match="camera, microphone or motion sensor, got radar"):
        signal_of(spec)


def test_an_item_is_one_file_and_no_folder_or_glob_of_them(tmp_path: Path) -> None:
    cv2 = pytest.importorskip("cv2")
    cv2.imwrite(str(tmp_path / "a1.png"), np.zeros((2, 2, 3), np.uint8))
    for name, said in ((".", "is a folder, expected a recording"), ("a[1].png", "cannot open")):
        with pytest.raises(DataError, match=said):
            player("camera").sensor(Item(name, "red", tmp_path / name))
    cv2.imwrite(str(tmp_path / "a[1].png"), np.full((2, 2, 3), 9, np.uint8))
    assert samples(player("camera").sensor(Item("a[1].png", "red", tmp_path / "a[1].png"))).max() == 9
