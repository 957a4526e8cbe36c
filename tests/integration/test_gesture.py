"""``gesture.yaml`` as a user runs it, and the bundled model on what others recorded."""

from __future__ import annotations

import json
import os
import re
import threading
from pathlib import Path

import numpy as np
import pytest

import demos
from apps.gesture.data import LABELS, read
from apps.gesture.score import Chain, score_recordings
from hal.imx8.iio import DEVICES
from pipelines.core import Array
from pipelines.models import open_model
from sysroots import copied, put

ROOT = Path(__file__).parents[2]


def said() -> list[tuple[float, float, str]]:
    """The gestures that the sample's notes name."""
    rows = re.findall(
        r"^\| ([\d.]+) \| ([\d.]+) \| \*\*(\w+)\*\*", (ROOT / "samples/gesture.SOURCES.md").read_text(), re.M
    )
    return [(float(begin), float(end), label) for begin, end, label in rows]


def bare(folder: Path, factor: float = 1.0) -> Path:
    """A short recording whose columns say no unit."""
    rows = np.tile([0.0, 0.0, factor, 0.0, 0.0, 0.0], (50, 1))
    np.savetxt(folder / "m.csv", rows, delimiter=",", header="ax,ay,az,gx,gy,gz", comments="")
    return folder / "m.csv"


def test_the_sample_shows_each_gesture_and_nothing_else(tmp_path: Path) -> None:
    done = demos.in_process("run", "gesture.yaml", "--fast", "--json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    results = [line for line in map(json.loads, done.stdout.splitlines()) if "label" in line]
    assert sorted(result["label"] for result in results) == sorted(LABELS[:5])
    for result, (begin, end, label) in zip(results, said(), strict=True):
        assert result["label"] == label
        assert begin < result["t"] < end + 1


def raw_records(values: Array, factor: float, late_ns: int, often: int) -> bytes:
    """As the LSM6DSO's driver writes three axes: 16 bits each, which end where its range does, and the time."""
    records = np.zeros(len(values), np.dtype([("xyz", "<i2", 3), ("pad", "<i2"), ("stamp", "<i8")]))
    records["xyz"] = np.clip(np.rint(values / factor), -32768, 32767)
    records["stamp"] = np.arange(len(values)) * 1_000_000_000 // 119 + late_ns
    records["stamp"][often - 1 :: often] += 5_000_000
    return records.tobytes()


@pytest.mark.parametrize("often", [10_000, 60], ids=["never late", "late times"])
def test_the_93_evk_feels_the_sample(often: int, tmp_path: Path) -> None:
    """Its chip is two devices, on one timer; the sample stands in two pipes as the driver would write it, which takes
    the time in a thread, now and then late."""
    sysfs = copied("imx93-11x11-evk", tmp_path)
    put(sysfs, f"{DEVICES}/trigger0/name", "eiq\n")
    put(sysfs, f"{DEVICES}/trigger0/sampling_frequency", "100\n")
    sysfs.path("dev").mkdir()
    motion = np.loadtxt(ROOT / "samples/gesture.csv", delimiter=",", skiprows=1)
    # 4 g and 2000 degrees per second of the driver's scales
    sent = [raw_records(motion[:, :3], 0.001196 / 9.80665, 0, often),
            raw_records(motion[:, 3:], np.degrees(0.001222), 20_000, often)]  # fmt: skip
    ends, writers = [], []
    for place, data in enumerate(sent):
        os.mkfifo(sysfs.path(f"dev/iio:device{place}"))
        ends.append(os.open(sysfs.path(f"dev/iio:device{place}"), os.O_RDWR))
        writers.append(threading.Thread(target=write_all, args=(ends[place], data), daemon=True))
        writers[-1].start()
    # chunks so long that the queue of a live sensor holds the whole sample
    done = demos.eiq_demo("run", "gesture.yaml", "--target", "imx8", "--set", "engine.delegate=none", "--json",
                          "--set", "sensor.motion.chunk_ms=100", "--frames", "10",
                          EIQ_SYSROOT=str(sysfs.root))  # fmt: skip
    for end, writer in zip(ends, writers, strict=True):
        writer.join(5)
        os.close(end)
    assert done.returncode == 0, done.stderr
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    delivers = "motion delivers lsm6dso_accel up to 4 g and lsm6dso_gyro up to 2290 dps"
    assert {"event": "sensor", "mode": delivers} in lines
    results = [line for line in lines if "label" in line]
    for result, (begin, end_s, label) in zip(results, said(), strict=True):
        assert result["label"] == label
        assert begin < result["t"] < end_s + 1
    assert lines[-1]["dropped"] == {}


def write_all(end: int, data: bytes) -> None:
    """A pipe takes what fits."""
    while data:
        data = data[os.write(end, data) :]


def channels(unit: str, *, gyroscope: bool = True) -> str:
    accelerometer = [f"a{axis}_{unit}" for axis in "xyz"]
    return ", ".join([*accelerometer, *(f"g{axis}_dps" for axis in "xyz")] if gyroscope else accelerometer)


@pytest.mark.parametrize(
    ("wanted", "phrases"),
    [
        (f"[{channels('mg')}]", ["gesture.yaml:6:14: preprocess[0].segment", "ax_g ay_g az_g for start_g",
                                 "convert the recording to g"]),
        (f"[{channels('g', gyroscope=False)}]", ["gx_dps gy_dps gz_dps for start_dps", "take a sensor with gyroscope"]),
    ],
)  # fmt: skip
def test_another_unit_or_no_gyroscope_is_refused(tmp_path: Path, wanted: str, phrases: list[str]) -> None:
    done = demos.in_process("check", "gesture.yaml", "--set", f"sensor.motion.channels={wanted}",
                            "--set", f"sensor.motion.file={bare(tmp_path)}", cwd=tmp_path)  # fmt: skip
    assert done.returncode == 2
    demos.says(done.stderr + done.stdout, phrases)


def test_mg_is_refused_by_the_model_too_where_no_threshold_is_in_g(tmp_path: Path) -> None:
    text = (ROOT / "configs/gesture.yaml").read_text()
    text = text.replace("start_g: 0.4, stop_g: 0.2, ", "").replace("ax_g, ay_g, az_g", "ax_mg, ay_mg, az_mg")
    (tmp_path / "mine.yaml").write_text(text.replace("samples/gesture.csv", str(bare(tmp_path))))
    done = demos.in_process("check", "mine.yaml", cwd=tmp_path)
    assert done.returncode == 2
    demos.says(done.stderr + done.stdout, ["ax is in mg, the model takes g: convert the data to g"])


def test_another_rate_is_refused(tmp_path: Path) -> None:
    done = demos.in_process("check", "gesture.yaml", "--set", "sensor.motion.rate_hz=100", cwd=tmp_path)
    assert done.returncode == 2
    demos.says(done.stderr + done.stdout, ["take a sensor or recording at 119 Hz"])


def test_the_bundled_model_on_what_it_learned_from(shared_data: Path) -> None:
    chain = Chain(open_model("gesture", ROOT))
    told = score_recordings(read(shared_data / "wand/train"), chain, seed=7)
    chain.engine.close()
    assert told["hold a gesture"] == 86
    assert told["top-1 of those"] >= 0.95


def test_the_bundled_model_is_one_the_compiler_takes(tmp_path: Path) -> None:
    pytest.importorskip("tflite")
    done = demos.in_process("compile", "gesture", "--out", "build", cwd=tmp_path)
    assert done.returncode == 0, done.stderr


@pytest.mark.slow
@pytest.mark.training
def test_training_leaves_a_model_that_runs(tmp_path: Path, shared_data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("tensorflow")
    from apps.gesture import train

    monkeypatch.setattr(train, "PER_CLASS", 20)
    monkeypatch.setattr(train, "NO_GESTURE", 20)
    told = ("train", "gesture", "--data", shared_data / "wand/train", "--out", "made", "--work", "work")
    assert demos.in_process(*told, "--epochs", "2", cwd=tmp_path).returncode == 0
    again = demos.in_process(*told, "--epochs", "3", "--resume", cwd=tmp_path)
    assert again.returncode == 0, again.stderr
    done = demos.in_process("run", "gesture.yaml", "--fast", "--set", "engine.model=made/manifest.yaml", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
