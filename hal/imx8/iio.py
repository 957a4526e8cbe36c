"""An accelerometer or gyroscope of the Industrial I/O subsystem: its range, its mounting, its rate, its buffer.

Documentation/ABI/testing/sysfs-bus-iio. What the boards' device trees name: st_accel (LSM303AGR on the 8QuadMax MEK),
fxos8700 (8X MEK) and st_lsm6dsx (LSM6DSO on the 93 EVK); none of the three has its interrupt wired there.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from hal.imx8.scan import Element, Layout, parse
from hal.imx8.sysfs import Sysfs, numbers
from pipelines.core import Array
from pipelines.errors import DeviceError

DEVICES = "sys/bus/iio/devices"
G_MPS2 = 9.80665
KINDS = {"a": "accel", "g": "anglvel"}
UNITS = {
    "g": ("a", 1 / G_MPS2), "mg": ("a", 1000 / G_MPS2), "mps2": ("a", 1.0),
    "dps": ("g", 180 / np.pi), "radps": ("g", 1.0),
}  # fmt: skip
"""What a channel's unit is of, and how many of it the ABI's unit is (m/s^2, rad/s)."""
IN_G = {"fxos8700": 1e-3}
"""Drivers that give an accelerometer's scale in g, not in the ABI's m/s^2, where it is below this: fxos8700_core.c of
Linux says 0.000244 for 2 g in 14 bits, which would be 0.2 g."""
RANGES = {"accel": ("range_g", "g", G_MPS2), "anglvel": ("range_dps", "dps", np.pi / 180)}
"""The config's key, its unit, and that in the ABI's."""
ROUNDED = 0.02
"""How much less than its name a range may be: 0.000598 m/s^2 times 32768 is 1.998 g."""
MOST_STRETCH = 1000.0
"""A mounting matrix turns, and may put right a scale; beyond this it is no such one."""
CHANNEL = re.compile(r"([ag])([xyz])_(\w+)")
AXES = "xyz"


@dataclass(frozen=True, slots=True)
class Channel:
    """One of a config's channels: what is measured, the axis as a column, and the factor to its unit."""

    kind: str
    axis: int
    factor: float


def channels_of(names: Sequence[str]) -> tuple[Channel, ...]:
    """``ax_g`` and so on.

    Raises:
        DeviceError: one that no accelerometer or gyroscope has.
    """
    return tuple(_channel(name) for name in names)


def _channel(name: str) -> Channel:
    match = CHANNEL.fullmatch(name)
    if match is None or UNITS.get(match[3], ("", 0.0))[0] != match[1]:
        raise DeviceError(f'got the channel "{name}", expected one such as ax_g, ax_mg, ax_mps2, gx_dps or gx_radps')
    return Channel(KINDS[match[1]], AXES.index(match[2]), UNITS[match[3]][1])


class IioDevice:
    """One device, and what of it is wanted.

    Args:
        node: ``iio:deviceN``.
        name: its chip's, as the driver says it.
        kinds: ``accel``, ``anglvel`` or both.

    Raises:
        DeviceError: its files lie.
    """

    def __init__(self, sysfs: Sysfs, node: str, name: str, kinds: Sequence[str]) -> None:
        self._sysfs, self.node, self.name, self.kinds = sysfs, node, name, tuple(kinds)
        self.folder = f"{DEVICES}/{self.node}"
        self.has_timestamps = False
        self._transforms = {kind: self._transform(kind) for kind in self.kinds}

    def __str__(self) -> str:
        return f"the motion sensor {self.name} ({self.node})"

    def present(self) -> bool:
        """Whether it is still there."""
        return self._sysfs.there(f"{self.folder}/name")

    # ---- values ------------------------------------------------------------------------------------------------

    def convert(self, raw: dict[str, Array], channels: Sequence[Channel]) -> Array:
        """Raw values by element (``accel_x``) to float32 [samples, channels] in the channels' units, as mounted.

        Args:
            channels: all of this device's kinds.
        """
        mounted = {}
        for kind, (offsets, matrix) in self._transforms.items():
            columns = [raw[f"{kind}_{axis}"] for axis in AXES]
            mounted[kind] = (np.stack(columns, axis=1) + offsets) @ matrix
        parts = [mounted[channel.kind][:, channel.axis] * channel.factor for channel in channels]
        return np.stack(parts, axis=1).astype(np.float32)

    def prepare_polls(self, ranges: Mapping[str, float]) -> None:
        """Let single reads be as quick as they can: drivers switch a chip on for each, and wait some of its periods.

        Raises:
            DeviceError: its buffer is on, or as ``set_ranges``.
        """
        on = f"{self.folder}/buffer/enable"
        if self._sysfs.there(on) and self._sysfs.number(on):
            raise DeviceError(
                f"the buffer of {self} is on, and its files cannot be read then; end the program that uses it, or "
                f"write 0 to {self._sysfs.path(on)}"
            )
        self.set_ranges(ranges)
        for kind in (*(f"in_{kind}_" for kind in self.kinds), ""):
            name = f"{self.folder}/{kind}sampling_frequency"
            if self._sysfs.there(name) and (offered := self._available(name)):
                self._sysfs.write(name, offered[max(offered)])

    def poll(self) -> dict[str, Array]:
        """One sample through the raw files: slow, each file is an exchange with the chip."""
        return {
            f"{kind}_{axis}": np.array(
                [self._sysfs.number(f"{self.folder}/in_{kind}_{axis}_raw", least=-(2**63), most=2**63)]
            )
            for kind in self.kinds
            for axis in AXES
        }

    def _transform(self, kind: str) -> tuple[Array, Array]:
        """Offsets to add, and the matrix from raw columns to the ABI's unit in the frame of the board."""
        scales = [self._shared(kind, axis, "scale", None) for axis in AXES]
        scales = [scale * self._unit(kind, max(scales)) for scale in scales]
        offsets = [self._shared(kind, axis, "offset", 0.0) for axis in AXES]
        # the ABI multiplies a column vector from the left; here samples are rows
        return np.array(offsets), (self._mounting(kind) * np.array(scales)).T

    def _unit(self, kind: str, scale: float) -> float:
        """Of a driver's scale, in the ABI's."""
        return G_MPS2 if kind == "accel" and scale < IN_G.get(self.name, 0.0) else 1.0

    def _shared(self, kind: str, axis: str, what: str, absent: float | None) -> float:
        names = [f"{self.folder}/in_{kind}_{axis}_{what}", f"{self.folder}/in_{kind}_{what}"]
        name = next((name for name in names if self._sysfs.there(name)), None)
        if name is None and absent is not None:
            return absent
        if what == "offset":
            return self._sysfs.number(name or names[1], least=-(2**63), most=2**63)
        # a unit of the last bit beyond these is no scale of any such chip, and 0 is a stuck one
        return self._sysfs.number(name or names[1], least=1e-9, most=1e3)

    def _mounting(self, kind: str) -> Array:
        names = [f"in_{kind}_mount_matrix", "in_mount_matrix", f"{kind}_mount_matrix", "mount_matrix"]
        name = next((name for name in names if self._sysfs.there(f"{self.folder}/{name}")), None)
        if name is None:
            return np.eye(3)
        text = self._sysfs.text(f"{self.folder}/{name}")
        rows = [numbers(row.split(",")) for row in text.split(";")]
        whole = len(rows) == 3 and all(row is not None and len(row) == 3 for row in rows)
        matrix = np.array(rows if whole else np.zeros((3, 3)), np.float64)
        if np.abs(matrix).max() > MOST_STRETCH or abs(np.linalg.det(matrix)) < 1e-6:
            raise DeviceError(
                f'{self._sysfs.path(self.folder)}/{name} says "{text[:60]}", expected three rows of three numbers, '
                "without flattening space; correct mount-matrix in the device tree"
            )
        return matrix

    # ---- range -------------------------------------------------------------------------------------------------

    def set_ranges(self, ranges: Mapping[str, float]) -> None:
        """Let each kind measure up to so many g or degrees per second, as finely as that allows.

        Raises:
            DeviceError: it cannot, or does not say what it can.
        """
        for kind in self.kinds:
            if kind in ranges:
                self._set_range(kind, ranges[kind])
                self._transforms[kind] = self._transform(kind)

    def _set_range(self, kind: str, most: float) -> None:
        key, unit, _ = RANGES[kind]
        name = f"{self.folder}/in_{kind}_scale"
        offered = self._available(name) if self._sysfs.there(name) else {}
        reaches = {scale: self._reach(kind, scale) for scale in offered}
        if not any(reaches.values()):
            raise DeviceError(f"{self} does not say which ranges it has; leave {key} out")
        enough = [scale for scale, reach in reaches.items() if reach >= (1 - ROUNDED) * most]
        if not enough:
            raise DeviceError(
                f"{self} measures up to {max(reaches.values()):.4g} {unit}, got {key} {most:g}; set {key}"
            )
        self._sysfs.write(name, offered[min(enough)])
        current = self._sysfs.number(name, least=1e-9, most=1e3)
        if not _same(current, min(enough)):
            raise DeviceError(f"{self._sysfs.path(name)} was set to {offered[min(enough)]} and says {current:g}; "
                              f"leave {key} out")  # fmt: skip

    def _reach(self, kind: str, scale: float) -> float:
        """The buffer's last number in g or degrees per second; 0 where the driver does not say."""
        if not self._sysfs.there(f"{self.folder}/scan_elements/in_{kind}_x_type"):
            return 0.0
        steps = 2.0 ** (self._element(f"in_{kind}_x").bits - 1)
        return steps * scale * self._unit(kind, scale) / RANGES[kind][2]

    def ranges(self) -> str:
        """``lsm6dso_accel up to 4 g``, or the name alone where the driver does not say."""
        reaches = ((kind, self._reach(kind, self._shared(kind, "x", "scale", None))) for kind in self.kinds)
        told = [f"{float(f'{reach:.3g}'):g} {RANGES[kind][1]}" for kind, reach in reaches if reach]
        return f"{self.name} up to {' and '.join(told)}" if told else self.name

    # ---- rate --------------------------------------------------------------------------------------------------

    def _set_rate(self, rate_hz: float) -> None:
        """Let the device itself run at this rate.

        Raises:
            DeviceError: the device does not offer it; says which it does.
        """
        for name in self._rate_files():
            offered = self._available(name)
            if offered and not any(_same(one, rate_hz) for one in offered):
                listed = ", ".join(f"{one:g}" for one in offered)
                raise DeviceError(f"{self} does not offer {rate_hz:g} Hz, expected one of {listed} Hz; set rate_hz")
            self._write_rate(name, next((one for one in offered if _same(one, rate_hz)), rate_hz), str(self))

    def _follow(self, trigger: str, rate_hz: float) -> None:
        """Let a trigger's timer set the pace, and the device run no slower."""
        for name in self._rate_files():
            offered = self._available(name)
            enough = [one for one in offered if one > rate_hz or _same(one, rate_hz)]
            if offered and not enough:
                raise DeviceError(f"{self} runs at most at {max(offered):g} Hz, got rate_hz {rate_hz:g}; set rate_hz")
            self._write_rate(name, min(enough, default=rate_hz), str(self))
        timer = f"{DEVICES}/{trigger}/sampling_frequency"
        if self._sysfs.there(timer):
            self._check_alone(trigger, rate_hz)
            self._write_rate(timer, rate_hz, f"the trigger {trigger}")

    def _check_alone(self, trigger: str, rate_hz: float) -> None:
        """The kernel lets a timer's pace be changed under a buffer that runs by it."""
        current = self._sysfs.number(f"{DEVICES}/{trigger}/sampling_frequency", least=0, most=1e6)
        name = self._sysfs.text(f"{DEVICES}/{trigger}/name")
        for node in self._sysfs.names(DEVICES, "iio:device"):
            folder = f"{DEVICES}/{node}"
            if (
                not _same(current, rate_hz)
                and self._sysfs.there(f"{folder}/trigger/current_trigger")
                and self._sysfs.text(f"{folder}/trigger/current_trigger", empty=True) == name
                and self._sysfs.number(f"{folder}/buffer/enable")
            ):
                raise DeviceError(
                    f"the trigger {name} paces {node} at {current:g} Hz for another program, got rate_hz {rate_hz:g}; "
                    "set rate_hz to that, or write another timer to the device's trigger/current_trigger"
                )

    def _write_rate(self, name: str, rate_hz: float, what: str) -> None:
        if not _same(self._sysfs.number(name, least=0, most=1e6), rate_hz):
            self._sysfs.write(name, f"{rate_hz:g}")
        current = self._sysfs.number(name, least=0, most=1e6)
        if not _same(current, rate_hz):
            raise DeviceError(f"{what} was set to {rate_hz:g} Hz and runs at {current:g} Hz; set rate_hz to that")

    def _rate_files(self) -> list[str]:
        names = [f"{self.folder}/in_{kind}_sampling_frequency" for kind in self.kinds]
        found = [name for name in (*names, f"{self.folder}/sampling_frequency") if self._sysfs.there(name)]
        if not found:
            raise DeviceError(f"{self} does not say its sampling frequency; read it with poll: true")
        return found

    def _available(self, name: str) -> dict[float, str]:
        """What the driver offers for a file, as numbers and as it writes them; empty where it does not say."""
        if not self._sysfs.there(f"{name}_available"):
            return {}
        text = self._sysfs.text(f"{name}_available")
        if text.startswith("["):  # [least step most]: the driver itself refuses what is outside
            return {}
        values = numbers(text.split())
        if values is None or min(values) <= 0:
            raise DeviceError(
                f'{self._sysfs.path(name)}_available says "{text[:40]}", expected numbers above 0; check the driver'
            )
        return dict(zip(values, text.split(), strict=True))

    # ---- buffer ------------------------------------------------------------------------------------------------

    def check_buffer(self) -> None:
        """Raises DeviceError where it has none."""
        if not self._sysfs.there(f"{self.folder}/scan_elements"):
            raise DeviceError(f"{self} has no buffer (its driver has no interrupt); read it with poll: true")

    def enable(self, rate_hz: float, samples: int, ranges: Mapping[str, float] = MappingProxyType({})) -> Layout:
        """Start the buffer with our elements, and the form of its records.

        Args:
            rate_hz: how often the device, or a timer in its place, samples.
            samples: that the kernel keeps at least.
            ranges: see ``set_ranges``.

        Raises:
            DeviceError: the device has no buffer or no trigger, does not offer this rate, or refuses.
        """
        self.check_buffer()
        self.disable()  # while it is on, nothing can be set
        self.set_ranges(ranges)
        foreign = self._pull_trigger()
        if foreign is None:
            self._set_rate(rate_hz)
        else:
            self._follow(foreign, rate_hz)
        wanted = [f"{kind}_{axis}" for kind in self.kinds for axis in AXES] + ["timestamp"]
        for file in self._sysfs.names(f"{self.folder}/scan_elements", "in_"):
            if file.endswith("_en"):
                self._sysfs.write(f"{self.folder}/scan_elements/{file}", str(int(file[3:-3] in wanted)))
        self._use_monotonic_clock()
        self._sysfs.write(f"{self.folder}/buffer/length", str(samples))
        if self._sysfs.there(f"{self.folder}/buffer/watermark"):
            self._sysfs.write(f"{self.folder}/buffer/watermark", "1")  # others leave theirs there, and all comes late
        layout = self._layout()
        self.has_timestamps &= any(element.name == "timestamp" for element in layout.elements)
        self._sysfs.write(f"{self.folder}/buffer/enable", "1")
        return layout

    def disable(self) -> None:
        """Stop the buffer."""
        self._sysfs.write(f"{self.folder}/buffer/enable", "0")

    def _layout(self) -> Layout:
        folder = f"{self.folder}/scan_elements"
        elements: list[Element] = []
        for file in self._sysfs.names(folder, "in_"):
            if not file.endswith("_en") or not self._sysfs.number(f"{folder}/{file}"):
                continue
            elements.append(self._element(file[:-3]))
        missing = [f"{kind}_{axis}" for kind in self.kinds for axis in AXES
                   if f"{kind}_{axis}" not in {element.name for element in elements}]  # fmt: skip
        if missing:
            raise DeviceError(f"the buffer of {self} lacks {', '.join(missing)}; read it with poll: true")
        try:
            return Layout(elements)
        except ValueError as error:
            raise DeviceError(f"the buffer of {self} says {error}; check the driver") from error

    def _element(self, stem: str) -> Element:
        folder = f"{self.folder}/scan_elements"
        index = int(self._sysfs.number(f"{folder}/{stem}_index", least=0, most=1000))
        text = self._sysfs.text(f"{folder}/{stem}_type")
        try:
            return parse(stem[3:], index, text)
        except ValueError as error:
            raise DeviceError(f"{self._sysfs.path(folder)}/{stem}_type says {error}; check the driver") from error

    def _pull_trigger(self) -> str | None:
        """Choose the trigger, and give the folder of one that is not the driver's own."""
        current = f"{self.folder}/trigger/current_trigger"
        if not self._sysfs.there(current):
            return None  # a chip with a queue of its own needs none
        triggers = {
            self._sysfs.text(f"{DEVICES}/{folder}/name"): folder for folder in self._sysfs.names(DEVICES, "trigger")
        }
        timers = [name for name, folder in triggers.items()
                  if self._sysfs.there(f"{DEVICES}/{folder}/sampling_frequency")]  # fmt: skip
        # the driver's data-ready one: "<name>-devN" with this device's N, st_sensors' "<name>-trigger"
        owns = (f"{self.name}-dev{self.node.removeprefix('iio:device')}", f"{self.name}-trigger")
        own = next((name for name in owns if name in triggers and name not in timers), None)
        if own is not None:
            self._sysfs.write(current, own)
            return None
        chosen = self._sysfs.text(current, empty=True)  # what the user wrote there
        name = chosen if chosen in triggers else next(iter(timers), None)
        if name is None:
            raise DeviceError(f"{self} has no trigger of its own (no interrupt is wired); make a timer with mkdir "
                              "/sys/kernel/config/iio/triggers/hrtimer/eiq, or read it with poll: true")  # fmt: skip
        self._sysfs.write(current, name)
        return triggers[name]

    def _use_monotonic_clock(self) -> None:
        name = f"{self.folder}/current_timestamp_clock"
        self.has_timestamps = self._sysfs.there(name)
        if self.has_timestamps:  # the default, real time, jumps when a board without a battery hears of NTP
            self._sysfs.write(name, "monotonic")


def _same(a: float, b: float) -> bool:
    return abs(a - b) <= 1e-3 * max(abs(a), abs(b))
