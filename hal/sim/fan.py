"""The simulator's fan: a motion sensor on a fan that is not there, drivable while it runs."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from dataclasses import dataclass
from itertools import accumulate
from typing import Annotated, Literal

import numpy as np
from msgspec import Meta
from numpy.typing import NDArray

from pipelines.config.schema import Config, NonNegative, Positive, PositiveFloat
from pipelines.core import Signal
from pipelines.errors import CapabilityError

FaultName = Literal["none", "off", "clog", "friction", "imbalance"]
SensorFaultName = Literal["none", "stuck", "nan", "clipping", "missing"]
Samples = NDArray[np.float32]
Floats = NDArray[np.float64]

COUNTS_PER_G = 4096
RANGE_G = 8.0
"""Of the sensor: 16 bits of 1/4096 g."""

RATED_RPM = 2460.0
UNBALANCED = 3.0
"""So many times its usual imbalance has the fan with the fault ``imbalance``; an assumption, no recording has it."""
LAG_S = 1.5
"""Time constant of the speed (inertia), and with it of everything that a fault changes."""
SPEED_MEMORY_S = 0.5
"""How long the speed's own wandering lasts."""
KNOCKING = 400.0
"""How many times harder the sensor is shaken when it clips."""

RESTING_G = (-0.019, -0.006, 0.999)  # gravity, on a table that is not quite level
SENSOR_NOISE = (1.0, 1.0, 1.4)  # of x, y, z, in units of noise_mg
BANDS_HZ = ((5.0, 5.0), (18.0, 6.0), (31.0, 7.0), (45.0, 7.0), (62.0, 10.0), (85.0, 10.0))  # centre, width
LINE_PHASES = np.array([[0.25, 0.0, 0.15], [0.1, 0.6, 0.3], [0.7, 0.2, 0.9], [0.4, 0.8, 0.5]])  # of a turn
SETTLING = 200  # samples that the resonators run before the first one


@dataclass(frozen=True, slots=True)
class Character:
    """How a fan shakes in one state: rms in mg on x, y, z.

    The figures are means over NXP's three recordings of fan 1 (BSD-3-Clause), each 10 s window of 40 s: Welch spectra,
    the lines' power taken out of the bands around them. ``blades`` is an assumption, as at 200 Hz nobody saw it.

    Args:
        speed: as a part of the speed that the fan is set to.
        wander: standard deviation of the speed, as a part of it.
        lines: at one, two and three times the shaft's frequency, and at the blades'.
        bands: noise in each of BANDS_HZ.
    """

    speed: float
    wander: float
    lines: tuple[tuple[float, float, float], ...]
    bands: tuple[tuple[float, float, float], ...]

    def numbers(self) -> Floats:
        """[speed, wander, lines, bands] in one row; amplitudes as they are at RATED_RPM: forces go with its square."""
        shaking = np.concatenate((np.ravel(self.lines), np.ravel(self.bands))) / self.speed**2
        return np.concatenate(([self.speed, self.wander], shaking))


CHARACTERS = {
    "on": Character(
        speed=1.0,
        wander=0.006,
        lines=((8.2, 36.0, 5.6), (1.1, 0.7, 1.8), (0.0, 0.0, 0.0), (3.0, 3.0, 3.0)),
        bands=((4.1, 6.3, 4.2), (3.6, 5.8, 2.5), (3.0, 5.4, 1.6), (3.0, 6.0, 1.6), (3.0, 3.1, 1.8), (2.9, 1.9, 2.4)),
    ),
    "clog": Character(
        speed=0.778,
        wander=0.003,
        lines=((12.6, 21.8, 2.1), (0.3, 0.9, 0.4), (1.3, 3.5, 2.1), (4.0, 4.0, 4.0)),
        bands=((0.9, 1.5, 0.9), (1.1, 1.6, 0.9), (2.0, 3.5, 1.0), (1.9, 2.8, 3.4), (1.5, 3.2, 1.4), (2.8, 6.4, 1.5)),
    ),
    "friction": Character(
        speed=0.93,
        wander=0.02,
        lines=((5.0, 8.0, 4.0), (2.0, 2.0, 2.0), (0.0, 0.0, 0.0), (3.0, 3.0, 3.0)),
        bands=(
            (9.2, 8.2, 5.2),
            (11.5, 10.7, 7.1),
            (4.6, 5.7, 3.3),
            (24.0, 21.0, 17.0),
            (25.2, 11.5, 14.3),
            (20.0, 11.7, 18.8),
        ),
    ),
}


class Phase(Config, frozen=True, kw_only=True):
    """One stretch of a schedule.

    Args:
        fault: what the fan has in it.
        for_s: how long.
    """

    fault: FaultName
    for_s: PositiveFloat


class FanConfig(Config, frozen=True, kw_only=True):
    """A synthetic fan.

    Args:
        speed_rpm: what it is set to; a fault may slow it down.
        imbalance: 1 is a usual fan, 0 a perfect one; its force grows with the speed squared.
        blades: how many; they pass at so many times the shaft's frequency.
        fault: off | clog | friction | imbalance.
        fault_at_s: when it begins.
        fault_for_s: how long it lasts; to the end where absent.
        schedule: several faults in turn, in place of those three keys; again from the start until ``seconds``.
        seconds: how long the fan is listened to; where absent one schedule, or until stopped.
        noise_mg: rms of the sensor's own noise.
        seed: the same seed gives the same samples.
        sensor_fault: stuck | nan | clipping | missing (the last axis).
        sensor_fault_at_s: when it begins.
        sensor_fault_for_s: how long it lasts; to the end where absent.
    """

    speed_rpm: Annotated[float, Meta(ge=0, le=60_000)] = RATED_RPM
    imbalance: Annotated[float, Meta(ge=0, le=1000)] = 1.0
    blades: Positive = 7
    fault: FaultName = "none"
    fault_at_s: NonNegative = 0.0
    fault_for_s: PositiveFloat | None = None
    schedule: tuple[Phase, ...] = ()
    seconds: PositiveFloat | None = None
    noise_mg: Annotated[float, Meta(ge=0, le=1000)] = 1.5
    seed: Annotated[int, Meta(ge=0, lt=2**32)] = 1
    sensor_fault: SensorFaultName = "none"
    sensor_fault_at_s: NonNegative = 0.0
    sensor_fault_for_s: PositiveFloat | None = None

    def __post_init__(self) -> None:
        if self.schedule and self.fault != "none":
            raise ValueError("got fault and schedule together, expected one of the two; leave one out")


class Fan:
    """A Recording of a fan's vibration, float32 [samples, channels], that is made up as it plays.

    Public and drivable: ``speed_rpm``, ``imbalance``, ``fault`` and ``sensor_fault`` may be set from any thread while
    it plays, and count from the next chunk on. A fault at a time, or a schedule, in the config sets ``fault`` when its
    time has come, and leaves it alone in between.

    The shaft turns with inertia (first-order lag, 1.5 s) and wanders a little, as motors do; its phase goes on through
    every change of speed. Each state has the lines and noise that NXP's real fan 1 has in it (see Character). The
    sensor adds gravity, its own noise, and rounds to 1/4096 g within ±8 g. How the stream is chunked changes nothing.

    Args:
        channels: of ax, ay, az, in g, mg or m/s² (``ax_g``, ``ax_mg``, ``ax_mps2``).

    Attributes:
        rps: how fast the shaft really turns now, in revolutions per second.

    Raises:
        CapabilityError: another channel.
    """

    def __init__(self, config: FanConfig, *, rate_hz: float, channels: tuple[str, ...], chunk_ms: float) -> None:
        self.config = config
        self.signal = Signal((None, len(channels)), "float32", rate_hz, "motion", channels)
        self.speed_rpm, self.imbalance = config.speed_rpm, config.imbalance
        self.fault: FaultName = "none"
        self.sensor_fault: SensorFaultName = "none"
        self._chunk = max(1, round(rate_hz * chunk_ms / 1000))
        self._axes, self._scales = _axes(channels)
        self._events = _events(config, rate_hz)
        self._filters = _resonators(rate_hz)
        self._restart()

    @property
    def rps(self) -> float:
        return float(self._speed)

    def read(self) -> Generator[Samples, None, None]:
        """From the start, chunk by chunk, until ``seconds``; for ever where there are none."""
        self._restart()
        rate_hz, at = self.signal.rate_hz or 1.0, 0
        seconds = self.config.seconds or sum(phase.for_s for phase in self.config.schedule)
        end = max(1, round(seconds * rate_hz)) if seconds else None
        while end is None or at < end:
            size = self._chunk if end is None else min(self._chunk, end - at)
            yield self._next(at, size)
            at += size

    def _restart(self) -> None:
        self._rng = np.random.default_rng(self.config.seed)
        self._schedule(0)
        self._now = self._wanted()
        self._speed = self._wanted_rps()
        self._wander = self._turns = 0.0
        self._ring = np.zeros((2, len(BANDS_HZ), 3))
        self._last = np.array(RESTING_G)
        self._resonate(self._rng.standard_normal((SETTLING, len(BANDS_HZ), 3)))

    def _next(self, at: int, size: int) -> Samples:
        """The samples from ``at``; what is scheduled within them takes place at its own sample."""
        parts, end = [], at + size
        while at < end:
            stop = min(self._schedule(at), end)
            parts.append(self._sensed(self._shaking(stop - at)))
            at = stop
        data = parts[0] if len(parts) == 1 else np.concatenate(parts)
        return np.ascontiguousarray(data[:, self._axes] * self._scales, dtype=np.float32)

    def _schedule(self, at: int) -> int:
        """Do what is due at sample ``at``; the sample at which the next thing is due."""
        following = []
        for event in self._events:
            if event.due(at):
                event.apply(self)
            following.append(event.after(at))
        return min(following, default=at + self._chunk)

    def _wanted(self) -> Floats:
        return CHARACTERS.get(self.fault, CHARACTERS["on"]).numbers()

    def _wanted_rps(self) -> float:
        return 0.0 if self.fault == "off" else self.speed_rpm / 60 * float(self._wanted()[0])

    def _shaking(self, size: int) -> Floats:
        """What the table does: [samples, 3] in g, gravity included."""
        rate_hz = self.signal.rate_hz or 1.0
        noise = self._rng.standard_normal((size, len(BANDS_HZ) * 3 + 4))  # one row a sample: chunks of any size agree
        left = np.exp(-np.arange(1, size + 1) / (LAG_S * rate_hz))
        wanted, wanted_rps = self._wanted(), self._wanted_rps()
        now = wanted + (self._now - wanted) * left[:, None]
        speed = wanted_rps + (self._speed - wanted_rps) * left
        self._now, self._speed = now[-1], float(speed[-1])
        turning = speed * (1 + now[:, 1] * self._wandering(noise[:, 0]))
        turns = np.fromiter(accumulate(turning / rate_hz, initial=self._turns), float, size + 1)[1:]
        self._turns = float(turns[-1]) % 1.0
        lines, bands = np.split(now[:, 2:].reshape(size, -1, 3), [len(LINE_PHASES)], axis=1)
        force = (turning * (60 / RATED_RPM))[:, None] ** 2
        unbalanced = self.imbalance * (UNBALANCED if self.fault == "imbalance" else 1.0)
        shaken = self._lines(turns, turning, lines, unbalanced)
        shaken += (bands * self._resonate(noise[:, 1:-3].reshape(size, -1, 3))).sum(axis=1)
        sensor = noise[:, -3:] * (self.config.noise_mg * np.array(SENSOR_NOISE))
        moved: Floats = (shaken * force + sensor) / 1000 + RESTING_G
        return moved

    def _lines(self, turns: Floats, turning: Floats, rms: Floats, unbalanced: float) -> Floats:
        harmonics = np.array([1.0, 2.0, 3.0, self.config.blades])
        gains = np.array([unbalanced, 1.0, 1.0, 1.0]) * np.sqrt(2)
        # the sensor's own filter, or what is above half the rate would come back as loud below it
        cutoff_hz = 0.45 * (self.signal.rate_hz or 1.0)
        passed = 1 / np.sqrt(1 + (turning[:, None] * harmonics / cutoff_hz) ** 8)
        waves = np.sin(2 * np.pi * (turns[:, None, None] * harmonics[:, None] + LINE_PHASES))
        shaken: Floats = (rms * waves * (gains * passed)[:, :, None]).sum(axis=1)
        return shaken

    def _wandering(self, noise: Floats) -> Floats:
        """A speed's wandering: an Ornstein-Uhlenbeck process of variance 1."""
        stay = float(np.exp(-1 / (SPEED_MEMORY_S * (self.signal.rate_hz or 1.0))))
        step = float(np.sqrt(1 - stay * stay))
        path = np.empty(len(noise))
        for i, value in enumerate(noise):
            path[i] = self._wander = stay * self._wander + step * value
        return path

    def _resonate(self, noise: Floats) -> Floats:
        """White noise [samples, bands, 3] to noise of rms 1 in each band."""
        first, second, gain = self._filters
        driven, (last, before) = noise * gain, self._ring
        out = np.empty_like(noise)
        for i, value in enumerate(driven):
            last, before = first * last + second * before + value, last
            out[i] = last
        self._ring = np.stack((last, before))
        return out

    def _sensed(self, moved: Floats) -> Floats:
        """What the sensor makes of it, in g."""
        match self.sensor_fault:
            case "stuck":
                return np.tile(self._last, (len(moved), 1))
            case "nan":
                return np.full_like(moved, np.nan)
            case "clipping":
                moved = (moved - RESTING_G) * KNOCKING + RESTING_G
            case "missing":
                moved[:, 2] = 0.0
        counts = np.rint(moved * COUNTS_PER_G)
        sensed: Floats = np.clip(counts, -RANGE_G * COUNTS_PER_G, RANGE_G * COUNTS_PER_G - 1) / COUNTS_PER_G
        self._last = sensed[-1]
        return sensed


@dataclass(frozen=True, slots=True)
class _Event:
    """Sets ``key`` of the fan to ``value`` at sample ``at``, and every ``period`` samples after it."""

    at: int
    key: Literal["fault", "sensor_fault"]
    value: str
    period: int | None = None

    def due(self, at: int) -> bool:
        return at == self.at or bool(self.period and at > self.at and (at - self.at) % self.period == 0)

    def after(self, at: int) -> int:
        """The next sample after ``at`` at which it is due; far away where it never is again."""
        if at < self.at:
            return self.at
        return at + self.period - (at - self.at) % self.period if self.period else 2**62

    def apply(self, fan: Fan) -> None:
        setattr(fan, self.key, self.value)


def _events(config: FanConfig, rate_hz: float) -> tuple[_Event, ...]:
    if config.schedule:
        ends = [round(end * rate_hz) for end in accumulate(phase.for_s for phase in config.schedule)]
        starts = [0, *ends[:-1]]
        phases = zip(starts, config.schedule, strict=True)
        faults = [_Event(at, "fault", phase.fault, ends[-1] or None) for at, phase in phases]
    else:
        faults = list(_for_a_while("fault", config.fault, config.fault_at_s, config.fault_for_s, rate_hz))
    sensor = _for_a_while("sensor_fault", config.sensor_fault, config.sensor_fault_at_s,
                          config.sensor_fault_for_s, rate_hz)  # fmt: skip
    return (*faults, *sensor)


def _for_a_while(
    key: Literal["fault", "sensor_fault"], value: str, at_s: float, for_s: float | None, rate_hz: float
) -> Iterator[_Event]:
    if value == "none":
        return  # nothing is scheduled: whoever drives the fan does
    at = round(at_s * rate_hz)
    if at:
        yield _Event(0, key, "none")
    yield _Event(at, key, value)
    if for_s:
        yield _Event(at + max(1, round(for_s * rate_hz)), key, "none")


def _axes(channels: tuple[str, ...]) -> tuple[list[int], Floats]:
    """Which of x, y, z each channel is, and what 1 g is in its unit."""
    scales = {"g": 1.0, "mg": 1000.0, "mps2": 9.80665}
    known = {f"a{axis}_{unit}": (i, scale) for i, axis in enumerate("xyz") for unit, scale in scales.items()}
    other = [channel for channel in channels if channel not in known]
    if other:
        raise CapabilityError(
            f"the synthetic fan has no channel {other[0]}; expected ax, ay, az in g, mg or mps2: "
            "channels: [ax_g, ay_g, az_g]"
        )
    return [known[channel][0] for channel in channels], np.array([known[channel][1] for channel in channels])


def _resonators(rate_hz: float) -> tuple[Floats, Floats, Floats]:
    """Two-pole filters y[n] = first·y[n-1] + second·y[n-2] + gain·x[n], [bands, 1] each, that make rms 1 of rms 1.

    A band that this rate cannot carry is silent. The variance of such a process: Box & Jenkins, Time Series Analysis.
    """
    centre, width = np.array(BANDS_HZ).T[:, :, None]
    radius = np.exp(-np.pi * width / rate_hz)
    first, second = 2 * radius * np.cos(2 * np.pi * centre / rate_hz), -(radius**2)
    variance = (1 - second) / ((1 + second) * ((1 - second) ** 2 - first**2))
    return first, second, np.where(centre < 0.45 * rate_hz, 1 / np.sqrt(variance), 0.0)
