"""The logarithm of energies, in every way that the recipes ask for."""

from __future__ import annotations

from typing import Annotated, Literal

import numpy as np
from msgspec import Meta

from pipelines.config.schema import Config
from pipelines.transforms._mel import Float64

Energy = Annotated[float, Meta(ge=0, le=1e30)]


class Log(Config, frozen=True, kw_only=True):
    """How energies become logarithms: ``max(energy + offset, floor) / ref``, in ``unit``, ``top_db`` below the top.

    ``librosa.power_to_db`` with its defaults is ``{unit: db, offset: 0, floor: 1e-10, top_db: 80}``.

    Args:
        unit: ln (natural), or db (10 log10).
        offset: added to each energy.
        floor: the least energy that counts (librosa's ``amin``).
        ref: the energy that becomes 0, or ``max``, the window's largest.
        top_db: what lies further below the window's largest is raised to that; everything stays where absent.
    """

    unit: Literal["ln", "db"] = "ln"
    offset: Energy = 1e-6
    floor: Energy = 0.0
    ref: Annotated[float, Meta(ge=1e-30, le=1e30)] | Literal["max"] = 1.0
    top_db: Annotated[float, Meta(gt=0, le=1000)] | None = None

    def __post_init__(self) -> None:
        if not self.offset and not self.floor:
            raise ValueError("got offset 0 and floor 0, expected one above 0, as silence has no logarithm; set floor")

    def take(self, energies: Float64) -> Float64:
        """Logarithms ``[frames, mels]`` of one window's energies ``[frames, mels]``, a new array."""
        y = energies + self.offset
        if self.floor:
            np.maximum(y, self.floor, out=y)
        if self.ref != 1.0:
            y /= y.max() if self.ref == "max" else max(self.ref, self.floor)
        np.log(y, out=y)
        if self.unit == "db":
            y *= 10 / np.log(10)
        if self.top_db is not None:
            reach = self.top_db if self.unit == "db" else self.top_db * np.log(10) / 10
            np.maximum(y, y.max() - reach, out=y)
        return np.asarray(y)
