"""The compilers that build a firmware, and QEMU that runs one: what is there, what is missing, and calling them."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from hal.rt.firmware.ports import Port, port
from pipelines.errors import MissingDependency, OutputError

PACKAGES = {
    "cc": "gcc libc6-dev",
    "arm-none-eabi-gcc": "gcc-arm-none-eabi libnewlib-arm-none-eabi",
    "qemu-system-arm": "qemu-system-arm",
}
CROSS_LIBRARY = "libnewlib-arm-none-eabi"
FULL = re.compile(r"No space left on device|Disk quota exceeded|File too large|Read-only file system")
"""What the C library says where a disk takes no more, in whatever sentence a tool puts it."""
TEMPORARY = re.compile(r"writing to (/\S+)/[^/\s]+:")
"""A file of a tool's own, which lies elsewhere."""


def compiler(port: Port) -> str:
    """The command that compiles for a board."""
    return "cc" if port.toolchain == "cc" else f"{port.toolchain}-gcc"


def needed(board: str, *, run: bool = True) -> str:
    """What is missing on this machine to build for a board, and to run it where it is emulated, with the command that
    mends it; empty where nothing is.

    Raises:
        CapabilityError: there is no such board.
    """
    wanted = port(board)
    commands = [compiler(wanted), *(["qemu-system-arm"] if run and board == "mps2-an500" else [])]
    missing = [command for command in commands if not shutil.which(command)]
    packages = [PACKAGES.get(command, command) for command in missing]
    if wanted.toolchain == "arm-none-eabi" and not missing and not _has_library(commands[0]):
        missing, packages = ["newlib"], [CROSS_LIBRARY]
    if not missing:
        return ""
    what = f"{' and '.join(missing)}, which {'are' if len(missing) > 1 else 'is'} not here"
    return f"the board {board} needs {what}; sudo apt-get install {' '.join(packages)}"


def require_tools(port: Port, *, run: bool = False) -> None:
    """Raises MissingDependency where a tool for this board is missing."""
    problem = needed(port.name, run=run)
    if problem:
        raise MissingDependency(problem)


def _has_library(gcc: str) -> bool:
    done = subprocess.run([gcc, "-print-file-name=libc.a"], capture_output=True, text=True, check=False)
    return Path(done.stdout.strip()).is_absolute()


def version(port: Port) -> str:
    """The compiler's own words about itself, such as ``arm-none-eabi-gcc (15:12.2.rel1-1) 12.2.1 20221205``."""
    done = subprocess.run([compiler(port), "--version"], capture_output=True, text=True, check=False)
    return done.stdout.partition("\n")[0].strip()


def call(command: Sequence[str | Path], folder: Path) -> subprocess.CompletedProcess[str]:
    """Run a tool in a folder; its messages are in English, whatever the user's language is.

    Raises:
        OutputError: it could not write. Whatever else it does not like is the caller's to tell.
    """
    environment = os.environ | {"LC_ALL": "C"}
    done = subprocess.run(
        [str(word) for word in command], cwd=folder, capture_output=True, text=True, errors="replace", check=False,
        env=environment,
    )  # fmt: skip
    if done.returncode and (full := FULL.search(done.stderr)):
        elsewhere = TEMPORARY.search(done.stderr)
        raise no_room(elsewhere[1], full[0], "TMPDIR") if elsewhere else no_room(folder, full[0])
    return done


def no_room(where: object, why: str | None, key: str = "--out or XDG_CACHE_HOME") -> OutputError:
    """The error of a build that cannot write."""
    return OutputError(
        f"cannot write the firmware to {where} ({why}); make room there, or name another folder with {key}"
    )
