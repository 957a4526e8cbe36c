"""How warm and how fast the board is, and whether it slowed itself down.

Documentation/ABI/testing/sysfs-class-thermal, Documentation/admin-guide/pm/cpufreq.rst.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from itertools import pairwise
from typing import Any

from hal.imx8.sysfs import NoValue, Sysfs
from pipelines.errors import DeviceError

THERMAL = "sys/class/thermal"
CPUFREQ = "sys/devices/system/cpu/cpufreq"
SLOWS = re.compile(r"(thermal-)?(cpufreq|devfreq|idle)-.+|(.*\.)?[gn]pu\d*")
"""Cooling devices that slow a core, GPU or NPU down; a fan does not. drivers/thermal: cpufreq_cooling.c (a lower
clock), cpuidle_cooling.c (forced idle), devfreq_cooling.c; drivers/gpu/drm/etnaviv/etnaviv_gpu.c (``38500000.npu``)."""
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
        policies: clocks of the CPUs that are switched on.
        cooling: state of those cooling devices that slow something down, 0 is not at all, by their type.
        silent: zones that have no reading now: the 8M Mini's sensor has none below 10 °C.
    """

    zones: dict[str, float]
    policies: tuple[Policy, ...] = ()
    cooling: dict[str, float] = field(default_factory=dict)
    silent: tuple[str, ...] = ()

    @property
    def throttled(self) -> list[str]:
        """The cooling devices by which the kernel holds something back because it is warm."""
        return [name for name, state in self.cooling.items() if state]

    def lines(self) -> Iterator[str]:
        """A line for temperatures and one for each clock."""
        if self.zones:
            yield "temperature " + _degrees(self.zones)
        if self.silent:
            yield f"no temperature now from {', '.join(self.silent)}"
        for policy in self.policies:
            limit = "" if policy.allowed_hz >= policy.most_hz else f", held to {_mhz(policy.allowed_hz)}"
            yield (f"CPU {policy.cpus} at {_mhz(policy.now_hz)} of {_mhz(policy.most_hz)}{limit}, "
                   f"governor {policy.governor}")  # fmt: skip


def look(sysfs: Sysfs) -> Condition:
    """Read all zones, clocks and cooling devices that there are.

    Raises:
        DeviceError: one lies, see ``Sysfs``.
    """
    zones: dict[str, float] = {}
    silent = []
    for name, folder in _named(sysfs, "thermal_zone"):
        try:  # millidegree Celsius; no silicon works beyond these
            zones[name] = sysfs.number(f"{folder}/temp", least=-60_000, most=250_000) / 1000
        except NoValue:
            silent.append(name)
    cooling = {
        name: sysfs.number(f"{folder}/cur_state", least=0, most=1e6)
        for name, folder in _named(sysfs, "cooling_device")
        if SLOWS.fullmatch(name.partition(" ")[0])
    }
    return Condition(zones, tuple(_policies(sysfs)), cooling, tuple(silent))


def _named(sysfs: Sysfs, prefix: str) -> Iterator[tuple[str, str]]:
    """Types of the thermal class's devices, numbered where one comes twice, and their folders."""
    known = set()
    for device in sysfs.names(THERMAL, prefix):
        name = sysfs.text(f"{THERMAL}/{device}/type")
        name = name if name not in known else f"{name} {device.removeprefix(prefix)}"
        known.add(name)
        yield name, f"{THERMAL}/{device}"


def _policies(sysfs: Sysfs) -> Iterator[Policy]:
    for name in sysfs.names(CPUFREQ, "policy"):
        folder = f"{CPUFREQ}/{name}"
        try:
            now, allowed, most = (
                sysfs.number(f"{folder}/{file}", least=1, most=1e8) * 1e3  # kHz
                for file in ("scaling_cur_freq", "scaling_max_freq", "cpuinfo_max_freq")
            )
            yield Policy(_range(sysfs.text(f"{folder}/affected_cpus")), sysfs.text(f"{folder}/scaling_governor"), now,
                         allowed, most)  # fmt: skip
        except NoValue:  # all of its CPUs are switched off
            continue


def _degrees(zones: dict[str, float]) -> str:
    return ", ".join(f"{name} {value:.1f} °C" for name, value in zones.items())


def _range(cpus: str) -> str:
    numbers = cpus.split()
    whole = all(number.isdecimal() for number in numbers) and len(numbers) > 1
    if whole and all(int(after) - int(before) == 1 for before, after in pairwise(numbers)):
        return f"{numbers[0]}-{numbers[-1]}"
    return ", ".join(numbers)


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
        self.slowed: dict[str, None] = {}
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
            yield "highest temperature " + _degrees(self.hottest)
        yield from Condition({}, self.last.policies, {}, self.last.silent).lines()
        if not self.first.cooling:
            yield "throttled: not known, this kernel has no cooling device for CPU, GPU or NPU"
        elif self.throttled:
            yield (f"throttled: yes ({', '.join(self.slowed)}), at {self.throttled} of {self.looks} looks; the times "
                   "are not the board's best")  # fmt: skip
        else:
            yield f"throttled: no, at none of {self.looks} looks"

    def numbers(self) -> dict[str, Any]:
        """The same for programs: temperatures now and at their highest, clocks, and at how many looks it was throttled;
        ``throttled`` is None where the kernel does not tell."""
        return {
            "temperatures_c": self.last.zones,
            "highest_temperatures_c": dict(self.hottest),
            "clocks": [asdict(policy) for policy in self.last.policies],
            "throttled": self.throttled > 0 if self.first.cooling else None,
            "throttled_by": list(self.slowed),
            "throttled_looks": self.throttled,
            "looks": self.looks,
        }

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
        self.throttled += bool(condition.throttled)
        self.slowed.update(dict.fromkeys(condition.throttled))
        for name, value in condition.zones.items():
            self.hottest[name] = max(value, self.hottest.get(name, value))
