"""The recipes with the models that they are for."""

from __future__ import annotations

import wave
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipelines.core import Frame, Signal
from pipelines.transforms.log_mel import LogMel
from pipelines.transforms.mfcc import Mfcc

WORDS = ["down", "go", "left", "no", "off", "on", "right", "stop", "up", "yes", "silence", "unknown"]
SECOND = Signal((16000,), "float32", 16000.0, "audio")


def audio(path: Path) -> np.ndarray:
    """A second of 16-bit mono audio, filled up with zeros."""
    with wave.open(str(path)) as file:
        pcm = np.frombuffer(file.readframes(16000), "<i2")
    return np.pad(pcm, (0, 16000 - len(pcm))).astype(np.float32) / 32768


@pytest.fixture
def ds_cnn(shared_data: Path) -> Any:
    """NXP's DS-CNN with its recipe: audio to scores."""
    litert = pytest.importorskip("ai_edge_litert.interpreter")
    interpreter = litert.Interpreter(str(shared_data / "nxp_eiq" / "ds_cnn_s.tflite"))
    interpreter.allocate_tensors()
    mfcc = Mfcc(Mfcc.Config(window_ms=40, hop_ms=20, spectrum="magnitude", fmin_hz=20, fmax_hz=4000))
    assert mfcc.resolve(SECOND).shape == (49, 10)

    def scores(y: np.ndarray) -> np.ndarray:
        (out,) = mfcc.process(Frame(y, 0.0, 0))
        interpreter.set_tensor(interpreter.get_input_details()[0]["index"], out.array.reshape(1, 49, 10, 1))
        interpreter.invoke()
        return interpreter.get_tensor(interpreter.get_output_details()[0]["index"])[0].copy()

    return scores


def test_nxps_model_hears_off(ds_cnn: Any, shared_data: Path) -> None:
    scores = ds_cnn(audio(shared_data / "nxp_eiq" / "off.wav"))
    assert WORDS[scores.argmax()] == "off"
    assert scores.max() == pytest.approx(0.996, abs=0.001)


def test_nxps_model_hears_clips_of_the_test_split(ds_cnn: Any, shared_data: Path) -> None:
    files = sorted((shared_data / "kws" / "wav").glob("*/*.wav"))
    right = [WORDS[ds_cnn(audio(file)).argmax()] == file.parent.name.strip("_") for file in files]
    assert len(right) == 240
    assert np.mean(right) > 0.86  # its published 87.2 % is of the whole split


# mean ln P of each band over the 3,625 training pictures of "yes" in kws/train_spectrograms.npz.xz (seconds to open)
YES_BANDS = [
    -6.71, -5.64, -4.84, -4.63, -4.51, -4.65, -4.98, -5.01, -5.20, -5.16, -5.20, -5.34, -5.52, -5.74,
    -5.96, -6.15, -6.28, -6.51, -6.69, -6.87, -7.00, -7.07, -7.00, -6.86, -6.67, -6.53, -6.45, -6.48,
    -6.55, -6.64, -6.67, -6.64, -6.56, -6.56, -6.62, -6.64, -6.62, -6.53, -6.44, -6.41,
]  # fmt: skip


def test_our_pictures_look_like_the_training_pictures(shared_data: Path) -> None:
    """By the mean of each band over clips of one word: the training clips themselves are not at hand as audio."""
    files = sorted((shared_data / "kws" / "wav").glob("yes/*.wav"))
    step = LogMel(LogMel.Config(window_ms=30, hop_ms=10, fmax_hz=4000))
    assert step.resolve(SECOND).shape == (98, 40)
    ours = np.mean([step.process(Frame(audio(file), 0.0, 0))[0].array.mean(axis=0) for file in files], axis=0)
    assert np.corrcoef(ours, YES_BANDS)[0, 1] > 0.95
