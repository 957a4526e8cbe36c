"""The target ``imx8``: an i.MX 8 board with Linux; 93 and 95 are its guests."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

from hal import capabilities
from hal.capabilities import unsupported
from hal.imx8 import engine, sensors
from hal.imx8.condition import Watch
from hal.imx8.leds import Hardware, open_led
from hal.imx8.soc import Board, identify
from hal.imx8.sysfs import Sysfs
from hal.sim import sensors as sim
from hal.sim.led import SimLed
from pipelines import registry
from pipelines.config.schema import Config
from pipelines.core import Engine, Sensor
from pipelines.errors import DeviceError, TargetError


class Imx8:
    """A Target on the board itself.

    Everything that it reads of the board stands under ``EIQ_SYSROOT``, so that a tree drives it elsewhere.

    Attributes:
        leds: the lights that were asked for, by name; the board's follow them once it is started.
        condition: temperature and clock, watched from the start on.
    """

    name = "imx8"
    capabilities: ClassVar[dict[str, type[Config]]] = {
        "camera": sensors.Camera,
        "led": capabilities.Led,
        "microphone": sensors.Microphone,
        "motion": sensors.Motion,
    }

    def __init__(self) -> None:
        self.sysfs = Sysfs.of_environment()
        self.leds: dict[str, SimLed] = {}
        self.condition: Watch | None = None
        self._stack = ExitStack()

    @cached_property
    def board(self) -> Board:
        """What this machine is. Raises TargetError where it is no i.MX board, or does not say."""
        try:
            return identify(self.sysfs)
        except DeviceError as error:
            raise TargetError(f"{self.name}: {error}") from error

    def config_of(self, capability: str) -> type[Any]:
        if capability not in self.capabilities:
            raise unsupported(self.name, capability)
        return self.capabilities[capability]

    def sensor(self, capability: str, config: Any) -> Sensor:
        if capability == "camera":
            return sensors.camera(config)
        if capability == "microphone":
            return sensors.microphone(config)
        if capability == "motion":
            return sim.fan(config)[1] if config.synthetic else sensors.motion(config, self.sysfs)
        raise unsupported(self.name, capability)

    def engine_config(self, name: str) -> type[Any]:
        base: type[Any] = registry.load("engines", name).Config
        return engine.config_of(base) if name == "tflite" else base

    def engine(self, name: str, config: Any, path: Path) -> Engine:
        if name == "tflite":
            return engine.build(config, path, self.board)
        made: Engine = registry.load("engines", name)(config, path)
        return made

    def led(self, name: str) -> SimLed:
        return self.leds.setdefault(name, SimLed(name))

    def start(self) -> None:
        """Take the lights, and begin to watch temperature and clock.

        Raises:
            DeviceError: a light is not there, this is no i.MX board, or its files lie.
        """
        _ = self.board
        with ExitStack() as stack:
            for led in self.leds.values():
                hardware = open_led(self.sysfs, led.name)
                stack.callback(hardware.close)
                stack.callback(led.watch(_follower(hardware)))
            self.condition = Watch(self.sysfs)
            stack.callback(self.condition.close)
            self._stack = stack.pop_all()

    def heading(self) -> Iterator[str]:
        """What to say of the board before a run, a line each."""
        yield self.board.heading()
        soc = self.board.soc
        if soc and soc.offered:
            yield (f"inference runs on the CPU; its GPU is to be had with the engine tflite and --set "
                   f"engine.delegate={soc.offered}")  # fmt: skip
        if self.condition:
            yield from self.condition.first.lines()

    def footing(self) -> Iterator[str]:
        """What to say of it after a run, a line each."""
        if self.condition:
            self.condition.look()
            yield from self.condition.footing()

    def numbers(self) -> dict[str, Any]:
        """The same for programs, as of the last look."""
        return self.condition.numbers() if self.condition else {}

    def close(self) -> None:
        """Leave the lights as they were. May be called twice."""
        self._stack.close()


def _follower(hardware: Hardware) -> Any:
    return lambda led: hardware.set(led.is_lit)
