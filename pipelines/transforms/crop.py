"""A part of a picture: where an earlier step of a cascade found something, or a fixed one."""

from __future__ import annotations

import math
from typing import Annotated, ClassVar

from msgspec import Meta

from pipelines.config.schema import Config as Base
from pipelines.config.schema import Count, Positive
from pipelines.core import Box, Frame, Signal
from pipelines.errors import SignalMismatch
from pipelines.transforms._pictures import check_picture, region_of

Region = tuple[Count, Count, Positive, Positive]


class Crop:
    """Cuts a rectangle out of pictures ``[height, width, channels]`` uint8, without copying.

    Without ``region`` it stands in a cascade, behind a decoder that finds regions: it cuts the result's region out of
    the captured picture, in its full size, as far as it lies in the picture; where nothing of it does, nothing comes.
    With ``region`` it cuts the same rectangle, which must lie inside, out of each picture that arrives. A margin ends
    at the picture's edges.
    """

    class Config(Base, frozen=True, kw_only=True):
        """Options of ``crop``.

        Args:
            region: [x, y, width, height] in pixels; the region of the cascade's result where absent.
            margin: what is added at each side, as a fraction of the region's width and height.
        """

        region: Region | None = None
        margin: Annotated[float, Meta(ge=0, le=10)] = 0.0

    free: ClassVar[frozenset[str]] = frozenset()
    selects: ClassVar[bool] = True
    """It chooses what to look at: before other steps it is no part of a model's recipe."""

    def __init__(self, config: Config) -> None:
        self._region, self._margin = config.region, config.margin

    def resolve(self, signal: Signal) -> Signal:
        """Height and width become the fixed region's, or any; channels stay.

        Raises:
            SignalMismatch: not a picture, or a region that is not inside it.
        """
        check_picture(signal)
        height, width, channels = signal.shape
        if self._region is None or height is None or width is None:
            return signal.but(shape=(None, None, channels))
        left, top, right, bottom = self._edges(self._region, width, height)
        return signal.but(shape=(bottom - top, right - left, channels))

    def process(self, frame: Frame) -> tuple[Frame, ...]:
        """The part of the picture; none where there is nothing of it.

        Raises:
            SignalMismatch: there is no region, or a fixed one is not inside the picture.
        """
        looked_at = frame.captured if self._region is None else frame
        picture = looked_at.array
        left, top, right, bottom = self._edges(self._region or _found(frame), picture.shape[1], picture.shape[0])
        if left >= right or top >= bottom:
            return ()
        region = region_of(looked_at, left, top, right - left, bottom - top)
        return (frame.with_data(picture[top:bottom, left:right], region),)

    def _edges(self, region: Box, width: int, height: int) -> tuple[int, int, int, int]:
        """Left, top, right, bottom in whole pixels, inside the picture."""
        x, y, region_width, region_height = region
        if self._region and (x + region_width > width or y + region_height > height):
            got = f"the region {list(region)} of a picture {width} px wide and {height} px high"
            raise SignalMismatch(got, "one that lies inside", "move or shrink region: [x, y, width, height]")
        dx, dy = self._margin * region_width, self._margin * region_height
        left, top = max(0, math.floor(x - dx)), max(0, math.floor(y - dy))
        right, bottom = math.ceil(x + region_width + dx), math.ceil(y + region_height + dy)
        return left, top, min(width, right), min(height, bottom)


def _found(frame: Frame) -> Box:
    if frame.cause is None or frame.cause.region is None:
        got = "a frame that no decoder found a region in"
        raise SignalMismatch(got, "a result with a region", "put crop behind such a decoder, or give it a region")
    return frame.cause.region
