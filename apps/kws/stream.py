"""An hour of continuous sound out of short clips, with known words at known times, and the judge of a run over it.

One plan serves two renderings: as audio (test clips, for scoring) and as log-mel pictures (validation pictures, of
which no audio is at hand, for choosing thresholds). Times are counted in rows of 10 ms. Needs numpy alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from apps.kws.pictures import BANDS, FLOOR, HOP, LABELS, RATE, ROWS, SILENCE, UNKNOWN, Bank, Floats, extents, log_power

ROW_S = HOP / RATE
LATEST_S = 1.2  # a report later than this after its word's end does not count for it
SCENE_ROWS = 1000


@dataclass(frozen=True, slots=True)
class Placed:
    """A clip in the stream.

    Args:
        clip: its index in the bank.
        label: its class.
        row: of the stream, where the clip's row ``first`` lies.
        first, last: the rows of the clip that sound; outside of them it is cut.
        gain: factor on its power.
        begin_s, end_s: of the word, in s.
    """

    clip: int
    label: int
    row: int
    first: int
    last: int
    gain: float
    begin_s: float
    end_s: float


@dataclass(frozen=True)
class Plan:
    """A stream: words in order of time, and the background's clip and factor on its power for every second."""

    rows: int
    words: tuple[Placed, ...]
    background: tuple[tuple[int, float], ...]

    @property
    def keywords(self) -> list[Placed]:
        """The words that should be reported."""
        return [word for word in self.words if word.label < SILENCE]


def plan(bank: Bank, minutes: float, rng: np.random.Generator) -> Plan:
    """Lone keywords (45 %), keywords inside speech (25 %) and speech without any (30 %), with pauses of 0.3 to 4 s.

    Speech is unknown words back to back, 30 to 200 ms apart. Speakers' levels vary by -15 to +6 dB around the clips'
    median; the background changes every 10 s and lies 15 to 50 dB below that median, or is digital silence (10 %).
    """
    rows = round(minutes * 60 / ROW_S)
    spans = extents(bank.pixels)
    levels = _levels(bank, spans)
    median = float(np.median(levels[bank.labels != SILENCE]))
    keywords, unknown, silence = (
        np.flatnonzero(chosen) for chosen in (bank.labels < SILENCE, bank.labels == UNKNOWN, bank.labels == SILENCE)
    )
    words: list[Placed] = []
    row = 150
    while True:
        for clip, gap in _utterance(keywords, unknown, rng):
            begin, end = (int(edge) for edge in spans[clip])
            first, last = max(0, begin - 6), min(ROWS, end + 6)
            if row + last - first > rows - 200:
                return Plan(rows, tuple(words), _background(rows, levels, silence, median, rng))
            level = median * 10 ** (rng.uniform(-15, 6) / 10)
            span = ((row + begin - first) * ROW_S, (row + end - first) * ROW_S)
            gain = float(level / levels[clip])
            words.append(Placed(int(clip), int(bank.labels[clip]), row, first, last, gain, *span))
            row += last - first + gap
        row += int(rng.integers(30, 400))


def _utterance(
    keywords: NDArray[np.int64], unknown: NDArray[np.int64], rng: np.random.Generator
) -> list[tuple[int, int]]:
    """Clips, and the rows of pause after each."""
    kind = rng.random()
    if kind < 0.45:
        clips = [rng.choice(keywords)]
    elif kind < 0.7:
        clips = [*rng.choice(unknown, rng.integers(1, 4)), rng.choice(keywords), *rng.choice(unknown, rng.integers(3))]
    else:
        clips = [*rng.choice(unknown, rng.integers(4, 13))]
    return [(int(clip), int(rng.integers(3, 21))) for clip in clips]


def _levels(bank: Bank, spans: NDArray[np.int64]) -> NDArray[np.float64]:
    """[N]: mean power of each clip while it sounds (of silence: on the whole)."""
    levels = np.empty(len(bank))
    for index, (begin, end) in enumerate(spans):
        rows = slice(None) if bank.labels[index] == SILENCE else slice(begin, end)
        levels[index] = max(float(_power(bank.pixels[index, rows]).mean()), FLOOR)
    return levels


def _power(pixels: NDArray[np.uint8]) -> Floats:
    return np.maximum(np.exp(log_power(pixels)) - FLOOR, 0)


def _background(
    rows: int, levels: NDArray[np.float64], silence: NDArray[np.int64], median: float, rng: np.random.Generator
) -> tuple[tuple[int, float], ...]:
    seconds: list[tuple[int, float]] = []
    while len(seconds) * ROWS < rows:
        level = median * 10 ** (rng.uniform(-50, -15) / 10) if rng.random() > 0.1 else 0.0
        for clip in rng.choice(silence, SCENE_ROWS // ROWS):
            seconds.append((int(clip), level / float(levels[clip])))
    return tuple(seconds)


def render_pictures(plan: Plan, bank: Bank) -> Floats:
    """[rows, 40] ln(P + 1e-6) of the stream."""
    power = np.zeros((plan.rows + SCENE_ROWS + ROWS, BANDS), np.float32)
    for second, (clip, factor) in enumerate(plan.background):
        power[second * ROWS : (second + 1) * ROWS] += factor * _power(bank.pixels[clip])
    for word in plan.words:
        sound = _power(bank.pixels[word.clip, word.first : word.last])
        power[word.row : word.row + len(sound)] += word.gain * sound
    return np.asarray(np.log(power[: plan.rows] + FLOOR), dtype=np.float32)


def render_audio(plan: Plan, clips: Sequence[NDArray[np.float32]]) -> NDArray[np.float32]:
    """[rows * 160] samples in [-1, 1): the same of clips of 16000 samples; words fade in 10 ms, background in 100."""
    audio = np.zeros((plan.rows + SCENE_ROWS + ROWS) * HOP, np.float32)
    for second, (clip, factor) in enumerate(plan.background):
        start = second * ROWS * HOP
        sound = _faded(clips[clip][: ROWS * HOP], 1600)
        audio[start : start + len(sound)] += np.sqrt(factor) * sound
    for word in plan.words:
        sound = _faded(clips[word.clip][word.first * HOP : word.last * HOP + 320], HOP)
        audio[word.row * HOP : word.row * HOP + len(sound)] += np.sqrt(word.gain) * sound
    return np.asarray(np.clip(audio[: plan.rows * HOP], -1, 32767 / 32768), dtype=np.float32)


def _faded(audio: NDArray[np.float32], samples: int) -> NDArray[np.float32]:
    ramp = np.minimum(1, (np.arange(len(audio)) + 0.5) / samples)
    return np.asarray(audio * np.sqrt(ramp * ramp[::-1]), dtype=np.float32)


@dataclass(frozen=True)
class Verdict:
    """How a run did.

    Args:
        words: how many keywords there were.
        hits: how many were reported in time.
        wrong: reports of another word in a keyword's place.
        false_alarms: all other reports, a word's second report included.
        hours: length of the stream.
        delays_s: from each hit word's end to its report, sorted.
        missed: misses by label.
        alarms: false alarms by label.
    """

    words: int
    hits: int
    wrong: int
    false_alarms: int
    hours: float
    delays_s: tuple[float, ...]
    missed: dict[str, int]
    alarms: dict[str, int]

    @property
    def misses(self) -> int:
        """Keywords that were not reported."""
        return self.words - self.hits

    def delay_s(self, quantile: float) -> float:
        """A quantile of the delays."""
        return float(np.quantile(self.delays_s, quantile)) if self.delays_s else float("nan")

    def summary(self) -> dict[str, float]:
        """The numbers, rounded."""
        return {
            "hours": round(self.hours, 3),
            "keywords": self.words,
            "misses": self.misses,
            "miss_rate": round(self.misses / max(self.words, 1), 4),
            "wrong_words": self.wrong,
            "false_alarms_per_hour": round(self.false_alarms / self.hours, 1),
            "delay_median_s": round(self.delay_s(0.5), 2),
            "delay_p95_s": round(self.delay_s(0.95), 2),
        }


def judge(plan: Plan, reports: Iterable[tuple[float, str]]) -> Verdict:
    """Each report (time in s, label) is a hit of the keyword in whose time it falls, or wrong, or a false alarm."""
    keywords = plan.keywords
    begins = np.array([word.begin_s for word in keywords])
    hit = np.zeros(len(keywords), bool)
    delays, wrong = [], 0
    alarms: dict[str, int] = {}
    for t, label in reports:
        near = [i for i in _near(begins, t) if keywords[i].begin_s < t <= keywords[i].end_s + LATEST_S]
        same = [i for i in near if LABELS[keywords[i].label] == label and not hit[i]]
        if same:
            hit[same[0]] = True
            delays.append(t - keywords[same[0]].end_s)
        elif any(not hit[i] for i in near):
            wrong += 1
        else:
            alarms[label] = alarms.get(label, 0) + 1
    missed: dict[str, int] = {}
    for word in (word for word, was in zip(keywords, hit, strict=True) if not was):
        missed[LABELS[word.label]] = missed.get(LABELS[word.label], 0) + 1
    hours = plan.rows * ROW_S / 3600
    found = int(hit.sum())
    return Verdict(len(keywords), found, wrong, sum(alarms.values()), hours, tuple(sorted(delays)), missed, alarms)


def _near(begins: NDArray[np.float64], t: float) -> range:
    """Indices of the words that begin in the 3 s before ``t``."""
    return range(int(np.searchsorted(begins, t - 3.0)), int(np.searchsorted(begins, t)))
