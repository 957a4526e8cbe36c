from __future__ import annotations

import json
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from apps.gesture_camera import score
from apps.gesture_camera.data import NONE, SIDE, photographs
from pipelines.errors import DataError


def dataset(folder: Path, students: int) -> Path:
    rng = np.random.default_rng(1)
    for number in range(10 * students):
        path = folder / f"{number % 10}/IMG_{number:04d}.JPG"
        path.parent.mkdir(exist_ok=True, parents=True)
        cv2.imwrite(str(path), rng.integers(0, 256, (SIDE, SIDE, 3), np.uint8))
    return folder


def test_the_split_as_links(tmp_path: Path) -> None:
    photos = photographs(dataset(tmp_path / "data", 45))
    for _ in range(2):  # a second time replaces the first
        score.write_split(photos, tmp_path / "split", fold=1)
    links = sorted(path.relative_to(tmp_path / "split") for path in (tmp_path / "split").rglob("*.JPG"))
    assert len(links) == 450
    assert sum(link.parts[0] == "test" for link in links) == 100
    assert (tmp_path / "split/test/3/IMG_0103.JPG").resolve() == tmp_path / "data/3/IMG_0103.JPG"


def test_a_copy_in_another_part_shows(tmp_path: Path) -> None:
    photos = photographs(dataset(tmp_path, 45))
    clean = score.describe_split(photos, fold=1)
    assert clean["parts"]["test"] == {"photographs": 100, "students": 10}
    key = "distance to the nearest picture of the same sign (least, 1st, 50th percentile)"
    assert clean[key]["test to train"][0] > 10
    photos[103].path.write_bytes(photos[3].path.read_bytes())
    assert score.describe_split(photos, fold=1)[key]["test to train"][0] == 0


def test_reported_is_split_into_right_and_wrong() -> None:
    scores = np.zeros((4, 11), np.float32)
    scores[0, 3], scores[1, 4], scores[2, 5], scores[3, NONE] = 0.9, 0.9, 0.5, 1.0
    assert score._reported(scores, np.array([3, 3, 5, 2]), 0.6) == {"right": 0.25, "wrong": 0.25}


def test_no_hand_in_noise(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("ai_edge_litert")
    dataset(tmp_path, 2)
    (tmp_path / "broken.png").write_bytes(b"no picture")
    monkeypatch.setattr(sys, "argv", ["score", "none", "--data", str(tmp_path)])
    score.main()
    told = capsys.readouterr()
    result = json.loads(told.out)
    assert (result["pictures"], result["taken for none"]) == (20, 1.0)
    assert "broken.png" in told.err


def test_a_bare_model_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "model.tflite").write_bytes(b"")
    with pytest.raises(DataError, match="has no manifest"):
        score.scores_of(str(tmp_path / "model.tflite"), [])
