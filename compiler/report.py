"""What a bundle costs: flash, RAM and multiply-accumulates, layer by layer."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from compiler.emit import Bundle
from compiler.measure import Measured


@dataclass(frozen=True)
class Row:
    """One layer.

    Args:
        index: of the operator in the model.
        op: its name.
        kernel: the function that runs it; empty where nothing is left to do.
        output: shape of what it makes.
        macs: multiply-accumulates.
        flash: bytes of weights and numbers (the kernels' own code is told by the C compiler alone).
        scratch: bytes of RAM while it runs.
        reason: why this kernel.
    """

    index: int
    op: str
    kernel: str
    output: tuple[int, ...]
    macs: int
    flash: int
    scratch: int
    reason: str


def rows(bundle: Bundle) -> list[Row]:
    """Of every layer, in the order in which they run."""
    return [
        Row(
            index=layer.node.index,
            op=layer.node.op,
            kernel=layer.function,
            output=bundle.graph.tensors[layer.node.outputs[0]].shape,
            macs=layer.macs,
            flash=sum(array.nbytes for array in layer.constants),
            scratch=layer.scratch,
            reason=layer.reason,
        )
        for layer in bundle.layers
    ]


Compared = tuple[Bundle, Measured]
TITLES = {"own": "own kernels", "cmsis-nn": "CMSIS-NN"}


def as_object(bundle: Bundle, measured: Measured | None = None, other: Compared | None = None) -> dict[str, Any]:
    """The report as JSON takes it."""
    memory = bundle.memory
    found: dict[str, Any] = {
        "name": bundle.name,
        "kernels": bundle.kernels,
        "source": bundle.graph.source,
        "macs": _macs(bundle),
        "constants_bytes": len(memory.constants),
        "inputs_and_outputs_bytes": memory.mutable,
        "activations_bytes": memory.plan.size,
        "activations_bound_bytes": memory.plan.bound,
        "layers": [asdict(row) for row in rows(bundle)],
    }
    if measured:
        found["measured_in_qemu"] = asdict(measured)
    if other:
        found["compared_in_qemu"] = {"kernels": other[0].kernels, **asdict(other[1])}
    return found


def as_text(bundle: Bundle, measured: Measured | None = None, other: Compared | None = None) -> str:
    """The report as a table.

    Args:
        bundle: what is reported on.
        measured: what it took.
        other: the same model with other kernels, and what that took.
    """
    head = ["", "operator", "output", "MACs", "flash", "scratch", "kernel", "reason"]
    table = [head, *(_cells(row) for row in rows(bundle))]
    if other:
        _add_instructions(table, *other, f"by {TITLES[other[0].kernels]}")
    if measured:
        _add_instructions(table, bundle, measured, "instructions")
    lines = [*_aligned(table), f"{_macs(bundle):,} multiply-accumulates an inference", *_memory(bundle)]
    if measured:
        lines.append(f"measured in QEMU, Cortex-M7 (mps2-an500), {measured.compiler}, with a minimal board layer, "
                     "without an interpreter (instructions are not cycles):")  # fmt: skip
        lines += _totals(bundle, measured)
    if other:
        lines += _totals(*other)
    return "\n".join(lines) + "\n"


def _macs(bundle: Bundle) -> int:
    return sum(layer.macs for layer in bundle.layers)


def _cells(row: Row) -> list[str]:
    shape = "x".join(map(str, row.output))
    numbers = (f"{number:,}" for number in (row.macs, row.flash, row.scratch))
    return [str(row.index), row.op, shape, *numbers, row.kernel or "-", row.reason]


def _add_instructions(table: list[list[str]], bundle: Bundle, measured: Measured, title: str) -> None:
    """Two columns before the kernel: instructions, and those of one multiply-accumulate."""
    counts = iter(measured.layers)
    table[0][6:6] = [title, "a MAC"]
    for cells, layer in zip(table[1:], bundle.layers, strict=True):
        count = next(counts) if layer.kernel else 0
        cells[6:6] = [f"{count:,}", f"{count / layer.macs:.2f}" if layer.macs else "-"]


def _aligned(table: list[list[str]]) -> list[str]:
    widths = [max(len(row[column]) for row in table) for column in range(len(table[0]))]
    left = {1, 2, len(table[0]) - 2, len(table[0]) - 1}
    return [
        "  ".join(cell.ljust(width) if column in left else cell.rjust(width)
                  for column, (cell, width) in enumerate(zip(row, widths, strict=True))).rstrip()
        for row in table
    ]  # fmt: skip


def _memory(bundle: Bundle) -> list[str]:
    memory = bundle.memory
    best = "the least there can be" if memory.plan.size == memory.plan.bound else f"at least {memory.plan.bound:,}"
    return [
        f"flash: {len(memory.constants):,} bytes of weights and numbers, and the code",
        f"RAM: {memory.plan.size:,} bytes of activations ({best}), {memory.mutable:,} of inputs and outputs, "
        "and the stack",
    ]


def _totals(bundle: Bundle, measured: Measured) -> list[str]:
    macs = _macs(bundle)
    each = f", {measured.instructions / macs:.2f} a multiply-accumulate" if macs else ""
    return [
        f"  {TITLES[bundle.kernels]}: {measured.instructions:,} instructions an inference{each}",
        f"  {TITLES[bundle.kernels]}: flash {measured.flash:,} bytes, RAM {measured.ram:,} bytes, of which "
        f"{measured.stack:,} are stack",
    ]
