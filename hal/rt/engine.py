"""A model on the board as an Engine."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

from pipelines.config.schema import EngineConfig, InputPath
from pipelines.core import Array, PartTime
from pipelines.errors import DeviceError
from pipelines.tensors import Feeds, Reads, spec_of

if TYPE_CHECKING:
    from hal.rt.board import Board, PendingInference
    from hal.rt.descriptions import BoardModel
    from hal.rt.offload import Recipe


class BoardEngine:
    """A .tflite or .skops model, compiled into the board's firmware.

    Its tensors are known from the file; the board is asked once it is bound, which the target does when a run starts.

    Attributes:
        recipe: of the features that the board computes for it; None where it gets its inputs from the host.
        times: the parts of the last inference: ``device`` is the model's by the board's clock, ``transport`` what its
            calls took beyond that, ``host`` what this side adds.

    Raises when built:
        ModelError: no model that the compiler takes.
    """

    title = "board"

    class Config(EngineConfig, frozen=True, kw_only=True):
        """
        Args:
            offload: what runs on the board: the ``engine`` alone, or ``features``: the microphone's windows, the
                features and the engine.
            ahead: send the next input while the board computes: more inputs a second over a slow link, and each result
                comes with the next frame.
            glow: the folder of a bundle that NXP's Glow made of this very model, linked in place of our compiler's.
        """

        offload: Literal["engine", "features"] = "engine"
        ahead: bool = False
        glow: InputPath | None = None

        def __post_init__(self) -> None:
            super().__post_init__()
            for option, wrong in (("ahead: true", self.ahead), ("offload: features", self.offload == "features")):
                if self.shared and wrong:
                    raise ValueError(f"got shared: true with {option}, expected one of the two; leave one out")

    def __init__(self, config: Config, path: Path) -> None:
        from compiler.emit import compile_graph
        from compiler.reader import read_graph

        graph = read_graph(path) if config.glow else compile_graph(read_graph(path)).graph
        self.config, self.path, self.ahead = config, path, config.ahead
        self.inputs = tuple(spec_of(tensor, path) for tensor in graph.tensors_of(graph.inputs))
        self.outputs = tuple(spec_of(tensor, path) for tensor in graph.tensors_of(graph.outputs))
        self.description = "compiled into the board's firmware"
        self.recipe: Recipe | None = None
        self._board: Board | None = None
        self._times: tuple[PartTime, ...] = ()
        self._out: deque[_Out] = deque()

    def bind(self, board: Board, model: BoardModel) -> None:
        """From now on it runs on this board."""
        self._board, self._model, info = board, model, model.info
        self._blob = np.zeros(info.input_bytes, np.uint8)
        self._answer = np.zeros(info.output_bytes, np.uint8)
        self._feeds = Feeds(self.inputs, self._blob, [tensor.place for tensor in model.inputs])
        self._reads = Reads(self.outputs, self._answer, [tensor.place for tensor in model.outputs])
        self.description = (
            f"on {board.info.board}, compiled by {board.info.build}, {info.constant_bytes:,} bytes of constants"
        )
        self.clock = f"on the board, in {board.info.clock}"

    def infer(self, *x: Array) -> tuple[Array, ...]:
        """One array per input, in its shape, to one float32 array per output, valid until the next call.

        Raises:
            SignalMismatch: the number or shape of the arrays is not the model's.
            DataError: a NaN for a quantised input.
            DeviceError: the board gave no right answer; says why.
        """
        self.submit(*x)
        return self.collect()

    def submit(self, *x: Array) -> None:
        """Send an input, as much of it as the board takes while it computes the one before. Raises as ``infer``."""
        if self._board is None:
            raise DeviceError("the board was not started before its first inference; start the target first")
        start = time.perf_counter()
        self._feeds.write(x)
        sending = time.perf_counter()
        pending = self._board.begin_infer(self._model.index, self._blob.tobytes())
        self._out.append(_Out(pending, sending - start, time.perf_counter() - sending))

    def collect(self) -> tuple[Array, ...]:
        """The outputs of the earliest input that is out. Raises as ``infer``."""
        out = self._out.popleft()
        start = time.perf_counter()
        outcome = out.pending.wait()
        came = time.perf_counter()
        self._answer[:] = np.frombuffer(outcome.blob, np.uint8)
        y = self._reads.read()
        transport_s = max(0.0, out.sending_s + came - start - outcome.device_s)
        host_s = out.host_s + time.perf_counter() - came
        self._times = (PartTime("transport", transport_s), PartTime("device", outcome.device_s, self.clock),
                       PartTime("host", host_s))  # fmt: skip
        return y

    def times(self) -> Iterable[PartTime]:
        """Of the last inference; nothing where it is told already."""
        times, self._times = self._times, ()
        return times

    def reset(self) -> None:
        """Nothing to forget: compiled models have no state."""

    def close(self) -> None:
        """The board is the target's to close."""
        self._out.clear()


@dataclass(frozen=True, slots=True)
class _Out:
    """An inference that is out, and what sending it took."""

    pending: PendingInference
    host_s: float
    sending_s: float
