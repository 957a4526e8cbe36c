"""The order of a picture's colours."""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np

from pipelines.config.schema import Config as Base
from pipelines.core import Array, Frame, Signal
from pipelines.errors import SignalMismatch
from pipelines.transforms._pictures import check_picture, opencv

_CHANNELS = {"rgb": ("r", "g", "b"), "bgr": ("b", "g", "r"), "gray": ("gray",)}


class Color:
    """Pictures ``[height, width, channels]`` uint8 to another order of colours: rgb, bgr, or one channel of gray.

    Gray is 0.299 R + 0.587 G + 0.114 B (ITU-R BT.601, as OpenCV rounds it); from gray, all colours are equal. A picture
    that has the wanted order already passes untouched.
    """

    class Config(Base, frozen=True, kw_only=True):
        """order: rgb, bgr or gray."""

        order: Literal["rgb", "bgr", "gray"]

    free: ClassVar[frozenset[str]] = frozenset()

    def __init__(self, config: Config) -> None:
        self._order = config.order

    def resolve(self, signal: Signal) -> Signal:
        """Channels as wanted; height and width stay.

        Raises:
            SignalMismatch: not a picture, or one whose channels are not rgb, bgr or gray.
            MissingDependency: no OpenCV.
        """
        check_picture(signal)
        order = next((name for name, channels in _CHANNELS.items() if channels == signal.channels), None)
        if order is None or len(signal.channels) != signal.shape[2]:
            raise SignalMismatch(
                signal, "a picture whose channels are r g b, b g r, or gray", "name them in the sensor"
            )
        self._untouched = order == self._order
        if not self._untouched:
            self._cv2 = opencv("color")
            self._code: int = getattr(self._cv2, f"COLOR_{order.upper()}2{self._order.upper()}")
        self._out: Array = np.empty((0, 0, len(_CHANNELS[self._order])), np.uint8)
        return signal.but(shape=(*signal.shape[:2], self._out.shape[2]), channels=_CHANNELS[self._order])

    def process(self, frame: Frame) -> tuple[Frame]:
        """The same picture in that order."""
        if self._untouched:
            return (frame,)
        picture = frame.array
        if picture.shape[:2] != self._out.shape[:2]:
            self._out = np.empty((*picture.shape[:2], self._out.shape[2]), np.uint8)
        self._cv2.cvtColor(picture, self._code, dst=self._out)
        return (frame.with_data(self._out),)
