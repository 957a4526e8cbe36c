"""An engine that takes the next input while it computes: the same frames, one later each, and none lost."""

from __future__ import annotations

from collections import deque

import numpy as np
import pytest

from fakes import FakeSensor, graph
from pipelines.core import AheadEngine, Array, Frame, Result, Signal, Stage, TensorSpec
from pipelines.engine_stage import EngineStage, ResidualStage
from pipelines.run import Limits, run

MOTION = Signal((2,), "float32", 10.0, "features")


class Doubler:
    """Twice its input; ``ahead`` or not."""

    inputs = (TensorSpec("x", (1, 2), "float32"),)
    outputs = (TensorSpec("y", (1, 2), "float32"),)
    description = "doubles"

    def __init__(self, *, ahead: bool) -> None:
        self.ahead = ahead
        self.most = 0
        self._out: deque[Array] = deque()

    def infer(self, *x: Array) -> tuple[Array, ...]:
        return (2 * x[0],)

    def submit(self, *x: Array) -> None:
        self._out.append(2 * x[0])
        self.most = max(self.most, len(self._out))

    def collect(self) -> tuple[Array, ...]:
        return (self._out.popleft(),)

    def reset(self) -> None: ...

    def close(self) -> None: ...


def frames(count: int) -> list[Frame]:
    return [Frame(np.full(2, k, np.float32), k / 10, k, k) for k in range(count)]


def answers(engine: Doubler, count: int, limit: int | None = None) -> list[tuple[float, float]]:
    stage = EngineStage(engine, "doubler", MOTION, ())
    got: list[tuple[float, float]] = []

    def decode(frame: Frame) -> list[Result]:
        got.append((frame.t, float(frame.array[0])))
        return []

    chain = Stage("engine", "engines", stage.process, stage.output, engine, finish=stage.finish)
    run([graph(FakeSensor(frames(count), MOTION), chain, decode=decode)], [], Limits(frames=limit))
    return got


@pytest.mark.parametrize("count", [0, 1, 2, 7])
def test_every_frame_gets_its_own_scores(count: int) -> None:
    ahead = Doubler(ahead=True)
    assert answers(ahead, count) == answers(Doubler(ahead=False), count) == [(k / 10, 2.0 * k) for k in range(count)]
    assert ahead.most == min(count, 2)


def test_a_limit_hands_on_what_is_out() -> None:
    assert answers(Doubler(ahead=True), 7, limit=3) == [(0.0, 0.0), (0.1, 2.0), (0.2, 4.0)]


def test_a_residual_never_runs_ahead() -> None:
    engine = Doubler(ahead=True)
    assert isinstance(engine, AheadEngine)
    stage = ResidualStage(engine, "doubler", MOTION, "mean")
    (frame,) = stage.process(frames(4)[3])
    assert frame.array.tolist() == [9.0]
    assert list(stage.finish()) == []
