"""Which plug-ins there are, by name. Knowing a name imports nothing.

Built in: the folder is the table. ``pipelines/transforms/log_mel.py`` holds ``LogMel`` and is ``log_mel`` in YAML.
Elsewhere: a package on PyPI adds one through the entry-point group ``eiq_demo.plugins``::

    [project.entry-points."eiq_demo.plugins"]
    "transforms.invert" = "my_package.invert:Invert"
"""

from __future__ import annotations

import difflib
import functools
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from pipelines.errors import CapabilityError, MissingDependency

GROUP = "eiq_demo.plugins"
PACKAGES = {
    "targets": "hal",
    "transforms": "pipelines.transforms",
    "engines": "pipelines.engines",
    "decoders": "pipelines.decoders",
    "actions": "pipelines.actions",
}
SENSORS = ("camera", "microphone", "motion")
"""The capabilities that a demo may name as its sensor; a target says which of them it has."""


@functools.cache
def table(kind: str) -> dict[str, str]:
    """Name to "module:Class" of every plug-in of a kind, built in or installed, in the order of names.

    Raises:
        CapabilityError: two packages claim one name.
    """
    found = {name: _location(kind, name) for name in _built_in(kind)}
    for point in _installed(kind):
        name = point.name.partition(".")[2]
        if name in found:
            raise CapabilityError(
                f"{kind}.{name} is provided twice, by {found[name]} and by {point.value}; uninstall one of the two"
            )
        found[name] = point.value
    return dict(sorted(found.items()))


def names(kind: str) -> list[str]:
    """The names of a kind, sorted."""
    return list(table(kind))


@functools.cache
def load(kind: str, name: str) -> Any:
    """The class behind a name.

    Raises:
        CapabilityError: there is no such name, or the plug-in's package does not hold what it promises.
        MissingDependency: the plug-in's module needs something that is not installed.
    """
    if name not in table(kind):
        raise CapabilityError(unknown(kind.rstrip("s"), name, names(kind)))
    module, _, attribute = table(kind)[name].partition(":")
    try:
        holder = import_module(module)
    except ImportError as error:
        raise MissingDependency(f"{kind}.{name} needs the module {error.name} ({error}); install it") from error
    except Exception as error:
        if name in _built_in(kind):
            raise  # a bug of ours
        raise CapabilityError(
            f"{kind}.{name} cannot be imported from {module} ({error!r}); mend or uninstall its package"
        ) from error
    plug_in = getattr(holder, attribute, None)
    if not isinstance(plug_in, type) or (kind != "targets" and not isinstance(getattr(plug_in, "Config", None), type)):
        what = "a target's class" if kind == "targets" else "a class with a Config"
        raise CapabilityError(f"{kind}.{name} should be {what}, {module}:{attribute}, which is not there; "
                              "mend or uninstall its package")  # fmt: skip
    return plug_in


def unknown(what: str, name: str, known: list[str]) -> str:
    """One sentence for a name that is not known, with the nearest one that is."""
    return f"unknown {what} {name!r}; {did_you_mean(name, known)}"


def did_you_mean(name: str, known: list[str]) -> str:
    """The nearest known name as a question, or all of them."""
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.6)
    return f'did you mean "{close[0]}"?' if close else f"expected one of: {', '.join(known) or '(none)'}"


def _built_in(kind: str) -> list[str]:
    spec = find_spec(PACKAGES[kind])
    folders = [Path(folder) for folder in (spec.submodule_search_locations or [])] if spec else []
    files = {path.stem for folder in folders for path in folder.glob("*.py")}
    # a target is a folder with a target of its own; everything else is one file
    if kind == "targets":
        files = {path.parent.name for folder in folders for path in folder.glob("*/target.py")}
    return sorted(name for name in files if not name.startswith("_"))


def _installed(kind: str) -> list[EntryPoint]:
    return [point for point in entry_points(group=GROUP) if point.name.partition(".")[0] == kind]


def _class_name(name: str) -> str:
    return "".join(part.capitalize() for part in name.split("_"))


def _location(kind: str, name: str) -> str:
    module = f"hal.{name}.target" if kind == "targets" else f"{PACKAGES[kind]}.{name}"
    return f"{module}:{_class_name(name)}"
