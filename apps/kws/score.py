"""Scores ``kws.yaml`` on continuous sound: ``python -m apps.kws.score --data DIR``. Single clips: eiq-demo evaluate.

DIR holds the official test split of Speech Commands v0.02 (12 classes) as WAV: ``DIR/<word>/*.wav``, ``_silence_`` and
``_unknown_`` with or without underscores. An hour of continuous sound is built out of them, and the config runs over it
as ``eiq-demo run`` does. Prints JSON.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import wave
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from apps.kws import stream
from apps.kws.pictures import LABELS, RATE, Bank, pixels_of_audio
from apps.reports import reports
from apps.script import run as run_script
from pipelines.errors import DataError

Audio = NDArray[np.float32]


@dataclass(frozen=True)
class Clips:
    """Test clips: each [16000] float32 in [-1, 1), its label an index into LABELS."""

    audio: list[Audio]
    labels: NDArray[np.int64]


def read_clips(folder: Path, limit: int | None = None) -> Clips:
    """All clips (or the first ``limit`` a class, by name), shorter ones filled up with silence at their end.

    Raises:
        DataError: a class has no clips there.
    """
    audio: list[Audio] = []
    labels: list[int] = []
    for index, label in enumerate(LABELS):
        paths = sorted([*folder.glob(f"{label}/*.wav"), *folder.glob(f"_{label}_/*.wav")])[:limit]
        if not paths:
            raise DataError(f"{folder} has no clips of {label!r}; expected {folder}/{label}/*.wav")
        audio += [_read(path) for path in paths]
        labels += [index] * len(paths)
    return Clips(audio, np.array(labels))


def _read(path: Path) -> Audio:
    with wave.open(str(path)) as file:
        if (file.getframerate(), file.getnchannels(), file.getsampwidth()) != (RATE, 1, 2):
            raise DataError(f"{path} is not 16 kHz mono s16")
        samples = np.frombuffer(file.readframes(RATE), "<i2").astype(np.float32) / 32768
    return np.pad(samples, (0, RATE - len(samples)))


def score_stream(clips: Clips, config: str, minutes: float, seed: int, sets: tuple[str, ...] = ()) -> dict[str, Any]:
    """Misses, false alarms and delays of a config over a stream made of the clips."""
    bank = Bank(np.stack([pixels_of_audio(clip) for clip in clips.audio]), clips.labels)
    plan = stream.plan(bank, minutes, np.random.default_rng(seed))
    with tempfile.TemporaryDirectory() as folder:
        recording = Path(folder) / "stream.wav"
        write_wav(recording, stream.render_audio(plan, clips.audio))
        verdict = stream.judge(plan, reports(config, recording, sets))
    return {
        "fillers": len(plan.words) - verdict.words,
        **verdict.summary(),
        "missed": verdict.missed,
        "false_alarms": verdict.alarms,
    }


def write_wav(path: Path, audio: Audio) -> None:
    """16 kHz mono s16."""
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, RATE, 0, "NONE", ""))
        file.writeframes(np.clip(np.rint(audio * 32768), -32768, 32767).astype("<i2").tobytes())


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m apps.kws.score", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder of one folder of WAV per class")
    parser.add_argument("--limit", type=int, help="so many clips a class")
    parser.add_argument("--config", default="kws.yaml", help="what runs over it")
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--set", action="append", default=[], help="override one key of the config")
    options = parser.parse_args()
    clips = read_clips(options.data, options.limit)
    result = score_stream(clips, options.config, options.minutes, options.seed, tuple(options.set))
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    run_script(main)
