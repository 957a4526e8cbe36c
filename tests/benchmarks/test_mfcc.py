"""One hop of the streaming MFCC against librosa on the whole window.

    python -m pytest tests/benchmarks/test_mfcc.py -s

Measured here, warm, in one process and interleaved, so that both meet the same load and the same cold caches. Both
compute the same recipe of a 1 s window at 16 kHz: the one of kws.yaml every 100 ms, and the defaults of librosa every
96 ms (three of its frames). librosa is measured as it comes, where its matrix products use every core and suffer from
whatever else runs there, and with one thread of BLAS.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

import numpy as np
import pytest

from pipelines.core import Frame, Signal
from pipelines.transforms._log import Log
from pipelines.transforms.mfcc import Mfcc

RATE_HZ = 16000
ROUNDS = 150
KWS: dict[str, Any] = {"window_ms": 30, "hop_ms": 20, "fmax_hz": 4000}
DEFAULTS: dict[str, Any] = {
    "window_samples": 2048,
    "hop_samples": 512,
    "mels": 128,
    "scale": "slaney",
    "norm": "slaney",
    "center": True,
    "log": Log(unit="db", offset=0, floor=1e-10, top_db=80),
    "coefficients": 20,
    "dct": "ortho",
}
LIBROSAS_KWS: dict[str, Any] = {
    "n_mfcc": 10,
    "n_fft": 512,
    "win_length": 480,
    "hop_length": 320,
    "center": False,
    "n_mels": 40,
    "fmax": 4000,
    "htk": True,
}


def windows(hop: int, count: int = ROUNDS + 30) -> list[Frame]:
    """As a window step gives them: each owns its samples."""
    stream = (np.random.default_rng(0).standard_normal(RATE_HZ + count * hop) * 0.1).astype(np.float32)
    return [Frame(stream[k * hop : k * hop + RATE_HZ].copy(), 0.0, k, k * hop) for k in range(count)]


def seconds(call: Callable[[], object]) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


@pytest.mark.parametrize("threads", [None, 1], ids=["librosa as it comes", "one BLAS thread"])
@pytest.mark.parametrize(
    ("ours", "hop", "theirs"), [(KWS, 1600, LIBROSAS_KWS), (DEFAULTS, 1536, {})], ids=["kws", "librosa's defaults"]
)
def test_one_hop(benchmark: Any, ours: dict[str, Any], hop: int, theirs: dict[str, Any], threads: int | None) -> None:
    librosa = pytest.importorskip("librosa")
    step = Mfcc(Mfcc.Config(**ours))
    step.resolve(Signal((RATE_HZ,), "float32", RATE_HZ, "audio"))
    frames = windows(hop)
    with ExitStack() as stack:
        if threads:
            stack.enter_context(pytest.importorskip("threadpoolctl").threadpool_limits(threads))
        times = [
            (
                seconds(lambda frame=frame: step.process(frame)),  # type: ignore[misc]
                seconds(lambda frame=frame: librosa.feature.mfcc(y=frame.data, sr=RATE_HZ, **theirs)),  # type: ignore[misc]
            )
            for frame in frames
        ]
        rest = iter(windows(hop))
        benchmark.pedantic(step.process, setup=lambda: ((next(rest),), {}), rounds=ROUNDS, warmup_rounds=20)
    hop_us, whole_us = np.median(times[30:], axis=0) * 1e6
    benchmark.extra_info.update(hop_us=hop_us, librosa_us=whole_us, ratio=whole_us / hop_us)
    print(
        f"\none hop {hop_us:.0f} µs, librosa on the window {whole_us:.0f} µs: {whole_us / hop_us:.1f} x (target 20 x)"
    )


def test_both_compute_the_same() -> None:
    """The benchmark compares like with like: up to the logarithm, which librosa.feature.mfcc takes in dB."""
    librosa = pytest.importorskip("librosa")
    y = windows(1600, 1)[0].array
    step = Mfcc(Mfcc.Config(**KWS, dct="ortho", norm="slaney", log=Log(unit="db", offset=0, floor=1e-10, top_db=80)))
    step.resolve(Signal((RATE_HZ,), "float32", RATE_HZ, "audio"))
    # librosa centres the 480 samples in 512, so its frames lie 16 samples later
    wanted = librosa.feature.mfcc(y=np.pad(y, (16, 16)), sr=RATE_HZ, **LIBROSAS_KWS).T
    np.testing.assert_allclose(step.process(Frame(y, 0.0, 0))[0].array, wanted, atol=5e-4)
