"""The sample recording is what its script makes, and what counts as right on it."""

from __future__ import annotations

import shutil
import wave
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from apps.kws import synthesis
from apps.kws.make_sample import Said, complaints, compose
from apps.kws.pictures import LABELS, RATE, SILENCE, UNKNOWN
from apps.kws.train import stored_input
from pipelines.errors import MissingDependency

SAMPLE = Path(__file__).parents[4] / "samples" / "kws.wav"

needs_espeak = pytest.mark.skipif(shutil.which("espeak-ng") is None, reason="espeak-ng is not installed")
SPOKEN = [Said("yes", "v", 1.0, 1.4), Said("house", "v", 2.5, 3.0), Said("left", "v", 4.0, 4.5)]


def test_each_keyword_once_in_time_is_right():
    assert complaints([(1.5, "yes"), (4.9, "left")], SPOKEN) == []


@pytest.mark.parametrize(
    ("reports", "complaint"),
    [
        ([(1.5, "yes")], "missed left at 4.0 s"),
        ([(1.5, "yes"), (4.9, "left"), (2.9, "down")], "false down at 2.9 s"),
        ([(1.5, "yes"), (1.9, "yes"), (4.9, "left")], "false yes at 1.9 s"),
    ],
)
def test_a_miss_a_false_alarm_and_a_repeat_are_told(reports, complaint):
    assert complaints(reports, SPOKEN) == [complaint]


def test_the_shipped_sample_is_small_16_khz_mono():
    assert SAMPLE.stat().st_size < 700_000
    with wave.open(str(SAMPLE)) as file:
        assert (file.getframerate(), file.getnchannels(), file.getsampwidth()) == (RATE, 1, 2)
        assert 15 <= file.getnframes() / RATE <= 20


@needs_espeak
def test_the_same_seed_speaks_the_same():
    (first, said), (second, _) = compose(4), compose(4)
    assert np.array_equal(first, second)
    assert sum(item.is_keyword for item in said) == 6
    assert all(a.end_s < b.begin_s for a, b in pairwise(said))


@needs_espeak
def test_synthetic_words_have_their_labels():
    bank = synthesis.spoken_bank(1, 1, ("f1",), np.random.default_rng(1))
    assert bank.pixels.shape[1:] == (98, 40)
    assert set(bank.labels[bank.labels < SILENCE]) <= set(range(10))
    assert (bank.labels == UNKNOWN).any()


def test_voices_of_training_tuning_and_sample_are_apart():
    sets = [set(voices) for voices in (synthesis.VOICES, synthesis.TUNING_VOICES, synthesis.SAMPLE_VOICES)]
    assert len(set.union(*sets)) == sum(map(len, sets))
    assert not set(synthesis.OTHER_WORDS) & set(LABELS)


def test_noise_is_silence_of_many_levels():
    bank = synthesis.noise_bank(20, np.random.default_rng(1))
    assert (bank.labels == SILENCE).all()
    assert bank.pixels.mean(axis=(1, 2)).std() > 10


def test_a_missing_espeak_is_one_clear_sentence(monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(MissingDependency, match="apt-get install espeak-ng"):
        synthesis.speak(synthesis.Utterance("yes", "en-us+f1"))


def test_stored_input_rounds_and_saturates():
    stored = stored_input(np.array([-200.0, 0.2, 0.3, 100.0], np.float32))
    step = 140 / 255
    assert stored[0] == -100
    assert stored[3] == pytest.approx(40, abs=1e-4)
    assert abs(stored[1] - 0.2) <= step / 2
