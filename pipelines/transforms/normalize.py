"""To zero mean and unit deviation."""

from __future__ import annotations

from typing import Annotated, ClassVar

import numpy as np
from msgspec import Meta

from pipelines.config.schema import Config as Base
from pipelines.config.schema import PositiveFloat
from pipelines.core import Signal
from pipelines.errors import SignalMismatch
from pipelines.transforms._affine import Affine, AffineStep, check_float32, check_one_array


class Normalize(AffineStep):
    """(x - mean) / std with given constants: an array of any kind and shape to float32."""

    class Config(Base, frozen=True, kw_only=True):
        """Options of ``normalize``; each one number, or one per channel (the last axis), in the input's unit.

        Args:
            mean: what becomes 0.
            std: above 0; so far above mean becomes 1.
        """

        mean: float | Annotated[tuple[float, ...], Meta(min_length=1)] = 0.0
        std: PositiveFloat | Annotated[tuple[PositiveFloat, ...], Meta(min_length=1)] = 1.0

        def __post_init__(self) -> None:
            means, stds = _values(self.mean), _values(self.std)
            check_float32("mean and std", *means, *(1 / std for std in stds), max(map(abs, means)) / min(stds))

    free: ClassVar[frozenset[str]] = frozenset()

    def __init__(self, config: Config) -> None:
        self._config = config

    def resolve(self, signal: Signal) -> Signal:
        """float32; the rest stays.

        Raises:
            SignalMismatch: a bundle, or another number of values than channels.
        """
        check_one_array(signal, "normalize")
        channels = signal.shape[-1] if signal.shape else None
        for key in ("mean", "std"):
            values = getattr(self._config, key)
            if isinstance(values, tuple) and len(values) != channels:
                fix = "give one per channel (the last axis), or a single number"
                raise SignalMismatch(f"{key} with {len(values)} values for {signal}", f"{channels} values", fix)
        mean, std = np.array(self._config.mean, np.float64), np.array(self._config.std, np.float64)
        self._affine = Affine(1 / std, -mean / std)
        return signal.but(dtype="float32")


def _values(number: float | tuple[float, ...]) -> tuple[float, ...]:
    return number if isinstance(number, tuple) else (number,)
