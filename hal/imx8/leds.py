"""Lights of the board: sysfs class leds (Documentation/ABI/testing/sysfs-class-led) and lines of a GPIO chip."""

from __future__ import annotations

import re
from contextlib import ExitStack
from typing import Any, Protocol

from hal.imx8.sysfs import Sysfs
from pipelines.errors import DeviceError
from pipelines.optional import require
from pipelines.registry import did_you_mean

LEDS = "sys/class/leds"
GPIO = re.compile(r"gpio:([\w.-]+)/(\d+)(/low)?")


class Hardware(Protocol):
    """A light that can be set, and is left as it was found."""

    def set(self, lit: bool) -> None: ...

    def close(self) -> None: ...


def open_led(sysfs: Sysfs, name: str) -> Hardware:
    """The light ``/sys/class/leds/<name>``, or ``gpio:CHIP/LINE`` (``/low``: lit when low).

    Raises:
        DeviceError: it is not there, or is in use.
        MissingDependency: gpiod is not installed.
    """
    if name.startswith("gpio:"):
        match = GPIO.fullmatch(name)
        if match is None:
            raise DeviceError(f'got the light "{name}", expected gpio:CHIP/LINE or gpio:CHIP/LINE/low, such as '
                              "gpio:gpiochip2/16")  # fmt: skip
        return GpioLed(sysfs, match[1], int(match[2]), low=bool(match[3]))
    return SysfsLed(sysfs, name)


class SysfsLed:
    """A light of the kernel. Its trigger is ``none`` while it is ours."""

    def __init__(self, sysfs: Sysfs, name: str) -> None:
        known = sysfs.names(LEDS)
        if name not in known:
            hint = did_you_mean(name, known) if known else "it has none; name a line with gpio:CHIP/LINE"
            raise DeviceError(f'this board has no light "{name}"; {hint}')
        self._sysfs, self._folder = sysfs, f"{LEDS}/{name}"
        self._most = int(sysfs.number(f"{self._folder}/max_brightness", least=1, most=1e6))
        self._stack = ExitStack()
        with ExitStack() as stack:
            before = f"{sysfs.number(f'{self._folder}/brightness', least=0, most=1e6):g}"
            stack.callback(sysfs.write, f"{self._folder}/brightness", before)
            trigger = f"{self._folder}/trigger"
            if sysfs.there(trigger):
                stack.callback(sysfs.write, trigger, _chosen(sysfs, trigger))
                sysfs.write(trigger, "none")
            self.set(False)
            self._stack = stack.pop_all()

    def set(self, lit: bool) -> None:
        self._sysfs.write(f"{self._folder}/brightness", str(self._most if lit else 0))

    def close(self) -> None:
        self._stack.close()


def _chosen(sysfs: Sysfs, trigger: str) -> str:
    text = sysfs.text(trigger)
    chosen = re.findall(r"\[([^\]\s]+)\]", text)
    if len(chosen) != 1:
        raise DeviceError(
            f'{sysfs.path(trigger)} says "{text[:40]}", expected one trigger in brackets; check the driver'
        )
    return str(chosen[0])


class GpioLed:
    """A line of a GPIO chip's character device, through gpiod 2."""

    def __init__(self, sysfs: Sysfs, chip: str, line: int, *, low: bool) -> None:
        self._gpiod: Any = require(
            "gpiod", purpose=f"the light gpio:{chip}/{line}", install="pip install 'eiq-demo[gpio]'"
        )
        if not hasattr(self._gpiod, "request_lines"):
            raise DeviceError("this gpiod is older than version 2, expected 2 or later; pip install 'eiq-demo[gpio]'")
        settings = self._gpiod.LineSettings(
            direction=self._gpiod.line.Direction.OUTPUT,
            active_low=low,
            output_value=self._gpiod.line.Value.INACTIVE,
        )
        path = sysfs.path(f"dev/{chip}")
        self._line = line
        try:
            self._request: Any = self._gpiod.request_lines(str(path), consumer="eiq-demo", config={line: settings})
        except (OSError, ValueError) as error:
            raise DeviceError(f"line {line} of {path} cannot be used ({error}); is it there and free, and may "
                              "you use it (gpioinfo shows all)?") from error  # fmt: skip

    def set(self, lit: bool) -> None:
        value = self._gpiod.line.Value
        try:
            self._request.set_value(self._line, value.ACTIVE if lit else value.INACTIVE)
        except OSError as error:
            raise DeviceError(f"line {self._line} cannot be set ({error}); check the chip") from error

    def close(self) -> None:
        self._request.release()
