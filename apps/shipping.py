"""What a trainer leaves behind: the model's file and its manifest, which ``run`` takes at once."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import yaml


def write_model(out: Path, flatbuffer: bytes, manifest: dict[str, Any]) -> Path:
    """Write ``model.tflite`` and ``manifest.yaml``; neither is ever there by half.

    Args:
        out: the folder; made where it is not there.
        flatbuffer: the model.
        manifest: what it says (pipelines.models.Manifest) but for ``files``, which is filled in here.

    Returns:
        The manifest's path.

    Raises:
        ConfigError: the manifest is not one.
    """
    from pipelines.models import read_manifest

    out.mkdir(parents=True, exist_ok=True)
    digest = hashlib.sha256(flatbuffer).hexdigest()
    file = {"engine": "tflite", "path": "model.tflite", "sha256": digest, "bytes": len(flatbuffer)}
    head = {key: manifest[key] for key in ("name", "title")}
    rest = {key: value for key, value in manifest.items() if key not in head}
    text = yaml.safe_dump(head | {"files": [file]} | rest, sort_keys=False, width=120, allow_unicode=True)
    _replace(out / "model.tflite", flatbuffer)
    _replace(out / "manifest.yaml", text.encode())
    read_manifest(out / "manifest.yaml")
    return out / "manifest.yaml"


def _replace(path: Path, data: bytes) -> None:
    new = path.with_name(f".{path.name}.new")
    new.write_bytes(data)
    new.replace(path)
