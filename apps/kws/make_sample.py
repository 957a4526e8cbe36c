"""Speaks ``samples/kws.wav``: ``python -m apps.kws.make_sample --seed N``, or ``--search M`` to find the first good N.

espeak-ng's voices of SAMPLE_VOICES (never heard in training) say some of the ten words, other words and sentences, in
soft background noise. The seed draws the voices, their speed and pitch, the order and the pauses; the same seed and the
same version of espeak-ng give the same file. ``--search`` takes seeds from 1 on until the model, through ``kws.yaml``,
reports each keyword once, in time, and nothing else.
"""

from __future__ import annotations

import argparse
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from apps.kws import synthesis
from apps.kws.pictures import KEYWORDS, RATE
from apps.kws.stream import LATEST_S
from apps.kws.synthesis import Audio, Utterance
from apps.script import run as run_script
from pipelines.errors import DataError

WORDS_SPOKEN = 6
OTHERS = (
    "seven",
    "The train to the city leaves in ten minutes.",
    "marvin",
    "We would like some tea and a piece of cake.",
    "house",
    "Her camera was lying beside the window.",
)
SPEECH_DB, NOISE_DB = -24.0, -58.0  # rms, full scale 0 dB


@dataclass(frozen=True)
class Said:
    """One utterance in the recording: what, by which voice, from when to when in s."""

    text: str
    voice: str
    begin_s: float
    end_s: float

    @property
    def is_keyword(self) -> bool:
        """Whether the model should report it."""
        return self.text in KEYWORDS


def compose(seed: int) -> tuple[Audio, list[Said]]:
    """The recording, float32 at 16 kHz, and what is said in it when."""
    rng = np.random.default_rng(seed)
    texts = [str(word) for word in rng.choice(KEYWORDS, WORDS_SPOKEN, replace=False)]
    for other in rng.choice(OTHERS, 4, replace=False):
        texts.insert(int(rng.integers(1, len(texts) + 1)), str(other))
    pieces: list[Audio] = [_pause(0.7)]
    said: list[Said] = []
    for text in texts:
        voice = f"{rng.choice(synthesis.ACCENTS)}+{rng.choice(synthesis.SAMPLE_VOICES)}"
        audio = synthesis.speak(Utterance(text, voice, int(rng.integers(130, 166)), int(rng.integers(35, 66))))
        begin = sum(len(piece) for piece in pieces) / RATE
        said.append(Said(text, voice, begin, begin + len(audio) / RATE))
        loudness = 10 ** ((SPEECH_DB + rng.uniform(-4, 4)) / 20) / float(np.sqrt(np.mean(audio**2)))
        pieces += [audio * np.float32(loudness), _pause(rng.uniform(0.7, 1.3))]
    speech = np.concatenate(pieces)
    room = synthesis.coloured_noise(len(speech), 1.0, rng) + 0.4 * synthesis.hum(len(speech), rng)
    return np.asarray(speech + 10 ** (NOISE_DB / 20) * room, dtype=np.float32), said


def _pause(seconds: float) -> Audio:
    return np.zeros(round(seconds * RATE), np.float32)


def complaints(reports: list[tuple[float, str]], said: list[Said]) -> list[str]:
    """What the model got wrong, in words; nothing where it reported each keyword once, in time, and nothing else."""
    left = list(reports)
    wrong = []
    for item in (item for item in said if item.is_keyword):
        found = [r for r in left if r[1] == item.text and item.begin_s < r[0] <= item.end_s + LATEST_S]
        if found:
            left.remove(found[0])
        else:
            wrong.append(f"missed {item.text} at {item.begin_s:.1f} s")
    return wrong + [f"false {label} at {t:.1f} s" for t, label in left]


def search(last: int, config: str) -> int:
    """The first seed from 1 to ``last`` on whose recording the model is right; tells of the others.

    Raises:
        DataError: it is right on none.
    """
    from apps.kws.score import write_wav
    from apps.reports import reports

    with tempfile.TemporaryDirectory() as folder:
        for seed in range(1, last + 1):
            audio, said = compose(seed)
            write_wav(Path(folder) / "candidate.wav", audio)
            wrong = complaints(reports(config, Path(folder) / "candidate.wav"), said)
            print(f"seed {seed}: {len(audio) / RATE:.1f} s, {'; '.join(wrong) or 'right'}", flush=True)
            if not wrong and len(audio) < 20 * RATE:
                return seed
    raise DataError(f"the model is right on none of the {last} recordings")


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m apps.kws.make_sample", description=__doc__)
    parser.add_argument("--seed", type=int)
    parser.add_argument("--search", type=int, metavar="M", help="try seeds 1 to M")
    parser.add_argument("--config", default="kws.yaml")
    parser.add_argument("--out", type=Path, default=Path("samples/kws.wav"))
    options = parser.parse_args()
    if (options.seed is None) == (options.search is None):
        parser.error("give either --seed or --search")
    seed = options.seed if options.seed is not None else search(options.search, options.config)
    from apps.kws.score import write_wav

    audio, said = compose(seed)
    write_wav(options.out, audio)
    print(f"{options.out}: seed {seed}, {len(audio) / RATE:.1f} s")
    for item in said:
        print(f"| {item.begin_s:5.2f} | {item.end_s:5.2f} | {item.text} | {item.voice} |")


if __name__ == "__main__":
    run_script(main)
