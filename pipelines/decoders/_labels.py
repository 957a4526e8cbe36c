"""What the decoders ask of a signal that they take labels from."""

from __future__ import annotations

import difflib
import math

from pipelines.core import Array, Data, Frame, Result, Signal
from pipelines.errors import ModelError, SignalMismatch

SLACK = 1 / 64
"""By how much a score may miss 0 or 1: two steps of an output of 8 bits, whose scale need not be 1/256."""


def part_of(signal: Signal, output: int) -> Signal:
    """The signal itself, or of a bundle the one at ``output``. Raises SignalMismatch."""
    if not signal.parts:
        if output:
            raise SignalMismatch(f"output: {output}", "0, as there is one output", "leave the key out")
        return signal
    if output >= len(signal.parts):
        raise SignalMismatch(f"output: {output}", f"0 to {len(signal.parts) - 1}, the outputs of {signal}")
    return signal.parts[output]


def array_of(y: Data, output: int) -> Array:
    """The array itself, or of a bundle the one at ``output``."""
    return y[output] if isinstance(y, tuple) else y


def index_of(label: str, key: str, labels: tuple[str, ...]) -> int:
    """The class with this label; ``key`` is the config's key that names it. Raises SignalMismatch."""
    if label in labels:
        return labels.index(label)
    if not labels:
        raise SignalMismatch(f"{key}: {label!r}", "a label, and the model has none", "name them with engine.labels")
    close = difflib.get_close_matches(label, labels, n=1)
    some = ", ".join(labels[:12]) + (", …" if len(labels) > 12 else "")
    fix = f'did you mean "{close[0]}"?' if close else f"the labels are: {some}"
    raise SignalMismatch(f"{key}: {label!r}", "a label of the model", fix)


def names_of(signal: Signal) -> tuple[str, ...]:
    """One name per value, or none: of a window the channels name the axes alone."""
    return signal.channels if len(signal.channels) == _size(signal) else ()


def place_of(signal: Signal, of: str | int | None) -> int:
    """Which value ``of`` says, the config's key of that name. Raises SignalMismatch."""
    size = _size(signal)
    match of:
        case None if size == 1:
            return 0
        case None:
            raise SignalMismatch(f"{signal}, {size} values", "one value", "say which with the key of")
        case str(label):
            return index_of(label, "of", names_of(signal))
        case index if index < size:
            return index
        case index:
            raise SignalMismatch(f"of: {index}", f"0 to {size - 1}, the values of {signal}")


def _size(signal: Signal) -> int:
    if None in signal.shape:
        raise SignalMismatch(signal, "a fixed number of values", "add a window before this step")
    return math.prod(size for size in signal.shape if size is not None)


def found(frame: Frame, label: str, score: float, value: float | None = None) -> Result:
    """A result of this frame; in a cascade it lies where the earlier decoder's result did."""
    region = frame.cause.region if frame.cause else None
    return Result(frame.t, label, score, value, region, frame.captured)


def as_score(value: float) -> float:
    """A class's score, 0 to 1. Raises ModelError at a NaN and at what is no probability, such as a logit."""
    if -SLACK <= value <= 1 + SLACK:
        return min(max(value, 0.0), 1.0)
    if math.isnan(value):
        raise ModelError("the model's scores are not numbers (NaN); check its input and its weights")
    raise ModelError(f"the model's best score is {value:g}, expected 0 to 1; add the step softmax before this one")
