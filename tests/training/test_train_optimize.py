"""eiq-demo optimize on a network that is trained here: sizes, zeros and accuracies that can be wrong."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from demos import command

pytestmark = pytest.mark.training

ON = ("--config", "bars.yaml", "--data", "data", "--test", "test")
CONFIG = """\
title: Bars
sensor: {camera: {}}
preprocess:
  - resize: {width_px: 16, height_px: 16}
  - scale: {from: [0, 255], to: [0, 1]}
engine: {model: float.tflite, labels: [across, down, slanted]}
postprocess: [top]
"""

STOPPING = """
import apps.checkpoint as kept
save = kept.save
def stopping(path, model, epochs):
    save(path, model, epochs)
    if epochs == 2:
        raise KeyboardInterrupt
kept.save = stopping
from apps.cli.main import main
"""


def bars(folder: Path, count: int, seed: int) -> None:
    """``folder/<class>/<n>.png``: noisy pictures of stripes in three directions."""
    import cv2

    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:16, :16]
    for name, axis in (("across", y), ("down", x), ("slanted", x + y)):
        (folder / name).mkdir(parents=True)
        for number in range(count):
            wave = np.sin(axis * rng.uniform(0.7, 1.6) + rng.uniform(0, 6))
            picture = 128 + 50 * wave[..., None] + rng.normal(0, 30, (16, 16, 3))
            cv2.imwrite(str(folder / name / f"{number:03d}.png"), np.clip(picture, 0, 255).astype(np.uint8))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("tensorflow")
    place = tmp_path_factory.mktemp("optimize")
    bars(place / "data", 60, seed=1)
    bars(place / "test", 40, seed=2)
    (place / "bars.yaml").write_text(CONFIG)
    script = f"""
import keras, numpy as np, cv2, pathlib
from apps.int8 import to_float
keras.utils.set_random_seed(1)
files = sorted(pathlib.Path({str(place / "data")!r}).glob("*/*.png"))
x = np.stack([cv2.imread(str(file))[..., ::-1] for file in files]).astype("float32") / 255
y = np.array([["across", "down", "slanted"].index(file.parent.name) for file in files])
model = keras.Sequential([
    keras.Input((16, 16, 3)), keras.layers.Conv2D(16, 5, 2, activation="relu"), keras.layers.BatchNormalization(),
    keras.layers.Conv2D(32, 3, activation="relu"), keras.layers.GlobalAveragePooling2D(),
    keras.layers.Dense(3, activation="softmax")])
model.compile("adam", "sparse_categorical_crossentropy")
model.fit(x, y, epochs=30, verbose=0)
model.save({str(place / "bars.keras")!r})
pathlib.Path({str(place / "float.tflite")!r}).write_bytes(to_float(model))
"""
    python(script, place, 0)
    return place


def python(script: str, folder: Path, wanted: int) -> str:
    """What a script says on standard error; it must end with the exit code that is wanted."""
    done = subprocess.run([sys.executable, "-c", script], cwd=folder, env=environment(), capture_output=True, text=True,
                          timeout=300, check=False)  # fmt: skip
    assert done.returncode == wanted, done.stderr
    return done.stderr


def optimize(folder: Path, *arguments: str) -> dict[str, dict]:
    done = subprocess.run(command("optimize", *arguments, *ON, "--json"), cwd=folder, env=environment(),
                          capture_output=True, text=True, timeout=300, check=False)  # fmt: skip
    assert done.returncode == 0, done.stderr
    return {row["name"]: row for row in map(json.loads, done.stdout.splitlines())}


def environment() -> dict[str, str]:
    paths = os.pathsep.join([str(Path(__file__).parents[2]), os.environ.get("PYTHONPATH", "")])
    return os.environ | {"PYTHONPATH": paths.rstrip(os.pathsep), "TF_CPP_MIN_LOG_LEVEL": "3"}


def accuracy(row: dict) -> float:
    assert row["of"] == 120
    return float(row["right"] / row["of"])


def test_quantised_and_pruned_it_is_smaller_and_nearly_as_good(folder: Path) -> None:
    rows = optimize(folder, "bars.keras", "--prune", "0.6", "--epochs", "6", "--out", "small")
    assert list(rows) == ["float", "int8", "pruned", "pruned_int8"]
    assert accuracy(rows["float"]) >= 0.9
    assert accuracy(rows["int8"]) >= accuracy(rows["float"]) - 0.05
    assert accuracy(rows["pruned"]) >= accuracy(rows["float"]) - 0.1
    assert accuracy(rows["pruned_int8"]) >= accuracy(rows["pruned"]) - 0.05
    assert rows["int8"]["size"] < 0.6 * rows["float"]["size"]
    assert rows["float"]["zeros"] < 0.05
    assert rows["pruned"]["zeros"] == pytest.approx(0.6, abs=0.01)
    assert rows["pruned_int8"]["zeros"] >= 0.6 - 0.01
    assert rows["pruned"]["size"] == pytest.approx(rows["float"]["size"], rel=0.02)  # zeros take their place
    assert rows["pruned"]["packed"] < 0.75 * rows["float"]["packed"]
    assert all(row["p50_ms"] > 0 for row in rows.values())
    assert (folder / "small/pruned_int8/model.tflite").stat().st_size == rows["pruned_int8"]["size"]


def test_pruning_that_goes_on_is_pruning_that_was_not_stopped(folder: Path) -> None:
    common = ("bars.keras", "--prune", "0.5", "--epochs", "3", "--threads", "1", "--limit", "90")
    at_once = optimize(folder, *common, "--out", "once", "--work", "once_work")
    # as after Ctrl-C in the last epoch: the checkpoint of the epoch before it
    arguments = ["optimize", *common, *ON, "--out", "twice", "--work", "twice_work"]
    said = python(f"{STOPPING}main({arguments!r})", folder, 130)
    assert "stopped; the same command with --resume goes on" in said
    again = optimize(folder, *common, "--out", "twice", "--work", "twice_work", "--resume")
    for name in ("pruned", "pruned_int8"):
        assert (folder / f"once/{name}/model.tflite").read_bytes() == (
            folder / f"twice/{name}/model.tflite"
        ).read_bytes()
        assert at_once[name]["right"] == again[name]["right"]


def test_a_float_tflite_is_quantised_without_tensorflow(folder: Path) -> None:
    pytest.importorskip("ai_edge_quantizer")
    rows = optimize(folder, "float.tflite", "--out", "edge")
    assert list(rows) == ["float", "int8"]
    assert accuracy(rows["int8"]) >= accuracy(rows["float"]) - 0.05
    assert rows["int8"]["size"] < 0.6 * rows["float"]["size"]
