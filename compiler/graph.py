"""The compiler's graph: tensors and the nodes between them. Immutable; a pass gives a new one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from math import prod
from typing import Any

from numpy.typing import NDArray

Array = NDArray[Any]


@dataclass(frozen=True, eq=False)
class Tensor:
    """One value of the graph: real = scale * (stored - zero_point).

    Args:
        name: as the model has it; unique here.
        shape: all sizes known.
        dtype: numpy's name.
        scales: none, one, or one per index of ``axis``.
        zero_points: as many as scales.
        axis: of per-channel quantisation.
        data: of a constant; None is computed or an input.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str
    scales: tuple[float, ...] = ()
    zero_points: tuple[int, ...] = ()
    axis: int = 0
    data: Array | None = None

    @property
    def size(self) -> int:
        """Number of elements."""
        return prod(self.shape)

    @property
    def scale(self) -> float:
        """The one scale of a tensor that is quantised as a whole."""
        (scale,) = self.scales
        return scale

    @property
    def zero_point(self) -> int:
        """The one zero point of a tensor that is quantised as a whole."""
        (zero_point,) = self.zero_points
        return zero_point

    def __str__(self) -> str:
        quantised = f" {self.scales[0]:.6g} {self.zero_points[0]:+d}" if len(self.scales) == 1 else ""
        quantised = f" per channel of {self.axis}" if len(self.scales) > 1 else quantised
        return f"{self.name} {self.dtype}{list(self.shape)}{quantised}"


@dataclass(frozen=True)
class Node:
    """One operator.

    Args:
        op: TFLite's name in lower case, such as ``conv_2d``.
        inputs: indices of tensors; -1 where an optional one is left out.
        outputs: indices of tensors.
        options: TFLite's, by the schema's names in snake case.
        index: of the operator in the model, for messages and reports.
    """

    op: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    options: Mapping[str, Any] = field(default_factory=dict)
    index: int = 0


@dataclass(frozen=True)
class Graph:
    """A model: nodes in an order in which they can run.

    Args:
        name: an identifier in C.
        tensors: what the nodes' indices mean.
        nodes: each after those that it takes from.
        inputs: indices of what the caller fills in.
        outputs: indices of what the caller reads.
        source: which file it is from and its sha256.
    """

    name: str
    tensors: tuple[Tensor, ...]
    nodes: tuple[Node, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    source: str = ""

    def but(self, **changes: Any) -> Graph:
        """A copy with some fields changed."""
        return replace(self, **changes)

    def tensors_of(self, indices: tuple[int, ...]) -> Iterator[Tensor]:
        """The tensors behind indices; what is left out (-1) is passed over."""
        return (self.tensors[index] for index in indices if index >= 0)

    def users(self, tensor: int) -> list[Node]:
        """The nodes that take a tensor."""
        return [node for node in self.nodes if tensor in node.inputs]
