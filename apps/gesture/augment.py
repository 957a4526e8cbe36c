"""Other hands, made of one: every recording varied, laid into rest, and everything that is no gesture."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from apps.gesture.data import AXES, LENGTH, NONE, RANGE_G, RATE, Floats, Integers, Recordings, longest, movements

Generator = np.random.Generator
EXCHANGES = ((1, 2, 0), (2, 0, 1), (1, 0, 2), (2, 1, 0))


@dataclass(frozen=True)
class Hands:
    """How far other hands may differ; 0 is not at all.

    Args:
        turn_deg: deviation of the sensor's orientation about each axis.
        speed: deviation of ln(speed) of the whole movement; rates go with it, accelerations with its square.
        warp: how unevenly it runs: 0.3 makes parts 30 % faster or slower.
        gain: deviation of ln(amplitude), of the accelerometer and the gyroscope each.
        bias_g, bias_dps: deviation of the sensors' zero.
        noise_g, noise_dps: deviation of their noise.
        cut: share that may be missing at the beginning, and twice that at the end.
        drift_dps: deviation of a slow turning that the hand adds.
    """

    turn_deg: float = 25.0
    speed: float = 0.3
    warp: float = 0.4
    gain: float = 0.35
    bias_g: float = 0.04
    bias_dps: float = 4.0
    noise_g: float = 0.03
    noise_dps: float = 3.0
    cut: float = 0.12
    drift_dps: float = 25.0


PLAIN = Hands(*[0.0] * 10)


def varied(motion: Floats, hands: Hands, rng: Generator) -> Floats:
    """One recording as another hand might have done it; another length, too."""
    first = int(rng.uniform(0, hands.cut) * len(motion))
    motion = motion[first : len(motion) - int(rng.uniform(0, 2 * hands.cut) * len(motion))]
    speed = float(np.exp(hands.speed * rng.standard_normal()))
    made = played(motion, speed, hands.warp, rng)
    gravity = made[:, :3].mean(axis=0)
    gains = np.exp(hands.gain * rng.standard_normal(2))
    made[:, :3] = gravity + (made[:, :3] - gravity) * gains[0]
    made[:, 3:] *= gains[1]
    made[:, 3:] += hands.drift_dps * _slow(len(made), 3, 1.0, rng)
    made = made @ both(rotation(hands.turn_deg * rng.standard_normal(3)))
    made += np.repeat([hands.bias_g, hands.bias_dps], 3) * rng.standard_normal(AXES)
    made += np.repeat([hands.noise_g, hands.noise_dps], 3) * rng.standard_normal(made.shape)
    np.clip(made[:, :3], -RANGE_G, RANGE_G, out=made[:, :3])
    return made.astype(np.float32)


def played(motion: Floats, speed: float, warp: float, rng: Generator) -> Floats:
    """At another, changing speed; kinematics go along: rates by the speed, accelerations by its square."""
    count = max(8, round(len(motion) / speed))
    pace = np.exp(warp * _slow(count, 1, 1.5, rng)[:, 0])
    places = np.concatenate(([0.0], np.cumsum(pace)[:-1]))
    places *= (len(motion) - 1) / places[-1]
    made = np.stack([np.interp(places, np.arange(len(motion)), motion[:, axis]) for axis in range(AXES)], axis=1)
    local = np.gradient(places)[:, None]
    gravity = made[:, :3].mean(axis=0)
    made[:, :3] = gravity + (made[:, :3] - gravity) * local**2
    made[:, 3:] *= local
    return made


def _slow(count: int, channels: int, cycles: float, rng: Generator) -> Floats:
    """[count, channels] of deviation about 1: three sines of up to ``2 * cycles`` cycles over the whole."""
    at = np.linspace(0, 1, count)[:, None, None]
    waves = np.sin(2 * np.pi * (rng.uniform(0.3, 2 * cycles, (channels, 3)) * at + rng.random((channels, 3))))
    total: Floats = (waves * rng.standard_normal((channels, 3))).sum(axis=2) * np.sqrt(2 / 3)
    return total


def rotation(degrees: Floats) -> Floats:
    """[3, 3] of a turn by a rotation vector (Rodrigues)."""
    vector = np.radians(degrees)
    angle = float(np.linalg.norm(vector))
    if angle == 0:
        return np.eye(3)
    x, y, z = vector / angle
    k = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    made: Floats = np.eye(3) + np.sin(angle) * k + (1 - np.cos(angle)) * k @ k
    return made


def both(turn: Floats) -> Floats:
    """[6, 6]: accelerometer and gyroscope turned alike."""
    made = np.zeros((AXES, AXES))
    made[:3, :3] = made[3:, 3:] = turn
    return made


def in_rest(motion: Floats, rng: Generator, ramp_s: tuple[float, float] = (0.05, 0.2)) -> Floats:
    """A recording between 0.5 s of rest on either side.

    The recordings begin where a threshold was passed, and end after 119 samples, come what may; a hand comes from rest
    and goes to it: a ramp of random length on either side.
    """
    gravity = motion[:, :3].mean(axis=0)
    rest = np.zeros(AXES)
    rest[:3] = gravity / max(float(np.linalg.norm(gravity)), 1e-6)
    still = round(0.5 * RATE)
    parts = [np.tile(rest, (still, 1)), _ramp(rest, motion[0], ramp_s, rng), motion,
             _ramp(motion[-1], rest, ramp_s, rng), np.tile(rest, (still, 1))]  # fmt: skip
    made = np.concatenate(parts)
    made += np.repeat([0.01, 0.8], 3) * rng.standard_normal(made.shape)
    return made.astype(np.float32)


def _ramp(begin: Floats, end: Floats, length_s: tuple[float, float], rng: Generator) -> Floats:
    count = max(2, round(rng.uniform(*length_s) * RATE))
    share = (0.5 - 0.5 * np.cos(np.pi * np.arange(1, count) / count))[:, None]
    made: Floats = begin + (end - begin) * share
    return made


def gesture(motion: Floats, hands: Hands, rng: Generator) -> Floats | None:
    """The movement that ``segment`` makes of a varied recording; None where it finds none."""
    return longest(movements(in_rest(varied(motion, hands, rng), rng)))


# ---- what is no gesture --------------------------------------------------------------------------------------------


def walking(seconds: float, rng: Generator) -> Floats:
    """Steps at 1.4 to 2.4 Hz with harmonics and a swinging arm, about a random orientation."""
    count = round(seconds * RATE)
    t = np.arange(count) / RATE
    pace = rng.uniform(1.4, 2.4) * (t + 0.02 * _slow(count, 1, 3, rng)[:, 0])
    made = np.zeros((count, AXES))
    for axis in range(AXES):
        for harmonic, size in ((0.5, 0.6), (1, 1.0), (2, 0.6), (3, 0.3)):
            made[:, axis] += size * rng.standard_normal() * np.sin(2 * np.pi * (harmonic * pace + rng.random()))
    made *= np.repeat([rng.uniform(0.1, 0.6), rng.uniform(15, 90)], 3)
    made[:, :3] += _direction(rng)
    return made


def waving(seconds: float, rng: Generator) -> Floats:
    """A hand that moves at random: the orientation turns smoothly, gravity with it, and forces come on top."""
    count = round(seconds * RATE)
    rates = rng.uniform(40, 250) * _slow(count, 3, rng.uniform(0.5, 3) * seconds, rng)
    envelope = np.sin(np.pi * np.linspace(0, 1, count)[:, None]) ** rng.uniform(0.2, 1.5)
    rates *= envelope
    gravity = np.empty((count, 3))
    down = _direction(rng)
    for i in range(count):
        down = down - np.cross(np.radians(rates[i]) / RATE, down)
        gravity[i] = down / np.linalg.norm(down)
    force = rng.uniform(0.1, 1.8) * _slow(count, 3, rng.uniform(0.5, 3) * seconds, rng) * envelope
    return np.concatenate([gravity + force, rates], axis=1)


def stirring(seconds: float, rng: Generator) -> Floats:
    """Shaking, stirring and swinging: one frequency, one plane."""
    count = round(seconds * RATE)
    t = np.arange(count) / RATE
    angle = 2 * np.pi * (rng.uniform(0.8, 6) * t + rng.random())
    envelope = np.sin(np.pi * np.linspace(0, 1, count)[:, None]) ** 0.5
    wave = np.stack([np.sin(angle), np.cos(angle)], axis=1)
    made = np.concatenate([wave @ rng.standard_normal((2, 3)) * rng.uniform(0.1, 1.5),
                           wave @ rng.standard_normal((2, 3)) * rng.uniform(20, 250)], axis=1) * envelope  # fmt: skip
    made[:, :3] += _direction(rng)
    return made


def _direction(rng: Generator) -> Floats:
    vector = rng.standard_normal(3)
    made: Floats = vector / np.linalg.norm(vector)
    return made


def from_recordings(known: Recordings, rng: Generator) -> Floats:
    """What is no gesture any more: a fragment, two halves of two, one backwards, one with axes exchanged, two mixed."""
    first = int(rng.integers(len(known)))
    second = int(rng.choice(np.flatnonzero(known.labels != known.labels[first])))
    one, other = known.motion[first].astype(np.float64), known.motion[second].astype(np.float64)
    made: Floats
    match int(rng.integers(5)):
        case 0:
            begin = int(rng.integers(0, LENGTH - 62))
            made = one[begin : begin + int(rng.integers(35, 62))]
        case 1:
            share = np.clip((np.arange(LENGTH) - rng.integers(39, 69)) / 12, 0, 1)[:, None]
            made = one * (1 - share) + other * share
        case 2:
            made = one[::-1] * np.repeat([1.0, -1.0], 3)  # what turned right turns left
        case 3:
            turn = np.eye(3)[list(EXCHANGES[rng.integers(len(EXCHANGES))])] * rng.choice([-1.0, 1.0], 3)
            made = one @ both(turn)
        case _:
            made = 0.5 * one + 0.5 * other[::-1]
    return made


def no_gesture(known: Recordings, hands: Hands, rng: Generator) -> Floats | None:
    """A movement that is none of the gestures, as ``segment`` finds it; None where it finds none."""
    kind = rng.random()
    if kind < 0.5:
        made = varied(from_recordings(known, rng), hands, rng)
    else:
        source = (walking, waving, waving, stirring)[rng.integers(4)]
        made = source(rng.uniform(0.4, 2.2), rng)
        np.clip(made[:, :3], -RANGE_G, RANGE_G, out=made[:, :3])
    return longest(movements(in_rest(made, rng)))


def bank(known: Recordings, hands: Hands, per_class: int, none: int, rng: Generator) -> tuple[list[Floats], Integers]:
    """So many movements of each gesture and of none, in random order, with their labels."""
    found: list[Floats] = []
    labels: list[int] = []
    for label in range(NONE):
        mine = known.motion[known.labels == label]
        for i in range(per_class):
            if (one := gesture(mine[i % len(mine)], hands, rng)) is not None:
                found.append(one)
                labels.append(label)
    for _ in range(none):
        if (one := no_gesture(known, hands, rng)) is not None:
            found.append(one)
            labels.append(NONE)
    order = rng.permutation(len(labels))
    return [found[i] for i in order], np.array(labels)[order]
