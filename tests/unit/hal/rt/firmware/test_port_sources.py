"""The emulated board's C has no warnings, by two compilers."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from hal.rt.firmware import needed
from hal.rt.firmware.ports import firmware, port
from hal.rt.firmware.table import header, source

WARNINGS = ("-std=c99", "-Os", "-Wall", "-Wextra", "-Wconversion", "-Wshadow", "-Werror", "-pedantic")
NEWLIB = ("/usr/include/newlib", "/usr/lib/arm-none-eabi/include", "/usr/arm-none-eabi/include")


@pytest.mark.parametrize("command", ["arm-none-eabi-gcc", "clang"])
def test_the_emulated_board_compiles_without_a_warning(command: str, tmp_path: Path) -> None:
    if needed("mps2-an500", run=False) or not shutil.which(command):
        pytest.skip(f"needs {command} and gcc-arm-none-eabi libnewlib-arm-none-eabi")
    board = port("mps2-an500")
    (tmp_path / "models.h").write_text(header([], []))
    (tmp_path / "models.c").write_text(source([], []))
    include = [f"-I{path}" for path in (firmware() / "core", tmp_path, *board.include)]
    clang = ["--target=arm-none-eabi", *(f"-isystem{path}" for path in NEWLIB)] if command == "clang" else []
    defines = ['-DEIQ_BOARD="mps2-an500"', '-DEIQ_BUILD="test"']
    for file in (*board.sources, tmp_path / "models.c"):
        done = subprocess.run([command, *clang, *board.flags, *WARNINGS, *defines, *include, "-c", "-o", "out.o", file],
                              cwd=tmp_path, capture_output=True, text=True, check=False)  # fmt: skip
        assert done.returncode == 0, done.stderr
