"""Pictures through the very transforms that a demo's ``preprocess`` names."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from pipelines import registry
from pipelines.core import Frame, Signal, Transform

Floats = NDArray[np.float32]


class Preprocessing:
    """A chain of transforms from pictures [height, width, 3] uint8 RGB of any size to what a model takes."""

    def __init__(self, transforms: Iterable[Transform]) -> None:
        self.signal = Signal((None, None, 3), "uint8", None, "image", ("r", "g", "b"))
        self._transforms = tuple(transforms)
        for transform in self._transforms:
            self.signal = transform.resolve(self.signal)

    @staticmethod
    def of(steps: Iterable[Mapping[str, Mapping[str, Any]]]) -> Preprocessing:
        """The steps as a YAML file has them."""
        named = [(registry.load("transforms", name), options) for step in steps for name, options in step.items()]
        return Preprocessing(kind(msgspec.convert(options, kind.Config)) for kind, options in named)

    def __call__(self, pictures: Iterable[NDArray[np.uint8]], count: int) -> Floats:
        """[count, *signal.shape] of ``count`` pictures."""
        made = np.empty((count, *(size or 0 for size in self.signal.shape)), np.float32)
        for row, picture in enumerate(pictures):
            frame = Frame(picture, float(row), row)
            for transform in self._transforms:
                (out,) = transform.process(frame)
                assert isinstance(out, Frame)  # no transform of pictures reports by itself
                frame = out
            made[row] = frame.array
        return made
