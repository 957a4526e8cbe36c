"""The engine's place in the chain: frames in, scores out, shapes and labels checked beforehand."""

from __future__ import annotations

from collections.abc import Iterable
from math import prod
from typing import Literal

import numpy as np

from pipelines.core import AheadEngine, Array, Engine, Frame, Signal, TensorSpec, shape_text
from pipelines.errors import SignalMismatch


class EngineStage:
    """Feeds an engine from a link.

    A model's batch and trailing axes of length 1 need not be in the signal: [49, 10] fits [1, 49, 10, 1].

    Args:
        engine: what computes.
        model: its model's name, for messages.
        signal: what arrives.
        labels: of the first output; none where empty.

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
        head = len(engine.outputs) == 1 and _has_axes(engine.outputs[0].shape)
        if len(engine.outputs) == 1 and not head:  # of others, whoever reads them knows which the labels are of
            _check_labels(labels, engine.outputs[0], model)
        self._infer = engine.infer
        self._ahead = engine if isinstance(engine, AheadEngine) and engine.ahead else None
        self._waiting: Frame | None = None  # whose scores are not there yet
        self._shapes = tuple(spec.shape for spec in engine.inputs)
        self._out_shapes = tuple(spec.shape[1:] if spec.shape[:1] == (1,) else spec.shape for spec in engine.outputs)
        outputs = tuple(
            Signal(
                shape, "float32", None, "scores", labels if head or (index == 0 and len(labels) == prod(shape)) else ()
            )
            for index, shape in enumerate(self._out_shapes)
        )
        self.output = outputs[0] if len(outputs) == 1 else Signal((), "", None, "bundle", labels, outputs)

    def process(self, frame: Frame) -> Iterable[Frame]:
        """One frame of scores (a bundle where the model has several outputs) for one frame.

        With an engine that can take the next input while it computes, those of the frame before.
        """
        data = frame.data
        parts = data if isinstance(data, tuple) else (data,)
        x = [part.reshape(shape) for part, shape in zip(parts, self._shapes, strict=True)]
        if self._ahead is None:
            return self._scores(frame, self._infer(*x))
        self._ahead.submit(*x)
        earlier, self._waiting = self._waiting, frame
        return self._scores(earlier, self._ahead.collect()) if earlier else ()

    def finish(self) -> Iterable[Frame]:
        """The scores that are still out."""
        last, self._waiting = self._waiting, None
        return self._scores(last, self._ahead.collect()) if self._ahead and last else ()

    def _scores(self, frame: Frame, y: tuple[Array, ...]) -> Iterable[Frame]:
        if len(y) == 1:
            return (frame.with_data(y[0].reshape(self._out_shapes[0])),)
        return (frame.with_data(tuple(a.reshape(shape) for a, shape in zip(y, self._out_shapes, strict=True))),)


class ResidualStage(EngineStage):
    """Feeds an autoencoder and hands on its error: the squared differences between what went in and what came out.

    Args:
        what: ``each`` gives features [of the input's shape], ``mean`` their mean as one score, channel ``residual``;
            both float32, in the square of the input's unit, whatever the model's own type.

    Raises when built:
        SignalMismatch: also where the model's output is not of its input's shape.
    """

    def __init__(self, engine: Engine, model: str, signal: Signal, what: Literal["mean", "each"]) -> None:
        super().__init__(engine, model, signal, ())
        _check_autoencoder(engine, signal, model)
        self._ahead = None  # the error needs the input beside the output
        self._errors = np.empty(self._shapes[0], np.float32)
        self._mean = np.empty(1, np.float32) if what == "mean" else None
        self._each = self._errors.reshape([size or 0 for size in signal.shape])
        if self._mean is not None:
            self.output = Signal((1,), "float32", None, "scores", ("residual",))
        else:
            self.output = Signal(self._each.shape, "float32", None, "features", signal.channels)

    def process(self, frame: Frame) -> Iterable[Frame]:
        """One frame of errors for one frame."""
        x = frame.array.reshape(self._shapes[0])
        (y,) = self._infer(x)
        np.subtract(x, y, out=self._errors)
        np.square(self._errors, out=self._errors)
        if self._mean is None:
            return (frame.with_data(self._each),)
        self._mean[0] = self._errors.mean()
        return (frame.with_data(self._mean),)


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


def _has_axes(shape: tuple[int, ...]) -> bool:
    """Such as a detector's head has them: it is not one value per class."""
    return sum(size != 1 for size in shape) > 1


def _check_autoencoder(engine: Engine, signal: Signal, model: str) -> None:
    shapes = [tuple(spec.shape) for spec in (*engine.inputs, *engine.outputs)]
    if len(shapes) != 2 or shapes[0] != shapes[1]:
        raise SignalMismatch(
            f"residual of model {model} with inputs {', '.join(map(str, engine.inputs))} and "
            f"outputs {', '.join(map(str, engine.outputs))}",
            "an autoencoder, one output of the shape of its one input",
            "leave engine.residual out, or name an autoencoder",
        )
    if signal.dtype != "float32":
        raise SignalMismatch(signal, "float32, as a residual is a difference of real numbers", "scale it to float32")


def _check_labels(labels: tuple[str, ...], spec: TensorSpec, model: str) -> None:
    if labels and len(labels) != prod(spec.shape):
        raise SignalMismatch(
            f"{len(labels)} labels",
            f"{prod(spec.shape)}, one per output of model {model}",
            "correct engine.labels or the manifest's labels",
        )
