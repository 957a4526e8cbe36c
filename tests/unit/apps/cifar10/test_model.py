"""The shipped CIFAR-10 model: its manifest, its size, its edges, and that it names the shipped pictures."""

import hashlib
from pathlib import Path

import numpy as np
import pytest
import yaml

from apps.cifar10.data import LABELS
from apps.cifar10.score import interpreter, predictions

ROOT = Path(__file__).parents[4]
MODEL = ROOT / "models" / "cifar10" / "model.tflite"
SAMPLES = sorted((ROOT / "samples" / "cifar10").glob("*-*.*g"))


def manifest():
    return yaml.safe_load((MODEL.parent / "manifest.yaml").read_text(encoding="utf-8"))


def test_manifest_names_this_very_file():
    files = manifest()["files"]
    assert [entry["engine"] for entry in files] == ["tflite", "onnx"]
    for entry in files:
        data = (MODEL.parent / entry["path"]).read_bytes()
        assert entry["bytes"] == len(data)
        assert entry["sha256"] == hashlib.sha256(data).hexdigest()


def test_model_fits():
    assert MODEL.stat().st_size <= 100_000


def test_manifest_claims_to_beat_resnet8():
    ours, *others = manifest()["accuracy"]
    (resnet8,) = [other for other in others if "ResNet-8" in other["data"]]
    assert (ours["metric"], ours["samples"], ours["measured"]) == ("top-1", 10_000, "here")
    assert ours["value"] > resnet8["value"]


def test_labels_are_those_the_model_was_trained_with():
    assert tuple(manifest()["labels"]) == LABELS


def test_edges_are_int8_pixels_in_and_probabilities_out():
    pytest.importorskip("ai_edge_litert")
    network = interpreter(MODEL)
    (enters,), (leaves,) = network.get_input_details(), network.get_output_details()
    assert (enters["shape"].tolist(), enters["dtype"]) == ([1, 32, 32, 3], np.int8)
    assert enters["quantization"] == (pytest.approx(1 / 255), -128)
    assert (leaves["shape"].tolist(), leaves["dtype"]) == ([1, 10], np.int8)
    assert leaves["quantization"] == (1 / 256, -128)


def test_samples_cover_most_classes():
    assert len({path.stem.split("-")[1] for path in SAMPLES}) >= 8
    assert sum(path.stat().st_size for path in SAMPLES) < 400_000


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.stem)
def test_model_names_sample(path):
    pytest.importorskip("ai_edge_litert")
    cv2 = pytest.importorskip("cv2")
    picture = cv2.imread(str(path))
    height, width = picture.shape[:2]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    square = picture[top : top + side, left : left + side]
    small = cv2.cvtColor(cv2.resize(square, (32, 32), interpolation=cv2.INTER_AREA), cv2.COLOR_BGR2RGB)
    (answer,) = predictions(MODEL, small[None])
    assert LABELS[answer] == path.stem.split("-")[1]
