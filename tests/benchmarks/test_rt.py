"""What the serial link to a board costs: transport at 115,200 baud, and what sending ahead brings.

    python -m pytest tests/benchmarks/test_rt.py -s

The pace is a pty's that lets bytes through as a UART does (tests/paced_pty.py). Reported; what must hold is asserted in
tests/integration/test_rt_paced.py.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest

from hal.rt.board import Board
from hal.rt.firmware.running import Running
from hal.rt.wire import open_pty
from paced_pty import paced
from rt_campaign import Cifar10Answers, Task, Told, cifar10_blobs
from rt_rig import image_of

BAUD = 115_200
INPUT_BYTES = 3072
WIRE_S = INPUT_BYTES * 10 / BAUD


@pytest.fixture(scope="module")
def pictures() -> tuple[list[bytes], Sequence[bytes]]:
    noise = np.random.default_rng(0).integers(0, 256, (20, 32, 32, 3), np.uint8)
    blobs = cifar10_blobs(noise)
    return blobs, Cifar10Answers(blobs)


@contextmanager
def board_behind(place: str, baud: int) -> Iterator[Board]:
    with Running(image_of(place), terminal=True) as running, paced(running.path, baud) as path:
        board = Board(lambda: open_pty(path, baud=baud), lambda _: None)
        board.open()
        yield board
        board.close()


@pytest.mark.parametrize("place", ["host", "mps2-an500"])
def test_one_input_over_a_paced_line(benchmark: Any, place: str, pictures: tuple[list[bytes], Sequence[bytes]]) -> None:
    with board_behind(place, BAUD) as board:
        board.infer(0, pictures[0][0])
        found = [board.infer(0, blob) for blob in pictures[0]]
        benchmark.pedantic(lambda: board.infer(0, pictures[0][0]), rounds=3)
    transport_s = statistics.median(one.transport_s for one in found)
    device_s = statistics.median(one.device_s for one in found)
    benchmark.extra_info.update(transport_s=transport_s, device_s=device_s, ratio=transport_s / WIRE_S)
    print(f"\n{place}: transport of {INPUT_BYTES} bytes {transport_s:.4f} s, x {transport_s / WIRE_S:.3f} of the "
          f"wire's own {WIRE_S:.4f} s (aim 1.15); device {device_s:.4f} s")  # fmt: skip


@pytest.mark.parametrize("place", ["host", "mps2-an500"])
def test_sending_ahead(benchmark: Any, place: str, pictures: tuple[list[bytes], Sequence[bytes]]) -> None:
    """Inferences per second: one after the other, and each input sent while the board computes."""
    blobs, answers = pictures
    with board_behind(place, BAUD) as board:
        task, told = Task(board, 0, blobs, answers), Told()
        task.infer(0, told)
        times: dict[bool, list[float]] = {False: [], True: []}
        for _ in range(3):  # interleaved, so that both meet the same load
            for ahead in times:
                start = time.perf_counter()
                if ahead:
                    task.infer_ahead(len(blobs), told)
                else:
                    for k in range(len(blobs)):
                        task.infer(k, told)
                times[ahead].append((time.perf_counter() - start) / len(blobs))
        benchmark.pedantic(lambda: task.infer_ahead(5, told), rounds=1)
    assert told.wrong == told.errors.total() == 0
    one, ahead = (statistics.median(times[kind]) for kind in times)
    benchmark.extra_info.update(one_s=one, ahead_s=ahead)
    print(f"\n{place}: {1 / one:.3f} inferences/s one after the other ({one:.4f} s), {1 / ahead:.3f} sent ahead "
          f"({ahead:.4f} s); the wire alone allows {1 / WIRE_S:.3f}")  # fmt: skip
