"""Models as a firmware links them: C or objects with Glow's static interface, and what the table tells of them."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pipelines.errors import ModelError

if TYPE_CHECKING:
    from compiler.emit import Bundle
    from compiler.graph import Graph, Tensor

DTYPES = {"int8": 0, "uint8": 1, "int16": 2, "int32": 3, "float32": 4, "bool": 5}
"""enum DType of firmware/eiq.erpc."""
MAX_DIMS = 6
MAX_NAME = 63


@dataclass(frozen=True)
class ModelSource:
    """A model that goes into a firmware.

    Args:
        name: what the board calls it.
        path: the model's file, .tflite or .skops.
        window, mfcc: the configs of its feature recipe (``window`` and ``mfcc`` or ``log_mel``), to compute it on the
            board; None: the board takes the model's inputs alone.
        rate_hz: of the sound that the recipe starts from.
        glow: the folder of a bundle that Glow made of the same file; None compiles it here.
    """

    name: str
    path: Path
    window: Any = None
    mfcc: Any = None
    rate_hz: float | None = None
    glow: Path | None = None


@dataclass(frozen=True)
class Placed:
    """A tensor with its place in the input or output blob and its address in the model's mutable memory."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    scale: float
    zero_point: int
    place: int
    address: int

    @property
    def bytes(self) -> int:
        """As stored."""
        return prod(self.shape) * np.dtype(self.dtype).itemsize


@dataclass(frozen=True)
class Linked:
    """A model, ready to be linked.

    Args:
        name: what the board calls it.
        symbol: the C function; its constants are ``symbol_constants``.
        sha256: of the model's file.
        files: C sources and headers by their names.
        objects: objects that are linked as they are.
        inputs, outputs: in the model's order.
        constant_bytes, mutable_bytes, activation_bytes: of the three memories.
    """

    name: str
    symbol: str
    sha256: bytes
    files: dict[str, str]
    objects: tuple[Path, ...]
    inputs: tuple[Placed, ...]
    outputs: tuple[Placed, ...]
    constant_bytes: int
    mutable_bytes: int
    activation_bytes: int

    @property
    def input_bytes(self) -> int:
        """Of the input blob."""
        return sum(tensor.bytes for tensor in self.inputs)

    @property
    def output_bytes(self) -> int:
        """Of the output blob."""
        return sum(tensor.bytes for tensor in self.outputs)


def symbols(models: Sequence[ModelSource]) -> list[str]:
    """A C identifier for each model, all different, and none that the firmware or the C library has.

    Raises:
        ModelError: two of the same name, or a name that is too long for the wire.
    """
    found: list[str] = []
    for index, model in enumerate(models):
        if model.name in [other.name for other in models[:index]]:
            raise ModelError(f"got the model {model.name} twice, expected each name once")
        if len(model.name.encode()) > MAX_NAME:
            raise ModelError(f"got the model name {model.name}, expected at most {MAX_NAME} bytes")
        found.append(f"model{index}_" + re.sub(r"[^A-Za-z0-9_]", "_", model.name))
    return found


def compiled(model: ModelSource, symbol: str) -> Linked:
    """Compile a .tflite or .skops file.

    Raises:
        ModelError: the file is not there, or holds what no kernel runs.
        MissingDependency: the package with TFLite's schema, or scikit-learn, is not installed.
    """
    from compiler.emit import compile_graph

    bundle = compile_graph(graph_of(model).but(name=symbol))
    memory, graph = bundle.memory, bundle.graph
    return Linked(
        model.name, symbol, digest(model), {f"{symbol}.c": bundle.c, f"{symbol}.h": bundle.h}, (),
        _placed(bundle, graph.inputs), _placed(bundle, graph.outputs),
        max(1, len(memory.constants)), memory.mutable, memory.plan.size,
    )  # fmt: skip


def graph_of(model: ModelSource) -> Graph:
    """The model as the compiler reads it. Raises ModelError, MissingDependency."""
    from compiler.reader import read_graph

    return read_graph(model.path)


def digest(model: ModelSource) -> bytes:
    """SHA-256 of the model's file. Raises ModelError."""
    try:
        return hashlib.sha256(model.path.read_bytes()).digest()
    except OSError as error:
        raise ModelError(f"cannot read the model {model.path} ({error.strerror}), expected a file") from error


def _placed(bundle: Bundle, indices: tuple[int, ...]) -> tuple[Placed, ...]:
    tensors = list(bundle.graph.tensors_of(indices))
    return placed(tensors, [bundle.memory.places[index] for index in indices])


def placed(tensors: Sequence[Tensor], addresses: Sequence[int]) -> tuple[Placed, ...]:
    """Tensors one behind the other in a blob. Raises ModelError for one that the wire cannot describe."""
    found: list[Placed] = []
    for tensor, address in zip(tensors, addresses, strict=True):
        if tensor.dtype not in DTYPES or len(tensor.shape) > MAX_DIMS or len(tensor.scales) > 1:
            raise ModelError(f"the model's input or output {tensor} cannot be described to the host, expected "
                             f"{', '.join(DTYPES)}, {MAX_DIMS} dimensions and one scale at most")  # fmt: skip
        scale, zero_point = (tensor.scale, tensor.zero_point) if tensor.scales else (0.0, 0)
        place = found[-1].place + found[-1].bytes if found else 0
        found.append(Placed(tensor.name, tensor.dtype, tensor.shape, scale, zero_point, place, address))
    return tuple(found)
