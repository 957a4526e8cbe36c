"""A value with its unit as result: the bundled virtual sensor, from YAML to the console."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from demos import eiq_demo, says

pytest.importorskip("onnxruntime")


def test_the_demo_reports_a_value_with_its_unit() -> None:
    done = eiq_demo("run", "regression.yaml", "--fast")
    says(done.stdout, ["  1.000 s  vibration  4", " mg\n"])
    says(done.stderr, ["CPUExecutionProvider for all", "29 results"])
    assert done.returncode == 0


def test_the_value_follows_the_synthetic_fan() -> None:
    """Settled in each state (its inertia is 1.5 s), the estimate is near what the three axes measure.

    The fan's shaking in mg is its ``Character``'s; that is not data that the model learned from.
    """
    done = eiq_demo("run", "regression.yaml", "--fast", "--json")
    results = [json.loads(line) for line in done.stdout.splitlines()]
    results = [one for one in results if "value" in one]
    assert {one["unit"] for one in results} == {"mg"}
    value = {one["t"]: one["value"] for one in results}
    for state, times, expected in (
        ("on", range(2, 6), 40),
        ("clog", range(10, 14), 28),
        ("friction", range(18, 22), 61),
        ("off", range(26, 30), 3),
    ):
        said = np.mean([value[t] for t in times])
        assert said == pytest.approx(expected, rel=0.2), state


def test_another_engine_or_unit_of_the_sensor_is_refused(tmp_path: Path) -> None:
    done = eiq_demo("check", "regression.yaml", "--set", "sensor.motion.channels=[ay_mg]")
    says(done.stderr, ["ay_mg", "motion at 200 Hz (ay_g), on which model regression was trained"])
    assert done.returncode == 2
    done = eiq_demo("run", "regression.yaml", "--set", "engine.type=tflite")
    says(done.stderr, ["model regression has no file for the engine 'tflite'; it has files for: onnx"])
    assert done.returncode == 2


def test_the_bundled_model_scores_as_its_manifest_says(shared_data: Path) -> None:
    from apps.anomaly.data import distinct, load
    from apps.regression.data import windows
    from apps.regression.score import baselines, by_engine, score, turning
    from pipelines.models import manifest_of, read_manifest

    path = manifest_of("regression")
    recordings = distinct(load(shared_data / "fan"))
    assert sorted(f"{one.name}-{one.state}" for one in recordings if one.state == "off") == [
        "fan-1-vd1-off", "fan-1-vd3-off", "fan-3-vd1-off", "fan-3-vd3-off"
    ]  # fmt: skip
    learned, unseen = (windows(one for one in recordings if one.fan == fan) for fan in (1, 3))
    result = score(by_engine(path.parent)(turning(unseen)), turning(unseen))
    said = {entry.metric: entry.value for entry in read_manifest(path).accuracy}
    assert said == pytest.approx({"mean absolute error, mg": result.mae, "R²": result.r2}, abs=0.002)
    mean, squares, _ = (score(way(turning(unseen)), turning(unseen)).mae for way in baselines(learned).values())
    assert result.mae < mean / 2
    assert result.mae < squares / 2
