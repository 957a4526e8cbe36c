"""TensorFlow Lite models through Arm NN's own runtime (pyarmnn), as a board's system brings it."""

from __future__ import annotations

import re
import warnings
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np

from pipelines.config.schema import EngineConfig
from pipelines.core import Array, TensorSpec
from pipelines.engines._flatbuffer import Operand, Operator, operators, read_model
from pipelines.engines._stderr import turned_away
from pipelines.engines._trial import survives
from pipelines.errors import CapabilityError, ModelError
from pipelines.optional import require
from pipelines.quantise import Dequantiser, not_a_number
from pipelines.tensors import Stored

Backend = Literal["CpuAcc", "CpuRef", "GpuAcc", "VsiNpu", "EthosNAcc"]
_INSTALL = "sudo apt-get install python3-pyarmnn libarmnn-cpuref-backend22, or take the one of your board's BSP"
_DTYPES = {"Float32": "float32", "Float16": "float16", "QAsymmU8": "uint8", "QAsymmS8": "int8", "QSymmS16": "int16",
           "Signed32": "int32"}  # fmt: skip
_FELL_BACK = re.compile(r"Layer of type (\w+) is not supported on requested backend (\w+)")
_AT = re.compile(r"\s*at function \w+ \[[^\]]*\]|^ERROR: ")
_FAULTY = 22
"""Arm NN's major version (20.08) whose faults ``_fault`` tells of."""
_FULLY_CONNECTED, _PAD = 9, 34


class Armnn:
    """A .tflite model on Arm NN's backends: CpuAcc (NEON), CpuRef (reference), GpuAcc (OpenCL), VsiNpu (i.MX 8M Plus).

    Each layer runs on the first of ``backends`` that takes it. What the first one does not take is said.

    Arm NN ends the program at models that it does not foresee: one that was not seen here before is tried in a process
    of its own (see ``_trial``).

    Raises when built:
        ModelError: not a .tflite file, cut short, damaged, or one that these backends or Arm NN's parser do not take.
        CapabilityError: this Arm NN has no such backend.
        MissingDependency: pyarmnn is not installed.
    """

    holds_gil: ClassVar[bool] = True

    class Config(EngineConfig, frozen=True, kw_only=True):
        """
        Args:
            backends: in order of preference; CpuAcc, or else CpuRef, where absent.
        """

        backends: tuple[Backend, ...] = ()

    def __init__(self, config: Config, path: Path) -> None:
        data = read_model(path)
        self._nn = _pyarmnn()
        self._runtime = self._nn.IRuntime(self._nn.CreationOptions())
        backends = _chosen(config.backends, [str(b) for b in self._runtime.GetDeviceSpec().GetSupportedBackends()])
        if int(self._nn.__version__.split(".")[0]) <= _FAULTY:
            _check(self._nn.__version__, data, path)
        survives(
            Armnn, config, path, "\0".join((self._nn.__version__, *backends, "")).encode() + data,
            what=f"{path} in Arm NN {self._nn.__version__}",
            fix="it is damaged or not for Arm NN: fetch it again, or use another engine",
        )  # fmt: skip
        with _refusals(self._nn, path):
            parser = self._nn.ITfLiteParser()
            network = parser.CreateNetworkFromBinaryFile(str(path))
            names = parser.GetSubgraphInputTensorNames(0), parser.GetSubgraphOutputTensorNames(0)
            self._in = [parser.GetNetworkInputBindingInfo(0, name) for name in names[0]]
            self._out = [parser.GetNetworkOutputBindingInfo(0, name) for name in names[1]]
            ids = [self._nn.BackendId(name) for name in backends]
            optimised, told = self._nn.Optimize(
                network, ids, self._runtime.GetDeviceSpec(), self._nn.OptimizerOptions()
            )
            self._network, _ = self._runtime.LoadNetwork(optimised)
        self.inputs = tuple(_spec(self._nn, n, info, path) for n, (_, info) in zip(names[0], self._in, strict=True))
        self.outputs = tuple(_spec(self._nn, n, info, path) for n, (_, info) in zip(names[1], self._out, strict=True))
        self._stored = Stored(self.inputs)
        self._real = [Dequantiser(spec) for spec in self.outputs]
        self._results = self._nn.make_output_tensors(self._out)
        self.description = f"Arm NN {self._nn.__version__}, {_on(backends, told)}"

    def infer(self, *x: Array) -> tuple[Array, ...]:
        """One array per input, in its shape, to one float32 array per output, valid until the next call.

        Raises:
            SignalMismatch: the number or shape of the arrays is not the model's.
            DataError: a NaN.
            ModelError: a backend failed.
        """
        given = [np.array(stored) for stored in self._stored(x)]  # pyarmnn keeps it, and makes it read-only
        for spec, array in zip(self.inputs, given, strict=True):
            if np.isnan(array.min()):  # its ReLU makes 0 of a NaN, and believable scores
                raise not_a_number(spec.name)
        try:
            self._runtime.EnqueueWorkload(self._network, self._nn.make_input_tensors(self._in, given), self._results)
        except RuntimeError as error:
            raise ModelError(f"the model failed while running in Arm NN ({_sentence(error)})") from error
        areas = (tensor.get_memory_area().reshape(spec.shape)
                 for (_, tensor), spec in zip(self._results, self.outputs, strict=True))  # fmt: skip
        return tuple([real(area) for real, area in zip(self._real, areas, strict=True)])

    def reset(self) -> None:
        """Nothing to do: such a network keeps nothing from one call to the next."""

    def close(self) -> None:
        """Let go of the model's memory. May be called twice; ``infer`` may not be called after it."""
        if self._runtime is not None:
            self._runtime.UnloadNetwork(self._network)
        self._runtime = None


def available() -> str:
    """Arm NN's version and its backends here. Raises MissingDependency."""
    nn = _pyarmnn()
    runtime = nn.IRuntime(nn.CreationOptions())  # what it tells of lives as long as it does
    backends = [str(b) for b in runtime.GetDeviceSpec().GetSupportedBackends()]
    return f"Arm NN {nn.__version__}, backends: {', '.join(backends) or 'none'}"


def _pyarmnn() -> Any:
    with warnings.catch_warnings(), turned_away():  # it tells of every parser that it was built without
        warnings.simplefilter("ignore")
        return require("pyarmnn", purpose="the engine armnn", install=_INSTALL)


def _chosen(asked: tuple[str, ...], there: list[str]) -> tuple[str, ...]:
    """The backends to use. Raises CapabilityError where one of those asked for is not there, or none at all."""
    has = ", ".join(there) or "none (sudo apt-get install libarmnn-cpuref-backend22)"
    for name in asked:
        if name not in there:
            raise CapabilityError(f"got engine.backends with {name}, but this Arm NN's backends are: {has}; name those")
    found = asked or tuple(name for name in ("CpuAcc", "CpuRef") if name in there)[:1]
    if not found:
        raise CapabilityError(f"this Arm NN's backends are: {has}; expected CpuAcc or CpuRef, or name one with "
                              "engine.backends")  # fmt: skip
    return found


def _check(version: str, data: bytes, path: Path) -> None:
    """Refuse what would stop the whole program, or be computed wrongly without a word. Raises ModelError."""
    for operator in operators(data):
        if fault := _fault(operator):
            raise ModelError(f"{path}: Arm NN {version} {fault}; use a newer Arm NN, a float model, or another engine")


def _fault(operator: Operator) -> str:
    match operator.inputs:
        case [_, Operand(scales=scales), *_] if operator.code == _FULLY_CONNECTED and scales > 1:
            return f"does not take a scale per channel of weights, as operator {operator.place} (FULLY_CONNECTED) has"
        case [Operand(zero_points=zeros), *_] if operator.code == _PAD and any(zeros):
            return f"pads with the number 0 instead of the zero point, {zeros[0]} at operator {operator.place} (PAD)"
    return ""


@contextmanager
def _refusals(nn: Any, path: Path) -> Iterator[None]:
    """What Arm NN says against a model, as a ModelError of one sentence."""
    try:
        yield
    except RuntimeError as error:
        raise ModelError(f"{path} cannot be loaded by Arm NN {nn.__version__} ({_sentence(error)}); name other "
                         "engine.backends, or use another engine") from error  # fmt: skip


def _sentence(error: Exception) -> str:
    """Without places in Arm NN's sources."""
    return " ".join(_AT.sub("", " ".join(str(error).split())).split()).rstrip(".")[:300] or "it does not say why"


def _spec(nn: Any, name: str, info: Any, path: Path) -> TensorSpec:
    kind = next((kind for kind in _DTYPES if getattr(nn, f"DataType_{kind}") == info.GetDataType()), None)
    if kind is None:
        raise ModelError(f"{path}: tensor {name!r} is of Arm NN's type {info.GetDataType()}, expected numbers")
    shape = tuple(int(info.GetShape()[axis]) for axis in range(info.GetNumDimensions()))
    quantised = kind.startswith("Q")
    scale, zero_point = (info.GetQuantizationScale(), info.GetQuantizationOffset()) if quantised else (0.0, 0)
    return TensorSpec(name, shape, _DTYPES[kind], float(scale), int(zero_point))


def _on(backends: tuple[str, ...], told: Iterable[str]) -> str:
    """Which backend runs what, as ``Optimize`` told."""
    fell = [found for message in told for found in _FELL_BACK.findall(message)]
    left = Counter(layer for layer, backend in fell if backend == backends[0])
    if not left:
        return f"{backends[0]} for all layers"
    names = ", ".join(f"{name} ({count})" if count > 1 else name for name, count in left.items())
    return f"{backends[0]}, {left.total()} layers fell back to {' or '.join(backends[1:])}: {names}"
