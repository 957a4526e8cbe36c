"""How long to wait for a reply before a request is sent again."""

from __future__ import annotations

from collections.abc import Hashable

from hal.rt.calls import Pending

FIRST_MARGIN_S = 0.05
"""How long a call that nothing is known of may take beyond the wire's own time before it is sent again."""
LEAST_MARGIN_S = 0.01
MOST_MARGIN_S = 0.4
"""So that a link which works again is noticed within half a second. A retry too many does no harm."""


class Patience:
    """Learnt from each reply: the time beyond the wire's own, its mean and deviation as TCP's (RFC 6298).

    Args:
        seconds_per_byte: of the wire.
    """

    def __init__(self, seconds_per_byte: float) -> None:
        self._seconds_per_byte = seconds_per_byte
        self._known: dict[Hashable, tuple[float, float, int]] = {}  # mean, deviation, and the last reply's bytes
        self._doubtful: tuple[int, Hashable, float, int] | None = None  # what a retried call took

    def expected_s(self, key: Hashable) -> float | None:
        """How long calls of this key took; None where there was none."""
        known = self._known.get(key)
        return known[0] if known else None

    def with_call(self, pending: Pending[object], max_frame: int) -> float:
        """Seconds from when the board turned to it, or got its last retry."""
        mean, deviation, size = self._known.get(pending.key, (FIRST_MARGIN_S, 0.0, max_frame))
        margin: float = max(LEAST_MARGIN_S, mean + 4 * deviation) * 2 ** min(pending.silent, 10)
        return min(margin, MOST_MARGIN_S) + size * self._seconds_per_byte

    def learn(self, pending: Pending[object], size: int, now: float, *, watched: bool) -> None:
        """From a reply of ``size`` bytes. watched: somebody waited for their last; else they may have lain."""
        took = max(0.0, now - pending.started - size * self._seconds_per_byte)
        if not (watched or took < LEAST_MARGIN_S):
            return  # one that nobody watched came earlier than it was read
        if pending.tries > 1:  # this may be the reply to either request: see whether another one comes
            self._doubtful = pending.sequence, pending.key, took, size
        else:
            self._keep(pending.key, took, size)

    def second_reply(self, sequence: int) -> None:
        """It shows that the first request was not lost, and that the retry was too early."""
        if self._doubtful and self._doubtful[0] == sequence:
            self._keep(*self._doubtful[1:])
            self._doubtful = None

    def _keep(self, key: Hashable, took: float, size: int) -> None:
        mean, deviation, _ = self._known.get(key, (took, took / 2, 0))
        deviation += (abs(took - mean) - deviation) / 4
        self._known[key] = (mean + (took - mean) / 8, deviation, size)
