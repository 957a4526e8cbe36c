"""The run loop: one chain per pipeline, one thread per chain, every event told to the observers."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from pipelines.closing import Closing
from pipelines.core import Action, Dropped, Ended, Event, Frame, Observer, Preview, Result, Stage, StageTime
from pipelines.errors import EiqError, together
from pipelines.feed import frames
from pipelines.graph import Graph
from pipelines.worker import Worker

Emit = Callable[[Event], None]
TOGETHER_S = 0.5
"""A pipeline that fails before its first frame leaves the others so long, so that all cameras that are not there are
told at once."""


@dataclass(frozen=True)
class Limits:
    """When to stop by itself: seconds of stream time; frames through the engine. None: at the end of the input."""

    seconds: float | None = None
    frames: int | None = None


def run(graphs: Sequence[Graph], observers: Sequence[Observer], limits: Limits | None = None) -> None:
    """Run pipelines together until all have ended; Ctrl-C stops them all.

    Raises:
        EiqError: of the first pipeline that failed, which stops the others, and of those that failed with it.
        KeyboardInterrupt: after everything has stopped and every result was handed on.
    """
    limits = limits or Limits()
    stop = threading.Event()
    lock = threading.Lock()

    def emit(event: Event) -> None:
        with lock:
            for observer in observers:
                observer.on(event)

    if len(graphs) == 1:
        Pipeline(graphs[0], emit, limits, stop).run()
        return
    _run_together([Pipeline(graph, _named(emit, graph.name), limits, stop) for graph in graphs], stop)


def _named(emit: Emit, name: str) -> Emit:
    return lambda event: emit(replace(event, pipeline=name))


def _run_together(pipelines: Sequence[Pipeline], stop: threading.Event) -> None:
    errors: list[BaseException] = []
    # not Thread.join: Python 3.11 takes a thread for dead whose join() Ctrl-C has interrupted
    ended = [threading.Event() for _ in pipelines]

    def work(pipeline: Pipeline, end: threading.Event) -> None:
        try:
            pipeline.run()
        except BaseException as error:  # noqa: BLE001 - raised again below, in the main thread
            errors.append(error)
            end.set()
            if not _all_ended(ended, 0.0 if pipeline.frames else TOGETHER_S):
                halt()
        finally:
            end.set()

    def halt() -> None:
        stop.set()
        for pipeline in pipelines:  # ends the wait for a recording's next frame
            pipeline.graph.sensor.close()

    for pipeline, end in zip(pipelines, ended, strict=True):
        threading.Thread(target=work, args=(pipeline, end), name=pipeline.graph.name, daemon=True).start()
    try:
        for end in ended:
            while not end.wait(0.1):  # a wait without a timeout would not see Ctrl-C on every platform
                pass
    except KeyboardInterrupt:
        halt()
        for end in ended:
            end.wait(0.5)
        raise
    if errors:
        bug = next((error for error in errors if not isinstance(error, EiqError)), None)
        raise bug or together([error for error in errors if isinstance(error, EiqError)])


def _all_ended(ended: Sequence[threading.Event], seconds: float) -> bool:
    until = time.monotonic() + seconds
    return all(end.wait(max(0.0, until - time.monotonic())) for end in ended)


class Pipeline:
    """One chain at work.

    Args:
        emit: told every event, on this pipeline's thread or its capture thread.
        stop: set from outside to end it, and by it when it fails.
    """

    def __init__(self, graph: Graph, emit: Emit, limits: Limits, stop: threading.Event) -> None:
        self.graph, self.emit, self.limits, self.stop = graph, emit, limits, stop
        self.stages = graph.stages
        self.last_seq: list[int | None] = [None] * (len(self.stages) + 1)  # by link
        self.handlers: list[Callable[[Result], None]] = []
        self.engine_at = next((i for i, s in enumerate(self.stages) if s.kind == "engines"), 0)
        captures = [i for i, s in enumerate(self.stages) if getattr(s.part, "captures", False)]
        # what such a step holds back is missing in what is captured behind it
        self.holds_back = [getattr(s.part, "passes", False) and i < max(captures, default=0)
                           for i, s in enumerate(self.stages)]  # fmt: skip
        self.held_back = False
        self.frames = self.results = 0
        self.done = False

    def run(self) -> None:
        """Until the input ends, a limit is met, ``stop`` is set, or an exception."""
        reason = "failed"
        try:
            with Closing() as closing:
                self.handlers = [self._handler(name, action, closing) for name, action in self.graph.actions]
                ended = self._loop()
            reason = ended  # not before the actions have written everything: a full disk is a failure
        except (KeyboardInterrupt, BrokenPipeError):  # the user, or whoever read the results, has seen enough
            reason = "stopped"
            raise
        finally:
            self.graph.sensor.close()
            self.emit(Ended(reason, self.frames, self.results))

    def _handler(self, name: str, action: Action, closing: Closing) -> Callable[[Result], None]:
        if hasattr(action, "watch"):  # it has a queue of its own, and tells what it loses
            action.watch(self.emit, live=self.graph.sensor.live)
        action.start()
        if not action.background:
            return action.handle
        worker = Worker(name, action, self.emit, live=self.graph.sensor.live)
        closing.add(worker.close)
        return worker.handle

    def _loop(self) -> str:
        ended = self._feed()
        for index, stage in enumerate(self.stages):
            for frame in stage.finish() if stage.finish else ():
                self._hand_on(index, stage, frame, frame)
        return ended

    def _feed(self) -> str:
        live, seconds = self.graph.sensor.live, self.limits.seconds
        for frame in frames(self.graph.sensor, self.emit, self.stop):
            if seconds is not None and frame.t > seconds:
                return "limit"
            start = time.perf_counter()
            if live and frame.arrived is not None:
                self.emit(StageTime("age", time.monotonic() - frame.arrived, frame.seq))
            self.emit(Preview(frame))
            self._count_gap(0, self.graph.sensor_name, frame)
            before = self.frames
            self._push(0, frame)
            if self.frames > before:
                self.emit(StageTime("total", time.perf_counter() - start, frame.seq))
            if self.done:
                return "limit"
        return "stopped" if self.stop.is_set() else "end of input"

    def _push(self, index: int, frame: Frame) -> None:
        """One frame through stage ``index`` and all after it, depth first."""
        stage = self.stages[index]
        if index == self.engine_at:
            if self.done:
                return
            self.frames += 1
            self.done = self.frames == self.limits.frames
        own_s = 0.0
        handed_on = False
        start = time.perf_counter()
        for out in stage.process(frame):
            own_s += time.perf_counter() - start
            handed_on = handed_on or isinstance(out, Frame)
            self._hand_on(index, stage, frame, out)
            start = time.perf_counter()
        own_s += time.perf_counter() - start
        self.held_back = self.held_back or (self.holds_back[index] and not handed_on)
        self.emit(StageTime(stage.name, own_s, frame.seq))
        for part in stage.times() if stage.times else ():
            self.emit(StageTime(f"{stage.name}.{part.name}", part.seconds, frame.seq, measured=part.measured))

    def _hand_on(self, index: int, stage: Stage, frame: Frame, out: Frame | Result) -> None:
        if isinstance(out, Frame):
            if getattr(stage.part, "captures", False):  # it counts anew, so its gaps are its own
                self._count_gap(index + 1, stage.name, out, held_back=self.held_back)
                self.held_back = False
            self._push(index + 1, out)
        elif stage.kind == "transforms" or index + 1 == len(self.stages):
            self.results += 1
            if self.graph.name:
                out = replace(out, pipeline=self.graph.name)
            self.emit(out)
            for handle in self.handlers:
                handle(out)
        else:
            self._push(index + 1, _into(frame.captured, out))

    def _count_gap(self, link: int, where: str, frame: Frame, *, held_back: bool = False) -> None:
        """A gap is a drop, unless it is what a step held back, which tells that by its results."""
        last = self.last_seq[link]
        if last is not None and frame.seq > last + 1 and not held_back:
            self.emit(Dropped(where, frame.seq - last - 1))
        self.last_seq[link] = frame.seq


def _into(captured: Frame, cause: Result) -> Frame:
    """A cascade's next frame: what was captured, with the result that asks to look into it."""
    return replace(captured, source=captured, cause=cause)
