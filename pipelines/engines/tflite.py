"""TensorFlow Lite models through LiteRT (ai-edge-litert) or its older name tflite-runtime, whichever is installed."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Literal

from msgspec import Meta, field

from pipelines.config.schema import EngineConfig, InputPath
from pipelines.core import Array, TensorSpec
from pipelines.engines import _litert
from pipelines.engines._delegate import Delegate
from pipelines.engines._flatbuffer import VAR_HANDLE, count_graphs, has_operator, is_stateful, read_model
from pipelines.engines._tflite_tensor import spec_of
from pipelines.engines._trial import LIMIT_S, survives
from pipelines.errors import ModelError
from pipelines.quantise import Dequantiser, Edge
from pipelines.tensors import Stored

CPU = "none"
DELEGATE_S = 300.0
"""A delegate may compile a model for its hardware at the first inference."""


class Tflite:
    """A .tflite model on the CPU, or as far as it goes on an external delegate.

    ``inputs`` and ``outputs`` stand in the model's own order. A dimension that the model leaves open (-1 in its shape
    signature) has the size that the file states, commonly a batch of 1; a model that states none, or whose outputs
    change size with the data, is refused.

    Before the interpreter sees the file, its structure is checked (see ``_flatbuffer``). Damage that leaves that whole
    and gives wrong answers, such as changed weights, is found by a manifest's sha256 alone. A changed option of an
    operator would crash tflite-runtime 2.14, which unlike LiteRT does not verify, and a delegate's library may crash
    anywhere: both are tried in a process of their own when they were not seen here before (see ``_trial``).

    Raises when built:
        ModelError: not a .tflite file, cut short, damaged, or with an operator or tensor that cannot be run;
            or one that the delegate refuses.
        MissingDependency: neither runtime is installed, or the delegate's library cannot be loaded.
    """

    class Config(EngineConfig, frozen=True, kw_only=True):
        """
        Args:
            threads: of the interpreter's own pool.
            kernels: auto (optimised, and XNNPACK where it applies), builtin (optimised, no delegate) or reference
                (TFLite's reference kernels: slow, and the same to the bit on every machine).
            delegate: an external delegate that runs what it can: vx, ethosu, neutron or armnn, or the path of its
                shared library. What it does not take runs on ``kernels``, and is said. none is the CPU; so is leaving
                it out, but for boards whose SoC has one.
            delegate_options: of that library, handed on as they are.
        """

        threads: Annotated[int, Meta(gt=0, le=64)] = 1
        kernels: Literal["auto", "builtin", "reference"] = "auto"
        delegate: Literal["none", "vx", "ethosu", "neutron", "armnn"] | InputPath | None = None
        delegate_options: dict[str, str | int | float | bool] = field(default_factory=dict)

        def __post_init__(self) -> None:
            super().__post_init__()
            if self.delegate_options and self.delegate in (None, CPU):
                raise ValueError("got delegate_options without a delegate; name it with delegate")
            for key, value in self.delegate_options.items():
                if "\0" in f"{key}{value}":  # where C's text ends
                    raise ValueError(f"got the delegate_options {key}: {value} with a NUL in it; leave it out")

    def __init__(self, config: Config, path: Path) -> None:
        self.config, data, runtime = config, read_model(path), _litert.runtime()
        name = None if config.delegate == CPU else config.delegate
        if name or runtime != _litert.LITERT:
            _try(config, path, runtime, data, name)
        delegate = Delegate(name, config.delegate_options) if name else None
        load = partial(_litert.load, runtime, data, config.kernels, config.threads, delegate)
        with _litert.refusals(path, runtime, delegate):
            interpreter, taken = load()
            inputs, outputs = interpreter.get_input_details(), interpreter.get_output_details()
            others = count_graphs(data) - 1
            kernels = _litert.kernels_in_use(interpreter, config.kernels, delegate, taken, others)
        self.inputs = tuple(spec_of(detail, detail["name"], "input", path) for detail in inputs)
        self.outputs = tuple(spec_of(detail, detail["name"], "output", path) for detail in outputs)
        self.description = f"{_litert.version(runtime)}, {kernels}, {config.threads} thread{'s' * (config.threads > 1)}"
        self._stored = Stored(self.inputs)
        self.stateful = is_stateful(data)
        self._load = load if has_operator(data, VAR_HANDLE) else None
        self._use(interpreter)

    def _use(self, interpreter: Any) -> None:
        self._interpreter = interpreter
        self._places = [detail["index"] for detail in interpreter.get_input_details()]
        self._reads = [
            (interpreter.tensor(detail["index"]), spec, Dequantiser(spec))
            for detail, spec in zip(interpreter.get_output_details(), self.outputs, strict=True)
        ]

    def infer(self, *x: Array) -> tuple[Array, ...]:
        """One array per input, in its shape, to one float32 array per output, valid until the next call.

        Raises:
            SignalMismatch: the number or shape of the arrays is not the model's.
            DataError: a NaN for a quantised input.
            ModelError: the interpreter failed, or an output changed its size.
        """
        for place, stored in zip(self._places, self._stored(x), strict=True):
            self._interpreter.set_tensor(place, stored)
        try:
            self._interpreter.invoke()
            return tuple([_read(view, spec, real) for view, spec, real in self._reads])
        except (RuntimeError, ValueError, MemoryError) as error:
            raise ModelError(
                f"the model failed while running ({_litert.first_line(error)}); fetch or convert it again"
            ) from error

    def reset(self) -> None:
        """Forget the state of a stateful model: its variables go back to what they were at first."""
        if self._load is None:
            self._interpreter.reset_all_variables()
        else:  # that leaves resource variables as they are
            self._reads, self._interpreter = [], None
            self._use(self._load()[0])

    def close(self) -> None:
        """Let go of the model's memory. May be called twice; ``infer`` may not be called after it."""
        self._reads = []
        self._interpreter = self._load = None


# ---- tensors -----------------------------------------------------------------------------------------------------


def _read(view: Callable[[], Array], spec: TensorSpec, real: Edge) -> Array:
    stored = view()  # must be gone before the next invoke: LiteRT refuses to run while one is held
    if stored.shape != spec.shape:
        raise ModelError(
            f"output {spec.name!r} came out as {list(stored.shape)}, expected {list(spec.shape)} as stated; convert "
            "the model with outputs of fixed sizes"
        )
    return real(stored)


# ---- a trial -----------------------------------------------------------------------------------------------------


def _try(config: Tflite.Config, path: Path, runtime: str, data: bytes, delegate: str | None) -> None:
    if delegate:
        parts = (config.kernels, delegate, *map(str, config.delegate_options.items()))
        what = f"the delegate {delegate} with {path}"
        fix = "name another with engine.delegate, or say none to run on the CPU"
    else:
        parts, what = (config.kernels,), f"{path} in {_litert.version(runtime)}"
        fix = "it is damaged: fetch or convert it again"
    key = "\0".join((_litert.version(runtime), *parts)).encode() + b"\0" + data
    limit_s = DELEGATE_S if delegate else LIMIT_S
    survives(Tflite, config, path, key, what=what, fix=fix, limit_s=limit_s)
