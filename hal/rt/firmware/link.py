"""From C to a program: which files, which flags, and what the linker says."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hal.rt.firmware import table
from hal.rt.firmware.models import Linked
from hal.rt.firmware.ports import Port, firmware
from hal.rt.firmware.toolchain import call, compiler, version
from pipelines.errors import ModelError

COMMON = ("-std=c99", "-ffunction-sections", "-fdata-sections", "-ffp-contract=off")
FAST, SMALL = "-O2", "-Os"
FOR_SPEED = ("eiq_mfcc", "eiq_stream")
"""Files of the core that are compiled for speed; the others for size."""
CROSS_LINK = ("-Wl,--gc-sections", "-Wl,--no-wchar-size-warning", "-Wl,--no-enum-size-warning", "--specs=nosys.specs")
JOBS = 4
NO_ROOM = re.compile(r"region `(\w+)' overflowed by (\d+) bytes")
SECTION = re.compile(r"section `(\S+)' will not fit in region `(\w+)'")


@dataclass(frozen=True)
class Unit:
    """One file to compile: its object's name tells which part of the firmware it is."""

    source: Path
    object: str
    flags: tuple[str, ...]


def flags_of(port: Port) -> tuple[str, ...]:
    """What every file of a board is compiled with."""
    defines = [f"-D{key}={value}" for key, value in port.defines.items()]
    return (*COMMON, *port.flags, *defines, f'-DEIQ_BOARD="{port.name}"', f'-DEIQ_BUILD="{version(port)}"')


def link(port: Port, sdk: Path | None, models: Sequence[Linked], tables: Sequence[Any], folder: Path) -> Path:
    """Write the generated C, compile everything and link it, all in ``folder``; returns the program.

    Raises:
        ModelError: something cannot be compiled, or does not fit the board.
    """
    for name, text in _generated(models, tables):
        (folder / name).write_text(text, encoding="utf-8")
    units = list(_units(port, sdk, folder))
    with ThreadPoolExecutor(JOBS) as pool:
        list(pool.map(lambda unit: _compile(port, unit, folder), units))
    program = folder / ("firmware" if port.toolchain == "cc" else "firmware.elf")
    objects: list[str | Path] = [
        *(unit.object for unit in units),
        *(object_ for model in models for object_ in model.objects),
    ]
    script = [f"-T{_script(port, sdk)}"] if port.linker_script or port.sdk_linker_script else []
    extra = CROSS_LINK if port.toolchain != "cc" else ()
    flags = [*port.flags, *extra, *script, *port.link_flags, "-Wl,-Map=firmware.map"]
    command: list[str | Path] = [compiler(port), *flags, "-o", program]
    command += [*objects, "-lm"]
    done = call(command, folder)
    if done.returncode:
        raise _link_error(port, models, done.stderr)
    return program


def _generated(models: Sequence[Linked], tables: Sequence[Any]) -> Iterator[tuple[str, str]]:
    yield "models.h", table.header(models, tables)
    yield "models.c", table.source(models, tables)
    for model, features in zip(models, tables, strict=True):
        yield from model.files.items()
        if features:
            yield f"{model.symbol}_features.c", features.c


def _units(port: Port, sdk: Path | None, folder: Path) -> Iterator[Unit]:
    core = firmware() / "core"
    ours = [f"-I{path}" for path in (core, folder, *port.include)]
    vendor = [word for path in port.sdk_include if sdk for word in ("-isystem", str(sdk / path))]
    size = FAST if port.toolchain == "cc" else SMALL
    for source in sorted(core.glob("*.c")):
        yield Unit(source, f"core_{source.stem}.o", (FAST if source.stem in FOR_SPEED else size, *ours))
    for index, source in enumerate(port.sources):
        yield Unit(source, f"port_{index}_{source.stem}.o", (size, *ours, *vendor))
    for index, name in enumerate(port.sdk_sources):
        yield Unit((sdk or Path()) / name, f"sdk_{index}_{Path(name).stem}.o", (size, "-w", *ours, *vendor))
    for source in sorted(folder.glob("*.c")):
        yield Unit(source, f"{source.stem}.o", (FAST, *ours))


def _compile(port: Port, unit: Unit, folder: Path) -> None:
    command: list[str | Path] = [compiler(port), *flags_of(port), *unit.flags, "-c", "-o", unit.object, unit.source]
    done = call(command, folder)
    if done.returncode:
        raise ModelError(f"{compiler(port)} cannot compile {unit.source.name} for the board {port.name} "
                         f"({_first(done.stderr, 'error')})")  # fmt: skip


def _script(port: Port, sdk: Path | None) -> Path:
    return port.linker_script or (sdk or Path()) / port.sdk_linker_script


def _link_error(port: Port, models: Sequence[Linked], told: str) -> ModelError:
    over = {region: int(count) for region, count in NO_ROOM.findall(told)}
    if not over:
        return ModelError(f"the firmware for {port.name} cannot be linked ({_first(told, 'undefined', 'error')})")
    last = {region: section for section, region in SECTION.findall(told)}
    parts = [f"{region} by {count:,} bytes" + (f" (in {last[region]})" if region in last else "")
             for region, count in over.items()]  # fmt: skip
    names = ", ".join(model.name for model in models)
    return ModelError(f"the firmware with {names} does not fit the board {port.name}: it exceeds "
                      f"{' and '.join(parts)}; take fewer or smaller models")  # fmt: skip


def _first(told: str, *words: str) -> str:
    """The line that says what is wrong, without the path in front."""
    lines = [line.strip() for line in told.splitlines() if line.strip()]
    return next((line for line in lines if any(word in line for word in words)), lines[0] if lines else "no message")
