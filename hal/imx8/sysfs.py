"""Small files of the kernel (sysfs, device tree) under a root, read with one clear sentence where they lie."""

from __future__ import annotations

import errno
import math
import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from pipelines.errors import DeviceError

MOST_BYTES = 4096
"""A sysfs attribute is at most a page (Documentation/filesystems/sysfs.rst); what is longer is none."""
ROOT = "EIQ_SYSROOT"
NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)


class NoValue(DeviceError):
    """The driver has no value for it now: a sensor that is not ready (EAGAIN), a CPU that is switched off (EBUSY)."""


@dataclass(frozen=True, slots=True)
class Sysfs:
    """The tree that ``sys``, ``proc`` and ``dev`` stand in; ``/`` on a board."""

    root: Path

    @classmethod
    def of_environment(cls) -> Sysfs:
        """The tree of ``EIQ_SYSROOT``.

        Raises:
            DeviceError: there is no such folder, or nothing of a board in it.
        """
        named = os.environ.get(ROOT)
        tree = cls(Path(named or "/"))
        if named and not (tree.there("sys") or tree.there("proc")):
            got = "holds neither sys nor proc" if tree.there("") else "is not there"
            raise DeviceError(f"got {ROOT}={named}, which {got}, expected a folder with a board's sys, proc and dev; "
                              "correct it or unset it")  # fmt: skip
        return tree

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

    def text(self, name: str, *, empty: bool = False) -> str:
        """What a file says, as one line, without the blanks and zero bytes at its ends.

        Args:
            empty: it may say nothing.

        Raises:
            NoValue: the driver has none now.
            DeviceError: it is not there, empty, too long, no text, or cannot be read.
        """
        return self._text(name, inside="\n\t", empty=empty).replace("\n", " ").replace("\t", " ")

    def _text(self, name: str, inside: str, *, empty: bool = False) -> str:
        path = self.path(name)
        try:
            data = _read(path)
        except OSError as error:
            kind = NoValue if error.errno in (errno.EAGAIN, errno.EBUSY) else DeviceError
            raise kind(f"{path} cannot be read ({error.strerror or error}); {_fix(error)}") from error
        if len(data) > MOST_BYTES:
            raise DeviceError(f"{path} holds more than {MOST_BYTES} bytes, expected a short text; check the driver")
        text = data.decode("utf-8", errors="replace").strip("\0 \n\t")
        if not text and not empty:
            raise DeviceError(f"{path} is empty, expected a value; check the driver and the wiring of the device")
        if "\ufffd" in text or not text.translate(dict.fromkeys(map(ord, inside))).isprintable():
            raise DeviceError(f"{path} holds {data[:16]!r}, expected text; check the driver")
        return text

    def number(self, name: str, *, least: float = -1e12, most: float = 1e12) -> float:
        """The number in a file.

        Raises:
            NoValue, DeviceError: as ``text``; it is no number, or out of its range.
        """
        text = self.text(name)
        values = numbers([text])
        if values is None:
            raise DeviceError(f'{self.path(name)} says "{_short(text)}", expected a number; check the driver')
        value = values[0]
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
            # never made anew: the kernel's files are there, or the device is not; and a pipe would wait for ever
            descriptor = os.open(path, os.O_WRONLY | os.O_TRUNC | os.O_NONBLOCK)
            try:
                os.write(descriptor, value.encode("ascii"))
            finally:
                os.close(descriptor)
        except OSError as error:
            raise DeviceError(
                f'"{value}" cannot be written to {path} ({error.strerror or error}); {_fix(error)}'
            ) from error

    def lines(self, name: str) -> Iterator[str]:
        """The strings of a device tree's list (``compatible``), which end in a zero byte each."""
        yield from self._text(name, inside="\0").split("\0")


def numbers(texts: Iterable[str]) -> list[float] | None:
    """What a kernel prints as numbers; None where one is none, or there are none.

    (Python's own float() takes 1_000, nan, and the digits of other scripts too.)
    """
    texts = [text.strip() for text in texts]
    if not texts or not all(NUMBER.fullmatch(text) for text in texts):
        return None
    return [float(text) for text in texts]


def _read(path: Path) -> bytes:
    """At most one byte more than an attribute may have. Raises OSError."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)  # a pipe in its place would wait for ever
    try:
        data = b""
        while len(data) <= MOST_BYTES and (more := os.read(descriptor, MOST_BYTES + 1 - len(data))):
            data += more
        return data
    finally:
        os.close(descriptor)


def _fix(error: OSError) -> str:
    if isinstance(error, PermissionError):
        return "run as a user who may (a udev rule, or sudo)"
    if error.errno == errno.EBUSY:
        return "end the program that uses it"
    if error.errno == errno.EAGAIN:
        return "try again in a moment"
    return "check that the device is there and its driver is loaded"


def _short(text: str) -> str:
    return text if len(text) <= 40 else text[:39] + "…"
