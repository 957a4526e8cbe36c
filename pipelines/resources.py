"""Where bundled data lies: configs, models and samples, in a checkout and in an installed wheel alike."""

from __future__ import annotations

import functools
import os
from pathlib import Path


@functools.cache
def bundled() -> Path:
    """The folder that holds ``configs``, ``models`` and ``samples``."""
    package = Path(__file__).parent
    installed = package / "_bundled"  # the wheel puts the data here; a checkout has it beside the packages
    return installed if installed.is_dir() else package.parent


def find_input(text: str, folder: Path) -> Path:
    """A file that a config names: absolute, or beside the config, or bundled (``samples/kws.wav``).

    Where it is nowhere, the path beside the config, so that the error says where it was looked for. A glob counts as
    there when its folder is.
    """
    path = expanded(text)
    if path.is_absolute():
        return path
    beside, shipped = (folder / path).absolute(), bundled() / path
    return shipped if not _there(beside) and _there(shipped) else beside


def _there(path: Path) -> bool:
    try:
        return path.exists() or (any(mark in path.name for mark in "*?[") and path.parent.is_dir())
    except OSError:  # a name longer than the system takes, a folder that may not be looked into
        return False


def expanded(text: str) -> Path:
    """``~`` and ``~user`` written out; as a shell does, left as it is where there is no such user."""
    try:
        return Path(text).expanduser()
    except RuntimeError:
        return Path(text)


def bundled_config(name: str) -> Path | None:
    """The bundled config of that name, with or without ``.yaml``; None where there is none."""
    file = name if name.endswith((".yaml", ".yml")) else f"{name}.yaml"
    return next((path for path in bundled_configs() if path.name == file), None)


def bundled_configs() -> list[Path]:
    """All bundled configs, by name."""
    return sorted((bundled() / "configs").glob("*.yaml"))


def manifests() -> dict[str, Path]:
    """Every model's manifest by the model's name: the bundled ones, and those in the folders of EIQ_MODELS, which hide
    a bundled one of the same name."""
    folders = [bundled() / "models", *reversed(own_models())]
    found = {path.parent.name: path for folder in folders for path in folder.glob("*/manifest.yaml")}
    return dict(sorted(found.items()))


def own_models() -> list[Path]:
    """The folders that EIQ_MODELS names, in its order."""
    return [expanded(part) for part in os.environ.get("EIQ_MODELS", "").split(os.pathsep) if part]


def absent_models() -> str:
    """A clause about the folders of EIQ_MODELS that are not there, for whoever misses a model; empty where all are.

    It is no error by itself: ``models fetch`` makes the first one, and a stick need not be plugged in for every model.
    """
    absent = [str(folder) for folder in own_models() if not _there(folder)]
    return (
        f"; EIQ_MODELS names {' and '.join(absent)}, which {'is' if len(absent) == 1 else 'are'} not there"
        if absent
        else ""
    )


def model_store() -> Path:
    """Where ``models fetch`` writes: the first folder of EIQ_MODELS, else this user's cache.

    ``XDG_CACHE_HOME`` or ``~/.cache`` as in freedesktop.org's Base Directory Specification, which has a relative
    ``XDG_CACHE_HOME`` ignored.
    """
    own = own_models()
    return own[0].absolute() if own else cache_folder("models")


def fetched_files(model: str, file: str) -> list[Path]:
    """Where a model's file may lie that is not beside its manifest, best first: in the folders of EIQ_MODELS, in one of
    the model's name or loose (as on a stick), and in the cache."""
    own = [path for folder in own_models() for path in (folder / model / file, folder / file)]
    return [path.absolute() for path in (*own, cache_folder("models") / model / file)]


def cache_folder(what: str) -> Path:
    """This user's folder for what can be had again, such as fetched ``models``; it need not be there yet."""
    cache = Path(os.environ.get("XDG_CACHE_HOME", ""))
    return (cache if cache.is_absolute() else expanded("~/.cache")) / "eiq-demo" / what
