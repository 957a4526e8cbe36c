"""TensorFlow Lite models through LiteRT (ai-edge-litert) or its older name tflite-runtime, whichever is installed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Literal

from msgspec import Meta, field

from pipelines.config.schema import EngineConfig, InputPath
from pipelines.core import Array, TensorSpec
from pipelines.engines import _litert
from pipelines.engines._delegate import Delegate
from pipelines.engines._flatbuffer import read_model
from pipelines.engines._tflite_tensor import spec_of
from pipelines.errors import ModelError, SignalMismatch
from pipelines.quantise import Dequantiser, Edge, to_stored


class Tflite:
    """A .tflite model on the CPU, or as far as it goes on an external delegate.

    ``inputs`` and ``outputs`` stand in the model's own order. A dimension that the model leaves open (-1 in its shape
    signature) has the size that the file states, commonly a batch of 1; a model that states none, or whose outputs
    change size with the data, is refused.

    Before the interpreter sees the file, its structure is checked (see ``_flatbuffer``). What no check here finds is
    damage that leaves the structure whole: changed weights give wrong answers, and a changed option of an operator may
    crash tflite-runtime 2.14, which unlike LiteRT does not verify. A manifest's sha256 finds both.

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
                shared library. What it does not take runs on ``kernels``, and is said.
            delegate_options: of that library, handed on as they are.
        """

        threads: Annotated[int, Meta(gt=0, le=64)] = 1
        kernels: Literal["auto", "builtin", "reference"] = "auto"
        delegate: Literal["vx", "ethosu", "neutron", "armnn"] | InputPath | None = None
        delegate_options: dict[str, str | int | float | bool] = field(default_factory=dict)

        def __post_init__(self) -> None:
            super().__post_init__()
            if self.delegate_options and self.delegate is None:
                raise ValueError("got delegate_options without a delegate; name it with delegate")

    def __init__(self, config: Config, path: Path) -> None:
        data = read_model(path)
        runtime = _litert.runtime()
        delegate = Delegate(config.delegate, config.delegate_options) if config.delegate else None
        with _litert.refusals(path, runtime, delegate):
            self._interpreter, taken = _litert.load(runtime, data, config.kernels, config.threads, delegate)
            inputs, outputs = self._interpreter.get_input_details(), self._interpreter.get_output_details()
            kernels = _litert.kernels_in_use(self._interpreter, config.kernels, delegate, taken)
        self.inputs = tuple(spec_of(detail, detail["name"], "input", path) for detail in inputs)
        self.outputs = tuple(spec_of(detail, detail["name"], "output", path) for detail in outputs)
        self.description = f"{_litert.version(runtime)}, {kernels}, {config.threads} thread{'s' * (config.threads > 1)}"
        self._feeds = [
            (detail["index"], spec, to_stored(spec)) for detail, spec in zip(inputs, self.inputs, strict=True)
        ]
        self._reads = [
            (self._interpreter.tensor(detail["index"]), spec, Dequantiser(spec))
            for detail, spec in zip(outputs, self.outputs, strict=True)
        ]

    def infer(self, *x: Array) -> tuple[Array, ...]:
        """One array per input, in its shape, to one float32 array per output, valid until the next call.

        Raises:
            SignalMismatch: the number or shape of the arrays is not the model's.
            DataError: a NaN for a quantised input.
            ModelError: the interpreter failed, or an output changed its size.
        """
        if len(x) != len(self._feeds):
            raise SignalMismatch(f"{len(x)} arrays", f"{len(self._feeds)}, one per input of the model")
        for array, (index, spec, stored) in zip(x, self._feeds, strict=True):
            if array.shape != spec.shape:
                raise SignalMismatch(f"an array of shape {list(array.shape)}", spec)
            self._interpreter.set_tensor(index, stored(array))
        try:
            self._interpreter.invoke()
        except (RuntimeError, ValueError) as error:
            raise ModelError(f"the model failed while running: {_litert.first_line(error)}") from error
        return tuple([_read(view, spec, real) for view, spec, real in self._reads])

    def reset(self) -> None:
        """Forget the state of a stateful model: its variable tensors go back to zero."""
        self._interpreter.reset_all_variables()

    def close(self) -> None:
        """Let go of the model's memory. May be called twice; ``infer`` may not be called after it."""
        self._feeds, self._reads = [], []
        self._interpreter = None


# ---- tensors -----------------------------------------------------------------------------------------------------


def _read(view: Callable[[], Array], spec: TensorSpec, real: Edge) -> Array:
    stored = view()  # must be gone before the next invoke: LiteRT refuses to run while one is held
    if stored.shape != spec.shape:
        raise ModelError(
            f"output {spec.name!r} came out as {list(stored.shape)}, expected {list(spec.shape)} as stated"
        )
    return real(stored)
