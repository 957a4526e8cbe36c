"""Every trainer, run end to end on a little data; ``run`` takes what it leaves. A new trainer needs a recipe here."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

import training_data as few
import wands
from apps.cli.train import TRAINERS
from demos import command
from pipelines.models import Manifest, open_model, read_manifest
from pipelines.resources import manifests

pytestmark = pytest.mark.training
for framework in ("tensorflow", "torch"):
    pytest.importorskip(framework)


FLOAT_TOO = ("anomaly", "cifar10", "fan_state", "gesture", "gesture_camera", "kws")
"""Those that write the float network as well."""


@dataclass(frozen=True)
class Recipe:
    """How to try a trainer.

    Args:
        arguments: of ``eiq-demo train NAME``, but for --out and --work.
        config: that takes its model; None takes the one that it writes.
        steps: whether it counts epochs.
    """

    arguments: list[str | Path]
    config: str | None
    steps: bool = True


def cifar10(folder: Path, shared: Path) -> Recipe:
    few.cifar_folder(shared, folder / "data", per_class=26)
    return Recipe(["--data", folder / "data", "--teacher-epochs", "1", "--hold-out", "60"], "cifar10.yaml")


def kws(folder: Path, shared: Path) -> Recipe:
    few.kws_folder(shared, folder / "data")
    few.synthetic_speech(folder / "work" / "synthetic-1.npz")
    return Recipe(["--data", folder / "data", "--settle", "1"], "kws.yaml")


def label_image(folder: Path, shared: Path) -> Recipe:
    few.cifar_folder(shared, folder / "data", per_class=12)
    body = shared / "label_image" / "mobilenet_v1_0.25_128_quant.tflite"
    return Recipe(["--images", folder / "data" / "train", "--body", body, "--views", "2"], None, steps=False)


def fan_state(folder: Path, shared: Path) -> Recipe:
    return Recipe(["--data", shared / "fan"], "fan_state.yaml")


def regression(folder: Path, shared: Path) -> Recipe:
    return Recipe(["--data", shared / "fan"], "regression.yaml")


def gesture_camera(folder: Path, shared: Path) -> Recipe:
    few.hand_signs(folder / "data")
    return Recipe(["--data", folder / "data"], "gesture_camera.yaml")


def gesture(folder: Path, shared: Path) -> Recipe:
    (folder / "test").mkdir()
    return Recipe(["--data", shared / "wand" / "train", "--test", wands.written(folder / "test")], "gesture.yaml")


def anomaly(folder: Path, shared: Path) -> Recipe:
    return Recipe(["--data", shared / "fan"], "anomaly_autoencoder.yaml")


RECIPES: dict[str, Callable[[Path, Path], Recipe]] = {
    recipe.__name__: recipe
    for recipe in (anomaly, cifar10, fan_state, gesture, gesture_camera, kws, label_image, regression)
}


@pytest.mark.parametrize("name", TRAINERS)
def test_a_trainer_ends_in_a_model_that_run_takes(name: str, tmp_path: Path, shared_data: Path) -> None:
    assert name in RECIPES, f"apps/{name}/train.py is new: say in RECIPES on what it can be tried"
    (tmp_path / "work").mkdir()
    recipe = RECIPES[name](tmp_path, shared_data)
    out = tmp_path / "out"
    epochs = ["--epochs", "1"] if recipe.steps else []
    eiq_demo("train", name, *recipe.arguments, *epochs, "--out", out, "--work", tmp_path / "work", cwd=tmp_path)
    manifest = open_model(str(out), tmp_path).manifest
    assert manifest is not None
    assert manifest.training.command is not None
    assert manifest.training.command.startswith(f"eiq-demo train {name} ")
    assert manifest.accuracy, "a trainer says how good its model is on data that it did not learn from"
    check_as_bundled(manifest)
    taken = [recipe.config, "--set", f"engine.model={out / 'manifest.yaml'}"] if recipe.config else [out / "demo.yaml"]
    eiq_demo("check", *taken, cwd=tmp_path)
    said = eiq_demo("run", *taken, "--fast", "--frames", "3", "--json", cwd=tmp_path).stdout
    assert '"event": "summary"' in said or '"event":"summary"' in said
    if name in FLOAT_TOO:
        assert [file.engine for file in manifest.files] == ["tflite", "onnx"]
        eiq_demo("run", *taken, "--fast", "--frames", "3", "--engine", "onnx", cwd=tmp_path)


@pytest.mark.parametrize("name", ["cifar10", "kws"])
def test_a_training_that_was_stopped_ends_in_the_same_model(name: str, tmp_path: Path, shared_data: Path) -> None:
    (tmp_path / "work").mkdir()
    recipe = RECIPES[name](tmp_path, shared_data)
    # one thread: with more, sums come in varying order, and weights differ in their last bits
    at_once: list[str | Path] = ["train", name, *recipe.arguments, "--epochs", "2", "--threads", "1"]
    eiq_demo(*at_once, "--work", tmp_path / "work", "--out", tmp_path / "at_once", cwd=tmp_path)
    work = tmp_path / "stopped"
    work.mkdir()
    for kept in (tmp_path / "work").glob("synthetic-*"):
        (work / kept.name).write_bytes(kept.read_bytes())
    stop_after = {"cifar10": ("teacher.pt", "student.pt"), "kws": ("training.npz", "settling.npz")}[name]
    resumed: list[str] = []
    for checkpoint in stop_after:
        stopped_at(work / checkpoint, *at_once, *resumed, "--work", work, "--out", tmp_path / "resumed")
        resumed = ["--resume"]
    eiq_demo(*at_once, "--resume", "--work", work, "--out", tmp_path / "resumed", cwd=tmp_path)
    assert (tmp_path / "resumed/model.tflite").read_bytes() == (tmp_path / "at_once/model.tflite").read_bytes()


def check_as_bundled(manifest: Manifest) -> None:
    """What is trained again fits the demo of the bundled model."""
    if manifest.name not in manifests():
        return
    bundled = read_manifest(manifests()[manifest.name])
    assert bundled.training.command is not None
    assert bundled.training.command.startswith(f"eiq-demo train {manifest.name} ")
    assert (manifest.labels, manifest.input, manifest.source) == (bundled.labels, bundled.input, bundled.source)
    ours, theirs = ([(step.name, step.config) for step in one.preprocess] for one in (manifest, bundled))
    assert ours == theirs


def eiq_demo(*arguments: str | Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    """The real command line, to its end, which must be a good one."""
    done = subprocess.run(command(*arguments), cwd=cwd, env=environment(), capture_output=True, text=True, timeout=600,
                          check=False)  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done


def environment() -> dict[str, str]:
    paths = os.pathsep.join([str(Path(__file__).parents[2]), os.environ.get("PYTHONPATH", "")])
    return os.environ | {"PYTHONPATH": paths.rstrip(os.pathsep), "TF_CPP_MIN_LOG_LEVEL": "3"}


def stopped_at(checkpoint: Path, *arguments: str | Path) -> None:
    """Start it, and press Ctrl-C when the checkpoint is there."""
    running = subprocess.Popen(command(*arguments), env=environment(), stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE, text=True)  # fmt: skip
    deadline = time.monotonic() + 300
    while not checkpoint.exists() and running.poll() is None and time.monotonic() < deadline:
        time.sleep(0.01)
    running.send_signal(signal.SIGINT)
    _, said = running.communicate(timeout=60)
    assert running.returncode == 130, said
    assert "Traceback" not in said
    assert "stopped; the same command with --resume goes on from the last checkpoint" in said


@pytest.mark.parametrize(("name", "wanted"), [("cifar10", "<class>/*.png"), ("kws", "train_spectrograms.npz.xz")])
def test_a_folder_without_the_data_is_one_sentence(name: str, wanted: str, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    done = subprocess.run(command("train", name, "--data", "empty"), cwd=tmp_path, env=environment(),
                          capture_output=True, text=True, timeout=300, check=False)  # fmt: skip
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert wanted in done.stderr
