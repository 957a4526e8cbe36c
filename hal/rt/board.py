"""A board at the end of a wire: its models, sensors and LEDs as calls that survive the wire's faults."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from hal.rt import protocol
from hal.rt.descriptions import BoardModel, described
from hal.rt.inference import Exchange, Job
from hal.rt.link import MAX_FRAME, Link
from hal.rt.protocol import (
    MEMORY,
    RESET,
    SET_LED,
    START_SENSOR,
    START_STREAM,
    TIME,
    BoardInfo,
    MemoryInfo,
    SensorInfo,
    Status,
)
from hal.rt.readings import Reading, Stream, Window, read_samples, read_window
from hal.rt.session import CALL_S, GIVE_UP_S, Session, refuse, was_reset
from hal.rt.ticks import BoardClock, measure
from hal.rt.wire import Wire
from pipelines.core import Event
from pipelines.errors import CapabilityError, DeviceLost, DeviceMismatch, DeviceReset

INFER_S = 30.0
"""For a model that was not run yet."""
INFER_FACTOR = 5.0
"""Afterwards, times what it took."""
LEAST_INFER_S = 3.0
CLOCK_AGE_S = 10.0
"""A board's clock is compared with the host's again after so long."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """One inference.

    Args:
        blob: the output blob.
        device_s: of the inference alone, by the board's clock.
        transport_s: of the call without that; of one that was begun while another one was out, since that was answered.
    """

    blob: bytes
    device_s: float
    transport_s: float


class PendingInference:
    """An inference that was begun; ``Board.begin_infer`` makes these."""

    def __init__(self, board: Board, job: Job) -> None:
        self._board, self.job = board, job
        self.exchange: Exchange | None = None
        """None until it is sent, or where the link failed since."""
        self.started = 0.0
        self.outcome: Outcome | None = None

    def wait(self) -> Outcome:
        """The outcome, as often as you like. Raises as ``Board.infer``."""
        return self._board.finish(self)


class Board:
    """A board with this project's firmware. Any thread may call; ``open`` first.

    A lost link is connected again, and a board that was reset gets a new session: both are told as LinkLost and
    LinkBack, and the call goes on. What was started on it (sensors, streams) is gone after a reset: those calls raise
    DeviceReset.

    Args:
        connect: opens the wire; raises DeviceError while there is none.
        watch: gets LinkLost and LinkBack.
        give_up_s: how long to look for a board that was lost, before its calls raise DeviceLost.
        max_frame: most bytes of a message that this side takes.
        clock: monotonic time in s.
        sleep: waits so many seconds; for tests.
    """

    def __init__(
        self,
        connect: Callable[[], Wire],
        watch: Callable[[Event], None],
        *,
        give_up_s: float = GIVE_UP_S,
        max_frame: int = MAX_FRAME,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], object] | None = None,
    ) -> None:
        self._session = Session(
            connect, watch, self._same, give_up_s=give_up_s, max_frame=max_frame, clock=clock, sleep=sleep
        )
        self._clock = clock
        self.models: tuple[BoardModel, ...] = ()
        self.sensors: tuple[SensorInfo, ...] = ()
        self._started: dict[int, int] = {}  # the session in which a sensor was started
        self._streaming = 0
        self._stream: Stream = (0, 0, 0, False, False)  # what it was started with, which each result's check covers
        self._one = threading.Lock()  # one inference after the other: another one's would replace its output
        self._begun: list[PendingInference] = []
        self._answered = 0.0
        self._board_clock: BoardClock | None = None
        self._clock_session = 0

    # ---- the board ----

    @property
    def info(self) -> BoardInfo:
        """What it said in hello. Raises DeviceLost before ``open``."""
        info = self._session.info
        if info is None:
            raise DeviceLost("the board is not connected; open it first")
        return info

    @property
    def link(self) -> Link:
        """The link of this moment; another one after a loss."""
        return self._session.now.link

    def open(self) -> None:
        """Connect, say hello, and ask what it has.

        Raises:
            DeviceError: it is not there, or does not answer.
            DeviceMismatch: it speaks another version.
        """
        self._session.open()
        try:
            self.models, self.sensors = described(self.link, self.info)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Calls that are out raise DeviceLost. May be called twice."""
        self._session.close()

    def reset(self) -> None:
        """Reset the board, and find back to it. What was started on it is gone."""
        generation = self._session.now.generation

        def attempt(link: Link, number: int) -> None:
            (status,) = link.call(RESET, protocol.reset(number), CALL_S)
            if status != Status.NO_SESSION:  # asked again, and the first one was heard
                refuse(status, "a reset")

        self._session.run(attempt)
        self._session.mend(generation, DeviceReset("the board was reset as asked"))

    def heading(self) -> Iterator[str]:
        """What to say of it before a run, a line each."""
        info = self.info
        yield f"board {info.board}, firmware by {info.build}, its clock counts {info.clock} at {info.tick_hz:,} Hz"
        clock = self.time()
        drift = f", and gains {1e6 * clock.drift:+,.0f} us per second" if clock.drift else ""
        yield f"its clock is known within {1e3 * clock.uncertainty_s:.2f} ms{drift}"

    def memory(self) -> MemoryInfo:
        """Stack, frames and uptime."""

        def attempt(link: Link, _: int) -> MemoryInfo:
            info, status = link.call(MEMORY, protocol.memory(), CALL_S)
            refuse(status, "its memory")
            return info

        return self._session.run(attempt)

    def set_led(self, led: int, on: bool) -> None:
        """Switch an LED. Raises CapabilityError where there is none."""

        def attempt(link: Link, _: int) -> None:
            (status,) = link.call(SET_LED, protocol.set_led(led, on), CALL_S)
            refuse(status, f"{led}, it has {self.info.leds}")

        self._session.run(attempt)

    def time(self) -> BoardClock:
        """The board's clock against the host's, measured now."""

        def ask() -> int:
            def attempt(link: Link, _: int) -> int:
                ticks, status = link.call(TIME, protocol.time(), CALL_S)
                refuse(status, "its time")
                return ticks

            return self._session.run(attempt)

        ask()  # a lost link is mended here and not in the measurement
        number = self._session.now.number
        before = self._board_clock if self._clock_session == number else None  # a reset clock begins anew
        found = measure(ask, self.info.tick_hz, self._clock, before)
        self._board_clock, self._clock_session = found, number
        return found

    def host_time(self, ticks: int) -> float:
        """When the board counted so many ticks, by the host's monotonic clock in s; right within
        ``time().uncertainty_s``."""
        known = self._board_clock
        old = known is None or self._clock() - known.host_s > CLOCK_AGE_S
        if known is None or old or self._clock_session != self._session.now.number:
            known = self.time()
        return known.host(ticks)

    # ---- inference ----

    def infer(self, model: int, blob: bytes) -> Outcome:
        """Run a model.

        Args:
            model: its index in ``models``.
            blob: all its inputs, each at its place.

        Raises:
            DeviceCorrupt: no right answer came in time. A wrong one is never returned.
            DeviceTimeout, DeviceLost, DeviceMismatch, DeviceError: as they say.
        """
        with self._one:
            return self._finish(self._begin(self._job(model, blob)))

    def begin_infer(self, model: int, blob: bytes) -> PendingInference:
        """Send an input, and wait for its output later: what the board takes while it computes goes out at once."""
        job = self._job(model, blob)
        with self._one:
            return self._begin(job)

    def finish(self, pending: PendingInference) -> Outcome:
        """What ``pending.wait`` does."""
        with self._one:
            return self._finish(pending)

    def _job(self, model: int, blob: bytes) -> Job:
        if not 0 <= model < len(self.models):
            raise CapabilityError(f"the board has no such model ({model}), it has {len(self.models)}")
        info = self.models[model].info
        if len(blob) != info.input_bytes:
            raise ValueError(f"got {len(blob)} bytes for {info.name}, expected {info.input_bytes}")
        return Job.of(model, bytes(blob), info.output_bytes)

    def _begin(self, job: Job) -> PendingInference:
        pending = PendingInference(self, job)
        # the board keeps one output: one that takes several calls to read has to be read before the next inference
        short = self.info.max_frame - protocol.INFER_REPLY_BYTES
        if not any(earlier.job.output_bytes > short for earlier in self._begun):
            self._session.run(lambda link, number: self._send(pending, link, number))
        self._begun.append(pending)
        return pending

    def _send(self, pending: PendingInference, link: Link, number: int) -> None:
        now = self._clock()
        took = link.expected_s(("infer", pending.job.model))
        limit = INFER_S if took is None else max(LEAST_INFER_S, INFER_FACTOR * took)
        # all that is to be sent, several times over
        limit += 4 * (len(pending.job.blob) + pending.job.output_bytes) * link.seconds_per_byte
        if not pending.started:
            pending.started = now
        pending.exchange = Exchange(link, number, pending.job, now + limit)
        pending.exchange.send(now)

    def _finish(self, pending: PendingInference) -> Outcome:
        if pending.outcome is not None:
            return pending.outcome

        def attempt(link: Link, number: int) -> tuple[bytes, int]:
            exchange = pending.exchange
            if exchange is None or exchange.link is not link or exchange.session != number:
                self._send(pending, link, number)
            assert pending.exchange is not None
            try:
                return pending.exchange.result()
            except BaseException:
                pending.exchange = None
                raise

        try:
            blob, ticks = self._session.run(attempt)
        finally:
            if pending in self._begun:
                self._begun.remove(pending)
        end = self._clock()
        device_s = ticks / self.info.tick_hz
        transport_s = max(0.0, end - max(pending.started, self._answered) - device_s)
        self._answered = end
        pending.outcome = Outcome(blob, device_s, transport_s)
        self._send_next()
        return pending.outcome

    def _send_next(self) -> None:
        """One that had to wait for this output."""
        waiting = next((pending for pending in self._begun if pending.exchange is None), None)
        if waiting is not None:
            self._session.run(lambda link, number: self._send(waiting, link, number))

    # ---- sensors ----

    def start_sensor(self, sensor: int, fast: bool = False) -> None:
        """From the start of a recording, or from now on. fast: a recording does not wait for its time."""

        def attempt(link: Link, number: int) -> int:
            (status,) = link.call(START_SENSOR, protocol.start_sensor(number, sensor, fast), CALL_S)
            refuse(status, f"sensor {sensor}")
            return number

        self._started[sensor] = self._session.run(attempt)

    def read_sensor(self, sensor: int, at: int, samples: int) -> Reading:
        """Up to so many samples, from ``at`` on, or from later on where some were lost; fewer where there are no more
        yet.

        Raises:
            DeviceReset: the board was reset; start the sensor again.
        """

        def attempt(link: Link, number: int) -> Reading:
            if self._started.get(sensor) != number:
                raise was_reset()
            return read_samples(link, number, sensor, self.sensors[sensor], at, samples)

        if self._started.get(sensor) != self._session.now.number:
            raise was_reset()
        return self._session.run(attempt, again_after_reset=False)

    # ---- streams ----

    def start_stream(
        self, sensor: int, model: int, hop: int, fast: bool = False, *, features_only: bool = False
    ) -> None:
        """Windows, features and inference of a sensor's samples, on the board.

        Args:
            hop: samples from one window to the next.
            fast: a recording does not wait for its time.
            features_only: each window's result is the model's input blob.
        """

        def attempt(link: Link, number: int) -> int:
            arguments = protocol.start_stream(number, sensor, model, hop, fast, features_only)
            (status,) = link.call(START_STREAM, arguments, CALL_S)
            refuse(status, f"a stream of sensor {sensor} through model {model}")
            return number

        self._stream = (sensor, model, hop, fast, features_only)
        self._streaming = self._session.run(attempt)

    def read_stream(self, window: int) -> Window:
        """That window's result, or a later one's where it is lost.

        Raises:
            DeviceReset: the board was reset; start the stream again.
        """

        def attempt(link: Link, number: int) -> Window:
            if self._streaming != number:
                raise was_reset()
            return read_window(link, number, self._stream, window, recorded=recorded, clock=self._clock)

        if self._streaming != self._session.now.number:
            raise was_reset()
        recorded = self.sensors[self._stream[0]].samples > 0
        return self._session.run(attempt, again_after_reset=False)

    def _same(self, link: Link) -> None:
        """After a reset: refuse a board that has other models or sensors than before."""
        before = [(model.info.name, model.info.sha256, model.info.recipe) for model in self.models]
        models, sensors = described(link, self.info)
        after = [(model.info.name, model.info.sha256, model.info.recipe) for model in models]
        if (before, self.sensors) != (after, sensors):
            raise DeviceMismatch(
                f"the board came back with {_names(after)} and {len(sensors)} sensors, expected {_names(before)} and "
                f"{len(self.sensors)} as before; connect the same board, or start again"
            )


def _names(models: list[tuple[str, bytes, bytes]]) -> str:
    return ", ".join(f"{name} ({sha256.hex()[:12]})" for name, sha256, _ in models) or "no models"
