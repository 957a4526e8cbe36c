"""Features on the board: from a demo's ``window`` and ``mfcc`` (or ``log_mel``) to the tables of eiq_mfcc.c."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from pipelines import registry
from pipelines.core import Array, Signal
from pipelines.errors import CapabilityError

MOST_POINTS = 4096
MOST_VALUES = 16_384
_ON_THE_HOST = "compute the features on the host (offload: engine)"
_LEAST, _MOST = float(np.finfo(np.float32).tiny), float(np.finfo(np.float32).max)


@dataclass(frozen=True)
class Tables:
    """A feature recipe, ready for the board.

    Args:
        c: source that defines ``const struct eiq_window SYMBOL`` and its arrays.
        symbol: the struct's name.
        recipe: hash of what the features are, 8 bytes.
        values: numbers of one window's features, frames times bands.
        bands: mels or coefficients.
        samples: of an analysis frame.
        points: of the FFT.
    """

    c: str
    symbol: str
    recipe: bytes
    values: int
    bands: int
    samples: int
    points: int


def tables(window: Any, features: Any, rate_hz: float, name: str) -> Tables:
    """The C tables of a recipe.

    Args:
        window: the config of the step ``window``.
        features: the config of the step ``mfcc`` or ``log_mel`` after it.
        rate_hz: of the sound.
        name: what the C names begin with.

    Raises:
        SignalMismatch: the steps do not fit the rate, or each other.
        CapabilityError: the board cannot compute them; says what to do.
    """
    kind = _kind(features)
    _check_options(features, kind)
    sound = registry.load("transforms", "window")(window).resolve(Signal((None,), "float32", rate_hz, "audio"))
    parts = registry.load("transforms", kind)(features).tables(sound)
    bands = features.mels if parts.cosines is None else parts.cosines.shape[1]
    framing = parts.framing
    _check_sizes(framing, features.mels, bands, kind)
    symbol = f"{name}_features"
    return Tables(
        _source(_numbers(parts, features, kind), framing, features, rate_hz, name, symbol, bands),
        symbol, _recipe(framing, features, rate_hz, kind), framing.frames * bands, bands, framing.window, framing.fft,
    )  # fmt: skip


def twiddles(fft: int) -> Array:
    """Cosines and sines in the order in which eiq_mfcc.c reads them, float64: of each join from m to 4m numbers, for k
    from 1 to m - 1, those of 2πk/4m, of twice and of three times that; then those of 2πk/fft for k from 1 to fft/4."""
    half = fft // 2
    lengths = [4**i * (1 if half.bit_length() % 2 else 2) for i in range(half.bit_length())]
    joins = [np.outer(np.arange(1, m), (1, 2, 3)).ravel() / (4 * m) for m in lengths if m < half]
    angles = 2 * np.pi * np.concatenate([*joins, np.arange(1, half // 2 + 1) / fft])
    return np.stack([np.cos(angles), np.sin(angles)], axis=1).ravel()


def _kind(features: Any) -> str:
    # an mfcc's config is a log_mel's and more, so it is asked first
    for kind in ("mfcc", "log_mel"):
        if isinstance(features, registry.load("transforms", kind).Config):
            return kind
    step = type(features).__qualname__.partition(".")[0]
    raise CapabilityError(f"got the step {step} as features on the board, expected mfcc or log_mel; {_ON_THE_HOST}")


def _check_options(features: Any, kind: str) -> None:
    log = features.log
    refused = {
        f"gain: {features.gain}": features.gain != "none",
        "center: true": features.center,
        "log: {ref: max}": log.ref == "max",
        f"log: {{top_db: {log.top_db}}}": log.top_db is not None,
    }
    for option, wrong in refused.items():
        if wrong:
            raise CapabilityError(
                f"got {option} in {kind}, which needs the whole window, but the board computes each analysis frame by "
                f"itself, and once; leave it out, or {_ON_THE_HOST}"
            )


def _check_sizes(framing: Any, mels: int, bands: int, kind: str) -> None:
    if framing.fft & (framing.fft - 1) or framing.fft > MOST_POINTS:
        raise CapabilityError(f"got fft: {framing.fft} in {kind}, expected a power of two up to {MOST_POINTS} on the "
                              f"board; change fft, or {_ON_THE_HOST}")  # fmt: skip
    if mels > framing.fft // 2:
        raise CapabilityError(f"got {mels} mels of an fft of {framing.fft} in {kind}, expected at most half as many as "
                              f"points on the board; lower mels, or {_ON_THE_HOST}")  # fmt: skip
    if framing.frames * bands > MOST_VALUES:
        raise CapabilityError(f"got {framing.frames} frames of {bands} numbers from {kind}, expected at most "
                              f"{MOST_VALUES:,} numbers on the board; shorten window, or {_ON_THE_HOST}")  # fmt: skip


@dataclass(frozen=True)
class _Numbers:
    """What the struct holds, in float32."""

    taper: Array
    first: list[int]
    count: list[int]
    weights: Array
    cosines: Array
    offset: float
    floor: float
    unit: float


def _numbers(parts: Any, features: Any, kind: str) -> _Numbers:
    bank, log, framing = parts.bank, features.log, parts.framing
    stops = [*bank.starts[1:], len(bank.columns)]
    reference = 1.0 if log.ref == 1.0 else max(log.ref, log.floor)
    # energies, offset and floor are divided by the reference beforehand: ln(max(e + offset, floor) / ref)
    weights, offset, floor = bank.weights / reference, log.offset / reference, log.floor / reference
    loudest = float(framing.window) ** (1 if features.spectrum == "magnitude" else 2)
    largest = loudest * float(np.add.reduceat(weights, bank.starts).max()) + max(offset, floor)
    if not (max(offset, floor) >= _LEAST and largest <= _MOST):
        raise CapabilityError(
            f"got energies from {max(offset, floor):.3g} to {largest:.3g} under the logarithm of {kind}, expected "
            f"those that float32 holds on the board; change log's offset, floor and ref, or {_ON_THE_HOST}"
        )
    return _Numbers(
        _single(parts.taper / (2 * 32768)),
        [int(bank.bins.start + bank.columns[start]) for start in bank.starts],
        [int(stop - start) for start, stop in zip(bank.starts, stops, strict=True)],
        _single(weights),
        _single([] if parts.cosines is None else parts.cosines.T.ravel()),
        offset, floor, 10 / np.log(10) if log.unit == "db" else 1.0,
    )  # fmt: skip


def _source(numbers: _Numbers, framing: Any, features: Any, rate_hz: float, name: str, symbol: str, bands: int) -> str:
    arrays = {"taper": numbers.taper, "twiddles": _single(twiddles(framing.fft)), "weights": numbers.weights}
    if len(numbers.cosines):
        arrays["cosines"] = numbers.cosines
    mfcc = {
        "window": framing.window, "hop": framing.hop, "fft": framing.fft, "frames": framing.frames,
        "mels": features.mels, "coefficients": bands if len(numbers.cosines) else 0,
        "magnitude": int(features.spectrum == "magnitude"),
        "offset": _float(numbers.offset), "floor": _float(numbers.floor), "unit": _float(numbers.unit),
        **{field: f"{name}_{field}" for field in ("taper", "twiddles", "first", "count", "weights")},
        "cosines": f"{name}_cosines" if len(numbers.cosines) else 0,
    }  # fmt: skip
    return "\n".join([
        "/* Written by hal/rt/features.py: the tables of a feature recipe. */", '#include "eiq_mfcc.h"', "",
        *(_array("float", f"{name}_{field}", map(_float, values)) for field, values in arrays.items()),
        _array("uint16_t", f"{name}_first", map(str, numbers.first)),
        _array("uint16_t", f"{name}_count", map(str, numbers.count)),
        f"static const struct eiq_mfcc {name}_mfcc = {{",
        *(f"    .{field} = {value}," for field, value in mfcc.items()), "};", "",
        f"const struct eiq_window {symbol} = {{",
        f"    .rate_hz = {_float(rate_hz)}, .length = {framing.length}, .mfcc = &{name}_mfcc,", "};", "",
    ])  # fmt: skip


def _array(ctype: str, name: str, values: Iterable[str]) -> str:
    return "\n".join([f"static const {ctype} {name}[] = {{", *_lines(values), "};", ""])


def _lines(values: Iterable[str]) -> Iterator[str]:
    line = "   "
    for value in values:
        if len(line) + len(value) > 117:
            yield line
            line = "   "
        line += f" {value},"
    yield line


def _single(values: Any) -> Array:
    return np.asarray(values, np.float32)


def _float(value: float) -> str:
    """As C takes it, and as it reads back equal in float32."""
    text = f"{float(np.float32(value)):.9g}"
    return f"{text}f" if "." in text or "e" in text else f"{text}.0f"


def _recipe(framing: Any, features: Any, rate_hz: float, kind: str) -> bytes:
    """Of everything that changes a feature; not how it was written (ms or samples), nor how far windows are apart."""
    log = features.log
    what = {
        "rate_hz": float(rate_hz), "length": framing.length, "window": framing.window, "hop": framing.hop,
        "fft": framing.fft, "mels": features.mels, "fmin_hz": float(features.fmin_hz),
        "fmax_hz": float(features.fmax_hz or rate_hz / 2), "scale": features.scale, "triangles": features.triangles,
        "norm": features.norm, "spectrum": features.spectrum,
        "log": [log.unit, float(log.offset), float(log.floor), float(log.ref)],
    }  # fmt: skip
    if kind == "mfcc":
        what["cosines"] = [features.coefficients, features.dct, float(features.lifter)]
    return hashlib.sha256(json.dumps(what, sort_keys=True, separators=(",", ":")).encode()).digest()[:8]
