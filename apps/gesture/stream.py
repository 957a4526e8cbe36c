"""A long stream of gestures and of what else a hand does, and what to make of a run over it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from apps.gesture.augment import Generator, from_recordings, in_rest, rotation, stirring, walking, waving
from apps.gesture.data import AXES, LABELS, RANGE_G, RATE, Floats, Recordings

REPORTED_WITHIN_S = 1.0
REST_S = (0.5, 4.0)
KINDS = ("gesture", "other gesture", "hand", "walking")
SHARES = (0.35, 0.15, 0.4, 0.1)


@dataclass(frozen=True)
class Said:
    """One gesture in the stream: from, to in s, and its label."""

    begin: float
    end: float
    label: str


@dataclass(frozen=True)
class Stream:
    """[N, 6] at 119 Hz, the gestures in it, and how many other movements."""

    motion: Floats
    gestures: tuple[Said, ...]
    others: int


def made(known: Recordings, minutes: float, rng: Generator) -> Stream:
    """Rests, reorientations of the hand, walking, other movements, and the recordings as they are, in random order."""
    parts, gestures, others, at = [], [], 0, 0
    down = np.array([0.0, 0.0, 1.0])
    while at < minutes * 60 * RATE:
        kind = str(rng.choice(KINDS, p=SHARES))
        index = int(rng.integers(len(known)))
        movement = _movement(kind, known, index, rng)
        lead, down = lead_in(down, movement, rng)
        if kind == "gesture":
            begin = (at + len(lead)) / RATE
            gestures.append(Said(begin, begin + len(movement) / RATE, LABELS[known.labels[index]]))
        else:
            others += 1
        parts += [lead, movement]
        at += len(lead) + len(movement)
    motion = np.concatenate([*parts, _rest(down, rng)])
    motion += np.repeat([0.01, 0.8], 3) * rng.standard_normal(motion.shape)
    np.clip(motion[:, :3], -RANGE_G, RANGE_G, out=motion[:, :3])
    return Stream(motion.astype(np.float32), tuple(gestures), others)


def lead_in(
    down: Floats, movement: Floats, rng: Generator, rest_s: tuple[float, float] = REST_S
) -> tuple[Floats, Floats]:
    """What the hand does before a movement: rest, turn to where it begins, rest; and where down is at its end.

    Args:
        down: where gravity pulls in the sensor's frame, as a unit vector.
        rest_s: the shortest and longest rest.
    """
    begins = _gravity(movement[:20])
    lead = np.concatenate([_rest(down, rng, rest_s), _turning(down, begins, rng), _rest(begins, rng, rest_s)])
    return lead, _gravity(movement[-20:])


def _movement(kind: str, known: Recordings, index: int, rng: Generator) -> Floats:
    if kind == "gesture":
        return in_rest(known.motion[index], rng)
    if kind == "other gesture":
        return in_rest(from_recordings(known, rng), rng)
    if kind == "walking":
        return in_rest(walking(rng.uniform(5, 30), rng), rng)
    source = waving if rng.random() < 2 / 3 else stirring
    return in_rest(source(rng.uniform(0.4, 2.4), rng), rng)


def _gravity(motion: Floats) -> Floats:
    mean = motion[:, :3].mean(axis=0)
    direction: Floats = mean / max(float(np.linalg.norm(mean)), 1e-6)
    return direction


def _rest(down: Floats, rng: Generator, rest_s: tuple[float, float] = REST_S) -> Floats:
    """A held hand: gravity, and a tremor of 8 to 12 Hz."""
    count = round(rng.uniform(*rest_s) * RATE)
    rest = np.zeros((count, AXES))
    rest[:, :3] = down
    wave = np.sin(2 * np.pi * rng.uniform(8, 12) * np.arange(count) / RATE)[:, None]
    rest += wave * np.repeat([0.01, 1.5], 3) * rng.standard_normal(AXES)
    return rest


def _turning(begin: Floats, end: Floats, rng: Generator) -> Floats:
    """The hand turns so that gravity goes from one direction in the sensor's frame to another, the shortest way."""
    axis = np.cross(end, begin)  # the sensor turns against gravity
    sine, cosine = float(np.linalg.norm(axis)), float(begin @ end)
    if sine < 1e-6:
        return np.empty((0, AXES))
    angle, axis = np.arctan2(sine, cosine), axis / sine
    count = round(rng.uniform(0.3, 1.5) * RATE)
    share = 0.5 - 0.5 * np.cos(np.pi * np.arange(count + 1) / count)
    turned = np.stack([begin @ rotation(np.degrees(angle) * s * axis) for s in share[:-1]])
    rates = np.degrees(angle) * np.diff(share)[:, None] * RATE * axis
    return np.concatenate([turned, rates], axis=1)


def judge(stream: Stream, found: Sequence[tuple[float, str]]) -> dict[str, Any]:
    """Right, missed and wrong gestures, and false alarms, of results (stream time in s, label).

    A gesture counts once: what is reported of it again is a false alarm.
    """
    hours = len(stream.motion) / RATE / 3600
    left = list(stream.gestures)
    right = wrong = alarms = 0
    for t, label in found:
        near = [one for one in left if one.begin <= t <= one.end + REPORTED_WITHIN_S]
        if not near:
            alarms += 1
            continue
        told = next((one for one in near if one.label == label), near[0])
        left.remove(told)
        right += told.label == label
        wrong += told.label != label
    count = len(stream.gestures)
    return {
        "hours": round(hours, 3),
        "gestures": count,
        "other_movements": stream.others,
        "right": right,
        "wrong": wrong,
        "missed_share": round((count - right - wrong) / count, 4),
        "wrong_share": round(wrong / count, 4),
        "false_alarms_per_hour": round(alarms / hours, 1),
    }
