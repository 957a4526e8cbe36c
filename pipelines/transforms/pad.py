"""A border around pictures."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from pipelines.config.schema import Config as Base
from pipelines.core import Array, Frame, Signal
from pipelines.transforms._pictures import Border, Byte, channel_values, check_picture, region_of


class Pad:
    """Adds a border of one colour to pictures ``[height, width, channels]`` uint8."""

    class Config(Base, frozen=True, kw_only=True):
        """Options of ``pad``.

        Args:
            top_px, bottom_px, left_px, right_px: how much is added at each side.
            fill: its colour, 0 to 255, or one number per channel.
        """

        top_px: Border = 0
        bottom_px: Border = 0
        left_px: Border = 0
        right_px: Border = 0
        fill: Byte | tuple[Byte, ...] = 0

    free: ClassVar[frozenset[str]] = frozenset()

    def __init__(self, config: Config) -> None:
        self._config = config
        self._rows, self._columns = config.top_px + config.bottom_px, config.left_px + config.right_px

    def resolve(self, signal: Signal) -> Signal:
        """Height and width grow by the border.

        Raises:
            SignalMismatch: not a picture, or a fill that does not fit its channels.
        """
        check_picture(signal)
        self._fill = channel_values(self._config.fill, signal.shape[2])
        self._out: Array = np.empty((0, 0, signal.shape[2] or 0), np.uint8)
        height, width, channels = signal.shape
        grown = (None if height is None else height + self._rows, None if width is None else width + self._columns)
        return signal.but(shape=(*grown, channels))

    def process(self, frame: Frame) -> tuple[Frame]:
        """The same picture with its border."""
        if not self._rows and not self._columns:
            return (frame,)
        picture = frame.array
        height, width, channels = picture.shape
        if self._out.shape != (height + self._rows, width + self._columns, channels):
            self._out = np.empty((height + self._rows, width + self._columns, channels), np.uint8)
            self._out[:] = self._fill
        top, left = self._config.top_px, self._config.left_px
        self._out[top : top + height, left : left + width] = picture
        return (frame.with_data(self._out, region_of(frame, -left, -top, *self._out.shape[1::-1])),)
