"""Writing a firmware into a board's flash, with pyOCD's command line and the board's own debug probe."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from hal.rt.firmware.builder import Image
from hal.rt.firmware.ports import Port, port, ports
from pipelines.errors import CapabilityError, DeviceError, DeviceTimeout, MissingDependency

INSTALL = "pip install 'eiq-demo[flash]'"
LISTING_S = 60.0
WRITING_S = 600.0
TOLD = re.compile(r"^\d+ [EC] (?P<words>.*?)(?: \[\w+\])?$", re.MULTILINE)
"""An error in pyOCD's log, such as ``0000238 E No target device available [load_cmd]``."""
UNKNOWN_TARGET = "cortex_m"
"""What pyOCD calls the chip of a board that it does not know."""


@dataclass(frozen=True)
class Probe:
    """A debug probe at one of this computer's USB ports.

    Args:
        id: unique.
        words: what it calls itself.
        target: pyOCD's name of the chip on its board; empty where it does not know the board.
    """

    id: str
    words: str
    target: str


def check(board: str) -> Port:
    """The board, where a probe can write its flash.

    Raises:
        CapabilityError: there is no such board, or it has no flash; names those that have.
        MissingDependency: pyOCD is not installed.
    """
    wanted = port(board)
    if "pyocd" not in wanted.flash:
        names = ", ".join(known.name for known in ports() if "pyocd" in known.flash)
        raise CapabilityError(f"the board {board} has no flash to write, expected one of {names}; start this one with "
                              f"eiq-demo firmware run --board {board}")  # fmt: skip
    _pyocd()
    return wanted


def flash(image: Image, probe: str | None = None, progress: IO[str] | None = None) -> Probe:
    """Write a firmware into the flash of its board, and start it.

    Args:
        image: what ``build`` made.
        probe: the probe's id or a part of it; needed where there are several.
        progress: an open file that gets pyOCD's progress bar.

    Returns:
        The probe that wrote it.

    Raises:
        CapabilityError: the image's board has no flash, or the probe is on a board with another chip.
        MissingDependency: pyOCD is not installed.
        DeviceError: no probe, several probes, or it could not write.
        DeviceTimeout: pyOCD does not come to an end.
    """
    target = check(image.board).flash["pyocd"]
    found = _chosen(probes(), probe)
    if found.target and _family(found.target) != _family(target):
        raise CapabilityError(f"the probe {found.id} is on a board with the chip {found.target} ({found.words}), "
                              f"expected {target} for {image.board}; name its board with --board, or another probe "
                              "with --probe")  # fmt: skip
    _write(image.program, target, found, progress)
    return found


def probes() -> list[Probe]:
    """The debug probes that pyOCD finds.

    Raises:
        MissingDependency: pyOCD is not installed.
        DeviceError: it cannot look for them.
    """
    done = _run(["json", "--probes"], LISTING_S, None)
    try:
        answer = json.loads(done.stdout)
        status, boards = answer["status"], answer["boards"]
    except (ValueError, KeyError, TypeError) as error:
        raise DeviceError(f"pyOCD cannot list the debug probes ({_words(done)}); try pyocd list --probes") from error
    if status:
        raise DeviceError(f"pyOCD cannot list the debug probes ({answer.get('error')}); try pyocd list --probes")
    return [_probe(board) for board in boards]


def _probe(board: dict[str, Any]) -> Probe:
    target = board["target"] if board["target"] != UNKNOWN_TARGET else ""
    return Probe(board["unique_id"], board["info"], target)


def _chosen(found: list[Probe], wanted: str | None) -> Probe:
    """The one that was asked for, or the only one. Raises DeviceError."""
    listed = ", ".join(f"{probe.id} ({probe.words})" for probe in found)
    if not found:
        raise DeviceError("found no debug probe; connect the board's debug USB port to this computer, and on Linux "
                          "allow the access to it with pyOCD's udev rules (docs/boards.md)")  # fmt: skip
    matching = [probe for probe in found if not wanted or wanted.lower() in probe.id.lower()]
    if not matching:
        raise DeviceError(f"got --probe {wanted}, expected one of {listed}")
    if len(matching) > 1:
        listed = ", ".join(f"{probe.id} ({probe.words})" for probe in matching)
        raise DeviceError(f"found {len(matching)} debug probes, {listed}; choose one with --probe")
    return matching[0]


def _family(target: str) -> str:
    """``mimxrt1050_hyperflash`` and ``mimxrt1050_quadspi`` are one chip."""
    return target.partition("_")[0]


def _write(program: Path, target: str, probe: Probe, progress: IO[str] | None) -> None:
    command = ["flash", "--no-wait", "--probe", probe.id, "--target", target, "--format", "elf", str(program)]
    done = _run(command, WRITING_S, progress)
    if done.returncode:
        raise DeviceError(f"pyOCD could not write the firmware through the probe {probe.id} ({_words(done)}); "
                          "disconnect and connect the board, and try again")  # fmt: skip


def _words(done: subprocess.CompletedProcess[str]) -> str:
    """What pyOCD says is wrong: the first sentence of its log's first error, else its last line."""
    errors = TOLD.findall(done.stderr)
    lines = [line.strip() for line in f"{done.stdout or ''}\n{done.stderr}".splitlines() if line.strip()]
    return (errors or lines[-1:] or [f"exit code {done.returncode}"])[0].partition(". ")[0].rstrip(".")


def _run(arguments: list[str], limit_s: float, progress: IO[str] | None) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run([_pyocd(), *arguments], stdin=subprocess.DEVNULL, stdout=progress or subprocess.PIPE,
                              stderr=subprocess.PIPE, text=True, errors="replace", timeout=limit_s,
                              check=False)  # fmt: skip
    except subprocess.TimeoutExpired as error:
        raise DeviceTimeout(f"pyocd {arguments[0]} did not end within {limit_s:g} s; disconnect and connect the "
                            "board, and try again") from error  # fmt: skip


def _pyocd() -> str:
    """The command: beside this Python first, as in a virtual environment that is not activated."""
    path = os.pathsep.join((str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)))
    found = shutil.which("pyocd", path=path)
    if found is None:
        raise MissingDependency(f"flashing a board needs pyOCD, and it is not installed; {INSTALL}")
    return found
