from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest

from hal.rt.features import Tables, tables
from pipelines.core import Signal
from pipelines.errors import CapabilityError, SignalMismatch
from pipelines.transforms._log import Log
from pipelines.transforms.band_power import BandPower
from pipelines.transforms.log_mel import LogMel
from pipelines.transforms.mfcc import Mfcc
from pipelines.transforms.window import Window

KWS: dict[str, Any] = {"window_ms": 30, "hop_ms": 20, "mels": 40, "fmin_hz": 0, "fmax_hz": 4000, "coefficients": 10}


def made(window: dict[str, Any] | None = None, rate_hz: float = 16000, **options: Any) -> Tables:
    config = Mfcc.Config(**{**KWS, **options})
    return tables(Window.Config(**{"length_ms": 1000, "hop_ms": 100, **(window or {})}), config, rate_hz, "kws")


def numbers(c: str, name: str) -> np.ndarray:
    """A float array of the source, as a C compiler reads it."""
    body = re.search(rf"static const float {name}\[\] = {{(.*?)}};", c, re.DOTALL)
    assert body, name
    return np.array([np.float32(word.rstrip("f")) for word in re.findall(r"[-+.\w]+", body[1])], np.float32)


def test_the_source_holds_the_pipelines_own_numbers() -> None:
    found, parts = made().c, Mfcc(Mfcc.Config(**KWS)).tables(Signal((16000,), "float32", 16000, "audio"))
    assert parts.cosines is not None
    np.testing.assert_array_equal(numbers(found, "kws_taper") * 65536, parts.taper.astype(np.float32))
    np.testing.assert_array_equal(numbers(found, "kws_weights"), parts.bank.weights.astype(np.float32))
    np.testing.assert_array_equal(numbers(found, "kws_cosines"), parts.cosines.T.ravel().astype(np.float32))


def test_it_says_what_memory_it_takes() -> None:
    found = made()
    assert (found.symbol, found.values, found.bands, found.samples, found.points) == ("kws_features", 490, 10, 480, 512)


def test_the_recipes_hash_stays() -> None:
    # boards in the field have it compiled in
    assert made().recipe.hex() == "a71c6d91920bd03d"


@pytest.mark.parametrize(
    ("window", "options"),
    [
        ({"hop_ms": 250}, {}),
        ({"max_age_ms": 10}, {}),
        ({"length_ms": 1000.01}, {}),
        ({}, {"window_ms": None, "window_samples": 480}),
        ({}, {"hop_ms": None, "hop_samples": 320}),
        ({}, {"fft": 512}),
        ({}, {"fmin_hz": 0.0, "fmax_hz": 4000.0}),
        ({}, {"log": Log(ref=1)}),
    ],
)
def test_the_same_features_have_the_same_hash(window: dict[str, Any], options: dict[str, Any]) -> None:
    assert made(window, **options).recipe == made().recipe


@pytest.mark.parametrize(
    "options",
    [
        {"window": {"length_ms": 980}}, {"rate_hz": 16001}, {"window_ms": 25}, {"hop_ms": 10}, {"fft": 1024},
        {"mels": 30}, {"fmin_hz": 1}, {"fmax_hz": None}, {"coefficients": 9}, {"scale": "slaney", "fft": 1024},
        {"triangles": "mel"}, {"norm": "slaney"}, {"spectrum": "magnitude"}, {"dct": "ortho"}, {"lifter": 22},
        {"log": Log(unit="db")}, {"log": Log(offset=1e-5)}, {"log": Log(floor=1e-5)}, {"log": Log(ref=2)},
    ],
)  # fmt: skip
def test_other_features_have_another_hash(options: dict[str, Any]) -> None:
    assert made(**options).recipe != made(**({"fft": 1024} if "scale" in options else {})).recipe


def test_log_mel_is_not_the_mfcc_of_it() -> None:
    options = {name: value for name, value in KWS.items() if name != "coefficients"}
    window = Window.Config(length_ms=1000, hop_ms=100)
    found = tables(window, LogMel.Config(**options), 16000, "kws")
    assert (found.values, found.bands) == (49 * 40, 40)
    assert ".coefficients = 0" in found.c
    assert found.recipe != made(coefficients=40).recipe


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"gain": "peak"}, "got gain: peak in mfcc"),
        ({"center": True}, "got center: true in mfcc"),
        ({"log": Log(ref="max")}, r"got log: \{ref: max\} in mfcc"),
        ({"log": Log(top_db=80)}, r"got log: \{top_db: 80\} in mfcc"),
        ({"fft": 500}, "got fft: 500 in mfcc, expected a power of two up to 4096"),
        ({"fft": 8192}, "got fft: 8192 in mfcc"),
        ({"hop_ms": 0.5}, "got 1941 frames of 10 numbers from mfcc, expected at most 16,384"),
        ({"log": Log(offset=1e-10, ref=1e30)}, "got energies from 1e-40 to .* under the logarithm of mfcc"),
        ({"log": Log(offset=1e-39)}, "got energies from 1e-39 to "),
        ({"log": Log(offset=1e30, ref=1e-30)}, "got energies from 1e[+]60 to "),
    ],
)
def test_what_the_board_cannot_compute_is_refused(options: dict[str, Any], told: str) -> None:
    with pytest.raises(CapabilityError, match=told) as caught:
        made(**options)
    assert "on the host (offload: engine)" in str(caught.value)


def test_more_mels_than_it_has_room_for_are_refused() -> None:
    crowded = LogMel.Config(window_samples=16, hop_samples=16, scale="slaney", fmin_hz=25, fmax_hz=775, mels=14)
    with pytest.raises(CapabilityError, match="got 14 mels of an fft of 16 in log_mel, expected at most half"):
        tables(Window.Config(length_ms=1000, hop_ms=100), crowded, 1600, "kws")


def test_another_step_is_refused() -> None:
    with pytest.raises(CapabilityError, match="got the step BandPower as features on the board, expected mfcc or"):
        tables(Window.Config(length_ms=1000, hop_ms=100), BandPower.Config(bands=8), 16000, "kws")


def test_steps_that_do_not_fit_say_so_as_in_a_pipeline() -> None:
    with pytest.raises(SignalMismatch, match="bands from 0 to 4000 Hz"):
        made(rate_hz=6000)
    with pytest.raises(SignalMismatch, match="length_ms"):
        made({"length_ms": 0.01})
