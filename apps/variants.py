"""A model's further files, compiled for an accelerator: beside it, and in its manifest."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path
from typing import Any

import yaml

from apps.shipping import make_folder, write_whole
from pipelines.errors import ModelError, OutputError
from pipelines.models import Manifest, Model, read_manifest


def write_variant(out: Path, model: Model, accelerator: str, data: bytes) -> list[Path]:
    """Write a variant of ``model``, and into the manifest that lies in ``out``.

    Where none lies there yet, it gets the model's own, with the files beside that: then ``out`` is a model's folder,
    which a config can name. A bare model file has no manifest, and gets none.

    Args:
        out: a folder; made where it is not there.
        model: what the variant was compiled from.
        accelerator: what it was compiled for.
        data: the variant.

    Returns:
        What was written, the variant first.

    Raises:
        ModelError: another model's manifest lies in ``out``.
        OutputError: the folder cannot be written.
    """
    target = out / "manifest.yaml"
    if model.manifest and target.exists() and read_manifest(target).name != model.manifest.name:
        raise ModelError(f"{target} is of the model {read_manifest(target).name}, expected {model.manifest.name}; "
                         "name another folder with --out")  # fmt: skip
    make_folder(out)
    file = out / f"{model.path.stem}.{accelerator}.tflite"
    write_whole(file, data)
    if model.manifest is None or model.origin is None:
        return [file]
    if not target.exists():
        _take_over(out, model.origin, model.manifest)
    told = _plain(target)
    told["files"] = [entry for entry in told["files"] if entry.get("accelerator") != accelerator]
    told["files"].append({"engine": "tflite", "accelerator": accelerator, "path": file.name,
                          "sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data)})  # fmt: skip
    _write(target, told)
    return [file, target]


def _take_over(out: Path, origin: Path, manifest: Manifest) -> None:
    """The manifest with what lies beside it; what is to be fetched is found by its name as before."""
    told = _plain(origin)
    copies = [Path(file.path) for file in manifest.files]
    for entry in told["files"]:
        entry["path"] = Path(entry["path"]).name
    if isinstance(manifest.labels, str):
        copies.append(Path(manifest.labels))
        told["labels"] = copies[-1].name
    try:
        for source in filter(Path.is_file, copies):
            shutil.copyfile(source, out / source.name)
    except OSError as error:
        raise OutputError(f"cannot write into {out} ({error.strerror}); make room or change --out") from error
    _write(out / "manifest.yaml", told)


def _plain(manifest: Path) -> dict[str, Any]:
    from pipelines.config.yaml12 import read

    node = read(manifest, str(manifest), [])
    told: dict[str, Any] = node.plain() if node else {}
    return told


def _write(target: Path, told: dict[str, Any]) -> None:
    write_whole(target, yaml.safe_dump(told, sort_keys=False, width=120, allow_unicode=True).encode())
