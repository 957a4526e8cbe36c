"""The lab by its command: on real pictures and a real body, and on what visitors bring by mistake."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import numpy as np
import pytest

import training_data as few
from apps.label_image.features import recipe_for
from demos import in_process, says
from pipelines.core import TensorSpec
from pipelines.errors import ModelError
from pipelines.models import open_model

cv2 = pytest.importorskip("cv2")
pytest.importorskip("sklearn")
pytest.importorskip("ai_edge_litert")  # its flatbuffer tools change the body
MODELS = Path(__file__).parents[4] / "models"
BODY = MODELS / "cifar10" / "model.tflite"


def learn(folder: Path, *more: str | Path, body: str | Path = BODY) -> subprocess.CompletedProcess[str]:
    return in_process("train", "label_image", "--images", folder / "mine", "--body", body, *more, cwd=folder)


def colours(folder: Path, count: int = 6, classes: tuple[str, ...] = ("blue", "green", "red")) -> None:
    """Noisy pictures of one colour each."""
    rng = np.random.default_rng(1)
    for place, name in enumerate(classes):
        (folder / "mine" / name).mkdir(parents=True)
        for number in range(count):
            noise = rng.integers(0, 60, (48, 64, 3))
            noise[..., place] += 150  # OpenCV writes b, g, r
            cv2.imwrite(str(folder / "mine" / name / f"{number}.png"), noise.astype(np.uint8))


def test_a_new_head_learns_ones_own_classes_and_run_takes_it(tmp_path: Path) -> None:
    colours(tmp_path)
    done = learn(tmp_path)
    assert done.returncode == 0, done.stderr
    says(
        done.stdout, ["learned from 15 pictures", "3 of 3 held-out ones right: 100.0% (95 % interval 43.9% to 100.0%)"]
    )
    model = open_model("trained/label_image", tmp_path)
    assert model.labels == ("blue", "green", "red")
    assert model.manifest is not None
    (score,) = model.manifest.accuracy
    assert (score.value, score.samples) == (1.0, 3)
    said = in_process("run", "trained/label_image/demo.yaml", "--fast", "--json", cwd=tmp_path)
    results = [line for line in map(json.loads, said.stdout.splitlines()) if line["event"] == "result"]
    assert [result["label"] for result in results] == ["blue"] * 6


def test_what_was_looked_at_is_not_looked_at_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from apps.label_image import features

    colours(tmp_path)
    seen: list[Path] = []
    read = features.read

    def stopping(photo: features.Photo) -> np.ndarray:
        if len(seen) == 7:
            raise KeyboardInterrupt
        seen.append(photo.path)
        return read(photo)

    monkeypatch.setattr(features, "read", stopping)
    stopped = learn(tmp_path)
    assert stopped.returncode == 130
    says(stopped.stderr, ["stopped; the same command goes on with the pictures that are left"])
    monkeypatch.setattr(features, "read", lambda photo: seen.append(photo.path) or read(photo))
    assert learn(tmp_path).returncode == 0
    assert len(seen) == len(set(seen)) == 18
    first = (tmp_path / "trained/label_image/model.tflite").read_bytes()
    assert learn(tmp_path, "--work", "elsewhere").returncode == 0
    assert (tmp_path / "trained/label_image/model.tflite").read_bytes() == first
    assert learn(tmp_path, "--seed", "2").returncode == 0
    assert (tmp_path / "trained/label_image/model.tflite").read_bytes() != first


def test_pictures_that_do_not_open_are_counted_and_named(tmp_path: Path) -> None:
    colours(tmp_path)
    (tmp_path / "mine/red/broken.jpg").write_bytes(b"\xff\xd8 no picture")
    (tmp_path / "mine/red/empty.png").write_bytes(b"")
    done = learn(tmp_path)
    assert done.returncode == 0
    says(done.stderr, ["2 pictures left out:", "red/broken.jpg", "red/empty.png"])


def test_a_class_of_broken_pictures_ends_it_in_one_sentence(tmp_path: Path) -> None:
    colours(tmp_path)
    for path in (tmp_path / "mine/red").iterdir():
        path.write_bytes(b"no picture")
    done = learn(tmp_path)
    assert done.returncode == 1
    # all are the same file now, so one is left of them
    says(done.stderr, ["the class red has 1 picture"])


def test_a_body_that_is_none_is_refused(tmp_path: Path) -> None:
    colours(tmp_path)
    done = learn(tmp_path, body=MODELS / "kws" / "model.tflite")
    assert done.returncode == 2
    says(done.stderr, ["mfcc [1, 49, 10, 1] int8", "expected a picture [1, height, width, 3]"])
    done = learn(tmp_path, body="nothing.tflite")
    assert done.returncode == 2
    says(done.stderr, ["nothing.tflite is not there"])


@pytest.mark.parametrize(
    ("dtype", "scale", "zero_point", "to"),
    [("uint8", 1 / 128, 128, (-1.0, 127 / 128)), ("int8", 1 / 255, -128, (0.0, 1.0)), ("float32", 0.0, 0, (-1.0, 1.0))],
)
def test_an_8_bit_input_gets_the_pixel_itself(
    dtype: str, scale: float, zero_point: int, to: tuple[float, float]
) -> None:
    resize, scaled = recipe_for(TensorSpec("x", (1, 96, 64, 3), dtype, scale, zero_point), "mine.tflite")
    assert (resize.config.height_px, resize.config.width_px, resize.config.crop) == (96, 64, 0.875)
    assert scaled.config.to == pytest.approx(to)
    with pytest.raises(ModelError, match="expected a picture"):
        recipe_for(TensorSpec("x", (1, 10), dtype), "mine.tflite")


@pytest.mark.slow
def test_a_small_mobilenet_learns_photographs(tmp_path: Path, shared_data: Path) -> None:
    few.cifar_folder(shared_data, tmp_path / "data", per_class=25)
    for name in ("airplane", "frog", "truck"):
        (tmp_path / "mine").mkdir(exist_ok=True)
        (tmp_path / "data" / "train" / name).rename(tmp_path / "mine" / name)
    done = learn(tmp_path, "--hold-out", "0.4", "--views", "2",
                 body=shared_data / "label_image" / "mobilenet_v1_0.25_128_quant.tflite")  # fmt: skip
    assert done.returncode == 0, done.stderr
    manifest = open_model("trained/label_image", tmp_path).manifest
    assert manifest is not None
    # chance is 33 %; the interval of 30 pictures is wide
    assert manifest.accuracy[0].samples == 30
    assert manifest.accuracy[0].value >= 0.7
