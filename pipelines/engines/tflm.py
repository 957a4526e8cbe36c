"""TensorFlow Lite models through TensorFlow Lite Micro: the kernels that microcontrollers run, on this machine."""

from __future__ import annotations

import re
import struct
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from pipelines.config.schema import EngineConfig
from pipelines.core import Array
from pipelines.engines._flatbuffer import is_stateful, read_model
from pipelines.engines._stderr import turned_away
from pipelines.engines._tflite_tensor import spec_of
from pipelines.engines._trial import survives
from pipelines.errors import ModelError
from pipelines.optional import require
from pipelines.quantise import Dequantiser
from pipelines.tensors import Stored

_TOTAL = re.compile(r"Arena allocation total (\d+) bytes")
_MISSING = re.compile(r"Failed to get registration from op code (\w+)|op for builtin opcode '(\w+)'")
_DAMAGE = (struct.error, IndexError, ValueError, TypeError, OverflowError, AttributeError)
"""What the schema's generated accessors raise at offsets and sizes that are not what it says."""
_ROOM = 1 << 18  # for what the interpreter keeps beside the tensors; in one too small tflite-micro crashes


class Tflm:
    """A .tflite model through tflite-micro, whose reference kernels give the same bits on every machine.

    Its structure is checked beforehand (see ``_flatbuffer``). Damage that leaves that whole, such as a changed option
    of an operator, would end the program, as tflite-micro does not verify: a model that was not seen here before is
    tried in a process of its own (see ``_trial``).

    It holds the GIL while it computes: several pipelines in one process run it one after the other.

    Raises when built:
        ModelError: not a .tflite file, cut short, damaged, or with an operator or tensor that cannot be run.
        MissingDependency: tflite-micro is not installed.
    """

    holds_gil: ClassVar[bool] = True

    class Config(EngineConfig, frozen=True, kw_only=True):
        """Has no keys of its own."""

    def __init__(self, config: Config, path: Path) -> None:
        data = read_model(path)
        micro = require("tflite_micro", purpose="the engine tflm", install="pip install 'eiq-demo[tflm]'")
        graph = _Graph(data, path)
        survives(
            Tflm, config, path, f"{micro.__version__}\0".encode() + data,
            what=f"{path} in tflite-micro {micro.__version__}",
            fix="it is damaged or not made for microcontrollers: fetch it again, or use the engine tflite",
        )  # fmt: skip
        self._interpreter = _loaded(micro, data, graph.bytes, path)
        inputs = [self._interpreter.get_input_details(i) for i in range(len(graph.inputs))]
        outputs = [self._interpreter.get_output_details(i) for i in range(len(graph.outputs))]
        self.inputs = tuple(spec_of(d, name, "input", path) for d, name in zip(inputs, graph.inputs, strict=True))
        self.outputs = tuple(spec_of(d, name, "output", path) for d, name in zip(outputs, graph.outputs, strict=True))
        self.arena = _arena(self._interpreter)
        self.memory = {"arena": self.arena}  # in bytes
        self.description = f"tflite-micro {micro.__version__}, reference kernels, {self.arena:,} bytes of arena"
        self.stateful = is_stateful(data)
        self._stored = Stored(self.inputs)
        self._real = [Dequantiser(spec) for spec in self.outputs]

    def infer(self, *x: Array) -> tuple[Array, ...]:
        """One array per input, in its shape, to one float32 array per output, valid until the next call.

        Raises:
            SignalMismatch: the number or shape of the arrays is not the model's.
            DataError: a NaN for a quantised input.
            ModelError: an operator failed.
        """
        for place, stored in enumerate(self._stored(x)):
            self._interpreter.set_input(np.require(stored, requirements="C"), place)
        try:
            self._interpreter.invoke()
        except RuntimeError as error:
            raise ModelError(f"the model failed while running in tflite-micro ({error}); convert it again") from error
        return tuple([real(self._interpreter.get_output(place)) for place, real in enumerate(self._real)])

    def reset(self) -> None:
        """Forget the state of a stateful model: its variable tensors go back to zero."""
        self._interpreter.reset()

    def close(self) -> None:
        """Let go of the model's memory. May be called twice; ``infer`` may not be called after it."""
        self._interpreter = None


class _Graph:
    """What the interpreter does not tell: the names of inputs and outputs, and how much its tensors hold.

    Raises when built:
        ModelError: a number in it points to nothing.
    """

    def __init__(self, data: bytes, path: Path) -> None:
        schema = require("tflite_micro.tensorflow.lite.micro.python.schema_py_generated",
                         purpose="the engine tflm", install="pip install 'eiq-demo[tflm]'")  # fmt: skip
        try:
            self._read(schema.Model.GetRootAsModel(data, 0))
        except _DAMAGE as problem:
            raise ModelError(f"{path} is cut short or damaged; fetch it again") from problem

    def _read(self, model: Any) -> None:
        graphs = [model.Subgraphs(i) for i in range(model.SubgraphsLength())]
        self.inputs = _names(graphs[0], graphs[0].InputsAsNumpy())
        self.outputs = _names(graphs[0], graphs[0].OutputsAsNumpy())
        self.bytes = sum(_bytes(graph.Tensors(i)) for graph in graphs for i in range(graph.TensorsLength()))


def _names(graph: Any, tensors: Any) -> list[str]:
    return [graph.Tensors(int(index)).Name().decode(errors="replace") for index in np.atleast_1d(tensors)]


def _bytes(tensor: Any) -> int:
    """At most: 8 bytes an element."""
    return 8 * int(np.prod(np.abs(np.atleast_1d(tensor.ShapeAsNumpy())), dtype=np.int64))


def _loaded(micro: Any, data: bytes, tensors: int, path: Path) -> Any:
    """An interpreter in an arena that is large enough. Raises ModelError."""
    size = min(tensors + 2 * len(data) + _ROOM, 1 << 30)
    try:
        with turned_away() as said:
            return micro.runtime.Interpreter.from_bytes(data, arena_size=size)
    except (RuntimeError, *_DAMAGE) as error:
        text = " ".join(said.lines)
        if missing := _MISSING.search(text):
            reason = f"needs the operator {missing[1] or missing[2]}, which it does not have"
        else:
            reason = f"cannot be loaded: {text or error}"
        raise ModelError(f"{path} {reason} (tflite-micro {micro.__version__}); use the engine tflite, or convert the "
                         "model for microcontrollers") from error  # fmt: skip


def _arena(interpreter: Any) -> int:
    """How much of it the model takes, in bytes."""
    with turned_away() as said:
        interpreter.print_allocations()
    total = _TOTAL.search(" ".join(said.lines))
    return int(total[1]) if total else 0
