"""A board's clock, and what its ticks are on the host's."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from pipelines.errors import DeviceCorrupt

EXCHANGES = 8
"""The one with the shortest round trip counts, as in NTP's clock filter (RFC 5905, section 10)."""


@dataclass(frozen=True, slots=True)
class BoardClock:
    """One measurement of a board's clock.

    Args:
        ticks: of the board, in the middle of the exchange.
        host_s: the host's monotonic clock then.
        tick_hz: of the board.
        uncertainty_s: ``host_s`` is right within this: half of the round trip, and a tick.
        drift: seconds that the board's clock gains per second; against an earlier measurement, 0 where there is none.
    """

    ticks: int
    host_s: float
    tick_hz: float
    uncertainty_s: float
    drift: float = 0.0

    def agrees(self, other: BoardClock) -> bool:
        """Whether both can be right. An answer that was damaged on its way, unseen, cannot."""
        return abs(self.host(other.ticks) - other.host_s) <= self.uncertainty_s + other.uncertainty_s

    def host(self, ticks: int) -> float:
        """When that was, by the host's monotonic clock in s."""
        return self.host_s + (ticks - self.ticks) / self.tick_hz / (1 + self.drift)


def measure(
    ticks: Callable[[], int],
    tick_hz: float,
    clock: Callable[[], float],
    before: BoardClock | None = None,
    exchanges: int = EXCHANGES,
) -> BoardClock:
    """Compare both clocks.

    Args:
        ticks: asks the board. A call that had to be asked again only takes longer: its answer is still from between.
        before: an earlier measurement, to know the drift.

    Raises:
        DeviceCorrupt: the answers contradict each other.
    """
    heard: list[BoardClock] = []
    for _ in range(exchanges):
        start = clock()
        now = ticks()
        end = clock()
        heard.append(BoardClock(now, (start + end) / 2, tick_hz, (end - start) / 2 + 1 / tick_hz))
    agreed = [one for one in heard if 2 * sum(one.agrees(other) for other in heard) > len(heard)]
    if not agreed:
        raise DeviceCorrupt("the board's clock was told differently each time; check the cable")
    found = min(agreed, key=lambda one: one.uncertainty_s)
    now, host_s = found.ticks, found.host_s
    if before is None or before.tick_hz != tick_hz or now < before.ticks:
        return found
    passed, error = host_s - before.host_s, found.uncertainty_s + before.uncertainty_s
    drift = (now - before.ticks) / tick_hz / passed - 1 if passed > 0 else 0.0
    if abs(drift) * passed <= error:  # nothing that could be told from the uncertainty
        return found
    return BoardClock(now, host_s, tick_hz, found.uncertainty_s, drift)
