"""Golden vectors of features: what Python gives, and the bits that C gives on every machine.

``python -m tests.mfcc_golden`` writes tests/data/mfcc_golden.npz, which C must then equal to the bit everywhere.
"""

from __future__ import annotations

import tempfile
import wave
from pathlib import Path
from typing import Any

import numpy as np

from hal.rt.features import Tables, tables
from pipelines.core import Frame, Signal
from pipelines.resources import bundled
from pipelines.transforms._log import Log
from pipelines.transforms.log_mel import LogMel
from pipelines.transforms.mfcc import Mfcc
from pipelines.transforms.window import Window

FILE = Path(__file__).parent / "data" / "mfcc_golden.npz"
RATE_HZ = 16000
RECIPES: dict[str, tuple[float, LogMel.Config]] = {  # length of the window in ms, and the features
    "kws": (1000, Mfcc.Config(window_ms=30, hop_ms=20, mels=40, fmin_hz=0, fmax_hz=4000, coefficients=10)),
    "ds_cnn": (1000, Mfcc.Config(window_ms=40, hop_ms=20, spectrum="magnitude", fmin_hz=20, fmax_hz=4000)),
    "db": (100, LogMel.Config(window_samples=251, hop_ms=10, mels=20, scale="slaney", norm="slaney",
                              log=Log(unit="db", offset=0, floor=1e-9))),
    "mel": (100, LogMel.Config(window_ms=10, hop_ms=10, fft=2048, mels=32, triangles="mel", fmin_hz=100)),
}  # fmt: skip


def recording() -> np.ndarray:
    """samples/kws.wav, int16 at 16 kHz."""
    return samples_of(bundled() / "samples" / "kws.wav")


def samples_of(path: Path) -> np.ndarray:
    """A sound file's int16."""
    with wave.open(str(path)) as file:
        return np.frombuffer(file.readframes(file.getnframes()), "<i2")


def windows() -> np.ndarray:
    """int16 ``[n, 16000]``: words out of the recording, silence, the loudest square wave, a faint and a loud tone."""
    sound, n = recording(), np.arange(RATE_HZ)
    words = [sound[at : at + RATE_HZ] for at in (8000, 53_117)]
    square = np.where(n // 37 % 2, 32767, -32768)
    faint, loud = (np.round(level * np.sin(2 * np.pi * 1234.5 * n / RATE_HZ)) for level in (3, 32000))
    return np.array([*words, 0 * n, square, faint, loud], np.int16)


def tables_of(name: str) -> Tables:
    """The recipe's tables in C."""
    length_ms, features = RECIPES[name]
    return tables(Window.Config(length_ms=length_ms, hop_ms=100), features, RATE_HZ, name)


def step_of(name: str) -> tuple[Any, int]:
    """The recipe's step in Python, resolved, and its window's length in samples."""
    length_ms, features = RECIPES[name]
    step = Mfcc(features) if isinstance(features, Mfcc.Config) else LogMel(features)
    length = round(length_ms * RATE_HZ / 1000)
    step.resolve(Signal((length,), "float32", RATE_HZ, "audio"))
    return step, length


def hop_of(name: str) -> int:
    """Samples from one analysis frame to the next."""
    features = RECIPES[name][1]
    return features.hop_samples or round((features.hop_ms or 0) * RATE_HZ / 1000)


def in_python(name: str) -> np.ndarray:
    """Features ``[n, frames, bands]`` of all windows."""
    step, length = step_of(name)
    return np.array([next(iter(step.process(Frame(np.float32(window[:length]) / 32768, 0.0, 0)))).array.copy()
                     for window in windows()])  # fmt: skip


def in_c(name: str, *flags: str, compiler: str = "cc") -> np.ndarray:
    """The same by firmware/core/eiq_mfcc.c, with these flags."""
    from tests.board_features import frames

    length = step_of(name)[1]
    with tempfile.TemporaryDirectory() as folder:
        call = frames(tables_of(name), Path(folder), *flags, compiler=compiler)
        return np.array([call(window[:length], hop_of(name)) for window in windows()])


if __name__ == "__main__":
    np.savez_compressed(FILE, **{f"{name}_python": in_python(name) for name in RECIPES},
                        **{f"{name}_bits": in_c(name).view(np.uint32) for name in RECIPES})  # fmt: skip
