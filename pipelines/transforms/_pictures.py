"""What the steps on pictures share."""

from __future__ import annotations

from typing import Annotated, Any

import numpy as np
from msgspec import Meta

from pipelines.core import Array, Box, Frame, Signal
from pipelines.errors import SignalMismatch
from pipelines.optional import require

Byte = Annotated[int, Meta(ge=0, le=255)]
# bounded, so that a slip of the pen is an error in the file and not a MemoryError
Pixels = Annotated[int, Meta(gt=0, le=8192)]
Border = Annotated[int, Meta(ge=0, le=8192)]


def check_picture(signal: Signal) -> None:
    """Refuse what is not a uint8 picture ``[height, width, channels]`` with one or three channels.

    Raises:
        SignalMismatch: it is not.
    """
    if signal.kind != "image" or len(signal.shape) != 3 or signal.dtype != "uint8" or signal.shape[2] not in (1, 3):
        fix = "take it from a camera, and put scale and normalize after this step"
        raise SignalMismatch(signal, "a picture [height, width, 1 or 3] uint8", fix)


def region_of(frame: Frame, x: float, y: float, width: float, height: float) -> Box:
    """A rectangle in a frame's picture, in pixels, as a region of the captured picture."""
    rows, columns = frame.array.shape[:2]
    left, top, wide, high = frame.region or (0.0, 0.0, *frame.captured.array.shape[1::-1])
    across, down = wide / columns, high / rows
    return left + x * across, top + y * down, width * across, height * down


def opencv(purpose: str) -> Any:
    """The module cv2, imported now.

    Raises:
        MissingDependency: it is not there.
    """
    return require("cv2", purpose=purpose, install="pip install 'eiq-demo[desktop]', or on a board its own OpenCV")


def channel_values(fill: int | tuple[int, ...], channels: int | None, key: str = "fill") -> Array:
    """A colour as uint8 ``[channels]``; one number stands for all of them.

    Raises:
        SignalMismatch: another number of values than channels.
    """
    if isinstance(fill, int):
        return np.full(channels or 1, fill, np.uint8)
    if len(fill) != channels:
        fix = "give one per channel, or a single number"
        raise SignalMismatch(f"{key} with {len(fill)} values", f"{channels}, as the picture has channels", fix)
    return np.array(fill, np.uint8)
