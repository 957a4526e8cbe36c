"""``detect.yaml``: a model with several outputs finds, crop cuts out of the captured picture, another model names.

With Google's detector and classifier where they are on this machine: ``eiq-demo models fetch ssd_mobilenet_v1_coco
mobilenet_v2_1.0_224``.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import demos
from pipelines.errors import ModelError
from pipelines.models import find_file, manifest_of, read_manifest
from pipelines.resources import bundled

pytest.importorskip("ai_edge_litert")

FIND = """
sensor: {{camera: {{file: {picture}}}}}
steps:
  - resize: {{width_px: 300, height_px: 300, fit: stretch, filter: area}}
  - scale: {{from: [0, 256], to: [-1, 1]}}
  - engine: {{model: ssd_mobilenet_v1_coco}}
  - boxes: {{threshold: 0.5}}
"""
Found = list[tuple[str, float, list[float]]]


@pytest.fixture
def detector() -> Path:
    return fetched("ssd_mobilenet_v1_coco")


def fetched(name: str) -> Path:
    """A model's file; skips where it is not on this machine."""
    manifest = read_manifest(manifest_of(name))
    try:
        return find_file(manifest, manifest.files[0])
    except ModelError as error:
        pytest.skip(str(error))


def found(config: Path | str, cwd: Path, *arguments: str | Path) -> Found:
    done = demos.in_process("run", config, "--fast", "--json", *arguments, cwd=cwd)
    assert done.returncode == 0, done.stderr
    return [(o["label"], o["score"], o["region"]) for o in map(json.loads, done.stdout.splitlines())
            if o["event"] == "result"]  # fmt: skip


def detect(picture: Path, tmp_path: Path) -> Found:
    (tmp_path / "find.yaml").write_text(FIND.format(picture=picture))
    return found(tmp_path / "find.yaml", tmp_path)


def test_it_finds_what_is_in_the_pictures(detector: Path, tmp_path: Path) -> None:
    samples = bundled() / "samples/detect"
    assert sorted(label for label, _, _ in detect(samples / "traffic.jpg", tmp_path)) == ["car", "car"]
    assert sorted(label for label, _, _ in detect(samples / "pets.jpg", tmp_path)) == ["dog", "dog"]


def test_the_regions_are_litert_s_in_pixels(detector: Path, tmp_path: Path) -> None:
    import cv2
    from ai_edge_litert.interpreter import Interpreter

    path = bundled() / "samples/detect/traffic.jpg"
    picture = cv2.imread(str(path))[:, :, ::-1]
    runtime = Interpreter(str(detector), num_threads=1)
    runtime.allocate_tensors()
    x = cv2.resize(picture, (300, 300), interpolation=cv2.INTER_AREA)
    runtime.set_tensor(runtime.get_input_details()[0]["index"], x[np.newaxis])
    runtime.invoke()
    boxes, _, scores, _ = (runtime.get_tensor(output["index"])[0] for output in runtime.get_output_details())
    height, width = picture.shape[:2]
    for box, score, (_, got, region) in zip(boxes, scores, detect(path, tmp_path), strict=False):
        ymin, xmin, ymax, xmax = np.clip(box, 0, 1)
        assert got == pytest.approx(score, abs=1e-6)
        assert region == pytest.approx(
            [xmin * width, ymin * height, (xmax - xmin) * width, (ymax - ymin) * height], abs=0.01
        )


def test_mirrored_pictures_have_mirrored_boxes(detector: Path, tmp_path: Path) -> None:
    import cv2

    picture = cv2.imread(str(bundled() / "samples/detect/pets.jpg"))
    width = picture.shape[1]
    cv2.imwrite(str(tmp_path / "a.png"), picture)
    cv2.imwrite(str(tmp_path / "b.png"), picture[:, ::-1])
    left = sorted(x + w / 2 for _, _, (x, _, w, _) in detect(tmp_path / "a.png", tmp_path))
    right = sorted(width - x - w / 2 for _, _, (x, _, w, _) in detect(tmp_path / "b.png", tmp_path))
    assert left == pytest.approx(right, abs=0.1 * width)


def test_detect_yaml_names_each_object_anew(detector: Path, tmp_path: Path) -> None:
    fetched("mobilenet_v2_1.0_224")
    results = found("detect.yaml", tmp_path)
    assert [label for label, _, _ in results] == [
        "American Staffordshire terrier", "Boston bull", "sports car", "convertible",
    ]  # fmt: skip
    assert all(region for _, _, region in results)  # still those of what was found


def test_a_classifier_behind_boxes_is_refused(tmp_path: Path) -> None:
    (tmp_path / "demo.yaml").write_text("""
sensor: {camera: {file: samples/cifar10}}
preprocess:
  - resize: {width_px: 32, height_px: 32}
  - scale: {from: [0, 255], to: [0, 1]}
engine: {model: cifar10}
postprocess: [boxes]
""")
    done = demos.in_process("check", tmp_path / "demo.yaml", cwd=tmp_path)
    assert done.returncode == 2
    demos.says(done.stderr, ["postprocess[0].boxes", "the four of a detector", "name a detector's model"])
