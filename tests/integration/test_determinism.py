"""The same recording gives the same JSONL, byte for byte: times are the recording's, and nothing else leaks in."""

from __future__ import annotations

import wave
from pathlib import Path

import numpy as np
import pytest

import demos
from pipelines.resources import bundled

SPEECH = """\
sensor: {{microphone: {{file: speech.wav}}}}
preprocess:
  - window: {{length_ms: 1000, hop_ms: 100}}
  - mfcc: {{window_ms: 40, hop_ms: 20, fft: 1024, spectrum: magnitude, mels: 40, fmin_hz: 20, fmax_hz: 4000}}
engine:
  model: {model}
  labels: [down, go, left, no, off, on, right, stop, up, yes, silence, unknown]
postprocess:
  - smooth: {{over: 3}}
  - top: {{k: 2, threshold: 0.05}}
actions: [jsonl: {{path: out.jsonl}}]
"""
WORDS = ("off", "yes", "stop")


@pytest.fixture(scope="module")
def speech(tmp_path_factory: pytest.TempPathFactory, shared_data: Path) -> Path:
    """Three spoken words as one recording, and a config that hears them; the folder of both."""
    folder = tmp_path_factory.mktemp("speech")
    clips = [next(iter(sorted((shared_data / "kws/wav" / word).glob("*.wav")))) for word in WORDS]
    demos.sound(folder / "speech.wav", np.concatenate([_samples(clip) for clip in clips]), 16000)
    (folder / "speech.yaml").write_text(SPEECH.format(model=shared_data / "nxp_eiq/ds_cnn_s.tflite"))
    return folder


def _samples(path: Path) -> np.ndarray:
    with wave.open(str(path), "rb") as file:
        assert (file.getframerate(), file.getnchannels()) == (16000, 1)
        return np.frombuffer(file.readframes(16000), "<i2")


def written(config: str | Path, folder: Path, *arguments: str, **environment: str) -> bytes:
    """The JSONL of a run in a process of its own."""
    folder.mkdir()
    done = demos.eiq_demo("run", config, *arguments, cwd=folder, **environment)
    assert done.returncode == 0, done.stderr
    return (folder / "out.jsonl").read_bytes()


@pytest.fixture(scope="module")
def once(speech: Path) -> bytes:
    """The first run, as fast as it goes."""
    result = written(speech / "speech.yaml", speech / "once", "--fast", PYTHONHASHSEED="0")
    assert len(result.splitlines()) >= 21  # a result for each window, so that equal means something
    assert b'"label": "stop"' in result
    return result


@pytest.mark.parametrize(
    ("arguments", "seed"),
    [
        (["--fast"], "0"),
        (["--fast"], "12345"),
        (["--fast", "--set", "sensor.microphone.chunk_ms=7"], "1"),
        (["--fast", "--set", "sensor.microphone.chunk_ms=5000"], "2"),
        pytest.param(["--realtime"], "3", marks=pytest.mark.slow),
    ],
    ids=["again", "another hash seed", "small chunks", "one chunk", "realtime"],
)
def test_the_same_recording_gives_the_same_bytes(
    speech: Path, once: bytes, tmp_path: Path, arguments: list[str], seed: str
) -> None:
    assert written(speech / "speech.yaml", tmp_path / "run", *arguments, PYTHONHASHSEED=seed) == once


def test_another_recording_does_not(speech: Path, once: bytes, shared_data: Path, tmp_path: Path) -> None:
    other = str(shared_data / "nxp_eiq/off.wav")
    assert written(speech / "speech.yaml", tmp_path / "run", "--fast", "--input", other) != once


def shipped(name: str, folder: Path) -> Path:
    """A bundled demo, on its own recording or pictures, with one more action."""
    copy = folder / "copy.yaml"
    config = (bundled() / f"configs/{name}.yaml").read_text()
    copy.write_text(config.replace("actions:\n", "actions:\n  - jsonl: {path: out.jsonl}\n"))
    return copy


@pytest.mark.parametrize(("name", "results"), [("kws", 6), ("cifar10", 10)])
def test_bundled_demos_too(name: str, results: int, tmp_path: Path) -> None:
    copy = shipped(name, tmp_path)
    first = written(copy, tmp_path / "one", "--fast", PYTHONHASHSEED="0")
    assert len(first.splitlines()) == results
    assert written(copy, tmp_path / "two", "--fast", PYTHONHASHSEED="7") == first


@pytest.mark.slow
def test_the_bundled_recording_at_its_own_pace_too(tmp_path: Path) -> None:
    copy = shipped("kws", tmp_path)
    first = written(copy, tmp_path / "fast", "--fast", "--seconds", "3", PYTHONHASHSEED="0")
    assert len(first.splitlines()) == 2  # two words are in its first 3 s
    assert written(copy, tmp_path / "realtime", "--realtime", "--seconds", "3", PYTHONHASHSEED="7") == first
