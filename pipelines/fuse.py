"""A picture's last arithmetic step and the engine's quantisation as one table: the same bits, a fraction of the time.

A uint8 picture that is scaled to real numbers, which an 8-bit model's edge rounds back to 8 bits, has 256 possible
values on the whole way. They are computed once, by the step and the quantiser themselves.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from pipelines.core import Array, Frame, Signal, TensorSpec, Transform
from pipelines.optional import require
from pipelines.quantise import Quantiser


def fuse(step: Any, config: Any, signal: Signal, inputs: tuple[TensorSpec, ...]) -> Table | None:
    """The table that does what ``step`` and the quantisation do, or None where they cannot be one.

    Args:
        step: the transform before the engine; its class says ``pointwise`` where each number of its output depends on
            the same number of its input alone.
        config: its config.
        signal: what arrives at it.
        inputs: of the engine.
    """
    pictures = signal.kind == "image" and signal.dtype == "uint8" and len(signal.shape) == 3
    if not (pictures and getattr(step, "pointwise", False) and len(inputs) == 1 and None not in signal.shape):
        return None
    spec = inputs[0]
    if spec.dtype not in ("int8", "uint8") or not spec.scale:
        return None
    channels = signal.shape[2] or 0
    every = np.repeat(np.arange(256, dtype=np.uint8), channels).reshape(16, 16, channels)
    probe: Transform = type(step)(config)
    probe.resolve(signal.but(shape=every.shape))
    (real,) = probe.process(Frame(every, 0.0, 0))
    assert isinstance(real, Frame)  # a pointwise step only computes
    values = real.array.reshape(256, channels)
    if (values != values[:, :1]).any():  # another map for each channel
        return None
    flat = TensorSpec(spec.name, (256,), spec.dtype, spec.scale, spec.zero_point)
    return Table(Quantiser(flat)(values[:, 0]).copy(), signal)


class Table:
    """Looks up each number of a picture: uint8 to what the model's input stores, valid until the next frame.

    Args:
        values: [256], int8 or uint8.
        signal: of the pictures, with known sizes.
    """

    def __init__(self, values: Array, signal: Signal) -> None:
        cv2 = require("cv2", purpose="pictures", install="pip install 'eiq-demo[desktop]'")
        self._look_up, self._values = cv2.LUT, values
        self._out = np.empty([size or 0 for size in signal.shape], values.dtype)

    def process(self, frame: Frame) -> Iterable[Frame]:
        """One frame for one frame."""
        self._look_up(frame.array, self._values, self._out)
        return (frame.with_data(self._out),)
