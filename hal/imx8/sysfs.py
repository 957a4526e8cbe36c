"""Small files of the kernel (sysfs, device tree) under a root, read with one clear sentence where they lie."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pipelines.errors import DeviceError

MOST_BYTES = 4096
"""A sysfs attribute is at most a page (Documentation/filesystems/sysfs.rst); what is longer is none."""
ROOT = "EIQ_SYSROOT"


@dataclass(frozen=True, slots=True)
class Sysfs:
    """The tree that ``sys``, ``proc`` and ``dev`` stand in; ``/`` on a board."""

    root: Path

    @classmethod
    def of_environment(cls) -> Sysfs:
        """The tree of ``EIQ_SYSROOT``.

        Raises:
            DeviceError: there is no such folder.
        """
        root = Path(os.environ.get(ROOT) or "/")
        if not root.is_dir():
            raise DeviceError(f"got {ROOT}={root}, expected a folder that holds sys and dev; correct it or unset it")
        return cls(root)

    def path(self, name: str) -> Path:
        """Where ``sys/…`` or ``dev/…`` is."""
        return self.root / name

    def there(self, name: str) -> bool:
        """Whether there is such a file or folder; one that cannot be looked at counts as there."""
        try:
            self.path(name).stat()
        except (FileNotFoundError, NotADirectoryError):
            return False
        except OSError:
            return True
        return True

    def names(self, folder: str, prefix: str = "") -> list[str]:
        """The names in a folder that begin so, in the order of their numbers; none where there is no such folder.

        Raises:
            DeviceError: it may not be read.
        """
        try:
            found = [entry.name for entry in self.path(folder).iterdir() if entry.name.startswith(prefix)]
        except (FileNotFoundError, NotADirectoryError):
            return []
        except OSError as error:
            raise DeviceError(
                f"{self.path(folder)} cannot be read ({error.strerror}); check its permissions"
            ) from error
        return sorted(found, key=lambda name: (len(name), name))

    def text(self, name: str) -> str:
        """What a file says, without the blanks and zero bytes at its ends.

        Raises:
            DeviceError: it is not there, empty, too long, no text, or cannot be read.
        """
        path = self.path(name)
        try:
            # a pipe in its place would wait for ever
            with os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK), "rb") as file:
                data = file.read(MOST_BYTES + 1) or b""
        except OSError as error:
            raise DeviceError(f"{path} cannot be read ({error.strerror or error}); {_fix(error)}") from error
        if len(data) > MOST_BYTES:
            raise DeviceError(f"{path} holds more than {MOST_BYTES} bytes, expected a short text; check the driver")
        text = data.decode("utf-8", errors="replace").strip("\0 \n\t")
        if not text:
            raise DeviceError(f"{path} is empty, expected a value; check the driver and the wiring of the device")
        if "\ufffd" in text or not text.replace("\n", "").replace("\0", "").replace("\t", "").isprintable():
            raise DeviceError(f"{path} holds {data[:16]!r}, expected text; check the driver")
        return text

    def number(self, name: str, *, least: float = -1e12, most: float = 1e12) -> float:
        """The number in a file.

        Raises:
            DeviceError: as ``text``; it is no number, or out of its range.
        """
        text = self.text(name)
        try:
            value = float(text)
        except ValueError as error:
            raise DeviceError(
                f'{self.path(name)} says "{_short(text)}", expected a number; check the driver'
            ) from error
        if not math.isfinite(value) or not least <= value <= most:
            raise DeviceError(
                f"{self.path(name)} says {_short(text)}, expected {least:g} to {most:g}; check the driver"
            )
        return value

    def write(self, name: str, value: str) -> None:
        """Set an attribute.

        Raises:
            DeviceError: it is not there, may not be written, or the driver refuses the value.
        """
        path = self.path(name)
        try:
            # never made anew: the kernel's files are there, or the device is not
            descriptor = os.open(path, os.O_WRONLY | os.O_TRUNC)
            with os.fdopen(descriptor, "w", encoding="ascii") as file:
                file.write(value)
        except OSError as error:
            raise DeviceError(
                f'"{value}" cannot be written to {path} ({error.strerror or error}); {_fix(error)}'
            ) from error

    def lines(self, name: str) -> Iterator[str]:
        """The strings of a device tree's list (``compatible``), which end in a zero byte each."""
        yield from self.text(name).split("\0")


def _fix(error: OSError) -> str:
    if isinstance(error, PermissionError):
        return "run as a user who may (a udev rule, or sudo)"
    return "check that the device is there and its driver is loaded"


def _short(text: str) -> str:
    line = text.splitlines()[0]
    return line if len(line) <= 40 else line[:39] + "…"
