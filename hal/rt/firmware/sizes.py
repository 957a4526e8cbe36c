"""What a firmware takes of its board's flash and RAM, part by part, from the ELF file and the linker's map."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from hal.rt.firmware.builder import Built, Image
from hal.rt.firmware.elf import Section, sections
from pipelines.errors import CapabilityError

KB = 1024
BUDGETS = {
    "cifar10": (("CMSIS-NN", 110 * KB, 50 * KB), ("TFLite", 600 * KB, 320 * KB)),
    "mobilenet_v1_0.25_128": (("TFLite", 1536 * KB, 2560 * KB),),
}
"""Flash and RAM that NXP's eIQ deck gives for a model and an engine."""
INPUT = re.compile(r"^ (?P<section>\S+)\s+0x[0-9a-f]+\s+0x(?P<size>[0-9a-f]+)(?: (?P<file>\S.*))?$")
OUTPUT = re.compile(r"^(?P<section>[.\w]\S*)(?:\s+0x|$)")
STARTS = "Linker script and memory map"
FEATURES = ("core_eiq_mfcc", "core_eiq_stream")
LIBRARIES = re.compile(r"lib\w+\.a|crt\w+\.o")


@dataclass(frozen=True)
class Part:
    """One line of the table: bytes of flash and of RAM."""

    name: str
    flash: int
    ram: int


@dataclass(frozen=True)
class Budget:
    """What the deck gives for a model.

    Args:
        model: the one it is for.
        engine: whose numbers these are.
        flash, ram: bytes.
    """

    model: str
    engine: str
    flash: int
    ram: int


@dataclass(frozen=True)
class Sizes:
    """What a firmware takes.

    Args:
        board: its name.
        parts: in the order of the table; their sums are ``flash`` and ``ram``.
        stack_bytes: kept for the stack, a part of ``ram``.
        stack_used: its high-water mark after an inference of each model; None where that was not measured.
        budgets: what others need for the model that is in it.
    """

    board: str
    parts: tuple[Part, ...]
    stack_bytes: int
    stack_used: int | None
    budgets: tuple[Budget, ...]

    @property
    def flash(self) -> int:
        """All of it, bytes."""
        return sum(part.flash for part in self.parts)

    @property
    def ram(self) -> int:
        """All of it, bytes, with the whole stack."""
        return sum(part.ram for part in self.parts)


def sizes(image: Image, stack_used: int | None = None) -> Sizes:
    """Flash and RAM of a firmware by part.

    Args:
        image: of a board with flash and RAM.
        stack_used: the stack's high-water mark in bytes, where it was measured.

    Raises:
        CapabilityError: the board is this computer.
    """
    if image.board == "host":
        raise CapabilityError("the board host is a program of this computer and has no flash; build for mps2-an500, or "
                              "for a board")  # fmt: skip
    kept = sections(image.program)
    found: dict[str, list[int]] = {name: [0, 0] for name in _order(image.models)}
    told = dict.fromkeys(kept, 0)
    for output, name, file, size in contributions(image.map.read_text(encoding="utf-8", errors="replace")):
        if output in kept:
            _add(found, _part(name, file, image.models), kept[output], size)
            told[output] += size
    for section in kept.values():  # what the linker script itself makes: the stack, and gaps
        _add(found, "stack" if "stack" in section.name else "padding", section, section.size - told[section.name])
    parts = tuple(Part(name, flash, ram) for name, (flash, ram) in found.items() if flash or ram)
    stack = sum(part.ram for part in parts if part.name == "stack")
    return Sizes(image.board, parts, stack, stack_used, tuple(_budgets(image.models)))


def as_object(sizes: Sizes) -> dict[str, Any]:
    """The table as JSON takes it."""
    return asdict(sizes) | {"flash": sizes.flash, "ram": sizes.ram}


def as_text(sizes: Sizes) -> str:
    """The table."""
    width = max(len(part.name) for part in sizes.parts)
    lines = [f"{sizes.board:<{width}}  {'flash':>9}  {'RAM':>9}"]
    lines += [f"{part.name:<{width}}  {part.flash:>9,}  {part.ram:>9,}" for part in sizes.parts]
    lines.append(f"{'total':<{width}}  {sizes.flash:>9,}  {sizes.ram:>9,}")
    if sizes.stack_used is not None:
        lines.append(f"stack: at most {sizes.stack_used:,} of {sizes.stack_bytes:,} bytes used by an inference of each "
                     "model, measured in QEMU")  # fmt: skip
    for budget in sizes.budgets:
        flash, ram = sizes.flash / budget.flash, sizes.ram / budget.ram
        lines.append(f"NXP's eIQ deck gives {budget.flash // KB:,} KB of flash and {budget.ram // KB:,} KB of RAM for "
                     f"{budget.model} with {budget.engine}: this is {flash:.0%} and {ram:.0%} of that")  # fmt: skip
    return "\n".join(lines) + "\n"


def contributions(map_: str) -> Iterator[tuple[str, str, str, int]]:
    """What each input section adds: the output section, its own name, its file, bytes. Of a map of GNU ld's."""
    output, lines = "", map_[max(0, map_.find(STARTS)) :].splitlines()
    for index, line in enumerate(lines):
        if line[:1] not in (" ", ""):
            found = OUTPUT.match(line)
            output = found["section"] if found else output
            continue
        if re.fullmatch(r" \S+", line) and index + 1 < len(lines):  # a long name: its numbers stand in the next line
            line = f"{line} {lines[index + 1].strip()}"
        entry = INPUT.match(line)
        if entry and entry["section"] != "*fill*" and entry["file"] and int(entry["size"], 16):
            yield output, entry["section"], entry["file"], int(entry["size"], 16)


def _add(found: dict[str, list[int]], part: str, section: Section, size: int) -> None:
    numbers = found.setdefault(part, [0, 0])
    numbers[0] += size if section.flash else 0
    numbers[1] += size if section.ram else 0


def _order(models: Sequence[Built]) -> Iterator[str]:
    yield from ("start-up and drivers", "vendor's drivers", "RPC", "sensors", "features")
    for model in models:
        yield from (f"{model.name}: kernels", f"{model.name}: weights")
    yield from ("model table", "C library", "inputs and outputs", "activations", "stack", "padding")


def _part(section: str, file: str, models: Sequence[Built]) -> str:
    name = Path(file).name
    for model in models:
        if name.startswith(f"{model.symbol}_features."):
            return "features"
        if name in (f"{model.symbol}.o", f"{model.symbol}_glow.o"):
            return f"{model.name}: " + ("weights" if section.endswith(f"{model.symbol}_constants") else "kernels")
    if LIBRARIES.search(name):
        return "C library"
    if name == "models.o":
        memory = {".bss.eiq_mutable_memory": "inputs and outputs", ".bss.eiq_activations": "activations"}
        return memory.get(section, "model table")
    if name.startswith(FEATURES):
        return "features"
    if name.startswith("core_") or section.endswith(".eiq_context"):
        return "RPC"
    if name.startswith("sdk_"):
        return "vendor's drivers"
    return "sensors" if "eiq_recording" in name else "start-up and drivers"


def _budgets(models: Sequence[Built]) -> Iterator[Budget]:
    """For a firmware with one model: the deck's numbers are of such."""
    for name, budgets in BUDGETS.items():
        if len(models) == 1 and models[0].name.removesuffix("_int8") == name:
            yield from (Budget(models[0].name, engine, flash, ram) for engine, flash, ram in budgets)
