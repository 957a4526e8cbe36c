"""What a call costs on the host's side, beyond the wire (the aim is 200 us). Reported, not asserted.

python -m pytest tests/benchmarks/test_rt_calls.py -s
"""

from __future__ import annotations

import os
import statistics
import struct
import subprocess
import sys
import time
import tty
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from random import Random
from typing import Any
from zlib import crc32

import pytest

from fake_board import FakeBoard, FakeModel
from hal.rt import protocol
from hal.rt.board import Board
from hal.rt.codec import Writer
from hal.rt.firmware import ModelSource, build, needed
from hal.rt.firmware.running import Running
from hal.rt.frames import encode
from hal.rt.protocol import Inference
from hal.rt.wire import FdWire
from rt_campaign import CIFAR10


class MemoryWire:
    """A board at no distance. ``ready`` makes the reply to the request that comes next, outside of what is timed."""

    seconds_per_byte = 0.0

    def __init__(self) -> None:
        self.board = FakeBoard([FakeModel("cifar10", 3072, 10)], rx_buffer=4096)
        self.reply: Callable[[int], bytes] | None = None
        self.coming = b""
        self.in_wire_s = 0.0

    def write(self, data: bytes) -> None:
        start = time.perf_counter()
        if self.reply is None:
            self.coming += b"".join(frame for frame, _ in self.board.feed(data))
        else:  # the last frame's sequence; a call of ours is its last frame
            self.coming += self.reply(struct.unpack_from("<I", data, self.last + 10)[0])
        self.in_wire_s += time.perf_counter() - start

    def read(self, timeout_s: float) -> bytes:
        data, self.coming = self.coming, b""
        return data

    def close(self) -> None: ...

    def answer(self, method: int, arguments: bytes, request_bytes: int) -> None:
        """From now on, all calls get these arguments back; requests end in a frame of so many bytes."""
        self.last = -request_bytes
        head = 1 << 24 | 1 << 16 | method << 8 | 2
        self.reply = lambda sequence: encode(struct.pack("<II", head, sequence) + arguments)


def opened() -> tuple[Board, MemoryWire]:
    wire = MemoryWire()
    board = Board(lambda: wire, print)
    board.open()
    return board, wire


def report(what: str, times: list[float]) -> None:
    most = sorted(times)[int(0.99 * len(times))]
    print(f"\n{what}: median {1e6 * statistics.median(times):.0f} us, p99 {1e6 * most:.0f} us")


def test_a_small_call_in_memory(benchmark: Any) -> None:
    board, wire = opened()
    wire.answer(protocol.SET_LED.method, struct.pack("<i", 0), 6 + 8 + 5)
    benchmark(board.set_led, 0, True)


def test_an_inference_with_3072_bytes_in_memory(benchmark: Any) -> None:
    board, wire = opened()
    blob, output, ticks = Random(1).randbytes(3072), bytes(10), 7
    checked = struct.pack("<III", crc32(blob), 0, ticks)
    writer = Writer()
    Inference(ticks, crc32(output, crc32(checked)), (), output).write(writer)
    writer.i32(0)
    wire.answer(protocol.INFER.method, writer.message(), 6 + 8 + 16)
    assert board.infer(0, blob).blob == output
    wire.in_wire_s, calls = 0.0, board.link.counters.calls
    benchmark(board.infer, 0, blob)
    per_call = wire.in_wire_s / (board.link.counters.calls - calls)
    print(f"\nof which {1e6 * per_call:.1f} us are the stand-in for the board")


@contextmanager
def echo() -> Iterator[FdWire]:
    """The same pty without host and firmware: another process sends back what is written."""
    far, near = os.openpty()
    tty.setraw(near)
    program = f"import os\nwhile True: os.write({far}, os.read({far}, 4096))"
    child = subprocess.Popen([sys.executable, "-S", "-c", program], pass_fds=[far])
    wire = FdWire(near)
    yield wire
    child.kill()
    child.wait()
    wire.close()
    os.close(far)


def test_calls_on_rt_host_against_an_echo(benchmark: Any) -> None:
    """Interleaved: a call over an unpaced pty, and as many bytes that a process sends back as they are."""
    if missing := needed("host"):
        pytest.skip(missing)
    with echo() as wire, Running(build("host", [ModelSource("cifar10", CIFAR10)])) as running:
        board = Board(running.connect, print)
        board.open()
        times: dict[str, list[float]] = {"an echo": [], "set_led": [], "transport of 3,072 bytes": []}
        blobs = [Random(seed).randbytes(3072) for seed in range(200)]
        for k in range(1000):
            start = time.perf_counter()
            wire.write(bytes(19))
            left = 19
            while left:
                left -= len(wire.read(1.0))
            middle = time.perf_counter()
            board.set_led(0, True)
            times["an echo"].append(middle - start)
            times["set_led"].append(time.perf_counter() - middle)
            if k < len(blobs):
                times["transport of 3,072 bytes"].append(board.infer(0, blobs[k]).transport_s)
        benchmark(board.set_led, 0, True)
        board.close()
    for what, taken in times.items():
        report(what, taken)
