"""Models by name: a folder with a manifest, or a model file of the user's own."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from msgspec import Meta

from pipelines.config.convert import convert
from pipelines.config.schema import Config, InputPath, Positive, Step, Text
from pipelines.config.yaml12 import read
from pipelines.errors import ConfigError, ModelError, Problem
from pipelines.registry import did_you_mean
from pipelines.resources import expanded, manifests

SUFFIXES = {".tflite": "tflite"}


class ModelFile(Config, frozen=True, kw_only=True):
    """One file of a network.

    Args:
        engine: which engine runs it.
        path: beside the manifest.
        sha256: of the file, in hex.
        bytes: its size.
    """

    engine: Text
    path: InputPath
    sha256: Annotated[str, Meta(pattern="^[0-9a-f]{64}$")]
    bytes: Positive


class ModelInput(Config, frozen=True, kw_only=True):
    """The Signal that a model was trained on; what is left out may be anything."""

    kind: Text
    shape: tuple[int, ...]
    dtype: Text = "float32"
    rate_hz: float | None = None
    channels: tuple[str, ...] = ()


class Source(Config, frozen=True, kw_only=True):
    """What the preprocessing must start from: the sensor's signal, where a model is right for that alone."""

    kind: Text
    rate_hz: float | None = None
    channels: tuple[str, ...] = ()


class Training(Config, frozen=True, kw_only=True):
    """Where a model comes from."""

    data: Text
    licence: Text
    command: str | None = None
    seed: int | None = None
    parameters: Positive | None = None
    macs: Positive | None = None


class Score(Config, frozen=True, kw_only=True):
    """One number, with what it was measured on and by whom."""

    metric: Text
    value: float
    data: Text
    measured: Literal["here", "board", "modelled", "quoted"]
    samples: Positive | None = None
    command: str | None = None
    source: str | None = None
    """Whose model it is, or who says so, where it is not ours."""


class Manifest(Config, frozen=True, kw_only=True):
    """``manifest.yaml``: what a model is, what it wants and how good it is."""

    name: Text
    title: Text
    files: tuple[ModelFile, ...]
    labels: tuple[str, ...] | InputPath
    input: ModelInput
    source: Source | None = None
    preprocess: tuple[Step, ...]
    training: Training
    accuracy: tuple[Score, ...] = ()


@dataclass(frozen=True, slots=True)
class Model:
    """A model file that is there and is the right one.

    Args:
        name: the manifest's, or the file's.
        engine: the engine that runs the file.
        path: the file.
        labels: of the first output; empty where none are known.
        manifest: None for a bare file.
    """

    name: str
    engine: str
    path: Path
    labels: tuple[str, ...]
    manifest: Manifest | None = None


def manifest_of(name: str) -> Path:
    """Where the manifest of a model lies.

    Raises:
        ModelError: there is no model of that name.
    """
    known = manifests()
    if name not in known:
        raise ModelError(f"unknown model {name!r}; {did_you_mean(name, list(known))}")
    return known[name]


def read_manifest(path: Path) -> Manifest:
    """Read and check a manifest (not the files that it lists).

    Raises:
        ConfigError: with every problem in it.
    """
    problems: list[Problem] = []
    node = read(path, str(path), problems)
    manifest = convert(node, Manifest, "", problems) if node else None
    if node is None and not problems:
        problems.append(Problem(str(path), 0, 0, "", "is empty; expected a model's manifest"))
    if manifest is None or problems:
        raise ConfigError(problems)
    return manifest


def open_model(reference: str, folder: Path, engine: str | None = None) -> Model:
    """Find a model and check that its file is the one that the manifest was written for.

    Args:
        reference: a name, or the path of a manifest or model file, relative to ``folder``.
        folder: where the config lies.
        engine: the engine that was asked for; None takes the manifest's first file.

    Raises:
        ModelError: there is no such model, no file of it for this engine, or the file is not the manifest's.
        ConfigError: the manifest is wrong.
    """
    path = _find(reference, folder)
    if path.suffix == ".yaml":
        return _from_manifest(path, engine)
    known = SUFFIXES.get(path.suffix)
    if engine is None and known is None:
        raise ModelError(f"model {reference}: no engine is known for {path.suffix or 'a file without a suffix'}; "
                         "name one with engine.type")  # fmt: skip
    if not path.is_file():
        raise ModelError(f"model {reference}: {path} is not there; expected a model file")
    return Model(path.stem, engine or str(known), path, ())


def read_labels(labels: tuple[str, ...] | InputPath) -> tuple[str, ...]:
    """A list of labels, or those of a text file, one per line.

    Raises:
        ModelError: the file cannot be read.
    """
    if not isinstance(labels, str):
        return labels
    try:
        if not Path(labels).is_file():  # a device, such as /dev/zero, has no end
            raise FileNotFoundError(f"{labels} is no file")
        return tuple(Path(labels).read_text(encoding="utf-8").splitlines())
    except (OSError, UnicodeDecodeError) as error:
        raise ModelError(f"labels {labels} cannot be read ({error}); expected a text file, one label a line") from error


def verify(path: Path, file: ModelFile) -> None:
    """Check a file against its manifest's size and sha256.

    Raises:
        ModelError: it is not there, or another file.
    """
    if not path.is_file():
        raise ModelError(f"{path} is not there; expected the model file of {file.bytes:,} bytes")
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ModelError(f"{path} cannot be read ({error.strerror}); expected the model file") from error
    if len(data) != file.bytes:
        raise ModelError(f"{path} has {len(data):,} bytes, its manifest says {file.bytes:,}; "
                         "it is damaged or another file: fetch it again or correct the manifest")  # fmt: skip
    digest = hashlib.sha256(data).hexdigest()
    if digest != file.sha256:
        raise ModelError(f"{path} has sha256 {digest[:12]}…, its manifest says {file.sha256[:12]}…; "
                         "it is damaged or another file: fetch it again or correct the manifest")  # fmt: skip


def _find(reference: str, folder: Path) -> Path:
    path = expanded(reference)
    if len(path.parts) == 1 and not path.suffix:
        return manifest_of(reference)
    path = path if path.is_absolute() else (folder / path).absolute()
    try:
        return path / "manifest.yaml" if path.is_dir() else path
    except OSError as error:  # a name longer than the system takes, a folder that may not be looked into
        raise ModelError(
            f"model {reference} cannot be looked up ({error.strerror}); expected a name or a path"
        ) from error


def _from_manifest(path: Path, engine: str | None) -> Model:
    manifest = read_manifest(path)
    for file in manifest.files:
        if engine in (None, file.engine):
            verify(Path(file.path), file)
            return Model(manifest.name, file.engine, Path(file.path), read_labels(manifest.labels), manifest)
    raise ModelError(f"model {manifest.name} has no file for the engine {engine!r}; "
                     f"it has files for: {', '.join(file.engine for file in manifest.files)}")  # fmt: skip
