"""A target without a sensor of its own: what a board on a shelf is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pipelines import registry
from pipelines.config import schema
from pipelines.core import Engine, Frame, Light, Sensor, Signal
from pipelines.errors import CapabilityError


class Black:
    """Two black pictures."""

    live = False
    output = Signal((4, 4, 3), "uint8", None, "image", ("r", "g", "b"))

    def frames(self) -> Any:
        import numpy as np

        for seq in range(2):
            yield Frame(np.zeros((4, 4, 3), np.uint8), float(seq), seq, seq)

    def close(self) -> None:
        """Nothing is open."""


class Shelf:
    """Shows black pictures."""

    name = "shelf"

    class Camera(schema.Config, frozen=True, kw_only=True):
        """Has no keys."""

    def config_of(self, capability: str) -> type[Any]:
        """Of the camera alone."""
        if capability != "camera":
            raise CapabilityError(f"the target shelf has no {capability}; a target that has: sim")
        return self.Camera

    def sensor(self, capability: str, config: Any) -> Sensor:
        """Black pictures."""
        return Black()

    def engine_config(self, name: str) -> type[Any]:
        """As the engine's class says."""
        config: type[Any] = registry.load("engines", name).Config
        return config

    def engine(self, name: str, config: Any, path: Path) -> Engine:
        """Every engine of this machine."""
        engine: Engine = registry.load("engines", name)(config, path)
        return engine

    def led(self, name: str) -> Light:
        """It has none."""
        raise CapabilityError("the target shelf has no led; a target that has: sim")

    def start(self) -> None:
        """Nothing needs preparing."""

    def close(self) -> None:
        """Nothing is open."""
