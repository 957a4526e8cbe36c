"""The firmware as a program on a pseudo-terminal: firmware/ports/host."""

from __future__ import annotations

import os
import select
import shutil
import signal
import struct
import subprocess
import termios
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from hal.rt import protocol as p
from hal.rt.codec import Reader
from hal.rt.firmware import ModelSource, build, needed
from hal.rt.firmware.recording import Recorded, blob
from hal.rt.protocol import Status
from memory_board import FIRMWARE, FLAGS, MAX_FRAME, SESSION, SOURCES, frame, header, message
from pipelines.resources import bundled

HELLO = frame(message(1, 1, 0, 7, p.hello(p.PROTOCOL, p.INTERFACE, SESSION, MAX_FRAME)))
TIME = frame(message(1, p.TIME.method, 0, 8))


@pytest.fixture(scope="module")
def program() -> Path:
    if missing := needed("host"):
        pytest.skip(missing)
    return build("host", [ModelSource("kws", bundled() / "models" / "kws" / "model.tflite")]).program


class Program:
    """The firmware, started; its terminal is opened by hand."""

    def __init__(self, program: Path, *arguments: str | Path) -> None:
        self.process = subprocess.Popen([program, *arguments], stdout=subprocess.PIPE, text=True)
        assert self.process.stdout
        self.path = self.process.stdout.readline().strip()
        self.fd = self.open()

    def open(self) -> int:
        return os.open(self.path, os.O_RDWR | os.O_NOCTTY)

    def end(self) -> int:
        """Its exit code after SIGTERM."""
        os.close(self.fd)
        with self.process as process:
            process.send_signal(signal.SIGTERM)
            return process.wait(5)

    def ask(self, data: bytes) -> bytes:
        """The message that answers."""
        os.write(self.fd, data)
        head = self.read(6)
        size = struct.unpack_from("<H", head, 2)[0]
        body = self.read(size)
        assert head + body == frame(body)
        return body[8:]

    def read(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            assert select.select([self.fd], [], [], 5)[0], f"got {len(data)} bytes, expected {size}"
            data += os.read(self.fd, size - len(data))
        return data


@pytest.fixture
def board(program: Path) -> Iterator[Program]:
    started = Program(program)
    yield started
    assert started.end() == 0


def test_it_says_what_it_is(board: Program) -> None:
    info, status = p.HELLO.decode(Reader(board.ask(HELLO)))
    assert status == Status.OK
    assert (info.board, info.models, info.sensors, info.clock) == ("host", 1, 0, "host time")
    assert 2**32 / info.tick_hz > 40  # an inference's ticks
    memory, _ = p.MEMORY.decode(Reader(board.ask(frame(message(1, p.MEMORY.method, 0, 9)))))
    assert 200 < memory.stack_used < memory.stack_bytes


def test_its_clock_is_ours(board: Program) -> None:
    def asked() -> tuple[float, float, float]:
        before = time.monotonic()
        ticks, _ = p.TIME.decode(Reader(board.ask(TIME)))
        return before, ticks / 10_000_000, time.monotonic()

    first = last = asked()
    while last[0] < first[2] + 0.05:
        last = asked()
    passed = last[1] - first[1]
    assert last[0] - first[2] - 1e-6 <= passed <= last[2] - first[0] + 1e-6


def test_every_byte_arrives_as_it_is(board: Program) -> None:
    """What a terminal would change or act on: line ends, flow control, interrupt, erase, echo."""
    assert board.ask(HELLO)
    os.write(board.fd, bytes(range(256)) * 2)
    time.sleep(0.1)
    assert board.ask(TIME)


def test_the_terminal_may_be_closed_and_opened_again(board: Program) -> None:
    board.ask(HELLO)
    for _ in range(3):
        os.close(board.fd)
        time.sleep(0.02)
        board.fd = board.open()
        assert not termios.tcgetattr(board.fd)[3] & (termios.ECHO | termios.ICANON | termios.ISIG)
        assert p.READ_OUTPUT.decode(
            Reader(board.ask(frame(message(1, p.READ_OUTPUT.method, 0, 9, p.read_output(SESSION, 0, 0, 0, 1)))))
        ) == (b"", Status.NOT_READY)  # the session is still there


def test_reset(board: Program) -> None:
    board.ask(HELLO)
    reset = frame(message(1, p.RESET.method, 0, 9, p.reset(SESSION)))
    assert p.RESET.decode(Reader(board.ask(reset))) == (Status.OK,)
    assert p.RESET.decode(Reader(board.ask(reset))) == (Status.NO_SESSION,)


def test_half_a_frame_keeps_nobody_waiting(board: Program) -> None:
    os.write(board.fd, header(500, 0) + b"only so much")
    time.sleep(0.1)
    assert board.ask(HELLO)


def test_it_rests_while_nobody_talks(board: Program) -> None:
    board.ask(HELLO)
    before = cpu(board.process.pid)
    time.sleep(0.3)
    assert cpu(board.process.pid) - before <= 0.02


def cpu(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def test_replies_that_nobody_reads_do_not_stop_it(board: Program) -> None:
    for _ in range(300):  # their replies are more than a terminal keeps
        os.write(board.fd, HELLO)
    time.sleep(0.6)
    while select.select([board.fd], [], [], 0.3)[0]:
        os.read(board.fd, 4096)
    assert board.ask(TIME)


def test_recordings_and_link(program: Path, tmp_path: Path) -> None:
    memory, link = tmp_path / "memory", tmp_path / "board"
    memory.write_bytes(blob([Recorded("microphone", 16000.0, (), np.arange(100, dtype=np.int16))]))
    link.symlink_to("nowhere")
    board = Program(program, "--memory", memory, "--link", link)
    assert str(link.readlink()) == board.path
    assert p.HELLO.decode(Reader(board.ask(HELLO)))[0].sensors == 1
    board.ask(frame(message(1, p.START_SENSOR.method, 0, 9, p.start_sensor(SESSION, 0, True))))
    samples, _ = p.READ_SENSOR.decode(
        Reader(board.ask(frame(message(1, p.READ_SENSOR.method, 0, 9, p.read_sensor(SESSION, 0, 90, 20)))))
    )
    assert (samples.ended, samples.data) == (True, np.arange(90, 100, dtype=np.int16).tobytes())
    assert board.end() == 0
    assert not link.is_symlink()


@pytest.mark.parametrize("arguments", [["--memory"], ["--what", "x"], ["x"]])
def test_a_wrong_command_is_told(program: Path, arguments: list[str]) -> None:
    done = subprocess.run([program, *arguments], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("usage: ")


def test_a_memory_that_is_none_is_told(program: Path, tmp_path: Path) -> None:
    (tmp_path / "noise").write_bytes(bytes(5000))
    for name in ("absent", "noise"):
        command = [program, "--memory", tmp_path / name]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stdout) == (1, "")
        assert done.stderr.startswith("firmware: ")
        assert done.stderr.count("\n") == 1


@pytest.mark.slow
@pytest.mark.parametrize("compiler", ["cc", "clang", "arm-none-eabi-gcc"])
def test_no_file_has_a_warning(compiler: str) -> None:
    """The core by each compiler; the port by those that have a system to run on."""
    if not shutil.which(compiler):
        pytest.skip(f"needs a C compiler ({compiler})")
    cross = compiler.startswith("arm")
    files = [*SOURCES, *([] if cross else [FIRMWARE / "ports" / "host" / "main.c"])]
    more = ["-mcpu=cortex-m7", "-mfloat-abi=hard", "-mfpu=fpv5-d16"] if cross else ["-D_XOPEN_SOURCE=700"]
    for level in ("-O2", "-Os"):
        command = [compiler, *FLAGS, *more, level, "-c", "-o", os.devnull]
        for file in files:
            done = subprocess.run([*command, file], capture_output=True, text=True, check=False)
            assert done.returncode == 0, done.stderr
