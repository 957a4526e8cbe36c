"""Models by name: a folder with a manifest, or a model file of the user's own."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from msgspec import Meta

from pipelines.config.convert import convert
from pipelines.config.schema import Config, InputPath, Positive, Step, Text
from pipelines.config.yaml12 import read
from pipelines.errors import ConfigError, ModelError, Problem
from pipelines.network import loopback
from pipelines.registry import did_you_mean
from pipelines.resources import absent_models, expanded, fetched_files, manifests

SUFFIXES = {".tflite": "tflite", ".onnx": "onnx", ".skops": "sklearn"}
READS = {"armnn": ("tflite",), "bundle": ("tflite", "sklearn"), "opencv": ("onnx",), "tflm": ("tflite",)}
"""Engines that take the files of others."""
PICKLES = (".pkl", ".pickle", ".joblib")
State = Literal["here", "damaged", "missing", "to fetch", "quoted"]


class ModelFile(Config, frozen=True, kw_only=True):
    """One file of a network.

    A file without sha256 was never seen here: what the manifest says of it is *quoted*, and it is neither fetched nor
    run.

    Args:
        engine: which engine runs it.
        path: beside the manifest; what is fetched has its name, in another folder (pipelines.resources.model_store).
        sha256: of the file, in hex.
        bytes: its size.
        url: where it comes from.
        mirrors: further addresses of the same file, tried in turn.
        accelerator: what the file was compiled for, such as ``ethos-u55-128``; it runs on nothing else.
    """

    engine: Text
    path: InputPath
    sha256: Annotated[str, Meta(pattern="^[0-9a-f]{64}$")] | None = None
    bytes: Positive | None = None
    url: Text | None = None
    mirrors: tuple[Text, ...] = ()
    accelerator: Text | None = None

    def __post_init__(self) -> None:
        if (self.sha256 is None) != (self.bytes is None):
            raise ValueError("got one of sha256 and bytes, expected both (of the file itself) or none (quoted)")
        for url in self.urls:
            if not secure(url):
                raise ValueError(f"got the address {url}, expected https://")

    @property
    def name(self) -> str:
        """Without folders."""
        return Path(self.path).name

    @property
    def urls(self) -> tuple[str, ...]:
        """All addresses, in the order in which they are tried."""
        return (*((self.url,) if self.url else ()), *self.mirrors)


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
    """Where a model comes from.

    Args:
        parameters, macs: weights, and multiply-accumulates for one input.
        figures: who says so of parameters and macs, where they were not counted here.
    """

    data: Text
    licence: Text
    command: str | None = None
    seed: int | None = None
    parameters: Positive | None = None
    macs: Positive | None = None
    figures: Text | None = None


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

    def __post_init__(self) -> None:
        if self.name in (".", "..") or not set(self.name).isdisjoint("/\\\0"):  # it becomes a folder's name
            raise ValueError(f"got the name {self.name!r}, expected one without slashes")


@dataclass(frozen=True, slots=True)
class Model:
    """A model file that is there and is the right one.

    Args:
        name: the manifest's, or the file's.
        engine: the engine that runs the file.
        path: the file.
        labels: of the first output; empty where none are known.
        manifest: None for a bare file.
        origin: where the manifest lies.
    """

    name: str
    engine: str
    path: Path
    labels: tuple[str, ...]
    manifest: Manifest | None = None
    origin: Path | None = None


def manifest_of(name: str) -> Path:
    """Where the manifest of a model lies.

    Raises:
        ModelError: there is no model of that name.
    """
    known = manifests()
    if name not in known:
        raise ModelError(f"unknown model {name!r}; {did_you_mean(name, list(known))}{absent_models()}")
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


def open_model(reference: str, folder: Path, engine: str | None = None, accelerator: str | None = None) -> Model:
    """Find a model and check that its file is the one that the manifest was written for.

    Args:
        reference: a name, or the path of a manifest or model file, relative to ``folder``.
        folder: where the config lies.
        engine: the engine that was asked for; None takes the manifest's first file.
        accelerator: the file that was compiled for it; None takes one that was compiled for none.

    Raises:
        ModelError: there is no such model, no file of it for this engine and accelerator, or it is another one.
        ConfigError: the manifest is wrong.
    """
    path = _find(reference, folder)
    if path.suffix == ".yaml":
        return _from_manifest(path, engine, accelerator)
    if path.suffix in PICKLES:
        raise ModelError(f"model {reference} is a pickle by its name, whose loading may run any code, and is never "
                         "loaded; save the model with skops.io.dump (.skops), or convert it to ONNX")  # fmt: skip
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


def find_file(manifest: Manifest, file: ModelFile) -> Path:
    """Where a model's file lies: beside its manifest, or where it was fetched to.

    Raises:
        ModelError: it is nowhere on this machine, or its manifest only quotes it; says what to do.
    """
    name, there = manifest.name, _found(manifest, file)
    check_hashed(manifest, file)
    if there:
        return there
    if not file.url:
        raise ModelError(f"{file.path} is not there; expected the model file of {file.bytes:,} bytes")
    raise ModelError(
        f"model {name} is not on this machine ({file.bytes:,} bytes); fetch it: eiq-demo models fetch {name}, or, "
        f"without network, from a folder: eiq-demo models fetch {name} --from DIR{absent_models()}"
    )


def check_hashed(manifest: Manifest, file: ModelFile) -> None:
    """Refuse a file that the manifest only quotes. Raises ModelError."""
    if file.sha256 is None:
        where = f" (it is at {file.url})" if file.url else ""
        raise ModelError(
            f"model {manifest.name} is quoted only: no sha256 of its file is known here{where}, so that nothing tells "
            "the right file from another, and it is neither fetched nor run; take one that eiq-demo models list shows "
            "as here or to fetch, or name a file of yours by its path"
        )


def state(manifest: Manifest, file: ModelFile) -> State:
    """Whether a file can be run now, at a glance: its size is looked at, not its sha256."""
    if file.sha256 is None:
        return "quoted"
    there = _found(manifest, file)
    if there:
        return "here" if there.stat().st_size == file.bytes else "damaged"
    return "to fetch" if file.url else "missing"


def verify(path: Path, file: ModelFile) -> None:
    """Check a file against its manifest's size and sha256.

    Raises:
        ModelError: it is not there, or another file.
    """
    if not path.is_file():
        raise ModelError(f"{path} is not there; expected the model file of {file.bytes:,} bytes")
    try:
        size, digest = path.stat().st_size, sha256(path)
    except OSError as error:
        raise ModelError(f"{path} cannot be read ({error.strerror}); expected the model file") from error
    if size != file.bytes:
        raise ModelError(f"{path} has {size:,} bytes, its manifest says {file.bytes:,}; "
                         "it is damaged or another file: fetch it again or correct the manifest")  # fmt: skip
    if digest != file.sha256:
        raise ModelError(f"{path} has sha256 {digest[:12]}…, its manifest says {str(file.sha256)[:12]}…; "
                         "it is damaged or another file: fetch it again or correct the manifest")  # fmt: skip


def sha256(path: Path) -> str:
    """A file's, in hex. Raises OSError."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def secure(url: str) -> bool:
    """https, or http to this very machine: a manifest must not fetch over a line that anybody can write to."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname or "", parts.port
        host.encode("idna")  # as a look-up will
    except ValueError:
        return False
    return bool(host) and url.isascii() and (parts.scheme == "https" or (parts.scheme == "http" and loopback(host)))


def _found(manifest: Manifest, file: ModelFile) -> Path | None:
    beside = Path(file.path)
    return next((path for path in (beside, *fetched_files(manifest.name, file.name)) if _is_file(path)), None)


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # a folder that may not be looked into holds none
        return False


def _find(reference: str, folder: Path) -> Path:
    path = expanded(reference)
    bare = path.parts == (reference,)  # ./kws is a folder here, kws a name
    if bare and (not path.suffix or reference in manifests()):  # a name may have dots: mobilenet_v1_0.25_128
        return manifest_of(reference)
    path = path if path.is_absolute() else (folder / path).absolute()
    try:
        if bare and path.suffix[1:2].isdigit() and not path.exists():  # a name misspelt, and no kind of file
            return manifest_of(reference)
        return path / "manifest.yaml" if path.is_dir() else path
    except OSError as error:  # a name longer than the system takes, a folder that may not be looked into
        raise ModelError(
            f"model {reference} cannot be looked up ({error.strerror}); expected a name or a path"
        ) from error


def _from_manifest(path: Path, engine: str | None, accelerator: str | None) -> Model:
    manifest = read_manifest(path)
    reads = READS.get(engine or "", (engine,))
    for file in manifest.files:
        if (engine is None or file.engine in reads) and file.accelerator == accelerator:
            there = find_file(manifest, file)
            verify(there, file)
            return Model(manifest.name, engine or file.engine, there, read_labels(manifest.labels), manifest, path)
    wanted = f"the engine {engine!r}" + (f" on {accelerator}" if accelerator else "")
    has = (file.engine + (f" on {file.accelerator}" if file.accelerator else "") for file in manifest.files)
    raise ModelError(f"model {manifest.name} has no file for {wanted}; it has files for: {', '.join(has)}")
