"""ONNX models through ONNX Runtime: what scikit-learn (skl2onnx), PyTorch and others export."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from msgspec import Meta

from pipelines import registry
from pipelines.config.schema import EngineConfig, Text
from pipelines.core import Array, TensorSpec, shape_text
from pipelines.engines import _onnxruntime
from pipelines.engines._protobuf import Quantisation, read_model
from pipelines.errors import ModelError
from pipelines.quantise import Dequantiser
from pipelines.tensors import Stored

_TYPES = {
    "float": "float32", "double": "float64", "float16": "float16", "bool": "bool", "int8": "int8", "uint8": "uint8",
    "int16": "int16", "uint16": "uint16", "int32": "int32", "uint32": "uint32", "int64": "int64", "uint64": "uint64",
}  # fmt: skip
"""ONNX Runtime's element types, those of numbers, to numpy's."""


class Onnx:
    """An .onnx model on the CPU, or on the execution providers that are asked for and on no other.

    Shapes must be fixed but for the batch (the first axis), of which an open one is 1. ONNX has no word for the scale
    of a quantised input or output: an integer one has that of the DequantizeLinear that reads it, or the
    QuantizeLinear that writes it, where they stand right at the edge with constants; any other integer is its own real
    value, such as a class number. Outputs come as float32, classes too.

    A model must be one file: weights kept in other files, and libraries of operators, are never loaded. Beforehand the
    file's structure is checked (see ``_protobuf``). Damage that leaves the structure whole, such as changed weights, is
    found by a manifest's sha256 alone.

    Raises when built:
        ModelError: not an ONNX model, cut short, damaged, or with an operator, type or shape that cannot be run.
        CapabilityError: this ONNX Runtime has no such provider.
        MissingDependency: onnxruntime is not installed.
    """

    class Config(EngineConfig, frozen=True, kw_only=True):
        """
        Args:
            threads: of one operator's own pool.
            providers: ONNX Runtime's execution providers in order of preference, such as VSINPUExecutionProvider. What
                they do not take runs on the CPU, and is said.
            outputs: which outputs to read, by name and in this order; all where absent. The others are not computed.
        """

        threads: Annotated[int, Meta(gt=0, le=64)] = 1
        providers: Annotated[tuple[Text, ...], Meta(min_length=1)] = (_onnxruntime.CPU,)
        outputs: tuple[Text, ...] = ()

    def __init__(self, config: Config, path: Path) -> None:
        file = read_model(path)
        ort = _onnxruntime.runtime()
        _onnxruntime.check_providers(ort, config.providers)
        with _onnxruntime.refusals(ort, path):
            session = _onnxruntime.load(ort, file.data, config.threads, config.providers)
            outputs = _chosen(session.get_outputs(), config.outputs, path)
            self.inputs = tuple(_spec(arg, "input", path, file.quantised) for arg in session.get_inputs())
            self.outputs = tuple(_spec(arg, "output", path, file.quantised) for arg in outputs)
            runs = _onnxruntime.runs(session, path, config.providers)
            self._bind(ort, session)
        threads = f"{config.threads} thread{'s' * (config.threads > 1)}"
        self.description = f"onnxruntime {ort.__version__}, {runs}, {threads}"
        self._path, self._ort = path, ort

    def _bind(self, ort: Any, session: Any) -> None:
        """Give the session buffers of ours for its inputs and outputs, once: 2.8 µs a call, 4.3 µs without."""
        self._session, self._binding = session, session.io_binding()
        self._buffers = [np.zeros(spec.shape, spec.dtype) for spec in self.inputs]
        self._stored, self._reads = Stored(self.inputs), []
        for spec, buffer in zip(self.inputs, self._buffers, strict=True):
            self._binding.bind_ortvalue_input(spec.name, ort.OrtValue.ortvalue_from_numpy(buffer))
        given = {spec.name: buffer for spec, buffer in zip(self.inputs, self._buffers, strict=True)}
        for spec in self.outputs:
            buffer = np.zeros(spec.shape, spec.dtype)
            self._binding.bind_ortvalue_output(spec.name, ort.OrtValue.ortvalue_from_numpy(buffer))
            buffer = given.get(spec.name, buffer)  # an output that is an input as well is not written
            self._reads.append((buffer, None if spec.dtype == "float32" else Dequantiser(spec)))

    def infer(self, *x: Array) -> tuple[Array, ...]:
        """One array per input, in its shape, to one float32 array per output, valid until the next call.

        Raises:
            SignalMismatch: the number or shape of the arrays is not the model's.
            DataError: a NaN for an integer input.
            ModelError: the model failed, or an output's size is not the stated one.
        """
        for buffer, stored in zip(self._buffers, self._stored(x), strict=True):
            np.copyto(buffer, stored)
        with _onnxruntime.refusals(self._ort, self._path):
            self._session.run_with_iobinding(self._binding)
        return tuple([buffer if real is None else real(buffer) for buffer, real in self._reads])

    def reset(self) -> None:
        """Nothing to do: an ONNX model keeps nothing from one call to the next."""

    def close(self) -> None:
        """Let go of the model's memory. May be called twice; ``infer`` may not be called after it."""
        self._buffers, self._reads = [], []
        self._session = self._binding = None


# ---- tensors -----------------------------------------------------------------------------------------------------


def _chosen(outputs: list[Any], names: tuple[str, ...], path: Path) -> list[Any]:
    by_name = {arg.name: arg for arg in outputs}
    for name in names:
        if name not in by_name:
            raise ModelError(f"{path}: engine.outputs: {registry.unknown('output', name, list(by_name))}")
        if names.count(name) > 1:
            raise ModelError(f"{path}: engine.outputs names {name!r} twice, expected each output once")
    return [by_name[name] for name in names] or outputs


def _spec(arg: Any, what: str, path: Path, quantised: dict[str, Quantisation]) -> TensorSpec:
    tensor = f"{path}: {what} {arg.name!r}"
    dtype = _TYPES.get(arg.type.removeprefix("tensor(").removesuffix(")"), "")
    if not dtype or (what == "input" and dtype == "bool"):
        raise ModelError(f"{tensor} is {arg.type}, expected a tensor of numbers; {_instead(arg.type, what)}")
    # an open axis is a name, None or, in files of some exporters, a negative number
    sizes = [size if isinstance(size, int) and size >= 0 else None for size in arg.shape]
    shape = [1, *sizes[1:]] if sizes[:1] == [None] else sizes
    fixed = tuple(size for size in shape if size)
    if len(fixed) != len(shape):
        raise ModelError(
            f"{tensor} has the shape {shape_text(sizes)}, expected a fixed one but for the batch; export it with fixed "
            "shapes, or fix them with python -m onnxruntime.tools.make_dynamic_shape_fixed"
        )
    scale, zero_point = quantised.get(arg.name, (0.0, 0)) if np.dtype(dtype).kind in "iu" else (0.0, 0)
    return TensorSpec(arg.name, fixed, dtype, scale, zero_point)


def _instead(kind: str, what: str) -> str:
    if re.match(r"seq\(map\(", kind):
        return "convert the classifier with skl2onnx's options={'zipmap': False}"
    if "string" in kind and what == "output":
        return "read the other outputs alone with engine.outputs, or train with numbers for classes"
    return "export the model without it"
