"""How frames get from a sensor to the run: a recording is pulled, a live device has a thread and a bounded queue."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator

from pipelines.core import Event, Frame, Sensor, SensorBack, SensorLost
from pipelines.errors import DeviceError, DeviceLost

FIRST_RETRY_S, LONGEST_RETRY_S = 0.25, 5.0
QUEUED_FRAMES = 512
"""Bound of the queue of live audio and motion: some 10 s of 20 ms chunks. Pictures keep the latest one alone."""


def frames(sensor: Sensor, emit: Callable[[Event], None], stop: threading.Event) -> Iterator[Frame]:
    """All frames of a sensor until it ends or ``stop`` is set.

    Raises:
        EiqError: the sensor could not be opened, or a recording cannot be read on.
    """
    if sensor.live:
        yield from Capture(sensor, emit, stop).frames()
        return
    for frame in sensor.frames():
        yield frame
        if stop.is_set():
            return


class Capture:
    """A thread that reads a live sensor, and a bounded queue to the run.

    A full queue drops its oldest frame: a picture's latest is what matters, and a hole in audio or motion is seen by
    the window, which never splices over it. A dropped frame is a gap in ``seq``, counted where the gap is met.

    A lost device is told once, retried with doubling back-off, and told again when it is back.

    Args:
        clock: monotonic seconds; a test passes its own.
    """

    def __init__(
        self,
        sensor: Sensor,
        emit: Callable[[Event], None],
        stop: threading.Event,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.sensor, self.emit, self.stop, self.clock = sensor, emit, stop, clock
        self.queue: deque[Frame] = deque(maxlen=1 if sensor.output.kind == "image" else QUEUED_FRAMES)
        self.ready = threading.Condition()
        self.ended = False
        self.left = False  # nobody takes frames any more; ``stop`` is not set then: it belongs to all pipelines
        self.error: BaseException | None = None

    def frames(self) -> Iterator[Frame]:
        """Start the thread and hand out what it captures; its exception comes out here."""
        # a daemon: a driver that hangs in read() must not hold up the end of the program
        thread = threading.Thread(target=self._capture, name="capture", daemon=True)
        thread.start()
        try:
            while (frame := self._next()) is not None:
                yield frame
        finally:
            self.left = True
            self.sensor.close()
            thread.join(timeout=0.5)
        if self.error:
            raise self.error

    def _next(self) -> Frame | None:
        with self.ready:
            while not self.stop.is_set():
                if self.queue:
                    return self.queue.popleft()
                if self.ended:
                    return None
                self.ready.wait(0.1)
            return None

    def _capture(self) -> None:
        try:
            self._read_and_retry()
        except BaseException as error:  # noqa: BLE001 - it crosses the queue and ends the run
            self.error = error
        with self.ready:
            self.ended = True
            self.ready.notify()

    def _read_and_retry(self) -> None:
        lost_at: float | None = None
        opened = False
        wait_s = FIRST_RETRY_S
        while not self._over():
            try:
                for frame in self.sensor.frames():
                    opened = True
                    if lost_at is not None:
                        self.emit(SensorBack(self.clock() - lost_at))
                        lost_at, wait_s = None, FIRST_RETRY_S
                    self._put(frame)
                    if self._over():
                        return
                return  # a stream that ends, such as a video behind a URL
            except DeviceError as error:
                if not opened and not isinstance(error, DeviceLost):
                    raise
                if lost_at is None:
                    lost_at = self.clock()
                    self.emit(SensorLost(str(error)))
            self.stop.wait(wait_s)
            wait_s = min(2 * wait_s, LONGEST_RETRY_S)

    def _over(self) -> bool:
        return self.left or self.stop.is_set()

    def _put(self, frame: Frame) -> None:
        with self.ready:
            self.queue.append(frame)
            self.ready.notify()
