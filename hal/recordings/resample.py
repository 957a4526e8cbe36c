"""Another sample rate, off the hot path (a recording is read half a second at a time)."""

from __future__ import annotations

from collections.abc import Generator, Iterable

import numpy as np

from pipelines.core import Array
from pipelines.optional import require


class Resampler:
    """soxr at high quality (20 bit), streaming. A stream of n samples becomes n * to_hz / from_hz of them.

    Raises:
        MissingDependency: soxr is not installed.
    """

    def __init__(self, from_hz: float, to_hz: float) -> None:
        purpose = f"a recording of {from_hz:g} Hz for a pipeline of {to_hz:g} Hz"
        self._soxr = require("soxr", purpose=purpose, install="pip install 'eiq-demo[desktop]'")
        self._rates = from_hz, to_hz

    def stream(self, blocks: Iterable[Array]) -> Generator[Array, None, None]:
        """Mono float32 blocks in, mono float32 blocks out; each call is a stream of its own."""
        resampler = self._soxr.ResampleStream(*self._rates, 1, dtype="float32")
        for block in blocks:
            yield np.asarray(resampler.resample_chunk(block))
        yield np.asarray(resampler.resample_chunk(np.empty(0, np.float32), last=True))
