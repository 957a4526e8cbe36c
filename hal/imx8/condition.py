"""How warm and how fast the board is, and whether it slowed itself down.

Documentation/ABI/testing/sysfs-class-thermal, Documentation/admin-guide/pm/cpufreq.rst.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass

from hal.imx8.sysfs import Sysfs
from pipelines.errors import DeviceError

THERMAL = "sys/class/thermal"
CPUFREQ = "sys/devices/system/cpu/cpufreq"
SLOWS = ("cpufreq", "thermal-cpufreq", "cpu")
"""Cooling devices whose state is a lower clock begin so (drivers/thermal/cpufreq_cooling.c); a fan does not."""
EVERY_S = 1.0


@dataclass(frozen=True, slots=True)
class Policy:
    """CPUs that share a clock; in Hz."""

    cpus: str
    governor: str
    now_hz: float
    allowed_hz: float
    most_hz: float


@dataclass(frozen=True, slots=True)
class Condition:
    """One look.

    Args:
        zones: temperatures in °C by the zone's name.
        policies: clocks.
        cooling: state of those cooling devices that slow a CPU down, 0 is not at all, by their number.
    """

    zones: dict[str, float]
    policies: tuple[Policy, ...]
    cooling: dict[str, float]

    @property
    def throttled(self) -> bool:
        """Whether the kernel holds a CPU back because it is warm."""
        return any(self.cooling.values())

    def lines(self) -> Iterator[str]:
        """A line for temperatures and one for each clock."""
        if self.zones:
            yield "temperature " + ", ".join(f"{name} {value:.1f} °C" for name, value in self.zones.items())
        for policy in self.policies:
            limit = "" if policy.allowed_hz >= policy.most_hz else f", held to {_mhz(policy.allowed_hz)}"
            yield (f"CPU {policy.cpus} at {_mhz(policy.now_hz)} of {_mhz(policy.most_hz)}{limit}, "
                   f"governor {policy.governor}")  # fmt: skip


def look(sysfs: Sysfs) -> Condition:
    """Read all zones, clocks and cooling devices that there are.

    Raises:
        DeviceError: one lies, see ``Sysfs``.
    """
    zones = {}
    for zone in sysfs.names(THERMAL, "thermal_zone"):
        name = sysfs.text(f"{THERMAL}/{zone}/type")
        # millidegree Celsius; no silicon works beyond these
        zones[name if name not in zones else f"{name} {zone[12:]}"] = (
            sysfs.number(f"{THERMAL}/{zone}/temp", least=-60_000, most=250_000) / 1000
        )
    return Condition(zones, tuple(_policies(sysfs)), dict(_cooling(sysfs)))


def _policies(sysfs: Sysfs) -> Iterator[Policy]:
    for name in sysfs.names(CPUFREQ, "policy"):
        folder = f"{CPUFREQ}/{name}"
        now, allowed, most = (
            sysfs.number(f"{folder}/{file}", least=1, most=1e8) * 1e3  # kHz
            for file in ("scaling_cur_freq", "scaling_max_freq", "cpuinfo_max_freq")
        )
        yield Policy(_range(sysfs.text(f"{folder}/affected_cpus")), sysfs.text(f"{folder}/scaling_governor"), now,
                     allowed, most)  # fmt: skip


def _cooling(sysfs: Sysfs) -> Iterator[tuple[str, float]]:
    for name in sysfs.names(THERMAL, "cooling_device"):
        if sysfs.text(f"{THERMAL}/{name}/type").startswith(SLOWS):
            yield name, sysfs.number(f"{THERMAL}/{name}/cur_state", least=0, most=1e6)


def _range(cpus: str) -> str:
    numbers = cpus.split()
    return f"{numbers[0]}-{numbers[-1]}" if len(numbers) > 1 else cpus


def _mhz(hz: float) -> str:
    return f"{hz / 1e6:.0f} MHz"


class Watch:
    """Looks once a second while a run lasts, so that a throttling in the middle is not missed.

    Raises when built:
        DeviceError: the first look failed.
    """

    def __init__(self, sysfs: Sysfs, every_s: float = EVERY_S) -> None:
        self._sysfs, self._every_s = sysfs, every_s
        self.first = self.last = look(sysfs)
        self.hottest = dict(self.first.zones)
        self.looks = self.throttled = 0
        self.error: DeviceError | None = None
        self._take(self.first)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="condition", daemon=True)
        self._thread.start()

    def footing(self) -> Iterator[str]:
        """What there is to say after the run: highest temperatures, clocks, throttled or not."""
        if self.error:
            yield f"temperature and clock were not watched to the end: {self.error}"
        if self.hottest:
            yield "highest temperature " + ", ".join(f"{name} {value:.1f} °C" for name, value in self.hottest.items())
        if self.first.policies:
            yield from Condition({}, self.last.policies, {}).lines()
        if not self.first.cooling:
            yield "throttled: not known, this kernel has no cooling device for the CPU"
        elif self.throttled:
            yield f"throttled: yes, at {self.throttled} of {self.looks} looks; the times are not the board's best"
        else:
            yield f"throttled: no, at none of {self.looks} looks"

    def look(self) -> None:
        """One more look, now."""
        try:
            self._take(look(self._sysfs))
        except DeviceError as error:
            self.error = error

    def close(self) -> None:
        """Stop looking. May be called twice."""
        self._stop.set()
        self._thread.join(1.0)

    def _run(self) -> None:
        while self.error is None and not self._stop.wait(self._every_s):
            self.look()

    def _take(self, condition: Condition) -> None:
        self.last = condition
        self.looks += 1
        self.throttled += condition.throttled
        for name, value in condition.zones.items():
            self.hottest[name] = max(value, self.hottest.get(name, value))
