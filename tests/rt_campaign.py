"""Inferences on a board over a bad cable, counted: right, a clear error, or wrong."""

from __future__ import annotations

import sys
import threading
import time
import traceback
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import pytest

from pipelines.errors import EiqError

if TYPE_CHECKING:
    from hal.rt.board import Board

T = TypeVar("T")
ROOT = Path(__file__).parents[1]
CIFAR10 = ROOT / "models" / "cifar10" / "model.tflite"


@dataclass
class Told:
    """What became of a number of inferences.

    Attributes:
        errors: how often each error was told, by its class.
        messages: one of each class.
        slowest_s: the longest call.
    """

    right: int = 0
    wrong: int = 0
    errors: Counter[str] = field(default_factory=Counter)
    messages: dict[str, str] = field(default_factory=dict)
    slowest_s: float = 0.0

    @property
    def calls(self) -> int:
        return self.right + self.wrong + self.errors.total()

    def __str__(self) -> str:
        errors = ", ".join(f"{count} {name}" for name, count in self.errors.items()) or "no errors"
        return f"{self.right} right, {self.wrong} wrong, {errors}; slowest call {self.slowest_s:.3f} s"


@dataclass
class Task:
    """What a board is asked, and what it must answer: blobs as the model stores them."""

    board: Board
    model: int
    inputs: Sequence[bytes]
    answers: Sequence[bytes]

    def infer(self, k: int, told: Told) -> bool:
        """The k-th inference; True for a right answer."""
        place = k % len(self.inputs)
        start = time.monotonic()
        try:
            blob = self.board.infer(self.model, self.inputs[place]).blob
        except EiqError as error:
            self._note(error, told)
            return False
        finally:
            told.slowest_s = max(told.slowest_s, time.monotonic() - start)
        right = blob == self.answers[place]
        told.right += right
        told.wrong += not right
        return right

    def infer_ahead(self, count: int, told: Told) -> None:
        """The same, with each input sent while the board computes the one before."""
        out: list[tuple[int, Any]] = []
        for k in range(count):
            place = k % len(self.inputs)
            out.append((place, self.board.begin_infer(self.model, self.inputs[place])))
            if len(out) > 1:
                self._collect(*out.pop(0), told)
        for place, pending in out:
            self._collect(place, pending, told)

    def _collect(self, place: int, pending: Any, told: Told) -> None:
        try:
            right = pending.wait().blob == self.answers[place]
        except EiqError as error:
            self._note(error, told)
            return
        told.right += right
        told.wrong += not right

    def _note(self, error: EiqError, told: Told) -> None:
        assert "\n" not in str(error)
        told.errors[type(error).__name__] += 1
        told.messages.setdefault(type(error).__name__, str(error))

    def until_right(self, since: float, limit_s: float, told: Told) -> float:
        """Seconds from ``since`` to the first answer to a small call that began after it; an inference is right then.

        What an inference takes is the board's matter, and in QEMU that of who else is at work here.
        """
        while not self._answers(told):
            if time.monotonic() > since + limit_s:
                pytest.fail(f"no answer {limit_s} s after the end of the fault: {told}, {told.messages}")
        answered = time.monotonic()
        while not self.infer(0, told):
            if time.monotonic() > answered + limit_s:
                pytest.fail(f"no right answer {limit_s} s after the first: {told}, {told.messages}")
        return answered - since

    def _answers(self, told: Told) -> bool:
        try:
            self.board.memory()
        except EiqError as error:
            self._note(error, told)
            return False
        return True


def within(seconds: float, call: Callable[[], T]) -> T:
    """``call``'s result; fails, with where it hangs, when it takes longer."""
    results: list[T] = []
    errors: list[BaseException] = []

    def run() -> None:
        try:
            results.append(call())
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(seconds)
    if thread.is_alive():
        stack = "".join(traceback.format_stack(sys._current_frames()[thread.ident or 0]))
        pytest.fail(f"did not end within {seconds} s:\n{stack}")
    if errors:
        raise errors[0]
    return results[0]


def cifar10_blobs(pictures: np.ndarray) -> list[bytes]:
    """uint8 [n, 32, 32, 3] as the model stores its input: scale 1/255, zero point -128."""
    return [(picture.astype(np.int16) - 128).astype(np.int8).tobytes() for picture in pictures]


class Cifar10Answers(Sequence[bytes]):
    """What tflite-micro makes of these inputs, as stored, computed when asked for.

    Where it is not installed, what our compiled C makes of them on this computer.
    """

    def __init__(self, blobs: Sequence[bytes]) -> None:
        self._blobs = blobs
        self._known: dict[int, bytes] = {}
        try:
            from tflite_micro.python.tflite_micro import runtime

            self._run = _by_tflite_micro(runtime.Interpreter.from_file(str(CIFAR10)))
        except ImportError:
            self._run = _by_bundle()

    def __len__(self) -> int:
        return len(self._blobs)

    def __getitem__(self, k: int) -> bytes:  # type: ignore[override]
        if k not in self._known:
            self._known[k] = self._run(np.frombuffer(self._blobs[k], np.int8).reshape(1, 32, 32, 3))
        return self._known[k]


def _by_tflite_micro(interpreter: Any) -> Callable[[np.ndarray], bytes]:
    def run(stored: np.ndarray) -> bytes:
        interpreter.set_input(stored, 0)
        interpreter.invoke()
        return bytes(np.array(interpreter.get_output(0)).tobytes())

    return run


def _by_bundle() -> Callable[[np.ndarray], bytes]:
    from pipelines.engines.bundle import Bundle

    engine = Bundle(Bundle.Config(model=str(CIFAR10)), CIFAR10)
    spec = engine.outputs[0]

    def run(stored: np.ndarray) -> bytes:
        (real,) = engine.infer(stored)
        return np.rint(real / spec.scale + spec.zero_point).astype(np.int8).tobytes()

    return run
