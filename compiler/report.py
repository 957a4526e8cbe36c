"""What a bundle costs: flash, RAM and multiply-accumulates, layer by layer."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from compiler.emit import Bundle


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


def as_object(bundle: Bundle) -> dict[str, Any]:
    """The report as JSON takes it."""
    memory = bundle.memory
    return {
        "name": bundle.name,
        "source": bundle.graph.source,
        "macs": sum(layer.macs for layer in bundle.layers),
        "flash_bytes": len(memory.constants),
        "inputs_and_outputs_bytes": memory.mutable,
        "activations_bytes": memory.plan.size,
        "activations_bound_bytes": memory.plan.bound,
        "layers": [asdict(row) for row in rows(bundle)],
    }


def as_text(bundle: Bundle) -> str:
    """The report as a table."""
    head = ("", "operator", "output", "MACs", "flash", "scratch", "kernel", "reason")
    table = [head] + [
        (str(r.index), r.op, "x".join(map(str, r.output)), f"{r.macs:,}", f"{r.flash:,}", f"{r.scratch:,}",
         r.kernel or "-", r.reason) for r in rows(bundle)
    ]  # fmt: skip
    widths = [max(len(row[column]) for row in table) for column in range(len(head))]
    lines = [
        "  ".join(cell.rjust(width) if column in (0, 3, 4, 5) else cell.ljust(width)
                  for column, (cell, width) in enumerate(zip(row, widths, strict=True))).rstrip()
        for row in table
    ]  # fmt: skip
    memory = bundle.memory
    best = "the least there can be" if memory.plan.size == memory.plan.bound else f"at least {memory.plan.bound:,}"
    lines += [
        f"{sum(layer.macs for layer in bundle.layers):,} multiply-accumulates an inference",
        f"flash: {len(memory.constants):,} bytes of weights and numbers, and the code",
        f"RAM: {memory.plan.size:,} bytes of activations ({best}), {memory.mutable:,} of inputs and outputs, "
        "and the stack",
    ]
    return "\n".join(lines) + "\n"
