"""Features in C on this machine: firmware/core/eiq_mfcc.c with the tables of a recipe, by ctypes."""

from __future__ import annotations

import ctypes
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from compiler.measure import BOARD, NEEDED, TARGET
from hal.rt.features import Tables
from pipelines.resources import bundled

CORE = bundled() / "firmware" / "core"
MFCC = CORE / "eiq_mfcc.c"
FLAGS = ("-std=c99", "-ffp-contract=off", "-Wall", "-Wextra", "-Wconversion", "-Wshadow", "-Werror", "-pedantic")
BATCH = """#include "eiq_mfcc.h"
extern const struct eiq_window %(symbol)s;
void frames_of(const int16_t *samples, uint32_t count, uint32_t hop, float *out);
void frames_of(const int16_t *samples, uint32_t count, uint32_t hop, float *out)
{
    static float scratch[%(points)du + 2];
    uint32_t i;
    for (i = 0; i < count; i++) eiq_mfcc_frame(%(symbol)s.mfcc, samples + i * hop, out + i * %(bands)du, scratch);
}
"""
Frames = Callable[[np.ndarray, int], np.ndarray]


def library(
    folder: Path, sources: dict[str, str], files: tuple[Path, ...] = (MFCC,), flags: tuple[str, ...] = ("-O2",),
    compiler: str = "cc",
) -> ctypes.CDLL:  # fmt: skip
    """These sources and files, built without a warning and opened; skips where the compiler is not there."""
    if not shutil.which(compiler):
        pytest.skip(f"needs the C compiler {compiler}")
    for name, text in sources.items():
        (folder / name).write_text(text)
    written = [folder / name for name in sources if name.endswith(".c")]
    built = folder / f"{'_'.join(path.stem for path in written)}_{compiler}{''.join(flags)}.so"
    command = [compiler, *FLAGS, *flags, "-shared", "-fPIC", f"-I{folder}", f"-I{CORE}", "-o", built, *files, *written]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[:2000]
    return ctypes.CDLL(str(built))


def frames(tables: Tables, folder: Path, *flags: str, compiler: str = "cc") -> Frames:
    """A function from int16 samples ``[n]`` and a hop to all their analysis frames ``[frames, bands]``, float32."""
    batch = BATCH % {"symbol": tables.symbol, "points": tables.points, "bands": tables.bands}
    sources = {"tables.c": tables.c, "batch.c": batch}
    opened = library(folder, sources, flags=flags or ("-O2",), compiler=compiler)

    def call(samples: np.ndarray, hop: int) -> np.ndarray:
        x = np.ascontiguousarray(samples, np.int16)
        out = np.empty((1 + (len(x) - tables.samples) // hop, tables.bands), np.float32)
        opened.frames_of(address(x), len(out), hop, address(out))
        return out

    return call


def address(array: np.ndarray) -> ctypes.c_void_p:
    """Where its numbers lie."""
    return ctypes.c_void_p(array.ctypes.data)


def on_a_cortex_m7(tables: Tables, windows: np.ndarray, folder: Path, *flags: str) -> tuple[np.ndarray, int]:
    """The bits of all windows' features ``[windows * frames, bands]`` from QEMU, and the instructions of a frame."""
    for command in NEEDED:
        if not shutil.which(command):
            pytest.skip(
                f"needs {command}; sudo apt-get install gcc-arm-none-eabi libnewlib-arm-none-eabi qemu-system-arm"
            )
    elf, sound, source = folder / "board.elf", folder / "windows.bin", folder / "tables.c"
    source.write_text(tables.c)
    sound.write_bytes(np.ascontiguousarray(windows, "<i2").tobytes())
    values = {"FEATURES": tables.symbol, "BANDS": f"{tables.bands}u", "POINTS": f"{tables.points}u",
              "COUNT": f"{len(windows)}u", "STRIDE": f"{windows.shape[1]}u"}  # fmt: skip
    program = Path(__file__).with_suffix(".c")
    subprocess.run(["arm-none-eabi-gcc", *TARGET, *FLAGS, *(flags or ("-O2",)), "-nostartfiles", f"-I{CORE}",
                    *(f"-D{name}={value}" for name, value in values.items()), "-T", BOARD / "link.ld", "-o", elf,
                    program, MFCC, source], check=True)  # fmt: skip
    done = subprocess.run(["qemu-system-arm", "-M", "mps2-an500", "-nographic", "-semihosting-config",
                           "enable=on,target=native", "-icount", "shift=6", "-kernel", elf, "-device",
                           f"loader,file={sound},addr=0x60000000,force-raw=on"],
                          capture_output=True, text=True, timeout=120, check=True)  # fmt: skip
    bits, _, instructions = (done.stdout + done.stderr).partition("instructions ")
    return np.array([int(line, 16) for line in bits.split()], np.uint32).reshape(-1, tables.bands), int(
        instructions, 16
    )
