from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import pytest

from apps.variants import write_variant
from pipelines.errors import ConfigError, ModelError
from pipelines.models import open_model, read_manifest

MANIFEST = """
name: {name}
title: A tiny model
files:
  - {{engine: tflite, path: sub/model.tflite, sha256: {sha}, bytes: 3}}
labels: {labels}
input: {{kind: image, shape: [32, 32, 3], dtype: float32, channels: [r, g, b]}}
preprocess:
  - resize: {{width_px: 32, height_px: 32}}
training: {{data: none, licence: none}}
"""


def write(folder: Path, name: str = "tiny", labels: str = "[no, off, on, yes]") -> Path:
    (folder / "sub").mkdir(parents=True)
    (folder / "sub/model.tflite").write_bytes(b"abc")
    (folder / "words.txt").write_text("no\nyes\n")
    digest = hashlib.sha256(b"abc").hexdigest()
    (folder / "manifest.yaml").write_text(MANIFEST.format(name=name, sha=digest, labels=labels))
    return folder


def test_a_folder_becomes_the_model_s_with_its_variant(tmp_path: Path) -> None:
    model = open_model(str(write(tmp_path / "in")), tmp_path)
    out = tmp_path / "out"
    assert write_variant(out, model, "ethos-u55-128", b"npu") == [
        out / "model.ethos-u55-128.tflite", out / "manifest.yaml"
    ]  # fmt: skip
    again = open_model("./out/manifest.yaml", tmp_path)
    assert (again.path.read_bytes(), again.labels) == (b"abc", ("no", "off", "on", "yes"))
    assert open_model("./out/manifest.yaml", tmp_path, "tflite", "ethos-u55-128").path.read_bytes() == b"npu"
    with pytest.raises(ModelError, match="no file for the engine 'tflite' on ethos-u65-256; it has files for: tflite, "
                       "tflite on ethos-u55-128"):  # fmt: skip
        open_model("./out/manifest.yaml", tmp_path, "tflite", "ethos-u65-256")


def test_a_further_one_is_added_and_an_old_one_replaced(tmp_path: Path) -> None:
    folder = write(tmp_path / "in")
    for accelerator, data in (("a", b"1"), ("b", b"2"), ("a", b"33")):
        write_variant(folder, open_model("./in/manifest.yaml", tmp_path), accelerator, data)
    files = read_manifest(folder / "manifest.yaml").files
    assert [(file.accelerator, file.bytes) for file in files] == [(None, 3), ("b", 1), ("a", 2)]
    assert open_model("./in/manifest.yaml", tmp_path, "tflite", "a").path.read_bytes() == b"33"
    assert open_model("./in/manifest.yaml", tmp_path).path == folder / "sub/model.tflite"


def test_a_file_of_labels_comes_along(tmp_path: Path) -> None:
    model = open_model(str(write(tmp_path / "in", labels="words.txt")), tmp_path)
    write_variant(tmp_path / "out", model, "a", b"npu")
    assert open_model("./out/manifest.yaml", tmp_path).labels == ("no", "yes")


def test_another_model_s_folder_is_left_alone(tmp_path: Path) -> None:
    other = write(tmp_path / "other", name="other")
    model = open_model(str(write(tmp_path / "in")), tmp_path)
    with pytest.raises(ModelError, match="is of the model other, expected tiny; name another folder"):
        write_variant(other, model, "a", b"npu")
    assert not list(other.glob("*.a.tflite"))


def test_a_bare_file_gets_its_variant_alone(tmp_path: Path) -> None:
    (tmp_path / "net.tflite").write_bytes(b"abc")
    model = open_model("net.tflite", tmp_path)
    assert write_variant(tmp_path, model, "a", b"npu") == [tmp_path / "net.a.tflite"]
    assert not (tmp_path / "manifest.yaml").exists()


def test_a_damaged_manifest_is_told(tmp_path: Path) -> None:
    folder = write(tmp_path / "in")
    model = replace(open_model("./in/manifest.yaml", tmp_path))
    (folder / "manifest.yaml").write_text("name: tiny\n")
    with pytest.raises(ConfigError, match="title"):
        write_variant(folder, model, "a", b"npu")
