"""Several live cameras at once: drops and ages of each, one engine for all, and none that starves the others."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import fakes
import tiny_models
from pipelines.core import Dropped, Ended, Frame, Result, Stage, StageTime
from pipelines.engines.tflite import Tflite
from pipelines.graph import Graph
from pipelines.run import Limits, run
from pipelines.shared_engine import SharedEngine
from pipelines.timing import Stats

pytest.importorskip("ai_edge_litert")


class Live:
    """A camera that does not wait: a picture whenever the capture thread asks, until it is closed."""

    output, live = fakes.IMAGE, True

    def __init__(self) -> None:
        self.closed = threading.Event()

    def frames(self) -> Iterator[Frame]:
        seq = 0
        while not self.closed.wait(0.0005):
            yield fakes.picture(seq, arrived=time.monotonic())
            seq += 1

    def close(self) -> None:
        self.closed.set()


def camera(name: str, engine: SharedEngine, own_s: float = 0.0) -> Graph:
    """A stream through the shared engine, with own work of so many s on each frame before it."""

    def infer(frame: Frame) -> tuple[Frame]:
        if own_s:
            threading.Event().wait(own_s)
        (y,) = engine.infer(np.full((1, 4), frame.seq % 100, np.float32))
        return (frame.with_data(y),)

    stage = Stage("tflite", "engines", infer, fakes.IMAGE, engine)
    return replace(fakes.graph(Live(), stage), name=name)


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[SharedEngine]:
    (tmp_path / "copy.tflite").write_bytes(tiny_models.copy())
    shared = SharedEngine(Tflite(Tflite.Config(model="copy.tflite"), tmp_path / "copy.tflite"))
    yield shared
    shared.close()


@pytest.mark.parametrize("streams", [2, 4, 8])
def test_each_live_stream_has_its_own_answers_drops_and_ages(streams: int, engine: SharedEngine) -> None:
    names = [f"camera{i}" for i in range(streams)]
    seen, stats = fakes.Recorder(), Stats()
    run([camera(name, engine, own_s=0.005) for name in names], [seen, stats], Limits(frames=20))
    for name in names:
        times = [event for event in seen.of(StageTime) if event.pipeline == name]
        assert {"age", "tflite", "total"} <= {event.stage for event in times}
        dropped = [event.count for event in seen.of(Dropped) if event.pipeline == name]
        assert sum(dropped) == stats.dropped[f"{name}.camera"] > 0
        results = [(r.label, str(r.source.seq % 100)) for r in seen.of(Result) if r.pipeline == name]
        assert len(results) == 20
        assert all(label == expected for label, expected in results)  # of its own picture, not of another stream's
    assert {(e.pipeline, e.reason, e.frames) for e in seen.of(Ended)} == {(name, "limit", 20) for name in names}


def test_a_slow_stream_does_not_starve_the_others(engine: SharedEngine) -> None:
    """Three fast streams end while the slow one, 50 ms a frame, is at its first frames."""
    seen = fakes.Recorder()
    run([camera("slow", engine, own_s=0.05), *(camera(f"fast{i}", engine) for i in range(3))], [seen],
        Limits(frames=20))  # fmt: skip
    ended = [event.pipeline for event in seen.of(Ended)]
    assert ended[-1] == "slow"
    until = seen.events.index(next(e for e in seen.of(Ended) if e.pipeline == ended[2]))
    assert sum(isinstance(e, Result) and e.pipeline == "slow" for e in seen.events[:until]) < 15


def test_the_queue_is_fair(engine: SharedEngine) -> None:
    """Streams that ask without a pause get the engine in turn: none is more than a few answers ahead."""
    seen = fakes.Recorder()
    run([camera(f"camera{i}", engine, own_s=0.002) for i in range(4)], [seen], Limits(frames=40))
    first = next(i for i, event in enumerate(seen.events) if isinstance(event, Ended))
    done = [sum(isinstance(e, Result) and e.pipeline == f"camera{i}" for e in seen.events[:first]) for i in range(4)]
    assert min(done) >= 20, done
