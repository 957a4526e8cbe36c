"""The target ``sim``: this desktop. It hears and sees recordings, or the real microphone and camera."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

from hal import capabilities
from hal.capabilities import unsupported
from hal.sim import sensors
from hal.sim.fan import Fan
from hal.sim.led import SimLed
from pipelines import registry
from pipelines.config.schema import Config
from pipelines.core import Engine, Sensor


class Sim:
    """A Target that needs no hardware.

    Attributes:
        leds: the lights that were asked for, by name; a page or console shows them, a test asserts on them.
        fans: the synthetic fans that were asked for, in the order of the pipelines; a page or a test drives them.
    """

    name = "sim"
    capabilities: ClassVar[dict[str, type[Config]]] = {
        "camera": sensors.Camera,
        "led": capabilities.Led,
        "microphone": sensors.Microphone,
        "motion": sensors.Motion,
    }

    def __init__(self) -> None:
        self.leds: dict[str, SimLed] = {}
        self.fans: list[Fan] = []

    def config_of(self, capability: str) -> type[Any]:
        if capability not in self.capabilities:
            raise unsupported(self.name, capability)
        return self.capabilities[capability]

    def sensor(self, capability: str, config: Any) -> Sensor:
        if capability not in _SENSORS:
            raise unsupported(self.name, capability)
        if isinstance(config, sensors.Motion) and config.synthetic:
            fan, sensor = sensors.fan(config)
            self.fans.append(fan)
            return sensor
        return _SENSORS[capability](config)

    def engine_config(self, name: str) -> type[Any]:
        config: type[Any] = registry.load("engines", name).Config
        return config

    def engine(self, name: str, config: Any, path: Path) -> Engine:
        engine: Engine = registry.load("engines", name)(config, path)
        return engine

    def led(self, name: str) -> SimLed:
        return self.leds.setdefault(name, SimLed(name))

    def start(self) -> None:
        """Nothing to do: a recording needs no preparation, and a live sensor opens with its first frame."""

    def close(self) -> None:
        """Nothing to do: sensors and engines are closed by who asked for them, and the lights stay readable."""


_SENSORS: dict[str, Callable[[Any], Sensor]] = {
    "camera": sensors.camera,
    "microphone": sensors.microphone,
    "motion": sensors.motion,
}
