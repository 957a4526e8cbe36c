"""What a bundle takes on a Cortex-M7: flash, RAM and instructions, counted in QEMU. Instructions are not cycles."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from compiler.cmsis_nn import sources as library_sources
from compiler.emit import Bundle
from pipelines.errors import DeviceTimeout, MissingDependency, ModelError

BOARD = Path(__file__).parent / "board"
TARGET = ("-mcpu=cortex-m7", "-mthumb", "-mfloat-abi=hard", "-mfpu=fpv5-d16")
FLAGS = (
    "-O2",
    "-std=gnu99",
    "-ffp-contract=off",
    "-ffunction-sections",
    "-fdata-sections",
    "-nostartfiles",
    "-Wl,--gc-sections",
)
NEEDED = {"arm-none-eabi-gcc": "gcc-arm-none-eabi libnewlib-arm-none-eabi", "qemu-system-arm": "qemu-system-arm"}
LIBRARY_FLAGS = ("-O2", "-w", "-ffunction-sections", "-fdata-sections")
DEADLINE_S = 300


@dataclass(frozen=True)
class Measured:
    """One inference on QEMU's mps2-an500, built by ``compiler``.

    Args:
        compiler: its name and version.
        flash: bytes of code, constants and initial data, with a minimal board layer.
        ram: bytes of data, activations, inputs and outputs, and the stack.
        stack: its high-water mark.
        instructions: of an inference; not cycles.
        layers: of each layer that calls a kernel, in order.
        checksum: of inputs and outputs, for a fixed input.
    """

    compiler: str
    flash: int
    ram: int
    stack: int
    instructions: int
    layers: tuple[int, ...]
    checksum: int


def measure(bundle: Bundle) -> Measured:
    """Build for a Cortex-M7 and run once.

    Raises:
        MissingDependency: no cross compiler, no QEMU, or no sources of CMSIS-NN for a bundle that calls it; says what
            to do.
        ModelError: it does not fit the board, or the program failed.
    """
    for command, packages in NEEDED.items():
        if not shutil.which(command):
            raise MissingDependency(f"measuring needs {command}, and it is not there; sudo apt-get install {packages}")
    with tempfile.TemporaryDirectory() as folder:
        plain, marked = Path(folder) / "plain.elf", Path(folder) / "marked.elf"
        (Path(folder) / f"{bundle.name}.c").write_text(bundle.c, encoding="utf-8")
        (Path(folder) / f"{bundle.name}.h").write_text(bundle.h, encoding="utf-8")
        library = _library(Path(folder)) if bundle.kernels == "cmsis-nn" else []
        _build(bundle, Path(folder), plain, library)
        _build(bundle, Path(folder), marked, library, "-include", str(BOARD / "mark.h"))
        told = _run(plain)
        layers = tuple(int(number) for name, number in _run(marked) if name == "layer")
        text, data, bss = _size(plain)
    numbers = dict(told)
    stack = int(numbers["stack"])
    return Measured(_version(), text + data, data + bss + stack, stack, int(numbers["instructions"]), layers,
                    int(numbers["sum"]))  # fmt: skip


def _library(folder: Path) -> list[str]:
    """CMSIS-NN, built from the sources of this machine: what the bundle's own build takes more."""
    include, sources = library_sources()
    objects = folder / "cmsis_nn"
    objects.mkdir()
    done = subprocess.run(["arm-none-eabi-gcc", *TARGET, *LIBRARY_FLAGS, "-c", f"-I{include}", *map(str, sources)],
                          capture_output=True, text=True, check=False, cwd=objects)  # fmt: skip
    if done.returncode:
        first = next((line for line in done.stderr.splitlines() if "error" in line), done.stderr)
        raise ModelError(f"CMSIS-NN in {include.parent} cannot be built for the board ({first.strip()})")
    return [f"-I{include}", *map(str, sorted(objects.glob("*.o")))]


def _build(bundle: Bundle, folder: Path, elf: Path, library: list[str], *more: str) -> None:
    values = {
        "MODEL": bundle.name,
        "MODEL_HEADER": f'"{bundle.name}.h"',
        "CONSTANTS": f"{bundle.name}_constants",
        "MUTABLE": bundle.memory.mutable,
        "ACTIVATIONS": max(1, bundle.memory.plan.size),
    }
    command = ["arm-none-eabi-gcc", *TARGET, *FLAGS, *more, *(f"-D{key}={value}" for key, value in values.items()),
               "-I", str(folder), "-T", str(BOARD / "link.ld"), "-o", str(elf), str(BOARD / "main.c"),
               str(folder / f"{bundle.name}.c"), *library]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        first = next((line for line in done.stderr.splitlines() if "error" in line or "overflow" in line), done.stderr)
        raise ModelError(f"{bundle.name} cannot be built for the board ({first.strip()}); it has 4 MB of flash and RAM")


def _run(elf: Path) -> list[tuple[str, str]]:
    command = ["qemu-system-arm", "-M", "mps2-an500", "-nographic", "-semihosting-config", "enable=on,target=native",
               "-icount", "shift=6", "-kernel", str(elf)]  # fmt: skip
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=DEADLINE_S, check=False)
    except subprocess.TimeoutExpired as error:
        raise DeviceTimeout(f"QEMU did not finish within {DEADLINE_S} s; the model is too large for it") from error
    lines = [line.split() for line in (done.stdout + done.stderr).splitlines()]
    told = [(line[0], line[1]) for line in lines if len(line) == 2]
    if "sum" not in dict(told):
        raise ModelError(f"the program on the board failed ({done.stderr.strip()[:200]}), expected its numbers")
    return told


def _size(elf: Path) -> tuple[int, int, int]:
    done = subprocess.run(["arm-none-eabi-size", elf], capture_output=True, text=True, check=True)
    text, data, bss = map(int, done.stdout.splitlines()[1].split()[:3])
    return text, data, bss


def _version() -> str:
    done = subprocess.run(["arm-none-eabi-gcc", "--version"], capture_output=True, text=True, check=True)
    return done.stdout.partition("\n")[0]
