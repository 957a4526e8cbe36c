"""Microphone, windows, features and inference on the board: the host reads scores alone."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from hal.rt.engine import BoardEngine
from hal.rt.sensors import Clip
from pipelines import registry
from pipelines.core import Array, Frame, PartTime, Signal, Stage
from pipelines.errors import CapabilityError, DeviceError, DeviceReset
from pipelines.tensors import Reads

if TYPE_CHECKING:
    from hal.rt.board import Board
    from hal.rt.descriptions import BoardModel

POLL_S = 0.002
CHAIN = "offload: features takes over a microphone, window, mfcc or log_mel, and the engine, in this order"


@dataclass(frozen=True, slots=True)
class Recipe:
    """What the board computes before the engine.

    Args:
        window, features: configs of the two steps.
        rate_hz: of the sound.
        length, hop: of a window, in samples.
    """

    window: Any
    features: Any
    rate_hz: float
    length: int
    hop: int


def recipe_of(stages: Sequence[Stage], signal: Signal) -> Recipe:
    """The recipe of a chain's first two stages.

    Raises:
        CapabilityError: the chain begins with something else.
    """
    steps = [type(stage.config) for stage in stages[:3]]
    window, mfcc, log_mel = (registry.load("transforms", name).Config for name in ("window", "mfcc", "log_mel"))
    if signal.kind != "audio" or len(steps) < 3 or steps[0] is not window or steps[1] not in (mfcc, log_mel):
        chain = ", ".join(stage.name for stage in stages)
        raise CapabilityError(f"{CHAIN}; got {signal.kind} and [{chain}]: leave offload out")
    if stages[2].config.residual:
        raise CapabilityError(f"{CHAIN}; got residual with it: leave one of the two out")
    rate_hz = signal.rate_hz or 0.0
    length = stages[0].output.shape[0] or 0
    return Recipe(stages[0].config, stages[1].config, rate_hz, length, round(stages[0].config.hop_ms * rate_hz / 1000))


class BoardStream:
    """A Sensor of what the board makes of each window: its model's stored outputs, uint8 [bytes].

    A recording that loops begins anew on the board: no window lies across its end.

    Args:
        clip: what the board's microphone hears.
        recipe: what it computes.
    """

    live = False
    where = "on the board, with window and features"

    def __init__(self, clip: Clip, recipe: Recipe) -> None:
        self.clip, self.recipe = clip, recipe
        self._samples = len(clip.recorded.data) if clip.recorded else 0
        self.output = Signal((None,), "uint8", None, "stored scores")
        self.times: tuple[PartTime, ...] = ()
        self._closed = threading.Event()
        self._board: Board | None = None
        self._model = self._index = -1
        self._seq = 0

    def bind(self, board: Board, index: int, model: int) -> None:
        """From now on it is this sensor and this model of the board."""
        self._board, self._index, self._model = board, index, model
        self._clock = f"on the board, in {board.info.clock}"

    def frames(self) -> Iterator[Frame]:
        """Open and deliver. Where the board was reset, the recording goes on at its place. Raises DeviceError."""
        if self._board is None:
            raise DeviceError("the board was not started before its stream was read; start the target first")
        board, hop_s = self._board, self.recipe.hop / self.recipe.rate_hz
        begin = window = 0  # of this round: its first sample, and its next window
        fast = self.clip.fast
        self._start(board, fast=fast)
        while not self._closed.is_set():
            try:
                result = board.read_stream(window)
            except DeviceReset:
                fast = True  # what has been is there at once, and from here on the host waits
                self._start(board, fast=fast)
                continue
            if result.blob is not None:
                hz = board.info.tick_hz
                self.times = (PartTime("features", result.feature_ticks / hz, self._clock),
                              PartTime("device", result.inference_ticks / hz, self._clock),
                              PartTime("wait", result.transport_s))  # fmt: skip
                yield self._frame(begin + window * self.recipe.hop, np.frombuffer(result.blob, np.uint8))
                window += 1
                if fast and not self.clip.fast:
                    self._closed.wait(hop_s)
            elif not result.ended:
                self._closed.wait(POLL_S if fast else hop_s / 4)
            elif self.clip.loop:
                begin, window = begin + self._samples, 0
                self._start(board, fast=fast)
            else:
                return

    def _start(self, board: Board, *, fast: bool) -> None:
        board.start_stream(self._index, self._model, self.recipe.hop, fast)

    def _frame(self, at: int, blob: Array) -> Frame:
        frame = Frame(blob, (at + self.recipe.length) / self.recipe.rate_hz, self._seq, at)
        self._seq += 1
        return frame

    def close(self) -> None:
        """End frames() soon. May be called twice."""
        self._closed.set()


class Scores:
    """The stage that makes scores of what the stream reads.

    Args:
        stream: what it reads from.
        stage: the engine's, whose output it makes.
        engine: whose model it is.
    """

    def __init__(self, stream: BoardStream, stage: Stage, engine: BoardEngine) -> None:
        self._stream, self.engine = stream, engine
        self._signals = stage.output.parts or (stage.output,)
        self._reads: Reads | None = None
        self.stage = replace(stage, process=self.process, times=self.times, finish=None)

    def bind(self, model: BoardModel) -> None:
        """From now on the outputs are this model's."""
        self._stored = np.zeros(model.info.output_bytes, np.uint8)
        self._reads = Reads(self.engine.outputs, self._stored, [tensor.place for tensor in model.outputs])

    def process(self, frame: Frame) -> Iterable[Frame]:
        """Scores of a window."""
        assert self._reads is not None  # a stream that delivers is bound
        self._stored[:] = frame.array
        y = tuple(
            a.reshape([size or 0 for size in signal.shape])
            for a, signal in zip(self._reads.read(), self._signals, strict=True)
        )
        return (frame.with_data(y[0] if len(y) == 1 else y),)

    def times(self) -> Iterable[PartTime]:
        """Of the last window."""
        return self._stream.times
