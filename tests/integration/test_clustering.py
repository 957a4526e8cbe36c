"""Steps that learn, and the sensor's health, from YAML on the synthetic fan to results."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from demos import in_process, says
from hal.sim.fan import Fan, FanConfig

NORMAL = """\
title: Vibration
sensor:
  motion:
    rate_hz: 200
    channels: [ax_g, ay_g, az_g]
    synthetic: {fan: {seconds: 40, fault: clog, fault_at_s: 25}}
preprocess:
  - window: {length_ms: 2560, hop_ms: 640}
  - health: {range_g: 8}
  - band_power: {bands: 8, floor: 1.0e-6}
  - gaussian: {learn_s: 15}
postprocess:
  - threshold: {above: 5, label: anomaly, cleared: normal, hysteresis: 2}
"""


def results(folder: Path, *arguments: str) -> list[dict[str, Any]]:
    done = in_process("run", *arguments, "--fast", "--json", cwd=folder)
    assert done.returncode == 0, done.stderr
    found = [json.loads(line) for line in done.stdout.splitlines()]
    return [line for line in found if "label" in line]


def labels(folder: Path, *arguments: str) -> list[tuple[float, str]]:
    return [(round(one["t"], 1), one["label"]) for one in results(folder, *arguments)]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "normal.yaml").write_text(NORMAL)
    return tmp_path


def test_normal_is_learned_and_then_a_fault_alarms(folder: Path) -> None:
    learning, learned, alarm = results(folder, "normal.yaml")
    assert (learning["label"], learned["label"], alarm["label"]) == ("learning normal", "normal learned", "anomaly")
    assert learned["unit"] == "frames"
    assert 25 < alarm["t"] < 28
    assert alarm["value"] > 5


def test_the_fan_is_changed_from_the_command_line(folder: Path) -> None:
    fan = "sensor.motion.synthetic.fan."
    changes = "--set", f"{fan}fault=friction", "--set", f"{fan}fault_at_s=20", "--set", f"{fan}fault_for_s=6"
    assert [label for _, label in labels(folder, "normal.yaml", *changes)][2:] == ["anomaly", "normal"]
    assert len(labels(folder, "normal.yaml", "--set", f"{fan}fault=none")) == 2


def test_a_recording_takes_the_synthetic_fans_place(folder: Path) -> None:
    channels = ("ax_g", "ay_g", "az_g")
    fan = Fan(FanConfig(seconds=30, fault="off", fault_at_s=22, seed=9), rate_hz=200, channels=channels, chunk_ms=1000)
    np.save(folder / "recorded.npy", np.concatenate(list(fan.read())))
    (_, _, (t, label)) = labels(folder, "normal.yaml", "--input", "recorded.npy")
    assert label == "anomaly"
    assert 22 < t < 25


@pytest.mark.parametrize(
    ("fault", "label"),
    [
        ("stuck", "sensor stuck"),
        ("nan", "sensor not a number"),
        ("clipping", "sensor clipping"),
        ("missing", "axis az_g missing"),
    ],
)
def test_a_sensors_fault_is_no_anomaly(folder: Path, fault: str, label: str) -> None:
    fan = "sensor.motion.synthetic.fan."
    changes = ("fault=none", f"sensor_fault={fault}", "sensor_fault_at_s=22", "sensor_fault_for_s=5")
    sets = [word for change in changes for word in ("--set", fan + change)]
    found = labels(folder, "normal.yaml", *sets)
    assert [what for _, what in found][2:] == [label, "sensor ok"]
    assert 22 < found[2][0] <= 22.8
    assert 27 < found[3][0] < 30


@pytest.mark.parametrize("first", ["window", "health"])
def test_what_is_held_back_is_not_told_as_dropped(folder: Path, first: str) -> None:
    lines = NORMAL.splitlines(keepends=True)
    at = [line.startswith("  - window") for line in lines].index(True)
    if first == "health":
        lines[at], lines[at + 1] = lines[at + 1], lines[at]
    (folder / "order.yaml").write_text("".join(lines))
    fan = "sensor.motion.synthetic.fan."
    changes = ("fault=none", "sensor_fault=stuck", "sensor_fault_at_s=22", "sensor_fault_for_s=5")
    sets = [word for change in changes for word in ("--set", fan + change)]
    done = in_process("run", "order.yaml", *sets, "--fast", cwd=folder)
    assert "sensor stuck" in done.stdout
    assert done.returncode == 0
    assert "dropped" not in done.stderr


def test_holes_in_a_recording(folder: Path) -> None:
    fan = Fan(FanConfig(seconds=30), rate_hz=200, channels=("ax_g", "ay_g", "az_g"), chunk_ms=1000)
    data = np.concatenate(list(fan.read()))
    data[4500] = np.nan
    np.save(folder / "holes.npy", data)
    refused = in_process("run", "normal.yaml", "--input", "holes.npy", "--fast", cwd=folder)
    assert refused.returncode == 1
    says(refused.stderr, ["sample 4500 is [nan, nan, nan]", "nan: keep", "the step health"])
    keep = "--input", "holes.npy", "--set", "sensor.motion.nan=keep"
    assert [label for _, label in labels(folder, "normal.yaml", *keep)][2:] == ["sensor not a number", "sensor ok"]
    (folder / "blind.yaml").write_text(NORMAL.replace("  - health: {range_g: 8}\n", ""))
    refused = in_process("run", "blind.yaml", *keep, "--fast", cwd=folder)
    assert refused.returncode == 1
    says(refused.stderr, ["gaussian got features that are not finite numbers", "put the step health before"])


def test_what_was_learned_is_kept_for_the_next_run(folder: Path) -> None:
    keep = "--set", "preprocess.3.gaussian.file=normal.json"
    assert in_process("check", "normal.yaml", *keep, cwd=folder).returncode == 0
    assert not (folder / "normal.json").exists()
    first = labels(folder, "normal.yaml", *keep)
    second = labels(folder, "normal.yaml", *keep)
    assert [label for _, label in second] == ["normal loaded", "anomaly"]
    assert second[0][0] == 2.6
    assert second[1] == first[2]


def test_another_preprocessing_is_refused_at_its_place(folder: Path) -> None:
    keep = "--set", "preprocess.3.gaussian.file=normal.json"
    labels(folder, "normal.yaml", *keep)
    other = in_process("check", "normal.yaml", *keep, "--set", "preprocess.0.window.length_ms=1280", cwd=folder)
    assert other.returncode == 2
    says(other.stderr, ["normal.yaml:11:15:", "preprocess[3].gaussian", "was learned behind motion [512, 3]"])
    hop = in_process("check", "normal.yaml", *keep, "--set", "preprocess.0.window.hop_ms=320", cwd=folder)
    health = (folder / "normal.yaml").read_text().replace("range_g: 8", "range_g: 16")
    (folder / "health.yaml").write_text(health)
    assert (hop.returncode, in_process("check", "health.yaml", *keep, cwd=folder).returncode) == (0, 0)


def test_clustering_finds_and_names_the_states_of_the_fan(tmp_path: Path) -> None:
    pytest.importorskip("sklearn")
    learning, learned, *named = results(tmp_path, "clustering.yaml")
    assert (learning["label"], learned["label"]) == ("learning states", "states learned")
    assert (learned["value"], learned["unit"]) == (4.0, "states")

    def state_at(t: float) -> str:
        return str([one["label"] for one in named if one["t"] <= t][-1])

    # 15 s each, in the order in which they were met
    assert [state_at(t) for t in (74, 89, 104, 119)] == ["state A", "state B", "state C", "state D"]


@pytest.mark.slow
def test_the_score_on_real_fans(shared_data: Path) -> None:
    pytest.importorskip("sklearn")
    from apps.anomaly.data import load
    from apps.clustering.score import scores

    found = list(scores(load(shared_data / "fan")))
    assert [score.states for score in found] == [4] * 6
    assert np.mean([score.rand for score in found if score.fan == 3]) > 0.85
