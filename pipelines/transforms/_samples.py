"""From the milliseconds of a config to whole samples of a stream."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from pipelines.core import Signal
from pipelines.errors import SignalMismatch

# bounded, so that a slip of the pen is an error in the file and not a MemoryError
Milliseconds = Annotated[float, Meta(gt=0, le=600_000)]
MOST_SAMPLES = 10_000_000
"""Ten minutes at 16 kHz."""


def rate_of(signal: Signal) -> float:
    """The signal's sampling rate in Hz.

    Raises:
        SignalMismatch: it has none.
    """
    if not signal.rate_hz:
        raise SignalMismatch(signal, "a stream with a sampling rate", "set the sensor's rate_hz")
    return signal.rate_hz


def whole_samples(key: str, ms: float, signal: Signal) -> int:
    """The nearest whole number of samples to ``ms`` milliseconds.

    Args:
        key: the option that ``ms`` was given as, for the message.

    Raises:
        SignalMismatch: it is less than one sample or more than MOST_SAMPLES, or the signal has no rate.
    """
    rate_hz = rate_of(signal)
    count = round(ms * rate_hz / 1000)
    if count < 1:
        fix = f"make {key} at least {1000 / rate_hz:.6g}"
        raise SignalMismatch(f"{key} {ms:g}, which is less than one sample of {signal}", "one sample or more", fix)
    if count > MOST_SAMPLES:
        fix = f"make {key} at most {1000 * MOST_SAMPLES / rate_hz:.6g}"
        raise SignalMismatch(f"{key} {ms:g}, which is {count:,} samples of {signal}", f"at most {MOST_SAMPLES:,}", fix)
    return count
