"""The engine's place in the chain: frames in, scores out, shapes and labels checked beforehand."""

from __future__ import annotations

from collections.abc import Iterable
from math import prod

from pipelines.core import Engine, Frame, Signal, TensorSpec, shape_text
from pipelines.errors import SignalMismatch


class EngineStage:
    """Feeds an engine from a link.

    A model's batch and trailing axes of length 1 need not be in the signal: [49, 10] fits [1, 49, 10, 1].

    Raises when built:
        SignalMismatch: the number or shapes of inputs, or the number of labels, do not fit the model.
    """

    def __init__(self, engine: Engine, model: str, signal: Signal, labels: tuple[str, ...]) -> None:
        parts = signal.parts or (signal,)
        if len(parts) != len(engine.inputs):
            raise SignalMismatch(
                f"{len(parts)} signals ({signal})",
                f"the {len(engine.inputs)} inputs of model {model}: {', '.join(map(str, engine.inputs))}",
                "bundle one signal per input with fork",
            )
        for part, spec in zip(parts, engine.inputs, strict=True):
            _check_shape(part, spec, model)
        _check_labels(labels, engine.outputs[0], model)
        self._infer = engine.infer
        self._shapes = tuple(spec.shape for spec in engine.inputs)
        self._out_shapes = tuple(spec.shape[1:] if spec.shape[:1] == (1,) else spec.shape for spec in engine.outputs)
        outputs = tuple(
            Signal(shape, "float32", None, "scores", labels if index == 0 else ())
            for index, shape in enumerate(self._out_shapes)
        )
        self.output = outputs[0] if len(outputs) == 1 else Signal((), "", None, "bundle", labels, outputs)

    def process(self, frame: Frame) -> Iterable[Frame]:
        """One frame of scores (a bundle where the model has several outputs) for one frame."""
        data = frame.data
        if isinstance(data, tuple):
            y = self._infer(*(x.reshape(shape) for x, shape in zip(data, self._shapes, strict=True)))
        else:
            y = self._infer(data.reshape(self._shapes[0]))
        if len(y) == 1:
            return (frame.with_data(y[0].reshape(self._out_shapes[0])),)
        return (frame.with_data(tuple(a.reshape(shape) for a, shape in zip(y, self._out_shapes, strict=True))),)


def _check_shape(signal: Signal, spec: TensorSpec, model: str) -> None:
    if None not in signal.shape and [n for n in signal.shape if n != 1] == [n for n in spec.shape if n != 1]:
        return
    if signal.kind == "image":
        fix = "put a resize to that size before the engine"
    elif None in signal.shape:
        fix = "put a window before the engine"
    else:
        fix = "change the preprocessing to give that shape, or name the model that takes this one"
    raise SignalMismatch(signal, f"{shape_text(spec.shape)} for input {spec.name} of model {model}", fix)


def _check_labels(labels: tuple[str, ...], spec: TensorSpec, model: str) -> None:
    if labels and len(labels) != prod(spec.shape):
        raise SignalMismatch(
            f"{len(labels)} labels",
            f"{prod(spec.shape)}, one per output of model {model}",
            "correct engine.labels or the manifest's labels",
        )
