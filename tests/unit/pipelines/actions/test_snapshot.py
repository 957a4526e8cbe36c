import wave
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipelines.actions.snapshot import Snapshot
from pipelines.config.schema import OutputPath
from pipelines.core import Frame, Result, Signal
from pipelines.errors import CapabilityError, OutputError

PICTURE = Signal((4, 6, 3), "uint8", None, "image", ("r", "g", "b"))
SOUND = Signal((None,), "float32", 16000.0, "audio")
MOTION = Signal((None, 3), "float32", 119.0, "motion", ("ax_g", "ay_g", "az_g"))


def build(target: Any, folder: Path, signal: Signal = SOUND, **config: Any) -> Snapshot:
    action = Snapshot(Snapshot.Config(folder=OutputPath(folder), **config), target)
    action.resolve(signal)
    return action


def result(data: Any, label: str = "yes", t: float = 1.5) -> Result:
    return Result(t, label, 1.0, source=Frame(np.asarray(data), t, 0))


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_picture_is_what_was_captured(target: Any, tmp_path: Path) -> None:
    cv2 = pytest.importorskip("cv2")
    picture = np.arange(72, dtype=np.uint8).reshape(4, 6, 3)
    build(target, tmp_path, PICTURE).handle(result(picture))
    assert names(tmp_path) == ["0001.500-yes.png"]
    np.testing.assert_array_equal(cv2.imread(str(tmp_path / "0001.500-yes.png"))[:, :, ::-1], picture)


@pytest.mark.parametrize("channels", [("b", "g", "r"), ("gray",)])
def test_other_colour_orders(target: Any, tmp_path: Path, channels: tuple[str, ...]) -> None:
    cv2 = pytest.importorskip("cv2")
    picture = np.arange(4 * 6 * len(channels), dtype=np.uint8).reshape(4, 6, len(channels))
    build(target, tmp_path, PICTURE.but(channels=channels)).handle(result(picture))
    read = cv2.imread(str(tmp_path / "0001.500-yes.png"), cv2.IMREAD_UNCHANGED)
    np.testing.assert_array_equal(read.reshape(picture.shape), picture)


def test_a_jpeg(target: Any, tmp_path: Path) -> None:
    pytest.importorskip("cv2")
    build(target, tmp_path, PICTURE, picture="jpg").handle(result(np.zeros((4, 6, 3), np.uint8)))
    assert (tmp_path / "0001.500-yes.jpg").read_bytes().startswith(b"\xff\xd8")


def test_a_picture_in_other_colours_is_refused(target: Any, tmp_path: Path) -> None:
    pytest.importorskip("cv2")
    with pytest.raises(CapabilityError, match="expected r g b, b g r or gray"):
        build(target, tmp_path, PICTURE.but(channels=("y", "u", "v")))


def test_a_sound_is_a_wav(target: Any, tmp_path: Path) -> None:
    build(target, tmp_path).handle(result(np.array([0, 0.5, -1, 2, -2], np.float32)))
    with wave.open(str(tmp_path / "0001.500-yes.wav")) as file:
        assert file.getparams()[:4] == (1, 2, 16000, 5)
        assert np.frombuffer(file.readframes(5), "<i2").tolist() == [0, 16384, -32768, 32767, -32768]


def test_movement_is_an_npy(target: Any, tmp_path: Path) -> None:
    data = np.arange(12, dtype=np.float32).reshape(4, 3)
    build(target, tmp_path, MOTION).handle(result(data))
    np.testing.assert_array_equal(np.load(tmp_path / "0001.500-yes.npy"), data)


def test_a_label_cannot_leave_the_folder(target: Any, tmp_path: Path) -> None:
    folder = tmp_path / "shots"
    action = build(target, folder)
    for label in ("../../etc/passwd", "/abs", "a\0b", "..", "", "x" * 300, "größer als"):
        action.handle(result([0.0], label))
    assert names(tmp_path) == ["shots"]
    assert names(folder) == sorted(
        f"0001.500-{name}.wav" for name in ("etc_passwd", "abs", "a_b", "unnamed", "unnamed-2", "x" * 40, "größer_als")
    )


def test_several_results_of_one_frame_are_one_file(target: Any, tmp_path: Path) -> None:
    first = result([0.0], "yes")
    action = build(target, tmp_path)
    action.handle(first)
    action.handle(Result(1.5, "no", 0.2, source=first.source))
    assert names(tmp_path) == ["0001.500-yes.wav"]


def test_only_its_labels(target: Any, tmp_path: Path) -> None:
    action = build(target, tmp_path, labels=("no",))
    action.handle(result([0.0], "yes"))
    action.handle(result([0.0], "no"))
    assert names(tmp_path) == ["0001.500-no.wav"]


def test_the_newest_stay_and_what_was_there_before(target: Any, tmp_path: Path) -> None:
    earlier = build(target, tmp_path, limit=2)
    earlier.handle(result([0.5], t=4))
    before = (tmp_path / "0004.000-yes.wav").read_bytes()
    action = build(target, tmp_path, limit=2)
    for t in (1, 2, 3, 4):
        action.handle(result([0.0], t=t))
    assert names(tmp_path) == ["0003.000-yes.wav", "0004.000-yes-2.wav", "0004.000-yes.wav"]
    assert (tmp_path / "0004.000-yes.wav").read_bytes() == before


def test_building_it_makes_nothing(target: Any, tmp_path: Path) -> None:
    build(target, tmp_path / "shots").close()
    assert names(tmp_path) == []


def test_a_folder_that_cannot_be_is_found_when_it_is_built(target: Any, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for folder, said in (("nowhere/shots", "nowhere does not exist"), ("file", "file is a file")):
        with pytest.raises(OutputError, match=f"the folder .*{said}.* snapshot.folder"):
            build(target, tmp_path / folder)


def test_a_full_disk_leaves_no_half_file(target: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    action = build(target, tmp_path)
    action.handle(result([0.0], t=1))

    def full(self: Path, data: bytes) -> int:
        with self.open("wb") as file:
            file.write(data[:10])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OutputError, match="No space left on device.*the 1 snapshots before are written"):
        action.handle(result([0.0], t=2))
    assert names(tmp_path) == ["0001.000-yes.wav"]
