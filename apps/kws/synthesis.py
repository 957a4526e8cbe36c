"""Words, sentences and noises made here: espeak-ng's voices for speech, numpy for noise.

espeak-ng (GPL-3.0-or-later; what it speaks is not covered by its licence) is a program beside this one:
``apt-get install espeak-ng``. Audio is float32 at 16 kHz.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from apps.kws.pictures import KEYWORDS, LABELS, RATE, ROWS, SILENCE, UNKNOWN, Bank, pixels_of_audio
from pipelines.errors import MissingDependency

Audio = NDArray[np.float32]

ESPEAK_RATE = 22050
ACCENTS = ("en-us", "en-gb", "en-gb-x-rp", "en-gb-scotland", "en-gb-x-gbclan", "en-gb-x-gbcwmd", "en-029", "en-us-nyc")
_VOICES = """
Alex Alicia Andrea Denis Diogo Gene Gene2 Henrique Hugo Jacky Lee Marco Mario Mike Nguyen RicishayMax Storm Tweaky
adam anika antonio aunty benjamin boris caleb david edward edward2 f1 f3 f5 fast grandma gustave iven iven3 john
kaukovalta klatt klatt2 klatt4 m1 m2 m3 m4 m6 m8 marcelo max michel miguel norbert pablo paul pedro quincy rob
robert sandro shelby steph2 steph3 travis victor zac
"""
VOICES = tuple(_VOICES.split())
TUNING_VOICES = ("belinda", "ed", "f2", "m5", "steph", "Andy")  # never in training: they tune the stream's thresholds
SAMPLE_VOICES = ("Annie", "Michael", "f4", "m7", "linda", "grandpa")  # in neither: they speak samples/kws.wav

_OTHER_WORDS = """
bed bird cat dog eight five four happy house marvin nine one seven sheila six three tree two wow zero backward
follow forward learn visual town brown gown dawn found goat gold goal code ago low load lift laughed loft let less
nose snow note nope now none off-white often loss cough of arm own an in won john light night ride rice wrong bright
shop step stock top start stomp cup pup app us out yet yesterday chess guess yell yellow table window water music
people morning open close play please thank you hello good little school number mother father because between under
over after again always never every something together paper river mountain garden picture lunch dinner coffee sugar
monday friday winter summer computer telephone kitchen engine motor signal camera button battery hundred thousand
about another before different even first great here just know-how like make new only put read said take use very
want year
"""
OTHER_WORDS = tuple(_OTHER_WORDS.split())
SENTENCES = (
    "The weather was fine this morning and we walked along the river.",
    "She bought three apples and a small loaf of bread at the market.",
    "Please remember that the meeting begins at half past nine.",
    "My brother plays the guitar in a band with his friends.",
    "They painted the kitchen walls a pale shade of green.",
    "Every summer the children visit their cousins by the sea.",
    "The engine makes a strange noise when it is cold.",
    "I have been reading a long book about the history of science.",
    "Could you pass me the salt and the pepper, please?",
    "The museum opens early and closes late during the holidays.",
    "A large dog was sleeping under the table in the garden.",
    "We should take the train because the traffic is terrible.",
    "He forgot his umbrella and came home completely wet.",
    "The committee will publish its report before the winter.",
    "Several people asked whether the printer had been repaired.",
    "It takes twenty minutes to reach the station by bicycle.",
    "The doctor told him to drink more water and sleep better.",
    "Our neighbours have moved to a bigger house near the lake.",
    "The camera takes pictures of birds while they are feeding.",
    "Nobody could remember where the keys had been hidden.",
    "Machine learning finds patterns in very large amounts of data.",
    "The little boat was drifting slowly towards the harbour.",
)


@dataclass(frozen=True)
class Utterance:
    """What is spoken and how.

    Args:
        text: what is said.
        voice: espeak-ng's ``accent+variant``.
        speed: words per minute.
        pitch: 0 to 99.
    """

    text: str
    voice: str
    speed: int = 160
    pitch: int = 50


def resample(audio: Audio, before: int, after: int) -> Audio:
    """Band-limited resampling by cutting the spectrum: for short clips that begin and end in silence."""
    size = round(len(audio) * after / before)
    spectrum = np.fft.rfft(audio)[: size // 2 + 1]
    return np.asarray(np.fft.irfft(spectrum, size) * (after / before), dtype=np.float32)


def speak(utterance: Utterance) -> Audio:
    """The utterance at 16 kHz, quiet ends trimmed.

    Raises:
        MissingDependency: espeak-ng is not on the PATH.
    """
    if shutil.which("espeak-ng") is None:
        raise MissingDependency(
            "espeak-ng is not installed; it speaks part of the training data: apt-get install espeak-ng"
        )
    command = ["espeak-ng", "-v", utterance.voice, "-s", str(utterance.speed)]
    command += ["-p", str(utterance.pitch), "--stdout", utterance.text]
    wav = subprocess.run(command, check=True, capture_output=True).stdout
    audio = np.frombuffer(wav[44:], dtype="<i2").astype(np.float32) / 32768
    return trim(resample(audio.astype(np.float32), ESPEAK_RATE, RATE))


def trim(audio: Audio) -> Audio:
    """Without the ends that stay below a hundredth of the peak."""
    loud = np.flatnonzero(np.abs(audio) > 0.01 * np.abs(audio).max(initial=0.0))
    return audio[loud[0] : loud[-1] + 1] if len(loud) else audio


def speak_all(utterances: Sequence[Utterance], workers: int = 2) -> list[Audio]:
    """All of them, in order."""
    with ThreadPoolExecutor(workers) as pool:
        return list(pool.map(speak, utterances))


def reverberated(audio: Audio, rng: np.random.Generator) -> Audio:
    """In a room: convolved with decaying noise, reverberation time 0.1 to 0.5 s."""
    size = len(audio) + RATE // 2
    decay = np.exp(-np.arange(RATE // 2) / (RATE * rng.uniform(0.015, 0.07)))
    tail = rng.standard_normal(RATE // 2) * decay
    tail *= rng.uniform(0.1, 0.7) / np.sqrt(np.sum(tail**2))
    tail[0] += 1.0
    return np.asarray(np.fft.irfft(np.fft.rfft(audio, size) * np.fft.rfft(tail, size), size), dtype=np.float32)


def second_of(audio: Audio, rng: np.random.Generator) -> Audio:
    """[16000]: the sound somewhere in one second, or one second out of a longer sound; its peak at -30 to -1 dB."""
    scaled = audio / max(float(np.abs(audio).max(initial=0.0)), 1e-6) * 10 ** (rng.uniform(-30, -1) / 20)
    if len(scaled) >= RATE:
        start = rng.integers(0, len(scaled) - RATE + 1)
        return np.asarray(scaled[start : start + RATE], dtype=np.float32)
    second = np.zeros(RATE, np.float32)
    start = rng.integers(0, RATE - len(scaled) + 1)
    second[start : start + len(scaled)] = scaled
    return second


def random_utterance(text: str, voices: Sequence[str], rng: np.random.Generator) -> Utterance:
    """The text by one of the voices in one of the accents, at some speed and pitch, said, asked or exclaimed."""
    voice = f"{rng.choice(ACCENTS)}+{rng.choice(voices)}"
    ending = rng.choice(["", "", ".", "!", "?", ","])
    return Utterance(text + ending, voice, int(rng.integers(110, 211)), int(rng.integers(20, 90)))


def spoken_bank(words: int, sentences: int, voices: Sequence[str], rng: np.random.Generator) -> Bank:
    """Pictures of synthetic speech: each keyword ``words`` times, 8 x ``words`` other words, seconds of sentences."""
    texts = [word for word in KEYWORDS for _ in range(words)]
    labels = [LABELS.index(text) for text in texts] + [UNKNOWN] * (8 * words)
    texts += [str(rng.choice(OTHER_WORDS)) for _ in range(8 * words)]
    sounds = speak_all([random_utterance(text, voices, rng) for text in texts])
    fits = [i for i, sound in enumerate(sounds) if 0 < len(sound) < 1.05 * RATE]
    seconds = [second_of(_maybe_in_a_room(sounds[i], rng)[:RATE], rng) for i in fits]
    kept = [labels[i] for i in fits]
    said = speak_all([random_utterance(str(rng.choice(SENTENCES)), voices, rng) for _ in range(sentences)])
    for sound in said:
        for start in range(0, len(sound) - RATE, RATE):
            seconds.append(second_of(sound[start : start + RATE], rng))
            kept.append(UNKNOWN)
    return Bank(np.stack([pixels_of_audio(second) for second in seconds]), np.array(kept, np.int64))


def _maybe_in_a_room(audio: Audio, rng: np.random.Generator) -> Audio:
    return reverberated(audio, rng) if rng.random() < 0.4 else audio


def coloured_noise(size: int, slope: float, rng: np.random.Generator) -> Audio:
    """Gaussian noise whose power falls with frequency to the ``slope`` (0 white, 1 pink, 2 brown), rms 1."""
    frequency = np.fft.rfftfreq(size, 1 / RATE)
    frequency[0] = frequency[1]
    spectrum = np.fft.rfft(rng.standard_normal(size)) * frequency ** (-slope / 2)
    audio = np.fft.irfft(spectrum, size)
    return np.asarray(audio / audio.std(), dtype=np.float32)


def hum(size: int, rng: np.random.Generator) -> Audio:
    """A machine's or the mains' hum: harmonics of 40 to 200 Hz with a little noise, rms about 1."""
    t = np.arange(size) / RATE
    base = rng.choice([50.0, 60.0, rng.uniform(40, 200)])
    strength = rng.random(12) * np.exp(-np.arange(12) / rng.uniform(1, 8))
    tones = sum(s * np.sin(2 * np.pi * (base * (k + 1) * t + rng.random())) for k, s in enumerate(strength))
    audio = np.asarray(tones) / np.std(tones) + rng.uniform(0.02, 0.3) * coloured_noise(size, 1.0, rng)
    return np.asarray(audio, dtype=np.float32)


def taps(size: int, rng: np.random.Generator) -> Audio:
    """Knocks and clicks: short decaying bursts at random times over soft noise."""
    audio = 0.02 * coloured_noise(size, 1.0, rng)
    for start in rng.integers(0, size, rng.integers(1, 8)):
        length = min(size - start, int(rng.integers(80, 3200)))
        burst = coloured_noise(4000, rng.uniform(0, 1.5), rng)[:length] * np.exp(-np.arange(length) / (length / 5))
        audio[start : start + length] += rng.uniform(0.2, 2) * burst
    return audio


def noise(size: int, rng: np.random.Generator) -> Audio:
    """One of the noises above, swelling or steady, rms about 1."""
    kind = rng.integers(0, 5)
    if kind == 0:
        audio = hum(size, rng)
    elif kind == 1:
        audio = taps(size, rng)
    else:
        audio = coloured_noise(size, rng.uniform(-0.3, 2.2), rng)
    swell = 1 + rng.uniform(0, 0.9) * np.sin(2 * np.pi * (rng.uniform(0.2, 6) * np.arange(size) / RATE + rng.random()))
    return np.asarray(audio * swell, dtype=np.float32)


def noise_bank(count: int, rng: np.random.Generator) -> Bank:
    """Pictures of noises from -75 to -15 dB, labelled silence."""
    seconds = [noise(RATE, rng) * 10 ** (rng.uniform(-75, -15) / 20) for _ in range(count)]
    return Bank(np.stack([pixels_of_audio(np.clip(s, -1, 1)) for s in seconds]), np.full(count, SILENCE))


def babble_pictures(count: int, voices: Sequence[str], rng: np.random.Generator) -> NDArray[np.uint8]:
    """[count, 98, 40]: three to eight of the voices speaking at once."""
    said = speak_all([random_utterance(str(rng.choice(SENTENCES)), voices, rng) for _ in range(60)])
    long = [audio for audio in said if len(audio) > 2 * RATE]
    pictures = np.empty((count, ROWS, 40), np.uint8)
    for picture in pictures:
        mixed = np.zeros(RATE, np.float32)
        for _ in range(rng.integers(3, 9)):
            mixed += second_of(long[rng.integers(len(long))], rng)
        picture[:] = pixels_of_audio(mixed / np.abs(mixed).max() * 10 ** (rng.uniform(-35, -6) / 20))
    return pictures
