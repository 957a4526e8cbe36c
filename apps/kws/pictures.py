"""Log-mel pictures: the training data's format, and the same features from audio and from pictures.

A picture is 98 frames of 30 ms every 10 ms at 16 kHz (rows) by 40 HTK mel bands to 4000 Hz (columns), uint8:
``pixel = clip(10.06 * ln(P + 1e-6) + 146.5, 0, 255)``, P being the band's power. Every second row is a frame every
20 ms, and a DCT-II of 49 such rows gives the model's [49, 10] MFCCs. Needs numpy alone.
"""

from __future__ import annotations

import io
import lzma
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipelines.errors import DataError

Floats = NDArray[np.float32]
Pixels = NDArray[np.uint8]
Integers = NDArray[np.int64]

LABELS = ("down", "go", "left", "no", "off", "on", "right", "stop", "up", "yes", "silence", "unknown")
KEYWORDS = LABELS[:10]
SILENCE, UNKNOWN = 10, 11
RATE = 16000
ROWS, BANDS, FRAMES, COEFFICIENTS = 98, 40, 49, 10
WINDOW, HOP, FFT = 480, 160, 512
TOP_HZ = 4000.0
FLOOR = 1e-6
GAIN, OFFSET = 10.06, 146.5  # pixel = GAIN * ln(P + FLOOR) + OFFSET: fitted by those who made the data (its README)


@dataclass(frozen=True)
class Bank:
    """Pictures with their labels.

    Args:
        pixels: [N, 98, 40] uint8.
        labels: [N], an index into LABELS.
    """

    pixels: Pixels
    labels: Integers

    def __len__(self) -> int:
        return len(self.labels)

    def only(self, chosen: NDArray[Any]) -> Bank:
        """Those that a mask or index array of N chooses."""
        return Bank(self.pixels[chosen], self.labels[chosen])

    def joined(self, other: Bank) -> Bank:
        """Both, one after the other."""
        return Bank(np.concatenate([self.pixels, other.pixels]), np.concatenate([self.labels, other.labels]))


def load(path: Path) -> tuple[Bank, Bank]:
    """The training and the validation split of ``train_spectrograms.npz.xz`` (36,485 and 4,387 pictures).

    Raises:
        DataError: the file is not there, or not what it should be.
    """
    try:
        stored = np.load(io.BytesIO(lzma.decompress(path.read_bytes())))
    except (OSError, lzma.LZMAError, ValueError) as error:
        wanted = "an .npz of delta, label and split, packed with xz (thegtagamer/PICO-tinyML-benchmark has it)"
        raise DataError(f"cannot read {path} ({error}), expected {wanted}") from error
    bank = Bank(np.cumsum(stored["delta"], axis=1, dtype=np.uint8), stored["label"].astype(np.int64))
    return bank.only(stored["split"] == 0), bank.only(stored["split"] == 1)


@cache
def mel_weights() -> Floats:
    """[257, 40] triangles between HTK mel points, 0 to 4000 Hz, linear in Hz, peak 1 (librosa: htk=True, norm=None)."""
    points = 700.0 * (10.0 ** (np.linspace(0.0, 2595.0 * np.log10(1.0 + TOP_HZ / 700.0), BANDS + 2) / 2595.0) - 1.0)
    low, centre, high = points[:-2], points[1:-1], points[2:]
    hz = np.arange(FFT // 2 + 1)[:, None] * RATE / FFT
    triangles: Floats = np.maximum(0, np.minimum((hz - low) / (centre - low), (high - hz) / (high - centre)))
    return triangles.astype(np.float32)


@cache
def dct() -> Floats:
    """[40, 10]: DCT-II times sqrt(2 / 40), the first ten coefficients."""
    band = np.arange(BANDS)[:, None] + 0.5
    table: Floats = np.sqrt(2.0 / BANDS) * np.cos(np.pi / BANDS * band * np.arange(COEFFICIENTS))
    return table.astype(np.float32)


def power_of_audio(audio: NDArray[Any], hop: int = HOP) -> Floats:
    """[frames, 40] mel power of float audio in [-1, 1) at 16 kHz; one frame every ``hop`` samples, no padding."""
    window = np.hanning(WINDOW + 1)[:-1]
    frames = np.lib.stride_tricks.sliding_window_view(audio, WINDOW)[::hop] * window
    spectrum = np.abs(np.fft.rfft(frames, FFT)) ** 2
    power: Floats = spectrum.astype(np.float32) @ mel_weights()
    return power


def pixels_of_audio(audio: NDArray[Any]) -> Pixels:
    """[frames, 40] uint8 picture of float audio at 16 kHz."""
    pixels = GAIN * np.log(power_of_audio(audio) + FLOOR) + OFFSET
    return np.asarray(np.clip(np.rint(pixels), 0, 255), dtype=np.uint8)


def log_power(pixels: NDArray[Any]) -> Floats:
    """ln(P + 1e-6) from pixels, same shape."""
    return (pixels.astype(np.float32) - np.float32(OFFSET)) / np.float32(GAIN)


def mfcc(log_powers: Floats) -> Floats:
    """[..., 40] ln(P + 1e-6) to [..., 10] coefficients."""
    coefficients: Floats = log_powers @ dct()
    return coefficients


def features_of_pictures(pixels: Pixels, phase: int = 0) -> Floats:
    """[N, 98, 40] pictures to [N, 49, 10] MFCCs: every second row, from row ``phase`` (0 or 1)."""
    return mfcc(log_power(pixels[:, phase::2][:, :FRAMES]))


def extents(pixels: Pixels) -> Integers:
    """[N, 2]: where the sound in each [98, 40] picture begins and ends (rows; the end is exclusive).

    A row belongs to it where its mean pixel exceeds the quietest tenth's by over a third of the loudest's lead.
    """
    level = pixels.mean(axis=2)
    quiet = np.quantile(level, 0.1, axis=1)[:, None]
    loud = level > quiet + (level.max(axis=1)[:, None] - quiet) / 3
    return np.stack([loud.argmax(axis=1), ROWS - loud[:, ::-1].argmax(axis=1)], axis=1)
