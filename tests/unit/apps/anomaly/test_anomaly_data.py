from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from apps.anomaly.data import Recording, distinct, load, other_fan, unseen, write_folders
from pipelines.errors import DataError


def archive(folder: Path, **arrays: object) -> Path:
    np.savez(folder / "fan_1_3.npz", **arrays)  # type: ignore[arg-type]
    return folder


def test_counts_become_g_in_the_order_of_fan_state_and_number(tmp_path: Path) -> None:
    counts = np.array([[4096, 0, -2048]] * 5, np.int16)
    names = ["fan-3-vd1-on", "fan-1-vd2-off", "fan-1-vd1-off", "fan-1-vd1-on"]
    found = load(archive(tmp_path, **dict.fromkeys(names, counts)))
    assert [(one.fan, one.state, one.index) for one in found] == [(1, "on", 1), (1, "off", 1), (1, "off", 2),
                                                                  (3, "on", 1)]  # fmt: skip
    assert found[0].samples.dtype == np.float32
    assert found[0].samples[0].tolist() == [1.0, 0.0, -0.5]
    assert found[0].rate_hz == 200.0


def test_what_is_written_is_what_the_demo_reads(tmp_path: Path) -> None:
    samples = np.linspace(-1, 1, 30, dtype=np.float32).reshape(10, 3)
    write_folders((Recording(3, "clog", 2, samples),), tmp_path)
    np.testing.assert_array_equal(np.load(tmp_path / "clog" / "fan-3-vd2.npy"), samples)


@pytest.mark.parametrize(
    ("arrays", "says"),
    [
        ({"fan-1-vd1-asleep": np.zeros((4, 3))}, "expected names such as fan-1-vd2-clog"),
        ({"fan-1-vd1-on": np.zeros((4, 2))}, "expected numbers"),
        ({"fan-1-vd1-on": np.array([["a"] * 3])}, "expected numbers"),
    ],
)
def test_another_archive_is_refused(arrays: dict[str, object], says: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=says):
        load(archive(tmp_path, **arrays))


def test_no_archive_and_a_damaged_one_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="is not there"):
        load(tmp_path)
    whole = (archive(tmp_path, **{"fan-1-vd1-on": np.zeros((400, 3))}) / "fan_1_3.npz").read_bytes()
    for size in (0, 10, len(whole) // 2):
        (tmp_path / "fan_1_3.npz").write_bytes(whole[:size])
        with pytest.raises(DataError, match="is empty|cannot be read"):
            load(tmp_path)
    (tmp_path / "fan_1_3.npz").write_bytes(whole[:200] + b"\xff" * 20 + whole[220:])
    with pytest.raises(DataError, match="cannot be read"):
        load(tmp_path)


def test_the_other_fan() -> None:
    fans = tuple(Recording(fan, "on", 1, np.zeros((1, 3), np.float32)) for fan in (1, 3, 3))
    assert (other_fan(fans, 1), other_fan(fans, 3)) == (3, 1)
    for fan, some in ((2, fans), (1, fans[:1])):
        with pytest.raises(DataError, match="expected two"):
            other_fan(some, fan)


def test_the_command(shared_data: Path, tmp_path: Path) -> None:
    words = [sys.executable, "-m", "apps.anomaly.data", "--data", str(shared_data / "fan"), "--write-folders"]
    done = subprocess.run([*words, str(tmp_path), "--fan", "3"], capture_output=True, text=True, check=False)
    assert done.stdout.startswith("12 recordings in")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["clog", "friction", "off", "on"]
    lost = subprocess.run([*words, str(tmp_path), "--fan", "2"], capture_output=True, text=True, check=False)
    assert (lost.returncode, lost.stderr.count("\n")) == (1, 1)
    assert "has no such fan" in lost.stderr


def test_copies_count_once_and_never_as_unseen() -> None:
    samples = np.random.default_rng(1).normal(size=(20, 3)).astype(np.float32)
    one, copy = Recording(1, "off", 1, samples), Recording(3, "off", 2, samples.copy())
    other = Recording(3, "off", 1, samples + 1)
    assert distinct([one, copy, other]) == (one, other)
    assert unseen([one, copy, other], fan=3, learned=1) == [other]
