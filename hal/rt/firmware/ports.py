"""The boards that a firmware is built for: a folder each under firmware/ports, with a ``port.yaml``."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from pipelines import resources
from pipelines.errors import CapabilityError

PATHS = ("sources", "include")
SETTING = re.compile(r"^#ifndef (EIQ_\w+)\n#define \1 ", re.MULTILINE)
LISTS = (*PATHS, "flags", "link_flags", "sdk_sources", "sdk_include")


@dataclass(frozen=True)
class Port:
    """How a board's firmware is built, as its ``port.yaml`` says.

    Args:
        name: the board's, and its folder's.
        title: the same in words.
        toolchain: ``cc``, this computer's own compiler, or the prefix of a cross compiler, ``arm-none-eabi``.
        flags: for compiling and linking: the core, its floating point.
        defines: macros.
        sources, include: files and folders beside the port.yaml.
        linker_script: beside the port.yaml; ``sdk_linker_script`` in the vendor's SDK.
        link_flags: for linking alone.
        sdk: the environment variable that names the folder of the vendor's SDK; ``sdk_help`` says how to get it,
            ``sdk_sources`` and ``sdk_include`` are in it.
        flash: what ``firmware flash`` needs to know.
    """

    name: str
    title: str
    toolchain: str
    flags: tuple[str, ...] = ()
    defines: dict[str, Any] = field(default_factory=dict)
    sources: tuple[Path, ...] = ()
    include: tuple[Path, ...] = ()
    linker_script: Path | None = None
    link_flags: tuple[str, ...] = ()
    sdk: str = ""
    sdk_help: str = ""
    sdk_sources: tuple[str, ...] = ()
    sdk_include: tuple[str, ...] = ()
    sdk_linker_script: str = ""
    flash: dict[str, Any] = field(default_factory=dict)

    @property
    def emulated(self) -> bool:
        """Whether ``firmware run`` can start it without hardware."""
        return self.name in EMULATED


EMULATED = ("host", "mps2-an500")
"""Boards that run here: the firmware as a program, and in QEMU."""


def firmware() -> Path:
    """The folder of the firmware's C."""
    return resources.bundled() / "firmware"


def ports() -> list[Port]:
    """All boards, by name."""
    found = (_read(file.parent) for file in sorted((firmware() / "ports").glob("*/port.yaml")))
    return [_port(values) for values in found if "toolchain" in values]


def port(name: str) -> Port:
    """The board of that name.

    Raises:
        CapabilityError: there is none; names those that there are.
    """
    known = {port.name: port for port in ports()}
    if name not in known:
        raise CapabilityError(f"got the board {name!r}, expected one of {', '.join(known)}")
    return known[name]


def with_defines(port: Port, defines: Mapping[str, str]) -> Port:
    """The same board with some of its C's settings set: those that a header has as ``#ifndef``, then ``#define``.

    Raises:
        CapabilityError: it has no such setting; names those that it has.
    """
    headers = sorted(header for folder in (firmware() / "core", *port.include) for header in folder.glob("*.h"))
    known = {name for header in headers for name in SETTING.findall(header.read_text(encoding="utf-8"))}
    for name in defines:
        if name not in known:
            raise CapabilityError(f"got the setting {name} for the board {port.name}, expected one of "
                                  f"{', '.join(sorted(known))}")  # fmt: skip
    return replace(port, defines=port.defines | dict(defines))


def _read(folder: Path) -> dict[str, Any]:
    """A port.yaml over those that it extends, with whole paths."""
    import yaml

    own: dict[str, Any] = yaml.safe_load((folder / "port.yaml").read_text(encoding="utf-8"))
    values: dict[str, Any] = _read(folder.parent / own["extends"]) if "extends" in own else {}
    for key, value in own.items():
        if key in PATHS:
            values[key] = values.get(key, []) + [(folder / path).resolve() for path in value]
        elif key in LISTS:
            values[key] = values.get(key, []) + value
        elif isinstance(value, dict):
            values[key] = values.get(key, {}) | value
        else:
            values[key] = (folder / value).resolve() if key == "linker_script" else value
    return values | {"name": folder.name}


def _port(values: dict[str, Any]) -> Port:
    lists = {key: tuple(values[key]) for key in LISTS if key in values}
    return Port(**{key: value for key, value in values.items() if key != "extends"} | lists)
