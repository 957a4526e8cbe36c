"""firmware/core/eiq_mfcc.c on this machine, against numpy and the pipeline's own features."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from hal.rt.features import tables, twiddles
from pipelines.core import Frame, Signal, TensorSpec
from pipelines.errors import SignalMismatch
from pipelines.quantise import Quantiser
from pipelines.transforms._log import Log
from pipelines.transforms.log_mel import LogMel
from pipelines.transforms.mfcc import Mfcc
from pipelines.transforms.window import Window
from tests import mfcc_golden
from tests.board_features import address, frames, library

ULP = 2.0**-24
FLAGS = ("-O0", "-O2", "-Os", "-O3 -march=native")  # the last with fused multiply-adds at hand
BUILDS = [(compiler, flags) for compiler in ("gcc", "clang") for flags in FLAGS]
INSIDE = """
void ln_of(const float *x, float *y, uint32_t count);
void sqrt_of(const float *x, float *y, uint32_t count);
void powers_of(uint32_t fft, const float *twiddles, const int16_t *samples, const float *taper, float *z);
void ln_of(const float *x, float *y, uint32_t count) { while (count--) *y++ = eiq_ln(*x++); }
void sqrt_of(const float *x, float *y, uint32_t count) { while (count--) *y++ = eiq_sqrt(*x++); }
void powers_of(uint32_t fft, const float *t, const int16_t *samples, const float *by, float *z)
{
    struct eiq_mfcc mfcc = {0};
    mfcc.fft = mfcc.window = fft;
    mfcc.twiddles = t;
    mfcc.taper = by;
    taper(&mfcc, samples, z);
    spectrum(&mfcc, z);
}
"""


@pytest.fixture(scope="module")
def inside(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """eiq_mfcc.c with doors to what is static in it."""
    return library(tmp_path_factory.mktemp("inside"), {"inside.c": f'#include "eiq_mfcc.c"\n{INSIDE}'}, files=())


def of_each(function: Any, bits: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The numbers of these bits, and the function of each."""
    x = np.ascontiguousarray(bits, np.uint32).view(np.float32)
    y = np.empty(len(x), np.float32)
    function(address(x), address(y), len(x))
    return x, y


def ulps(got: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Distance in units of float32's last place at the wanted number."""
    unit = np.spacing(np.abs(wanted.astype(np.float32))).astype(np.float64)
    return np.asarray(np.abs(got - wanted) / unit)


# ---- numbers -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("step", [509, pytest.param(1, marks=pytest.mark.slow)], ids=["some", "all"])
def test_ln_of_every_float_above_zero(inside: Any, step: int) -> None:
    worst = 0.0
    for start in range(1, 0x7F800000, 1 << 24):
        bits = np.arange(start, min(start + (1 << 24), 0x7F800000), step)
        x, y = of_each(inside.ln_of, bits)
        worst = max(worst, float(ulps(y, np.log(x.astype(np.float64))).max()))
    assert worst < 0.9


def test_ln_of_one_is_zero_and_it_never_falls_around_it(inside: Any) -> None:
    x, y = of_each(inside.ln_of, np.arange(0x3F800000 - 5000, 0x3F800000 + 5000))
    assert y[x == 1.0] == 0.0
    assert (np.diff(y) >= 0).all()


def test_the_root_of_every_mantissa_is_correctly_rounded(inside: Any) -> None:
    # of two octaves: a root does not care for factors of four
    for start in range(0x3F800000, 0x40800000, 1 << 22):
        x, y = of_each(inside.sqrt_of, np.arange(start, start + (1 << 22)))
        np.testing.assert_array_equal(y, np.sqrt(x))


def test_roots_of_every_size(inside: Any) -> None:
    x, y = of_each(inside.sqrt_of, np.arange(0, 0x7F800000, 997))
    np.testing.assert_array_equal(y, np.sqrt(x))
    x, y = of_each(inside.sqrt_of, np.arange(0, 0x00801000))  # all that have no leading one, and some that do
    np.testing.assert_array_equal(y, np.sqrt(x))


# ---- the transform -----------------------------------------------------------------------------------------------


@settings(max_examples=60)
@given(
    power=st.integers(1, 12),
    seed=st.integers(0, 2**32 - 1),
    level=st.sampled_from([1, 30, 1000, 32767]),
    tone=st.booleans(),
)
def test_the_spectrum_against_numpy(inside: Any, power: int, seed: int, level: int, tone: bool) -> None:
    fft, random = 1 << power, np.random.default_rng(seed)
    x = random.uniform(-level, level, fft) if not tone else level * np.cos(random.uniform(0, np.pi) * np.arange(fft))
    samples, z = np.round(x).astype(np.int16), np.empty(fft + 2, np.float32)
    by, t = np.full(fft, 0.5 / 32768, np.float32), twiddles(fft).astype(np.float32)
    inside.powers_of(fft, address(t), address(samples), address(by), address(z))
    got, wanted = np.sqrt(z[: fft + 1 : 2].astype(np.float64)), np.abs(np.fft.rfft(samples / 32768))
    norm = np.sqrt(fft * np.sum((samples / 32768) ** 2))
    assert np.abs(got - wanted).max() <= ULP * power * norm + 2 * ULP * wanted.max()


# ---- whole frames ------------------------------------------------------------------------------------------------


@st.composite
def recipes(draw: st.DrawFn) -> tuple[LogMel.Config, float]:
    """A config that the board can compute, and a rate."""
    fft = 1 << draw(st.integers(4, 11))
    options: dict[str, Any] = {
        "window_samples": draw(st.integers(fft // 4, fft)),
        "hop_samples": draw(st.integers(1, fft)),
        "fft": fft,
        "mels": draw(st.integers(1, min(40, fft // 8))),
        "fmin_hz": draw(st.sampled_from([0.0, 20.0, 300.0])),
        "fmax_hz": draw(st.sampled_from([None, 3000.0, 4000.0])),
        "scale": draw(st.sampled_from(["htk", "slaney"])),
        "triangles": draw(st.sampled_from(["hz", "mel"])),
        "norm": draw(st.sampled_from(["none", "slaney"])),
        "spectrum": draw(st.sampled_from(["power", "magnitude"])),
        "log": Log(
            unit=draw(st.sampled_from(["ln", "db"])),
            offset=draw(st.sampled_from([0.0, 1e-6, 0.01])),
            floor=draw(st.sampled_from([1e-9, 1e-5, 1.0])),
            ref=draw(st.sampled_from([1.0, 1e-3, 20.0])),
        ),
    }
    rate_hz = draw(st.sampled_from([8000.0, 11025.0, 16000.0, 22050.0]))
    if draw(st.booleans()):
        return LogMel.Config(**options), rate_hz
    coefficients = draw(st.integers(1, options["mels"]))
    dct, lifter = draw(st.sampled_from(["htk", "ortho"])), draw(st.sampled_from([0.0, 22.0]))
    return Mfcc.Config(**options, coefficients=coefficients, dct=dct, lifter=lifter), rate_hz


def float32s_error(config: LogMel.Config, rate_hz: float, sound: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Features ``[frames, bands]`` in float64, and how far float32 arithmetic may be off: the transform by 2^-24 of its
    norm an octave, as above, and a few roundings after it."""
    kind = Mfcc if isinstance(config, Mfcc.Config) else LogMel
    parts = kind(config).tables(Signal((len(sound),), "float32", rate_hz, "audio"))  # type: ignore[arg-type]
    size, log = parts.framing, config.log
    cut = np.lib.stride_tricks.sliding_window_view(sound, size.window)[:: size.hop] * parts.taper
    amplitude = np.abs(np.fft.rfft(cut, size.fft))
    off = 2 * ULP * (1 + np.log2(size.fft)) * np.sqrt(size.fft * np.sum(cut**2, axis=1, keepdims=True))
    magnitude = config.spectrum == "magnitude"
    spectra = amplitude if magnitude else amplitude**2
    spread = np.broadcast_to(off if magnitude else 2 * amplitude * off + off**2, spectra.shape)
    energy, energy_off = np.empty((2, len(cut), config.mels))
    parts.bank(spectra[:, parts.bank.bins], out=energy)
    parts.bank(spread[:, parts.bank.bins], out=energy_off)
    energy_off += energy * ULP * (4 + np.diff([*parts.bank.starts, len(parts.bank.weights)]))
    reference = 1.0 if log.ref == 1.0 else max(float(log.ref), log.floor)
    top, least = (np.maximum(energy + log.offset + sign * energy_off, log.floor) for sign in (1, -1))
    unit = 10 / np.log(10) if log.unit == "db" else 1.0
    exact = unit * np.log(np.maximum(energy + log.offset, log.floor) / reference)
    reach = unit * np.log(top / np.maximum(least, 1e-30)) + 6 * ULP * (np.abs(exact) + unit)
    if parts.cosines is None:
        return exact, reach
    cosines = np.abs(parts.cosines)
    return exact @ parts.cosines, reach @ cosines + (config.mels + 2) * ULP * (np.abs(exact) @ cosines)


@pytest.mark.slow
@settings(max_examples=20)
@given(recipe=recipes(), seed=st.integers(0, 2**32 - 1), level=st.sampled_from([0, 2, 500, 32767]))
@example(recipe=(Mfcc.Config(window_ms=30, hop_ms=20, fmax_hz=4000), 16000.0), seed=0, level=32767)
def test_frames_against_the_pipelines(
    tmp_path_factory: pytest.TempPathFactory, recipe: tuple[LogMel.Config, float], seed: int, level: int
) -> None:
    config, rate_hz = recipe
    length_ms = 1000 * 5000 / rate_hz
    try:
        made = tables(Window.Config(length_ms=length_ms, hop_ms=10), config, rate_hz, "some")
    except SignalMismatch:
        assume(False)
    random = np.random.default_rng(seed)
    samples = (random.integers(-level, level + 1, 5000) * random.random(5000) ** 4).astype(np.int16)
    sound = samples.astype(np.float32) / 32768
    hop = config.hop_samples or 320
    got = frames(made, tmp_path_factory.mktemp("some"), "-O1")(samples, hop)
    step = Mfcc(config) if isinstance(config, Mfcc.Config) else LogMel(config)
    step.resolve(Signal((5000,), "float32", rate_hz, "audio"))
    (wanted,) = step.process(Frame(sound, 0.0, 0))
    exact, off = float32s_error(config, rate_hz, sound.astype(np.float64))
    np.testing.assert_allclose(wanted.array, exact, rtol=1e-6, atol=1e-5)  # the bound is about the same features
    assert got.shape == wanted.array.shape
    assert (np.abs(got - exact) <= off + 1e-6 * np.abs(exact)).all()


# ---- the same bits everywhere ------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", mfcc_golden.RECIPES)
def test_golden_vectors_are_the_pipelines(name: str) -> None:
    golden = np.load(mfcc_golden.FILE)
    np.testing.assert_allclose(mfcc_golden.in_python(name), golden[f"{name}_python"], rtol=1e-6, atol=1e-5)
    off = np.abs(golden[f"{name}_bits"].view(np.float32) - golden[f"{name}_python"])
    assert off[:-1].max() < 1e-4  # the last is a tone near full scale, whose rounding noise fills the silent bands
    assert off.max() < 0.02


@pytest.mark.parametrize(("compiler", "flags"), BUILDS)
def test_every_build_gives_the_golden_bits(compiler: str, flags: str) -> None:
    golden = np.load(mfcc_golden.FILE)
    for name in mfcc_golden.RECIPES:
        bits = mfcc_golden.in_c(name, *flags.split(), compiler=compiler).view(np.uint32)
        np.testing.assert_array_equal(bits, golden[f"{name}_bits"])


def test_a_build_that_would_change_them_is_refused(tmp_path: Path) -> None:
    if not shutil.which("gcc"):
        pytest.skip("needs gcc")
    with pytest.raises(AssertionError, match="must not be built with -ffast-math"):
        library(tmp_path, {}, flags=("-O2", "-ffast-math"), compiler="gcc")


# ---- quantised ---------------------------------------------------------------------------------------------------


def differing(folder: Path, windows: Iterable[np.ndarray]) -> int:
    """How many features of int16 windows C and the pipeline quantise differently on the grid of models/kws, by one at
    most: those that float32 puts on the other side of a rounding."""
    spec = TensorSpec("mfcc", (49, 10), "int8", 0.549019635, 54)
    step, _ = mfcc_golden.step_of("kws")
    call, here, there = frames(mfcc_golden.tables_of("kws"), folder), Quantiser(spec), Quantiser(spec)
    count = 0
    for window in windows:
        (wanted,) = step.process(Frame(window.astype(np.float32) / 32768, 0.0, 0))
        off = np.abs(here(wanted.array).astype(int) - there(call(window, 320)))
        assert off.max() <= 1
        count += np.count_nonzero(off)
    return count


def test_quantised_they_are_the_pipelines(tmp_path: Path) -> None:
    windows = np.lib.stride_tricks.sliding_window_view(mfcc_golden.recording(), mfcc_golden.RATE_HZ)[::1600]
    assert differing(tmp_path, windows) <= 5  # of 91,630; measured: none


def test_quantised_they_are_the_pipelines_of_other_peoples_words(tmp_path: Path, shared_data: Path) -> None:
    clips = sorted((shared_data / "kws" / "wav").rglob("*.wav"))
    assert len(clips) == 240
    windows = (np.resize(mfcc_golden.samples_of(clip), mfcc_golden.RATE_HZ) for clip in clips)
    assert differing(tmp_path, windows) <= 6  # of 117,600; measured: none
