"""Small whole demos for the command line: real files, a model of one operator, and answers that are known."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import wave
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from click.testing import CliRunner

import tiny_models
from apps.cli.main import main

COLOURS = """\
title: Colours
sensor: {camera: {file: pictures}}
preprocess:
  - resize: {width_px: 1, height_px: 1}
  - scale: {from: [0, 255], to: [0, 1]}
engine: {model: same.tflite, labels: [red, green, blue]}
postprocess:
  - top: {threshold: 0.5}
"""
LOUD = """\
title: Loud
sensor: {microphone: {file: clicks.wav, rate_hz: 8000, pace: fast}}
preprocess:
  - window: {length_ms: 10, hop_ms: 10}
engine: {model: same80.tflite}
postprocess:
  - threshold: {above: 0.5, of: 0, label: loud, cleared: quiet}
"""


def colours(folder: Path) -> Path:
    """A demo that answers blue, green, red (the order of the files' names) at t = 0, 1, 2."""
    import cv2

    (folder / "pictures").mkdir()
    for place, name in enumerate(("blue", "green", "red")):
        picture = np.zeros((4, 4, 3), np.uint8)
        picture[..., place] = 200  # OpenCV writes b, g, r
        cv2.imwrite(str(folder / f"pictures/{name}.png"), picture)
    (folder / "same.tflite").write_bytes(tiny_models.copy("float32", (1, 3)))
    return _written(folder / "colours.yaml", COLOURS)


def loud(folder: Path) -> Path:
    """A demo on one second of sound that answers loud, quiet at the windows that end at 0.11 s and 0.12 s."""
    samples = np.zeros(8000, np.int16)
    samples[800:880] = 30000
    sound(folder / "clicks.wav", samples)
    (folder / "same80.tflite").write_bytes(tiny_models.copy("float32", (1, 80)))
    return _written(folder / "loud.yaml", LOUD)


def sound(path: Path, samples: np.ndarray, rate_hz: int = 8000) -> Path:
    """16-bit WAV of ``[samples]`` or ``[samples, channels]``."""
    with wave.open(str(path), "wb") as file:
        file.setparams((1 if samples.ndim == 1 else samples.shape[1], 2, rate_hz, 0, "NONE", ""))
        file.writeframes(samples.astype("<i2").tobytes())
    return path


def command(*arguments: str | Path) -> list[str]:
    """The real command line, for subprocess."""
    return [sys.executable, "-m", "apps.cli", *map(str, arguments)]


def eiq_demo(*arguments: str | Path, cwd: Path | None = None, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run it to its end, as a user does."""
    return subprocess.run(
        command(*arguments),
        cwd=cwd,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        errors="replace",
        timeout=60,
        check=False,
    )


def started(*arguments: str | Path) -> subprocess.Popen[str]:
    """Start it with its output in pipes."""
    return subprocess.Popen(command(*arguments), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def in_process(*arguments: str | Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    """The same without a process of its own, a hundred times faster; a traceback is raised as what it is."""
    with contextlib.chdir(cwd):
        result = CliRunner().invoke(main, [*map(str, arguments)], prog_name="eiq-demo")
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return subprocess.CompletedProcess(arguments, result.exit_code, result.stdout, result.stderr)


def quickest(took_s: Callable[[], float], within_s: float, tries: int = 5) -> float:
    """The least of so many, or the first within the time: a busy machine adds to a time, and never takes from it."""
    times: list[float] = []
    while len(times) < tries and (not times or times[-1] > within_s):
        times.append(took_s())
    return min(times)


def says(text: str, phrases: Sequence[str]) -> None:
    """Every phrase is there, and no traceback."""
    assert "Traceback" not in text, text
    for phrase in phrases:
        assert phrase in text, f"{phrase!r} is not in:\n{text}"


def _written(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path
