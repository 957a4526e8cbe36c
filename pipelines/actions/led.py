"""A light that answers a result."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any, ClassVar

from pipelines.config.schema import Config as Base
from pipelines.config.schema import PositiveFloat, Text
from pipelines.core import Result, Target


class Led:
    """Lights up at a result, stays on for a while, and goes out when the run ends.

    The time is the host's, not the stream's: the light is for people to see, also in a recording that is played fast.
    A further result while it is on lengthens it.

    Args:
        timer: makes a timer with start() and cancel(), called with seconds and a function; for tests.
        clock: monotonic seconds; for tests.

    Raises when built:
        CapabilityError: the target has no such light.
    """

    class Config(Base, frozen=True, kw_only=True):
        """
        Args:
            name: of the light on the target.
            labels: which results light it; all where empty.
            on_ms: how long it stays on after the last of them.
        """

        name: Text = "led"
        labels: tuple[str, ...] = ()
        on_ms: PositiveFloat = 500.0

    background: ClassVar[bool] = True  # a board's light is at the other end of a serial link

    def __init__(
        self,
        config: Config,
        target: Target,
        timer: Callable[[float, Callable[[], None]], Any] = threading.Timer,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._light = target.led(config.name)
        self._labels, self._on_s = frozenset(config.labels), config.on_ms / 1000
        self._new_timer, self._clock = timer, clock
        self._lock = threading.Lock()
        self._timer: Any = None  # runs while the light is on, and looks at its end whether it was lengthened
        self._until = 0.0
        self._error: Exception | None = None

    def start(self) -> None:
        """Nothing to do."""

    def handle(self, result: Result) -> None:
        """Light up, if the label is one of those. Raises DeviceError, also one that switching off met before."""
        if self._labels and result.label not in self._labels:
            return
        with self._lock:
            self._raise()
            self._until = self._clock() + self._on_s
            if self._timer is None:
                self._light.on()
                self._start(self._on_s)

    def close(self) -> None:
        """Put it out. May be called twice."""
        with self._lock:
            if self._timer is not None:
                self._timer.cancel()
                self._timer = None
                self._light.off()
            self._raise()

    def _start(self, seconds: float) -> None:
        self._timer = self._new_timer(seconds, self._time_is_up)
        self._timer.daemon = True
        self._timer.start()

    def _time_is_up(self) -> None:
        with self._lock:
            if self._timer is None:  # closed meanwhile
                return
            left = self._until - self._clock()
            if left > 0:
                self._start(left)
                return
            self._timer = None
            try:
                self._light.off()
            except Exception as error:  # noqa: BLE001 - raised again by the next handle or close
                self._error = error

    def _raise(self) -> None:
        error, self._error = self._error, None
        if error:
            raise error
