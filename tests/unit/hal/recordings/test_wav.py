from __future__ import annotations

import struct
import wave
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hal.recordings.wav import SoundFile, chunked
from pipelines.errors import DataError

RATE = 16000


def sound_file(path: Path, rate_hz: int = RATE, channel: int | None = None, chunk_ms: float = 20.0) -> SoundFile:
    return SoundFile(path, rate_hz=rate_hz, channel=channel, chunk_ms=chunk_ms)


def heard(path: Path, rate_hz: int = RATE, channel: int | None = None) -> np.ndarray:
    return np.concatenate(list(sound_file(path, rate_hz, channel).read()))


def noise(samples: int, channels: int = 1, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).uniform(-0.9, 0.9, (samples, channels))


WIDTHS = {"PCM_U8": 2**-7, "PCM_16": 2**-15, "PCM_24": 2**-23, "PCM_32": 2**-23, "FLOAT": 2**-23, "DOUBLE": 2**-23}


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    rate=st.sampled_from([8000, 11025, 16000, 22050, 44100, 48000]),
    width=st.sampled_from(sorted(WIDTHS)),
    channels=st.integers(1, 5),
    samples=st.integers(1, 3000),
    data=st.data(),
)
def test_any_rate_width_and_channel_count(
    tmp_path: Path, rate: int, width: str, channels: int, samples: int, data: st.DataObject
) -> None:
    path, sound = tmp_path / "any.wav", noise(samples, channels)
    soundfile.write(path, sound, rate, subtype=width)
    channel = data.draw(st.none() | st.integers(0, channels - 1))
    expected = sound.mean(axis=1) if channel is None else sound[:, channel]

    same = heard(path, rate, channel)
    assert same.dtype == np.float32
    assert same.shape == (samples,)
    assert np.abs(same - expected).max() <= WIDTHS[width] + 2e-7

    if samples * RATE >= rate:
        other = heard(path, RATE, channel)
        assert abs(len(other) - samples * RATE / rate) <= 1
        assert np.isfinite(other).all()


def test_16_bits_are_divided_by_32768(tmp_path: Path) -> None:
    values = np.array([0, 1, -1, 32767, -32768], "<i2")
    with wave.open(str(tmp_path / "a.wav"), "wb") as file:
        file.setparams((1, 2, RATE, 0, "NONE", ""))
        file.writeframes(values.tobytes())
    assert (heard(tmp_path / "a.wav") == values.astype(np.float32) / 32768).all()


@pytest.mark.parametrize("rate", [8000, 44100, 48000])
def test_resamples_as_librosa_does(tmp_path: Path, rate: int) -> None:
    soxr = pytest.importorskip("soxr")
    sound = noise(rate, 1)[:, 0]
    soundfile.write(tmp_path / "a.wav", sound, rate, subtype="DOUBLE")
    expected = soxr.resample(
        sound.astype(np.float32), rate, RATE
    )  # in one piece; librosa's default is the same soxr_hq
    ours = heard(tmp_path / "a.wav")
    assert len(ours) == len(expected)
    assert np.abs(ours - expected).max() < 1e-5


def test_a_tone_keeps_its_place_and_height_when_resampled(tmp_path: Path) -> None:
    tone = 0.5 * np.sin(2 * np.pi * 440 * np.arange(44100) / 44100)
    soundfile.write(tmp_path / "a.wav", tone, 44100, subtype="FLOAT")
    expected = 0.5 * np.sin(2 * np.pi * 440 * np.arange(RATE) / RATE)
    inner = slice(400, -400)  # soxr rings at the edges
    assert np.abs(heard(tmp_path / "a.wav")[inner] - expected[inner]).max() < 1e-3


@pytest.mark.parametrize("ending", ["flac", "ogg", "aiff"])
def test_other_sound_files(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"a.{ending}"
    soundfile.write(path, 0.5 * np.sin(np.arange(RATE) / 10), RATE)
    assert heard(path).shape == (RATE,)


def test_silence_is_delivered(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", np.zeros(RATE), RATE)
    assert not heard(tmp_path / "a.wav").any()


def test_chunks_have_their_length_and_own_their_data(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", noise(1000), RATE)
    chunks = list(sound_file(tmp_path / "a.wav").read())
    assert [len(chunk) for chunk in chunks] == [320, 320, 320, 40]
    assert all(chunk.flags.owndata for chunk in chunks)


@given(sizes=st.lists(st.integers(0, 50), max_size=10), size=st.integers(1, 30))
def test_chunked_keeps_every_sample(sizes: list[int], size: int) -> None:
    total = np.arange(sum(sizes), dtype=np.float32)
    blocks = np.split(total, np.cumsum(sizes)[:-1]) if sizes else []
    chunks = list(chunked((block for block in blocks), size))
    assert all(len(chunk) == size for chunk in chunks[:-1])
    assert np.concatenate([*chunks, np.empty(0)]).tolist() == total.tolist()


def whole_wav(path: Path) -> bytes:
    soundfile.write(path, noise(1000), RATE, subtype="PCM_16")
    return path.read_bytes()


def test_a_wav_cut_short_is_refused_with_both_numbers(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    path.write_bytes(whole_wav(path)[:-600])
    with pytest.raises(DataError, match="cut short: got 700 of the 1000 samples"):
        sound_file(path)


@pytest.mark.parametrize("size", [0xFFFFFFFF, 0x7FFFFFFF])
def test_a_wav_from_a_pipe_has_no_length_to_be_short_of(tmp_path: Path, size: int) -> None:
    path = tmp_path / "a.wav"
    data = bytearray(whole_wav(path))
    data[40:44] = struct.pack("<I", size)
    path.write_bytes(data)
    assert len(heard(path)) == 1000


def test_chunks_before_the_sound_are_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    data = whole_wav(path)
    path.write_bytes(data[:36] + b"LIST" + struct.pack("<I", 3) + b"abc\0" + data[36:-600])
    with pytest.raises(DataError, match="got 700 of the 1000"):
        sound_file(path)


def test_a_flac_cut_short_is_told_when_met(tmp_path: Path) -> None:
    path = tmp_path / "a.flac"
    soundfile.write(path, noise(RATE * 2), RATE)
    path.write_bytes(path.read_bytes()[:-20000])
    with pytest.raises(DataError, match="cut short|damaged"):
        heard(path)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(place=st.integers(0, 43), value=st.integers(0, 255), cut=st.integers(0, 2044))
def test_a_damaged_header_is_read_or_refused_in_one_sentence(tmp_path: Path, place: int, value: int, cut: int) -> None:
    path = tmp_path / "a.wav"
    data = bytearray(whole_wav(path))
    data[place] = value
    path.write_bytes(data[: max(44, len(data) - cut)])
    message = ""
    try:
        for chunk in sound_file(path).read():
            assert np.isfinite(chunk).all()
    except DataError as error:
        message = str(error)
    assert "\n" not in message


@pytest.mark.parametrize("samples", [0, 2])  # two at 44.1 kHz are not one at 16 kHz
def test_no_samples(tmp_path: Path, samples: int) -> None:
    soundfile.write(tmp_path / "a.wav", np.zeros(samples), 44100)
    with pytest.raises(DataError, match=f"holds {samples} samples"):
        sound_file(tmp_path / "a.wav")


def test_no_such_channel(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", noise(10, 2), RATE)
    with pytest.raises(DataError, match="has 2 channel.s., got channel 2, expected 0 to 1"):
        sound_file(tmp_path / "a.wav", channel=2)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_not_a_number_is_refused_where_it_stands(tmp_path: Path, bad: float) -> None:
    sound = noise(20000, 2)
    sound[15000, 1] = bad
    soundfile.write(tmp_path / "a.wav", sound, RATE, subtype="FLOAT")
    with pytest.raises(DataError, match="sample 15000 is .*expected finite numbers"):
        heard(tmp_path / "a.wav")


@pytest.mark.parametrize("content", [b"x", b"RIFF", b"RIFF\0\0\0\0WAVE", b"{}\n" * 50, bytes(range(256)) * 20])
def test_what_is_no_sound_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.wav").write_bytes(content)
    with pytest.raises(DataError, match="is not a sound file") as info:
        sound_file(tmp_path / "a.wav")
    assert "\n" not in str(info.value)


@pytest.mark.parametrize(
    ("name", "message"), [("", "is a folder"), ("none.wav", "cannot open"), ("empty.wav", "is empty")]
)
def test_no_file_at_all(tmp_path: Path, name: str, message: str) -> None:
    (tmp_path / "empty.wav").touch()
    with pytest.raises(DataError, match=message):
        sound_file(tmp_path / name)
