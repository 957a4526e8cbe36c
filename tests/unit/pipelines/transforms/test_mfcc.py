from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.core import Frame, Signal
from pipelines.errors import SignalMismatch
from pipelines.transforms._log import Log
from pipelines.transforms.log_mel import LogMel
from pipelines.transforms.mfcc import Mfcc
from pipelines.transforms.window import Window

KWS: dict[str, Any] = {"window_ms": 30, "hop_ms": 20, "fmax_hz": 4000}
LIBROSA: dict[str, Any] = {
    "window_samples": 2048,
    "hop_samples": 512,
    "mels": 128,
    "scale": "slaney",
    "norm": "slaney",
    "center": True,
    "log": Log(unit="db", offset=0, floor=1e-10, top_db=80),
}


def audio(length: int | None, rate_hz: float = 16000) -> Signal:
    return Signal((length,), "float32", rate_hz, "audio")


def noise(count: int, seed: int = 0) -> np.ndarray:
    """Random audio that swells from nothing, so that ``top_db`` has something to cut."""
    return (np.random.default_rng(seed).standard_normal(count) * np.linspace(0, 0.5, count) ** 4).astype(np.float32)


def features(step: Mfcc | LogMel, y: np.ndarray, rate_hz: float = 16000) -> np.ndarray:
    step.resolve(audio(len(y), rate_hz))
    (out,) = step.process(Frame(y, 0.0, 0))
    return out.array.copy()


# ---- against librosa ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("count", [5000, 22050, 30001])
def test_librosas_defaults(count: int) -> None:
    librosa = pytest.importorskip("librosa")
    y = noise(count, count)
    wanted = librosa.feature.mfcc(y=y.astype(np.float64), sr=22050).T
    got = features(Mfcc(Mfcc.Config(**LIBROSA, coefficients=20, dct="ortho")), y, 22050)
    np.testing.assert_allclose(got, wanted, rtol=0, atol=1e-4)


def test_librosas_defaults_in_its_own_float32() -> None:
    librosa = pytest.importorskip("librosa")
    y = noise(22050)
    wanted = librosa.feature.mfcc(y=y, sr=22050).T
    got = features(Mfcc(Mfcc.Config(**LIBROSA, coefficients=20, dct="ortho")), y, 22050)
    np.testing.assert_allclose(got, wanted, rtol=2e-7, atol=1e-4)  # 870 in float32 is exact to 3e-5


def test_librosas_picture() -> None:
    librosa = pytest.importorskip("librosa")
    y = noise(22050)
    wanted = librosa.power_to_db(librosa.feature.melspectrogram(y=y.astype(np.float64), sr=22050)).T
    np.testing.assert_allclose(features(LogMel(LogMel.Config(**LIBROSA)), y, 22050), wanted, rtol=0, atol=1e-4)


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ({"lifter": 22.0}, {"lifter": 22}),
        ({"mels": 40, "fmin_hz": 60.0, "fmax_hz": 8000.0}, {"n_mels": 40, "fmin": 60, "fmax": 8000}),
        ({"scale": "htk"}, {"htk": True}),
        ({"spectrum": "magnitude"}, {"power": 1}),
        ({"window_samples": 1500, "fft": 2048}, {"win_length": 1500}),
        ({"window_samples": 1501, "fft": 2048}, {"win_length": 1501}),
        ({"window_samples": 1999, "fft": 1999}, {"n_fft": 1999}),
        ({"hop_samples": 300}, {"hop_length": 300}),
        ({"center": False}, {"center": False}),
    ],
)
def test_librosas_options(ours: dict[str, Any], theirs: dict[str, Any]) -> None:
    librosa = pytest.importorskip("librosa")
    y = noise(12000, 3)
    wanted = librosa.feature.mfcc(y=y.astype(np.float64), sr=22050, n_mfcc=13, **theirs).T
    got = features(Mfcc(Mfcc.Config(**{**LIBROSA, **ours}, coefficients=13, dct="ortho")), y, 22050)
    np.testing.assert_allclose(got, wanted, rtol=6e-8, atol=1e-4)  # a liftered -2400 in float32 is exact to 1.2e-4


def test_librosas_picture_without_its_norm() -> None:
    librosa = pytest.importorskip("librosa")
    y = noise(12000)
    power = librosa.feature.melspectrogram(y=y.astype(np.float64), sr=22050, norm=None, htk=True)
    got = features(LogMel(LogMel.Config(**{**LIBROSA, "scale": "htk", "norm": "none"})), y, 22050)
    np.testing.assert_allclose(got, librosa.power_to_db(power).T, rtol=0, atol=1e-4)


@pytest.mark.parametrize("reference", [1.0, 0.25, "max"])
def test_librosas_reference(reference: Any) -> None:
    librosa = pytest.importorskip("librosa")
    y = noise(8000)
    power = librosa.feature.melspectrogram(y=y.astype(np.float64), sr=22050)
    wanted = librosa.power_to_db(power, ref=np.max if reference == "max" else reference, top_db=30).T
    log = Log(unit="db", offset=0, floor=1e-10, ref=reference, top_db=30)
    np.testing.assert_allclose(features(LogMel(LogMel.Config(**{**LIBROSA, "log": log})), y, 22050), wanted, atol=1e-4)


# ---- against formulas written out here ---------------------------------------------------------------------------


def tensorflows(y: np.ndarray, *, window: int, hop: int, fft: int, power: int, fmin: float, fmax: float) -> np.ndarray:
    """tf.signal.stft, linear_to_mel_weight_matrix with 40 bands, ln(x + 1e-6), mfccs_from_log_mel_spectrograms."""
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(window) / window)
    starts = range(0, len(y) - window + 1, hop)
    spectra = np.abs([np.fft.rfft(y[at : at + window].astype(float) * hann, fft) for at in starts]) ** power

    def mel(hz: Any) -> Any:
        return 1127.0 * np.log(1.0 + np.asarray(hz) / 700.0)

    edges = np.linspace(mel(fmin), mel(fmax), 42)
    matrix = np.zeros((fft // 2 + 1, 40))
    for index in range(1, fft // 2 + 1):  # TensorFlow gives the constant component to no band
        at = mel(index * 16000 / fft)
        for band in range(40):
            low, middle, high = edges[band : band + 3]
            matrix[index, band] = max(0.0, min((at - low) / (middle - low), (high - at) / (high - middle)))
    logs = np.log(spectra @ matrix + 1e-6)
    n = np.arange(40)
    return np.stack([(logs * np.cos(np.pi * k * (2 * n + 1) / 80)).sum(1) * np.sqrt(2 / 40) for k in range(10)], axis=1)


@pytest.mark.parametrize(
    ("options", "formula"),
    [
        (
            {"window_ms": 40, "hop_ms": 20, "spectrum": "magnitude", "fmin_hz": 20, "fmax_hz": 4000},
            {"window": 640, "hop": 320, "fft": 1024, "power": 1, "fmin": 20, "fmax": 4000},
        ),
        (KWS, {"window": 480, "hop": 320, "fft": 512, "power": 2, "fmin": 0, "fmax": 4000}),
        (
            {"window_ms": 30, "hop_ms": 10, "fmax_hz": 4000},
            {"window": 480, "hop": 160, "fft": 512, "power": 2, "fmin": 0, "fmax": 4000},
        ),
    ],
)
def test_the_recipes_by_tensorflows_formula(options: dict[str, Any], formula: dict[str, Any]) -> None:
    y = noise(16000)
    got = features(Mfcc(Mfcc.Config(**options, triangles="mel")), y)
    np.testing.assert_allclose(got, tensorflows(y, **formula), rtol=0, atol=1e-4)


@pytest.mark.parametrize(("gain", "peak"), [("max", np.max), ("peak", lambda y: np.abs(y).max())])
@pytest.mark.parametrize("spectrum", ["power", "magnitude"])
def test_gain_divides_the_window_by_its_peak(gain: Any, peak: Any, spectrum: Any) -> None:
    y = noise(16000)
    y[7000] = -0.9
    with_gain = features(Mfcc(Mfcc.Config(**KWS, spectrum=spectrum, gain=gain)), y)
    without = features(Mfcc(Mfcc.Config(**KWS, spectrum=spectrum)), y / peak(y))
    np.testing.assert_allclose(with_gain, without, rtol=0, atol=1e-4)


def test_mlperf_tinys_keyword_recipe() -> None:
    y = noise(16000)
    step = Mfcc(
        Mfcc.Config(
            window_ms=30, hop_ms=20, spectrum="magnitude", fmin_hz=20, fmax_hz=4000, triangles="mel", gain="max"
        )
    )
    wanted = tensorflows(y / y.max(), window=480, hop=320, fft=512, power=1, fmin=20, fmax=4000)
    np.testing.assert_allclose(features(step, y), wanted, rtol=0, atol=1e-4)


def test_silence_has_finite_features() -> None:
    got = features(LogMel(LogMel.Config(**KWS, gain="max")), np.zeros(16000, np.float32))
    np.testing.assert_allclose(got, np.log(1e-6), rtol=1e-6)


def test_the_output_is_what_resolve_promised() -> None:
    assert Mfcc(Mfcc.Config(**KWS)).resolve(audio(16000)) == Signal((49, 10), "float32", 50.0, "features")
    assert LogMel(LogMel.Config(**KWS)).resolve(audio(16000)) == Signal((49, 40), "float32", 50.0, "features")
    assert features(Mfcc(Mfcc.Config(**KWS)), noise(16000)).dtype == np.float32


# ---- streaming ---------------------------------------------------------------------------------------------------

STREAMING: list[dict[str, Any]] = [
    KWS,
    {**KWS, "gain": "max"},
    {**KWS, "center": True},
    {**LIBROSA, "window_samples": 512, "hop_samples": 128, "mels": 40},
    {"window_samples": 100, "hop_samples": 160, "mels": 10},
]


@pytest.mark.parametrize("options", STREAMING)
@settings(deadline=None, max_examples=15)
@given(
    hops=st.lists(st.sampled_from([0, 1, 160, 256, 320, 480, 640, 3840, 4000, 9600, -320, -1]), max_size=8),
    seed=st.integers(0, 3),
)
def test_streaming_gives_the_bits_of_each_window_on_its_own(
    options: dict[str, Any], hops: list[int], seed: int
) -> None:
    stream, length = noise(120_000, seed), 4000
    streaming, at = Mfcc(Mfcc.Config(**options)), 10_000
    streaming.resolve(audio(length))
    for seq, hop in enumerate([0, *hops]):
        at += hop
        (out,) = streaming.process(Frame(stream[at : at + length], 0.0, seq, at))
        assert out.array.tobytes() == features(Mfcc(Mfcc.Config(**options)), stream[at : at + length]).tobytes()


def test_a_window_that_overlaps_by_position_alone_is_computed_anew() -> None:
    step = Mfcc(Mfcc.Config(**KWS))
    step.resolve(audio(16000))
    one, other = noise(16000, 1), noise(16000, 2)
    list(step.process(Frame(one, 0.0, 0, at=0)))
    (out,) = step.process(Frame(other, 0.0, 1, at=1600))  # another recording, or a step before that changed the window
    assert out.array.tobytes() == features(Mfcc(Mfcc.Config(**KWS)), other).tobytes()


@settings(deadline=None, max_examples=10)
@given(st.lists(st.integers(1, 9000), min_size=1, max_size=12), st.integers(-1, 11))
def test_features_do_not_depend_on_how_the_stream_was_chunked(sizes: list[int], lost: int) -> None:
    stream = noise(sum(sizes) + 1)
    window, mfcc = Window(Window.Config(length_ms=500, hop_ms=100)), Mfcc(Mfcc.Config(**KWS))
    mfcc.resolve(window.resolve(audio(None)))
    at = 0
    for seq, size in enumerate(sizes):
        chunk = Frame(stream[at : at + size], 0.0, seq, at)
        at += size
        for cut in [] if seq == lost else window.process(chunk):
            (out,) = mfcc.process(cut)
            alone = features(Mfcc(Mfcc.Config(**KWS)), stream[cut.at : cut.at + 8000])
            assert out.array.tobytes() == alone.tobytes()
            assert out.source is cut


def test_only_new_frames_cost_an_fft(monkeypatch: pytest.MonkeyPatch) -> None:
    rows: list[int] = []
    rfft = np.fft.rfft
    monkeypatch.setattr(np.fft, "rfft", lambda x: rows.append(len(x)) or rfft(x))
    stream = noise(32_000)
    step = Mfcc(Mfcc.Config(**KWS))
    step.resolve(audio(16000))
    for seq, at in enumerate([0, 1600, 3200, 4810, 6410]):
        list(step.process(Frame(stream[at : at + 16000], 0.0, seq, at)))
    assert rows == [49, 5, 5, 49, 5]


def test_a_long_window_goes_through_the_fft_in_blocks() -> None:
    y = noise(160_000)
    got = features(LogMel(LogMel.Config(**KWS)), y)
    parts = [features(LogMel(LogMel.Config(**KWS)), y[at : at + 480]) for at in range(0, len(y) - 479, 320)]
    assert got.tobytes() == np.concatenate(parts).tobytes()


# ---- what is refused ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "signal", "words"),
    [
        ({}, audio(None), "put a window before it"),
        ({}, audio(16000).but(dtype="int16"), "got audio .* int16 at 16000 Hz, expected audio"),
        ({}, Signal((49, 10), "float32", 50.0, "features"), "expected audio"),
        ({}, audio(16000).but(rate_hz=None), "sampling rate"),
        ({"fmax_hz": 8001.0}, audio(16000), r"up to half the sampling rate \(8000 Hz\)"),
        ({"fmin_hz": 3999.0}, audio(16000), "at least one FFT bin"),
        ({"fft": 256}, audio(16000), "480 samples with fft 256.* set fft to 512"),
        (
            {"window_samples": 1, "window_ms": None, "hop_ms": 0.07},
            audio(80_000),
            "80000 analysis frames in one window",
        ),
        ({}, audio(400), "at least one analysis frame, 480 samples"),
        ({"mels": 120}, audio(16000), "of 120 mel bands without any FFT bin .*; lower mels, or raise fft above 512"),
        ({"hop_ms": 0.01}, audio(16000), "hop_ms 0.01, which is less than one sample"),
    ],
)
def test_what_does_not_fit_is_refused(options: dict[str, Any], signal: Signal, words: str) -> None:
    with pytest.raises(SignalMismatch, match=words):
        Mfcc(Mfcc.Config(**{**KWS, **options})).resolve(signal)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"coefficients": 41}, "no more coefficients than mels"),
        ({"window_samples": 480}, "either window_ms or window_samples"),
        ({"hop_ms": None}, "either hop_ms or hop_samples"),
        ({"fmin_hz": 5000.0}, "expected less than fmax_hz 4000"),
    ],
)
def test_options_that_contradict_each_other_are_refused(options: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        Mfcc.Config(**{**KWS, **options})


def test_a_logarithm_without_a_floor_is_refused() -> None:
    with pytest.raises(ValueError, match="silence has no logarithm"):
        Log(offset=0)
