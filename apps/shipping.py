"""What a trainer leaves behind: the model's file and its manifest, which ``run`` takes at once."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import yaml

from pipelines.errors import OutputError


def write_model(
    out: Path,
    model: bytes,
    manifest: dict[str, Any],
    engine: str = "tflite",
    *,
    suffix: str = "",
    onnx: bytes | None = None,
) -> Path:
    """Write ``model.tflite`` (``model.onnx``) and ``manifest.yaml``; none is ever there by half.

    Args:
        out: the folder; made where it is not there.
        model: its file's bytes.
        manifest: what it says (pipelines.models.Manifest) but for ``files``, which is filled in here.
        engine: what runs it.
        suffix: of the file; the engine's name where empty.
        onnx: the same network as a float .onnx beside it, for other engines.

    Returns:
        The manifest's path.

    Raises:
        ConfigError: the manifest is not one.
        OutputError: the folder cannot be written.
    """
    from pipelines.models import read_manifest

    make_folder(out)
    written = [(engine, suffix or engine, model)]
    if onnx is not None:
        written.append(("onnx", "onnx", onnx))
    files = [_entry(*one) for one in written]
    head = {key: manifest[key] for key in ("name", "title")}
    rest = {key: value for key, value in manifest.items() if key not in head}
    text = yaml.safe_dump(head | {"files": files} | rest, sort_keys=False, width=120, allow_unicode=True)
    for file, (_, _, data) in zip(files, written, strict=True):
        write_whole(out / str(file["path"]), data)
    write_whole(out / "manifest.yaml", text.encode())
    read_manifest(out / "manifest.yaml")
    return out / "manifest.yaml"


def _entry(engine: str, suffix: str, data: bytes) -> dict[str, Any]:
    digest = hashlib.sha256(data).hexdigest()
    return {"engine": engine, "path": f"model.{suffix}", "sha256": digest, "bytes": len(data)}


def make_folder(path: Path) -> None:
    """Make a folder where it is not there. Raises OutputError."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"cannot make the folder {path} ({error.strerror}); name one that can be written") from error


def write_whole(path: Path, data: bytes) -> None:
    """Write a file that is there as a whole or not at all, also when the disk fills or the program is stopped.

    Raises:
        OutputError: it cannot be written.
    """
    new = path.with_name(f".{path.name}.new")
    try:
        new.write_bytes(data)
        new.replace(path)
    except OSError as error:
        new.unlink(missing_ok=True)
        raise OutputError(f"cannot write {path} ({error.strerror}); make room there, or name another folder") from error
