from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import tiny_models
import tiny_onnx
from apps.shipping import write_model
from pipelines.errors import ConfigError
from pipelines.models import open_model

MANIFEST: dict[str, Any] = {
    "name": "mine",
    "title": "Mine",
    "labels": ["no", "off", "on"],
    "input": {"kind": "features", "shape": [3]},
    "preprocess": [{"window": {"length_ms": 1000, "hop_ms": 100}}],
    "training": {"data": "made up", "licence": "CC0"},
}


def test_what_is_written_opens_as_a_model(tmp_path: Path) -> None:
    write_model(tmp_path / "new", tiny_models.copy("int8", (1, 3)), MANIFEST)
    model = open_model(str(tmp_path / "new"), tmp_path)
    assert (model.name, model.labels) == ("mine", ("no", "off", "on"))
    assert sorted(path.name for path in (tmp_path / "new").iterdir()) == ["manifest.yaml", "model.tflite"]


def test_the_float_network_lies_beside_it(tmp_path: Path) -> None:
    write_model(tmp_path, tiny_models.copy("int8", (1, 3)), MANIFEST, onnx=tiny_onnx.copy())
    for engine, path, data in (("tflite", "model.tflite", tiny_models.copy("int8", (1, 3))),
                               ("onnx", "model.onnx", tiny_onnx.copy())):  # fmt: skip
        assert open_model(str(tmp_path), tmp_path, engine).path == tmp_path / path
        assert (tmp_path / path).read_bytes() == data
    assert open_model(str(tmp_path), tmp_path).engine == "tflite"
    assert open_model(str(tmp_path), tmp_path, "opencv").path == tmp_path / "model.onnx"


def test_an_earlier_model_is_replaced(tmp_path: Path) -> None:
    for dtype in ("float32", "int8"):
        write_model(tmp_path, tiny_models.copy(dtype, (1, 3)), MANIFEST)
    assert (tmp_path / "model.tflite").read_bytes() == tiny_models.copy("int8", (1, 3))
    assert open_model(str(tmp_path), tmp_path).name == "mine"


def test_what_is_no_manifest_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="unknown"):
        write_model(tmp_path, b"x", MANIFEST | {"colour": "red"})
