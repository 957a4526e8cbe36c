"""The demos on fans: on the simulator's, and on real recordings."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from apps.anomaly.data import load
from apps.anomaly.score import alarms, of_autoencoder, reports_on, spot_aucs
from apps.anomaly.streams import Join, warm
from demos import in_process, says

pytest.importorskip("ai_edge_litert")

FAN = "sensor.motion.synthetic.fan"


def told(folder: Path, config: str, *sets: str) -> list[tuple[float, str]]:
    """What ``eiq-demo run`` reports: (t, label)."""
    options = [word for one in sets for word in ("--set", one)]
    done = in_process("run", config, "--fast", "--json", *options, cwd=folder)
    assert done.returncode == 0, done.stderr
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    return [(line["t"], line["label"]) for line in lines if "label" in line]


def test_it_learns_normal_shows_it_and_alarms(tmp_path: Path) -> None:
    found = told(tmp_path, "anomaly.yaml")
    assert [label for _, label in found] == ["learning normal", "normal learned", "anomaly", "normal"]
    assert found[1][0] == pytest.approx(62.72)
    assert 83 < found[2][0] < 87  # the fan begins to clog at 83 s, and slows down within 1.5 s
    assert 103 < found[3][0] < 110


@pytest.mark.parametrize("fault", ["friction", "off", "imbalance"])
def test_other_faults_alarm_too(fault: str, tmp_path: Path) -> None:
    found = told(tmp_path, "anomaly.yaml", f"{FAN}.fault={fault}")
    assert [label for _, label in found][2:] == ["anomaly", "normal"]
    assert 83 < found[2][0] < 90


def test_a_fan_that_stays_well_does_not(tmp_path: Path) -> None:
    for config in ("anomaly.yaml", "anomaly_autoencoder.yaml"):
        assert "anomaly" not in [label for _, label in told(tmp_path, config, f"{FAN}.fault=none")]


@pytest.mark.parametrize(
    ("fault", "label"),
    [("stuck", "sensor stuck"), ("clipping", "sensor clipping"), ("missing", "axis az_g missing"),
     ("nan", "sensor not a number")],
)  # fmt: skip
@pytest.mark.parametrize("config", ["anomaly.yaml", "anomaly_autoencoder.yaml", "fan_state.yaml"])
def test_a_broken_sensor_is_no_anomaly(config: str, fault: str, label: str, tmp_path: Path) -> None:
    broken = (f"{FAN}.sensor_fault={fault}", f"{FAN}.sensor_fault_at_s=70", f"{FAN}.sensor_fault_for_s=5")
    found = told(tmp_path, config, f"{FAN}.fault=none", f"{FAN}.schedule=[]", f"{FAN}.seconds=90", *broken)
    labels = [label for _, label in found]
    assert label in labels
    assert "sensor ok" in labels
    assert not {"anomaly", "clog", "friction", "off"} & set(labels)


def test_the_autoencoder_alarms(tmp_path: Path) -> None:
    found = told(tmp_path, "anomaly_autoencoder.yaml")
    assert [label for _, label in found] == ["anomaly", "normal"]
    assert 20 < found[0][0] < 26
    assert 40 < found[1][0] < 46


def test_the_states_are_named(tmp_path: Path) -> None:
    found = told(tmp_path, "fan_state.yaml")
    assert [label for _, label in found] == ["on", "clog", "friction", "off"]
    for (t, _), begins in zip(found, (0, 15, 30, 45), strict=True):
        assert begins < t < begins + 6


def test_what_was_learned_is_kept(tmp_path: Path) -> None:
    keep = "preprocess.3.gaussian.file=normal.json"
    first = [label for _, label in told(tmp_path, "anomaly.yaml", keep)]
    again = [label for _, label in told(tmp_path, "anomaly.yaml", keep, f"{FAN}.fault_at_s=10")]
    assert first == ["learning normal", "normal learned", "anomaly", "normal"]
    assert again == ["normal loaded", "anomaly", "normal"]


def test_another_unit_is_refused(tmp_path: Path) -> None:
    done = in_process("check", "anomaly_autoencoder.yaml", "--set", "sensor.motion.channels=[ax_mg, ay_mg, az_mg]",
                      "--set", "preprocess.0.health.range_g=8", cwd=tmp_path)  # fmt: skip
    assert done.returncode == 2
    says(
        done.stderr,
        ["ax_mg ay_mg az_mg", "expected motion at 200 Hz (ax_g ay_g az_g), on which model anomaly was trained"],
    )


def test_other_bands_than_the_model_learned_are_refused(tmp_path: Path) -> None:
    done = in_process("check", "fan_state.yaml", "--set", "preprocess.2.band_power.bands=7", cwd=tmp_path)
    assert done.returncode == 2
    says(done.stderr, ["got 7, but model fan_state was trained with 6"])


def test_real_recordings_of_both_fans(shared_data: Path) -> None:
    recordings = load(shared_data / "fan")
    for fan in (1, 3):
        named = {(one.state, one.index): one for one in recordings if one.fan == fan}
        for fault in ("clog", "friction", "off"):
            join = Join(named["on", 2], named[fault, 2], at_s=119.0, from_s=60.0)
            found = reports_on("anomaly.yaml", join.samples)
            assert [label for _, label in found] == ["learning normal", "normal learned", "anomaly"]
            assert 119 < found[2][0] < 123
        quiet = alarms("anomaly.yaml", [warm(named["on", index]) for index in (1, 2, 3)], 60.0)
        assert (quiet.alarms, round(quiet.hours, 3)) == (0, 0.05)
        assert spot_aucs(recordings, fan, 180.0)["clog or friction"][0] > 0.999


@pytest.mark.slow
def test_the_manifest_says_what_the_score_command_measures(shared_data: Path) -> None:
    from pipelines.models import open_model

    manifest = open_model("anomaly", Path.cwd()).manifest
    assert manifest is not None
    kept = {(one.metric, one.data): one.value for one in manifest.accuracy}
    for line in of_autoencoder(load(shared_data / "fan"), 3):
        near = 0.65 if line["metric"].endswith(", s") else 0.03  # other kernels may alarm a window later
        assert kept[line["metric"], line["data"]] == pytest.approx(line["value"], abs=near)
    assert np.isfinite(list(kept.values())).all()
