"""``gesture_camera.yaml`` names the ten signs that the simulated camera sees, and nothing where there is no hand."""

from __future__ import annotations

import json
import re
from pathlib import Path

import cv2
import numpy as np
import pytest

import demos
from apps.gesture_camera.data import LABELS, SIGNS
from apps.gesture_camera.train import STEPS
from pipelines.models import manifest_of, read_manifest
from pipelines.resources import bundled

pytest.importorskip("ai_edge_litert")


def run(*arguments: str | Path, cwd: Path) -> list[dict[str, object]]:
    """The results that the demo reports."""
    done = demos.in_process("run", "gesture_camera.yaml", "--fast", "--json", *arguments, cwd=cwd)
    assert done.returncode == 0, done.stderr
    return [line for line in map(json.loads, done.stdout.splitlines()) if "label" in line]


def test_ten_signs_of_ten_students_are_named_once_each(tmp_path: Path) -> None:
    results = run(cwd=tmp_path)
    assert [result["label"] for result in results] == list(SIGNS)
    for sign, result in enumerate(results):
        assert sign <= float(str(result["t"])) < sign + 1  # while it is shown
    assert run(cwd=tmp_path) == results


def test_a_single_photograph_is_named_at_once(tmp_path: Path) -> None:
    capture = cv2.VideoCapture(str(bundled() / "samples/gesture_camera/signs.avi"))
    for _ in range(50):
        capture.grab()
    _, five = capture.read()
    capture.release()
    cv2.imwrite(str(tmp_path / "five.png"), five)
    assert [result["label"] for result in run("--input", "five.png", cwd=tmp_path)] == ["5"]


def test_nothing_is_named_where_there_is_no_hand(tmp_path: Path) -> None:
    rng = np.random.default_rng(4)
    (tmp_path / "pictures").mkdir()
    for number in range(20):
        wall = np.full((120, 160, 3), rng.integers(60, 256, 3), np.uint8)
        cv2.imwrite(str(tmp_path / f"pictures/{number:02d}.png"), wall)
    assert run("--input", "pictures", cwd=tmp_path) == []


def test_the_photographs_of_the_other_demo_show_no_sign(tmp_path: Path) -> None:
    assert run("--input", bundled() / "samples/cifar10", cwd=tmp_path) == []


def test_manifest_config_and_trainer_agree() -> None:
    manifest = read_manifest(manifest_of("gesture_camera"))
    assert manifest.labels == LABELS
    assert [step.name for step in manifest.preprocess] == [name for step in STEPS for name in step]
    assert manifest.source is not None
    assert manifest.source.channels == ("r", "g", "b")


def test_the_sources_name_every_photograph_of_the_sample() -> None:
    text = (bundled() / "samples/gesture_camera/SOURCES.md").read_text(encoding="utf-8")
    assert [int(sign) for sign in re.findall(r"`Dataset/(\d)/IMG_\d+\.JPG`", text)] == list(range(10))


def test_operators_are_those_that_compilers_to_c_take() -> None:
    from apps.flatbuffer import schema, unpacked

    model = unpacked((bundled() / "models/gesture_camera/model.tflite").read_bytes())
    names = {value: name for name, value in vars(schema().BuiltinOperator).items()}
    used = {names[max(code.builtinCode, code.deprecatedBuiltinCode)] for code in model.operatorCodes}
    assert used <= {"CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED", "ADD", "MEAN", "SOFTMAX", "AVERAGE_POOL_2D",
                    "MAX_POOL_2D", "PAD", "RESHAPE"}  # fmt: skip
