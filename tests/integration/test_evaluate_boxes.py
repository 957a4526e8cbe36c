"""``eiq-demo evaluate`` of a detector: a model that copies its input, so that the pictures say what it finds."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

import demos
import tiny_models

pytest.importorskip("ai_edge_litert")

CONFIG = """
title: Boxes
sensor: {camera: {}}
preprocess:
  - resize: {width_px: 8, height_px: 4, filter: nearest}
  - color: {order: gray}
  - scale: {from: [0, 200], to: [0, 1]}
engine: {model: copy.tflite, labels: [cat, dog, car]}
postprocess:
  - boxes: {layout: yolov5, threshold: 0.1}
"""
HUNDRED = ("--set", "postprocess.0.boxes.most=100")
CAT = [0.5, 0.5, 0.5, 0.5, 1, 1, 0, 0]
DOG = [0.25, 0.25, 0.5, 0.5, 1, 0, 0.8, 0]
NOTHING = [0] * 8


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two pictures of 8 x 4 px, a row for each place: one with a cat that is there, one with a dog that is not."""
    for kind in ("images", "labels"):
        (tmp_path / "data" / kind).mkdir(parents=True)
    for name, row in {"a": CAT, "b": DOG}.items():
        gray = np.rint(np.array([row] + [NOTHING] * 3) * 200).astype(np.uint8)
        cv2.imwrite(str(tmp_path / f"data/images/{name}.png"), np.repeat(gray[..., None], 3, axis=2))
    (tmp_path / "data/labels/a.txt").write_text("0 0.5 0.5 0.5 0.5\n")
    (tmp_path / "data/labels/b.txt").write_text("1 0.75 0.75 0.5 0.5\n")
    (tmp_path / "copy.tflite").write_bytes(tiny_models.copy("float32", (1, 4, 8)))
    (tmp_path / "demo.yaml").write_text(CONFIG)
    return tmp_path


def report(folder: Path, *arguments: str) -> dict[str, Any]:
    pytest.importorskip("pycocotools")
    done = demos.in_process("evaluate", "demo.yaml", "--data", "data", "--json", *arguments, cwd=folder)
    assert done.returncode == 0, done.stderr
    made: dict[str, Any] = json.loads(done.stdout)
    return made


def test_boxes_are_compared_with_those_that_are_there(folder: Path) -> None:
    got = report(folder)
    boxes = got["boxes"]
    assert (got["items"], boxes["objects"], boxes["reported"], boxes["threshold"]) == (2, 2, 2, 0.1)
    assert (boxes["ap"], boxes["ap50"]) == (0.5, 0.5)  # the cat's 1, the dog's 0
    assert [(c["label"], c["objects"], c["reported"], c["ap"]) for c in boxes["classes"]] == [
        ("cat", 1, 1, 1.0), ("dog", 1, 1, 0.0), ("car", 0, 0, None),
    ]  # fmt: skip


def test_ignored_labels_and_a_picture_in_which_nothing_is_found(folder: Path) -> None:
    assert report(folder, "--ignore-labels", "dog")["boxes"]["ap"] == 1.0
    gray = np.zeros((4, 8, 3), np.uint8)
    cv2.imwrite(str(folder / "data/images/a.png"), gray)
    got = report(folder)
    assert (got["items"], got["boxes"]["ap"], got["boxes"]["reported"]) == (2, 0.0, 1)


def test_shards_give_the_same(folder: Path) -> None:
    pytest.importorskip("distributed")
    assert report(folder, "--scheduler", "local:2")["boxes"] == report(folder)["boxes"]


def test_it_is_told_to_people(folder: Path) -> None:
    pytest.importorskip("pycocotools")
    done = demos.in_process("evaluate", "demo.yaml", "--data", "data", cwd=folder)
    assert done.returncode == 0, done.stderr
    demos.says(
        done.stdout,
        ["AP        0.5000   mean over IoU 0.50 to 0.95 and 2 classes", "at most 10 boxes", "2 boxes reported", "cat"],
    )
    demos.says(
        done.stderr, ["boxes that score below 0.1 were not reported", "at most 10 boxes of a picture were reported"]
    )
    done = demos.in_process("evaluate", "demo.yaml", "--data", "data", *HUNDRED, cwd=folder)
    demos.says(done.stdout, ["at most 100 boxes a picture"])
    assert "of a picture were reported" not in done.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--data", "folders"], ["finds boxes", "has labels alone"]),
        (["--data", "data", "--positive", "cat"], ["not for boxes"]),
        (["--data", "data", "--ignore-labels", "cow"], ["cow", "cat, dog"]),
        (["--data", "data", "--plot", "x.png"], ["this config gives boxes"]),
    ],
)
def test_what_does_not_go_with_boxes_is_said(folder: Path, arguments: list[str], said: list[str]) -> None:
    pytest.importorskip("pycocotools")
    pytest.importorskip("matplotlib")
    (folder / "folders/cat").mkdir(parents=True)
    (folder / "folders/cat/a.png").write_bytes((folder / "data/images/a.png").read_bytes())
    done = demos.in_process("evaluate", "demo.yaml", *arguments, cwd=folder)
    assert done.returncode in (1, 2), done.stdout
    demos.says(done.stderr, said)


def test_boxes_for_a_classifier_are_refused(folder: Path) -> None:
    pytest.importorskip("sklearn")
    done = demos.in_process("evaluate", "cifar10.yaml", "--data", str(folder / "data"), cwd=folder)
    assert done.returncode == 2
    demos.says(done.stderr, ["is for a detector", "does not end in boxes"])


def test_a_missing_package_is_named_with_what_installs_it(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "pycocotools.cocoeval", None)
    done = demos.in_process("evaluate", "demo.yaml", "--data", "data", cwd=folder)
    assert done.returncode != 0
    demos.says(done.stderr, ["evaluate of a detector needs the module pycocotools.cocoeval", "eiq-demo[detection]"])


def test_another_layout_is_named(folder: Path) -> None:
    (folder / "demo.yaml").write_text(CONFIG.replace("layout: yolov5, ", ""))
    done = demos.in_process("check", "demo.yaml", "--input", "data/images/a.png", cwd=folder)
    assert done.returncode == 2
    demos.says(done.stderr, ["0 [4, 8] with 3 labels", "it would fit with layout: yolov5"])
