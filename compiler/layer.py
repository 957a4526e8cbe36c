"""What a node becomes: one call of a kernel, with its numbers and weights."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from compiler.graph import Array, Graph, Node
from pipelines.errors import ModelError


@dataclass(frozen=True)
class Struct:
    """A constant structure in C."""

    type: str
    values: tuple[Any, ...]

    def __str__(self) -> str:
        return "{" + ", ".join(map(str, self.values)) + "}"


@dataclass(frozen=True)
class Variant:
    """A kernel with some of its arguments fixed, so that the compiler makes a function of its own of it.

    Args:
        name: what stands behind the kernel's name.
        parameters: those that are left, as C declares them.
        fixed: the values of the others, as C writes them; they come last.
    """

    name: str
    parameters: str
    fixed: str

    @property
    def arguments(self) -> str:
        """The names of the parameters."""
        return ", ".join(part.split()[-1].lstrip("*") for part in self.parameters.split(","))


@dataclass(frozen=True)
class Layer:
    """A kernel at work, most often one call.

    Args:
        node: that it runs.
        kernel: the function's name in C; empty where nothing is left to do but a copy, if the places differ.
        sources: files in compiler/kernels that it needs, what others build on first.
        calls: the arguments of each call, with ``{in0}``…, ``{out}``, ``{scratch}``, ``{w0}``… for addresses and
            ``{s0}``… for structs.
        constants: arrays for the flash, 4-byte aligned; the first is read as words, the others as int32.
        structs: constant structures.
        scratch: bytes.
        macs: multiply-accumulates.
        in_place: index of the input whose memory the output may take, or -1.
        reason: why this kernel.
        variant: where the kernel has several.
        status: the function answers 0, or that it failed.
    """

    node: Node
    kernel: str
    sources: tuple[str, ...]
    calls: tuple[str, ...]
    constants: tuple[Array, ...] = ()
    structs: tuple[Struct, ...] = ()
    scratch: int = 0
    macs: int = 0
    in_place: int = -1
    reason: str = ""
    variant: Variant | None = None
    status: bool = False

    @property
    def function(self) -> str:
        """The name of what is called."""
        return f"{self.kernel}_{self.variant.name}" if self.variant else self.kernel


def unsupported(graph: Graph, node: Node, why: str) -> ModelError:
    """The one sentence for a node that cannot be compiled."""
    made = ", ".join(f"{graph.tensors[index].name} (tensor {index})" for index in node.outputs) or "nothing"
    return ModelError(f"operator {node.index} ({node.op}), which makes {made}: {why}")
