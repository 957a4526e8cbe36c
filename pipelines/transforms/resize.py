"""Pictures to the size that a model wants."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

import numpy as np
from msgspec import Meta

from pipelines.config.schema import Config as Base
from pipelines.core import Array, Box, Frame, Signal
from pipelines.transforms._pictures import Byte, Pixels, channel_values, check_picture, opencv, region_of

Fraction = Annotated[float, Meta(gt=0, le=1)]
Fit = Literal["crop", "letterbox", "stretch"]


class Resize:
    """Resizes pictures ``[height, width, channels]`` uint8 of any size to ``[height_px, width_px, channels]``.

    First the central ``crop`` of height and width is taken, then it is fitted: ``crop`` takes the largest centred
    rectangle of the wanted aspect, ``letterbox`` keeps everything and fills bars at two sides, ``stretch`` ignores the
    aspect. A picture that has the wanted size already passes untouched. With OpenCV's filters; ``area`` averages where
    it shrinks and is OpenCV's linear where it enlarges.
    """

    class Config(Base, frozen=True, kw_only=True):
        """Options of ``resize``.

        Args:
            width_px, height_px: the wanted size.
            fit: crop, letterbox or stretch.
            crop: the central part of height and width that is looked at, such as 0.875 for MobileNet.
            filter: area, linear, nearest or cubic.
            fill: of a letterbox's bars, 0 to 255, or one number per channel.
        """

        width_px: Pixels
        height_px: Pixels
        fit: Fit = "crop"
        crop: Fraction = 1.0
        filter: Literal["area", "linear", "nearest", "cubic"] = "area"
        fill: Byte | tuple[Byte, ...] = 0

    free: ClassVar[frozenset[str]] = frozenset()

    def __init__(self, config: Config) -> None:
        self._config = config

    def resolve(self, signal: Signal) -> Signal:
        """The wanted height and width; channels stay.

        Raises:
            SignalMismatch: not a picture, or a fill that does not fit its channels.
            MissingDependency: no OpenCV, and the incoming size is not known to be the wanted one.
        """
        check_picture(signal)
        resolved = signal.but(shape=(self._config.height_px, self._config.width_px, signal.shape[2]))
        self._fill = channel_values(self._config.fill, signal.shape[2])
        self._out = np.empty([size or 0 for size in resolved.shape], np.uint8)
        self._size: tuple[int, int] | None = None
        if signal.shape != resolved.shape or self._config.crop < 1:
            self._cv2 = opencv("resize")
            self._filter: int = getattr(self._cv2, f"INTER_{self._config.filter.upper()}")
        return resolved

    def process(self, frame: Frame) -> tuple[Frame]:
        """The same picture, resized."""
        picture = frame.array
        if picture.shape == self._out.shape and self._config.crop == 1:
            return (frame,)
        if picture.shape[:2] != self._size:
            self._plan(picture.shape[0], picture.shape[1])
        view = self._target.of(self._out)
        self._cv2.resize(self._source.of(picture), view.shape[1::-1], dst=view, interpolation=self._filter)
        return (frame.with_data(self._out, region_of(frame, *self._shown)),)

    def _plan(self, height: int, width: int) -> None:
        config = self._config
        self._size = height, width
        self._source, self._target = plan(width, height, config.width_px, config.height_px, config.fit, config.crop)
        self._shown = shown(self._source, self._target, config.width_px, config.height_px)
        self._out[:] = self._fill  # once per size: only the target is written to after that


@dataclass(frozen=True, slots=True)
class Rectangle:
    """A part of a picture, in pixels."""

    x: int
    y: int
    width: int
    height: int

    def of(self, picture: Array) -> Array:
        """A view of it."""
        return picture[self.y : self.y + self.height, self.x : self.x + self.width]

    def centred(self, width: int, height: int) -> Rectangle:
        """One of that size in its middle."""
        return Rectangle(self.x + (self.width - width) // 2, self.y + (self.height - height) // 2, width, height)


def plan(width: int, height: int, to_width: int, to_height: int, fit: Fit, crop: float) -> tuple[Rectangle, Rectangle]:
    """Which part of a picture goes to which part of the wanted size; sizes in pixels."""
    source = Rectangle(0, 0, width, height).centred(_pixels(width * crop), _pixels(height * crop))
    target = Rectangle(0, 0, to_width, to_height)
    if fit == "crop":
        scale = min(source.width / to_width, source.height / to_height)
        source = source.centred(_pixels(to_width * scale), _pixels(to_height * scale))
    elif fit == "letterbox":
        scale = min(to_width / source.width, to_height / source.height)
        target = target.centred(_pixels(source.width * scale), _pixels(source.height * scale))
    return source, target


def shown(source: Rectangle, target: Rectangle, width: int, height: int) -> Box:
    """What a whole picture of this size shows in which ``source`` went to ``target``: with a letterbox, more."""
    across, down = source.width / target.width, source.height / target.height
    return source.x - target.x * across, source.y - target.y * down, width * across, height * down


def _pixels(size: float) -> int:
    return max(1, round(size))
