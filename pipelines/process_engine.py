"""An engine that holds Python's GIL while it computes, in a process of its own, so that other pipelines go on.

Over the child's standard input and output: first what to build, then for each inference the inputs as the model stores
them. Each is answered by one byte, and the outputs as float32 or an error.
"""

from __future__ import annotations

import json
import pickle
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from io import BufferedReader, BufferedWriter
from pathlib import Path
from typing import Any, cast

import numpy as np

from pipelines import errors
from pipelines.child import answers, command
from pipelines.core import Array, Engine, TensorSpec
from pipelines.errors import EiqError
from pipelines.tensors import Feeds, bytes_of, view_of

CLOSE_S = 2.0
ALIGN = 8
INFER, RESET = b"i", b"r"
DONE, FAILED = b"y", b"e"


class ProcessEngine:
    """An Engine of which one is built in a child process; it starts at once and is waited for at its first inference.

    Args:
        engine: the same one, built here, which says what it takes and is closed.
        name: what messages call it.
        config, path: what it was built from.

    Raises from infer:
        EiqError: its process ended, says how; or whatever the engine raised there.
    """

    def __init__(self, engine: Engine, name: str, config: Any, path: Path) -> None:
        self.inputs, self.outputs = engine.inputs, engine.outputs
        self.description = f"{engine.description}, in a process of its own"
        self.stateful = getattr(engine, "stateful", False)
        self.memory: dict[str, int] = getattr(engine, "memory", {})
        self.kind = type(engine)
        engine.close()
        self._name, self._ready, self._idle = name, False, False
        places, size = _places(self.inputs)
        stored = np.zeros(size, np.uint8)
        self._stored = stored.data
        self._feeds = Feeds(self.inputs, stored, places)
        self._scores = tuple(np.empty(spec.shape, np.float32) for spec in self.outputs)
        self._answers = [scores.reshape(-1).view(np.uint8).data for scores in self._scores]
        self._child = _start(self.kind, config, path)
        assert self._child.stdin is not None
        assert self._child.stdout is not None
        self._to, self._from = cast(BufferedWriter, self._child.stdin), cast(BufferedReader, self._child.stdout)

    def infer(self, *x: Array) -> tuple[Array, ...]:
        """One array per input, in its shape, to one float32 array per output, valid until the next call.

        Raises:
            SignalMismatch: the number or shape of the arrays is not the model's.
            DataError: a NaN for a quantised input.
            EiqError: an operator failed, or the process ended.
        """
        self._feeds.write(x)
        self._ask(INFER, self._stored)
        for answer in self._answers:
            if self._from.readinto(answer) != len(answer):
                raise self._ended()
        return self._scores

    def reset(self) -> None:
        """Forget the state of a stateful model."""
        self._ask(RESET)

    def close(self) -> None:
        """End the process, and an inference in it. May be called twice; ``infer`` may not be called after it."""
        if not self._idle:
            self._child.kill()  # it may hang, and no more fit into its pipe
        with suppress(OSError):
            self._to.close()
        self._code()
        self._from.close()

    def _ask(self, *parts: bytes | memoryview) -> None:
        """Send, and wait until it was done."""
        try:
            if not self._ready:
                self._take_answer()
                self._ready = True
            self._idle = False
            for part in parts:
                self._to.write(part)
            self._to.flush()
        except BrokenPipeError as error:
            raise self._ended() from error
        self._take_answer()
        self._idle = True

    def _take_answer(self) -> None:
        kind = self._from.read(1)
        if kind == FAILED:
            raise _raised(self._from.readline())
        if kind != DONE:
            raise self._ended()

    def _ended(self) -> EiqError:
        code = self._code()
        how = f"signal {-code}" if code < 0 else f"exit code {code}"
        return EiqError(f"the process of the engine {self._name} ended ({how}), expected scores; its model may be "
                        "damaged or the memory full, try another engine")  # fmt: skip

    def _code(self) -> int:
        """The process's exit code; one that does not end is killed."""
        try:
            return self._child.wait(CLOSE_S)
        except subprocess.TimeoutExpired:
            self._child.kill()
            return self._child.wait()


def _start(kind: type[Engine], config: Any, path: Path) -> subprocess.Popen[bytes]:
    # in a process group of its own: Ctrl-C is for the run, which then closes its engines
    child = subprocess.Popen(
        command(f"{__name__}:serve"), stdin=subprocess.PIPE, stdout=subprocess.PIPE, process_group=0
    )
    assert child.stdin is not None
    with suppress(BrokenPipeError):  # told at the first inference
        pickle.dump((kind, config, path), child.stdin)
        child.stdin.flush()
    return child


def serve() -> None:
    """The child's side: build the engine that it is told first, and run it until the input ends."""
    requests, told = cast(BufferedReader, sys.stdin.buffer), answers()
    with suppress(BrokenPipeError):  # whoever asked is gone
        try:
            kind, config, path = pickle.load(requests)
            engine: Engine = kind(config, path)
        except EiqError as error:
            _send_error(told, error)
            return
        _send(told)
        _serve(engine, requests, told)
        engine.close()


def _serve(engine: Engine, requests: BufferedReader, told: BufferedWriter) -> None:
    places, size = _places(engine.inputs)
    memory = np.zeros(size, np.uint8)
    stored = memory.data
    x = [view_of(memory, place, spec) for place, spec in zip(places, engine.inputs, strict=True)]
    while kind := requests.read(1):
        try:
            if kind == RESET:
                engine.reset()
                _send(told)
            elif requests.readinto(stored) == size:
                _send(told, *engine.infer(*x))
        except EiqError as error:
            _send_error(told, error)


def _send(to: BufferedWriter, *scores: Array) -> None:
    to.write(DONE)
    for each in scores:
        to.write(each.data)
    to.flush()


def _send_error(to: BufferedWriter, error: EiqError) -> None:
    words = {"type": type(error).__name__, "message": str(error)}
    to.write(FAILED + json.dumps(words).encode() + b"\n")
    to.flush()


def _raised(line: bytes) -> EiqError:
    """The child's error as one of this process."""
    told = json.loads(line)
    kind: type[EiqError] = getattr(errors, told["type"], EiqError)
    error = kind.__new__(kind)  # some are made from other words than their message
    error.args = (told["message"],)
    return error


def _places(specs: Sequence[TensorSpec]) -> tuple[list[int], int]:
    """Where each tensor begins, one behind the other, and the size of all."""
    ends = [0]
    for spec in specs:
        ends.append(ends[-1] + -(-bytes_of(spec) // ALIGN) * ALIGN)
    return ends[:-1], ends[-1]
