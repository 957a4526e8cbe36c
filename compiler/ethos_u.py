"""Models for Arm's Ethos-U, by Arm's compiler Vela. What Vela tells of time and memory is modelled, not measured."""

from __future__ import annotations

import csv
import re
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from pipelines.errors import CapabilityError, DeviceTimeout, ModelError
from pipelines.optional import require

ACCELERATORS = (
    *(f"ethos-u55-{macs}" for macs in (32, 64, 128, 256)),
    *(f"ethos-u65-{macs}" for macs in (256, 512)),
    *(f"ethos-u85-{macs}" for macs in (128, 256, 512, 1024, 2048)),
)
DEADLINE_S = 600


@dataclass(frozen=True)
class Modelled:
    """What Vela tells of one inference, by its own model of the accelerator and its memories.

    Args:
        vela: its version.
        system, memory: the configurations that it took.
        npu_operators, cpu_operators: after it has taken the operators apart: run by the accelerator, left to the CPU.
        clock_hz: of the accelerator.
        cycles: of the accelerator's clock.
        seconds: of an inference.
        macs: multiply-accumulates.
        sram_bytes, dram_bytes, flash_bytes: used of each memory.
    """

    vela: str
    system: str
    memory: str
    npu_operators: int
    cpu_operators: int
    clock_hz: float
    cycles: int
    seconds: float
    macs: int
    sram_bytes: int
    dram_bytes: int
    flash_bytes: int


def compile_for(model: Path, accelerator: str) -> tuple[bytes, Modelled]:
    """Hand a model to Vela.

    Returns:
        The compiled .tflite, and what Vela tells of it.

    Raises:
        CapabilityError: no such accelerator.
        MissingDependency: Vela is not installed.
        ModelError: Vela cannot read or compile the model, or leaves all of it to the CPU.
        DeviceTimeout: Vela does not end.
    """
    from importlib.metadata import version

    if accelerator not in ACCELERATORS:
        raise CapabilityError(f"unknown accelerator {accelerator!r}; expected one of: {', '.join(ACCELERATORS)}")
    require("ethosu.vela", purpose=f"compiling for {accelerator}", install="pip install 'eiq-demo[vela]'")
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder)
        command = [sys.executable, "-m", "ethosu.vela", "--accelerator-config", accelerator, "--output-dir", folder,
                   str(model)]  # fmt: skip
        try:
            done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=DEADLINE_S, cwd=folder)
        except subprocess.TimeoutExpired as error:
            raise DeviceTimeout(f"Vela did not finish {model.name} within {DEADLINE_S} s; it is too large") from error
        compiled = next(out.glob("*_vela.tflite"), None)
        summary = next(out.glob("*_summary_*.csv"), None)
        if done.returncode or compiled is None or summary is None:
            lines = (done.stderr.strip() or done.stdout.strip() or "it said nothing").splitlines()
            raise ModelError(f"Vela cannot compile {model} for {accelerator} ({lines[-1].strip()}); expected a .tflite "
                             "file of int8 operators")  # fmt: skip
        told = _modelled(version("ethos-u-vela"), done.stdout, summary)
        if not told.npu_operators:
            raise ModelError(f"Vela leaves all {told.cpu_operators} operators of {model} to the CPU, so that there is "
                             f"nothing for {accelerator}; quantise the model to int8")  # fmt: skip
        return compiled.read_bytes(), told


def _modelled(version: str, told: str, summary: Path) -> Modelled:
    counts = dict(re.findall(r"^(CPU|NPU) operators = (\d+)", told, re.MULTILINE))
    with summary.open(encoding="utf-8", newline="") as file:
        row = list(csv.DictReader(file))[-1]

    def used(*memories: str) -> int:
        return round(sum(float(row[f"{memory}_memory_used"]) for memory in memories) * 1024)

    return Modelled(
        vela=version,
        system=row["system_config"],
        memory=row["memory_mode"],
        npu_operators=int(counts.get("NPU", 0)),
        cpu_operators=int(counts.get("CPU", 0)),
        clock_hz=float(row["core_clock"]),
        cycles=int(float(row["cycles_total"])),
        seconds=float(row["inference_time"]),
        macs=int(float(row["nn_macs"])),
        sram_bytes=used("sram"),
        dram_bytes=used("dram"),
        flash_bytes=used("on_chip_flash", "off_chip_flash"),
    )


def as_text(accelerator: str, told: Modelled) -> str:
    """What Vela tells, as a paragraph."""
    memories = {"SRAM": told.sram_bytes, "DRAM": told.dram_bytes, "flash": told.flash_bytes}
    used = ", ".join(f"{name} {size:,} bytes" for name, size in memories.items() if size)
    return "\n".join((
        f"modelled by Vela {told.vela} for {accelerator}, {told.system}, {told.memory} (not measured):",
        f"  {told.npu_operators} operators on the NPU, {told.cpu_operators} left to the CPU",
        f"  {told.cycles:,} cycles an inference, {told.seconds * 1e3:.3f} ms at {told.clock_hz / 1e6:g} MHz, "
        f"{told.macs:,} multiply-accumulates",
        f"  {used}",
        "",
    ))  # fmt: skip
