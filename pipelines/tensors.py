"""The tensors of a compiled model in a memory: real arrays in, real arrays out, without allocating."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from pipelines.core import Array, TensorSpec
from pipelines.errors import ModelError, SignalMismatch
from pipelines.quantise import Dequantiser, to_stored

if TYPE_CHECKING:
    from compiler.graph import Tensor


def spec_of(tensor: Tensor, path: Path) -> TensorSpec:
    """A tensor of the model compiler's graph. Raises ModelError where it has several scales."""
    if len(tensor.scales) > 1:
        raise ModelError(f"{path}: {tensor} has {len(tensor.scales)} scales, expected one")
    scale, zero_point = (tensor.scale, tensor.zero_point) if tensor.scales else (0.0, 0)
    return TensorSpec(tensor.name, tensor.shape, tensor.dtype, scale, zero_point)


def bytes_of(spec: TensorSpec) -> int:
    """How many bytes it stores."""
    return int(np.prod(spec.shape)) * np.dtype(spec.dtype).itemsize


class Stored:
    """From real arrays to what a model's inputs store.

    Args:
        specs: of the inputs.
    """

    def __init__(self, specs: Sequence[TensorSpec]) -> None:
        self._edges = [(spec, to_stored(spec)) for spec in specs]

    def __call__(self, x: Sequence[Array]) -> Iterator[Array]:
        """One array per input, in its shape; each is valid until the next call.

        Raises:
            SignalMismatch: the number or shape of the arrays is not the model's.
            DataError: a NaN for a quantised input.
        """
        if len(x) != len(self._edges):
            raise SignalMismatch(f"{len(x)} arrays", f"{len(self._edges)}, one per input of the model")
        for array, (spec, stored) in zip(x, self._edges, strict=True):
            if array.shape != spec.shape:
                raise SignalMismatch(f"an array of shape {list(array.shape)}", spec)
            yield stored(array)


class Feeds:
    """A model's inputs in a memory.

    Args:
        specs: of the inputs.
        memory: uint8.
        places: where each input begins in it.
    """

    def __init__(self, specs: Sequence[TensorSpec], memory: Array, places: Sequence[int]) -> None:
        self._views = [view_of(memory, place, spec) for spec, place in zip(specs, places, strict=True)]
        self._stored = Stored(specs)

    def write(self, x: Sequence[Array]) -> None:
        """One array per input, in its shape, as the model stores it.

        Raises:
            SignalMismatch, DataError: as ``Stored``.
        """
        for array, view in zip(self._stored(x), self._views, strict=True):
            np.copyto(view, array)


class Reads:
    """A model's outputs in a memory; arguments as of ``Feeds``."""

    def __init__(self, specs: Sequence[TensorSpec], memory: Array, places: Sequence[int]) -> None:
        self._reads = [
            (view_of(memory, place, spec), Dequantiser(spec)) for spec, place in zip(specs, places, strict=True)
        ]

    def read(self) -> tuple[Array, ...]:
        """Each output as float32, valid until the next call."""
        return tuple([real(view) for view, real in self._reads])


def view_of(memory: Array, place: int, spec: TensorSpec) -> Array:
    """A tensor that begins at a place of a uint8 memory, as it is stored."""
    view: Array = memory[place : place + bytes_of(spec)].view(spec.dtype).reshape(spec.shape)
    return view
