"""The trainer end to end, on hands that a few lines draw; slow for TensorFlow's sake."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

import demos
from apps.gesture_camera.data import NONE, SIDE
from apps.gesture_camera.preprocessing import Preprocessing
from apps.gesture_camera.train import STEPS, rates
from pipelines.models import read_manifest


def test_preprocessing_is_area_resize_and_scale() -> None:
    picture = np.random.default_rng(0).integers(0, 256, (90, 120, 3), np.uint8)
    (made,) = Preprocessing.of(STEPS)([picture], 1)
    expected = cv2.resize(picture[:, 15:105], (64, 64), interpolation=cv2.INTER_AREA)
    assert np.abs(made - expected / 255).max() < 1e-6


def test_rates_count_none_on_a_hand_as_wrong() -> None:
    scores = np.eye(11, dtype=np.float32)[[0, 1, NONE, NONE, 3]]
    assert rates(scores, np.array([0, 1, 2, NONE, NONE])) == {"signs": 0.6667, "none": 0.5}
    assert rates(scores[:2], np.array([0, 1])) == {"signs": 1.0}


def dataset(folder: Path, students: int) -> Path:
    rng = np.random.default_rng(1)
    for number in range(10 * students):
        sign = number % 10
        picture = np.full((SIDE, SIDE, 3), 200, np.uint8)
        at = tuple(int(v) for v in rng.integers(45, 56, 2))
        cv2.ellipse(picture, at, (12 + sign, 40 - 3 * sign), 0, 0, 360, (100, 140, 190), -1)
        (folder / str(sign)).mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(folder / f"{sign}/IMG_{number:04d}.JPG"), picture)
    return folder


@pytest.mark.slow
@pytest.mark.training
def test_training_gives_a_model_that_the_demo_takes_and_resume_does_not_repeat_it(tmp_path: Path) -> None:
    pytest.importorskip("tensorflow")
    dataset(tmp_path / "hands", 45)
    train = ("train", "gesture_camera", "--data", "hands", "--epochs", "1", "--out", "out", "--work", "work")
    first = demos.eiq_demo(*train, cwd=tmp_path)
    assert first.returncode == 0, first.stderr
    assert '{"epoch": 0, ' in first.stdout
    assert "validation: float" in first.stdout
    manifest = read_manifest(tmp_path / "out/manifest.yaml")
    assert manifest.training.command == "eiq-demo train gesture_camera --data DIR --epochs 1 --seed 1"
    assert [score.samples for score in manifest.accuracy] == [50]  # block 4: five students; no pictures of --none
    again = demos.eiq_demo(*train, "--resume", cwd=tmp_path)
    assert '{"epoch"' not in again.stdout
    assert "validation: float" in again.stdout
    model = f"engine.model={tmp_path}/out/manifest.yaml"
    shown = demos.eiq_demo("run", "gesture_camera.yaml", "--fast", "--set", model, cwd=tmp_path)
    assert shown.returncode == 0, shown.stderr
