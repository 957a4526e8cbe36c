"""At the end of a line of 115,200 baud: the wire's own time, little more."""

from __future__ import annotations

import os
import threading
import time
import tty

import numpy as np
import pytest

from demos import quickest
from hal.rt.board import Board
from hal.rt.firmware.running import Running
from hal.rt.wire import open_pty
from paced_pty import paced
from rt_campaign import Cifar10Answers, Task, Told, cifar10_blobs, within
from rt_rig import image_of

BAUD = 115_200
WIRE_S = 3072 * 10 / BAUD


def test_the_paced_pty_takes_the_time_of_a_uart() -> None:
    master, slave = os.openpty()
    tty.setraw(slave)

    def echo() -> None:
        while True:
            os.write(master, os.read(master, 4096))

    threading.Thread(target=echo, daemon=True).start()
    with paced(os.ttyname(slave), BAUD) as path:
        wire = open_pty(path)

        def took_s() -> float:
            start, back = time.monotonic(), b""
            wire.write(bytes(3072))
            while len(back) < 3072:
                back += wire.read(1)
            return time.monotonic() - start

        least = quickest(took_s, 1.1 * WIRE_S)
        wire.close()
    assert WIRE_S < least < 1.1 * WIRE_S  # both ways at once, the way back 16 bytes behind


@pytest.mark.slow
def test_a_tensor_takes_little_more_than_the_wires_own_time() -> None:
    blobs = cifar10_blobs(np.random.default_rng(0).integers(0, 256, (6, 32, 32, 3), np.uint8))
    answers = Cifar10Answers(blobs)
    with Running(image_of("host")) as running, paced(running.path, BAUD) as path:
        board = Board(lambda: open_pty(path, baud=BAUD), lambda _: None)
        board.open()
        outcomes = within(30, lambda: [board.infer(0, blob) for blob in blobs])
        told = Told()
        within(30, lambda: Task(board, 0, blobs, answers).infer_ahead(len(blobs), told))
        board.close()
    assert [outcome.blob for outcome in outcomes] == list(answers)
    assert WIRE_S < min(outcome.transport_s for outcome in outcomes) < 1.15 * WIRE_S
    assert (told.right, told.wrong) == (len(blobs), 0)
