"""An emulated board with CIFAR-10 in it, behind a cable that a test spoils, mends, cuts and pulls."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from typing import Any

import pytest

from hal.rt.board import Board
from hal.rt.faulty import Faults, FaultyWire
from hal.rt.firmware import Image, ModelSource, build, needed
from hal.rt.firmware.recording import Recorded
from hal.rt.firmware.running import Running
from hal.rt.wire import Wire
from pipelines.core import Event, LinkBack, LinkLost
from pipelines.errors import DeviceLost
from rt_campaign import CIFAR10, Task, Told

BOARDS = {"rt:host": "host", "rt:qemu": "mps2-an500"}


def image_of(board: str) -> Image:
    """The firmware of an emulated board with CIFAR-10 in it; skips where its tools are missing."""
    if missing := needed(board):
        pytest.skip(missing)
    return _built(board)


@cache
def _built(board: str) -> Image:
    return build(board, [ModelSource("cifar10", CIFAR10)])


class Rig:
    """A running board and a Board that talks to it.

    Attributes:
        events: what the Board told.
        wires: every cable that it was connected by.
    """

    def __init__(
        self, image: Image, blobs: Sequence[bytes], answers: Sequence[bytes], *, seed: int = 0,
        recordings: Sequence[Recorded] = (),
        outer: Callable[[Wire], Wire] = lambda wire: wire,
        cable: Callable[[Wire, Callable[[Wire], Wire]], Wire] = lambda wire, spoil: spoil(wire), **options: Any,
    ) -> None:  # fmt: skip
        self.running = Running(image, recordings)
        self.faults, self.plugged = Faults(), True
        self.events: list[Event] = []
        self.wires: list[FaultyWire] = []
        self._seed, self._outer, self._cable = seed, outer, cable
        self.board = Board(self.connect, self.events.append, **options)
        self.task = Task(self.board, 0, blobs, answers)

    def connect(self) -> Wire:
        if not self.plugged:
            raise DeviceLost("there is no cable (by the test); put it back")
        return self._outer(self._cable(self.running.connect(), self._faulty))

    def _faulty(self, wire: Wire) -> FaultyWire:
        self.wires.append(FaultyWire(wire, self.faults, self._seed + len(self.wires)))
        return self.wires[-1]

    @property
    def wire(self) -> FaultyWire:
        """The cable of now."""
        return self.wires[-1]

    def spoil(self, **faults: Any) -> None:
        """The cable has these faults from now on, and no others."""
        self.faults = self.wire.faults = Faults(**faults)

    def counters(self) -> str:
        """Of the link of now, and of the board since it was started."""
        link, memory = self.board.link, self.board.memory()
        return f"{link.counters}, board {memory.frames} frames and {memory.bad_frames} bad ones"

    def close(self) -> None:
        self.board.close()
        self.running.close()

    def lost(self) -> list[str]:
        """Why, each time that the link was told to be lost."""
        return [event.reason for event in self.events if isinstance(event, LinkLost)]

    def back(self) -> list[float]:
        """After how many s, each time that it was told to be back."""
        return [event.after_s for event in self.events if isinstance(event, LinkBack)]

    def recovery(self, until: Callable[[], object], told: Told, limit_s: float = 5.0) -> float:
        """Infer while a fault lasts, which ``until`` ends in another thread, and some more.

        Returns:
            Seconds from the end of the fault to the first answer to a call that began after it.
        """
        ended: list[float] = []

        def end() -> None:
            until()
            ended.append(time.monotonic())

        thread = threading.Thread(target=end)
        thread.start()
        k = 0
        while not ended:
            self.task.infer(k, told)
            k += 1
        thread.join()
        return self.task.until_right(ended[0], limit_s, told)


@contextmanager
def rig(image: Image, blobs: Sequence[bytes], answers: Sequence[bytes], **options: Any) -> Iterator[Rig]:
    """Opened, and closed behind the test."""
    made = Rig(image, blobs, answers, **options)
    try:
        made.board.open()
        yield made
    finally:
        made.close()
