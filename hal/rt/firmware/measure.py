"""What a firmware needs while it runs, measured on the emulated board."""

from __future__ import annotations

from hal.rt.firmware.builder import Image
from hal.rt.firmware.running import start


def stack_used(image: Image) -> int:
    """The stack's high-water mark in bytes, after an inference of each model, with everything that the calls take.

    Raises:
        MissingDependency: no QEMU.
        DeviceError: the board does not answer.
    """
    from hal.rt.board import Board

    with start(image) as running:
        board = Board(running.connect, lambda event: None)
        try:
            board.open()
            for model in board.models:
                board.infer(model.index, bytes(model.info.input_bytes))
            return board.memory().stack_used
        finally:
            board.close()
