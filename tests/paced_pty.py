"""A pty in front of another one, with a UART's pace between them: 10 bits a byte, each way on its own.

    python tests/paced_pty.py BAUD PATH

prints the new pty's name and bridges until either side is gone. A process of its own, so that no thread of a test
delays it.
"""

from __future__ import annotations

import os
import select
import subprocess
import sys
import threading
import time
import tty
from collections.abc import Iterator
from contextlib import contextmanager

CHUNK = 16  # bytes handed on at once, as out of a UART's FIFO


def pump(source: int, sink: int, seconds_per_byte: float) -> None:
    """Hand on each piece when its last bit is through."""
    waiting = select.poll()
    waiting.register(source, select.POLLIN)
    free = 0.0
    while True:
        backlog = bool(waiting.poll(0))
        try:
            data = os.read(source, CHUNK)
            # behind a backlog the line never rested, even where this thread woke late
            free = (free if backlog else time.monotonic()) + len(data) * seconds_per_byte
            time.sleep(max(0.0, free - time.monotonic()))
            os.write(sink, data)
        except OSError:
            data = b""
        if not data:
            os._exit(0)


def main(baud: int, path: str) -> None:
    board = os.open(path, os.O_RDWR | os.O_NOCTTY)
    master, slave = os.openpty()  # the slave stays open here: who opens it by name may go and come again
    for fd in (board, slave):
        tty.setraw(fd)
    print(os.ttyname(slave), flush=True)
    threading.Thread(target=pump, args=(board, master, 10 / baud), daemon=True).start()
    pump(master, board, 10 / baud)


@contextmanager
def paced(path: str, baud: int = 115_200) -> Iterator[str]:
    """The name of a pty that leads to the one at ``path``."""
    command = [sys.executable, __file__, str(baud), path]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout
            yield process.stdout.readline().strip()
        finally:
            process.kill()


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2])
