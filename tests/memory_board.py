"""The firmware's core as a library: a board that is nothing but memory, to test each call and each bad frame."""

from __future__ import annotations

import binascii
import ctypes
import shutil
import struct
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeVar

import pytest

from hal.rt import protocol
from hal.rt.codec import Reader
from hal.rt.features import tables
from hal.rt.protocol import Method, Status
from pipelines.resources import bundled
from pipelines.transforms.mfcc import Mfcc
from pipelines.transforms.window import Window

T = TypeVar("T")
FIRMWARE = bundled() / "firmware"
HERE = Path(__file__).parent / "data" / "rt"
CORE = ("crc", "codec", "frame", "rpc", "server", "calls", "stream", "mfcc")
SOURCES = [*(FIRMWARE / "core" / f"eiq_{name}.c" for name in CORE),
           FIRMWARE / "ports" / "emulated" / "eiq_recording.c", HERE / "board.c"]  # fmt: skip
FLAGS = [
    "-std=c99", "-Wall", "-Wextra", "-Wconversion", "-Wshadow", "-Werror", "-pedantic", "-ffp-contract=off",
    f"-I{FIRMWARE / 'core'}", f"-I{FIRMWARE / 'ports' / 'emulated'}", f"-I{HERE}",
]  # fmt: skip
RATE_HZ = 1000
MFCC = Mfcc.Config(window_samples=16, hop_samples=8, fft=16, mels=3, coefficients=2)
MAX_FRAME, SESSION = 512, 0xC0FFEE
INVOCATION, ONEWAY, REPLY = 0, 1, 2
FAULT = (protocol.FAULT.service, protocol.FAULT.method)


def compile_core(target: Path, *flags: str | Path, compiler: str = "cc") -> Path:
    """Compile the core and the board in memory without a warning, or fail."""
    if not shutil.which(compiler):
        pytest.skip(f"needs a C compiler ({compiler})")
    features = target.with_name(f"{target.stem}_features.c")
    table = tables(Window.Config(length_ms=70, hop_ms=10), MFCC, RATE_HZ, "sound")
    assert (table.symbol, table.values, table.samples, table.points) == ("sound_features", 14, 16, 16)  # models.h
    features.write_text(table.c)
    command = [compiler, *FLAGS, "-o", target, *SOURCES, features, *flags]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[:2000]
    return target


def crc16(data: bytes) -> int:
    return binascii.crc_hqx(data, 0xEF4A)


def header(size: int, crc_body: int) -> bytes:
    """A frame's header, as DESIGN has it; its own CRC is right whatever it claims."""
    fields = struct.pack("<HH", size, crc_body)
    return struct.pack("<H", (crc16(fields[:2]) + crc16(fields[2:])) & 0xFFFF) + fields


def frame(message: bytes) -> bytes:
    return header(len(message), crc16(message)) + message


def message(service: int, method: int, kind: int, sequence: int, arguments: bytes = b"", version: int = 1) -> bytes:
    return struct.pack("<II", version << 24 | service << 16 | method << 8 | kind, sequence) + arguments


def messages(stream: bytes) -> Iterator[bytes]:
    """Of a stream without any error."""
    at = 0
    while at < len(stream):
        size = struct.unpack_from("<H", stream, at + 2)[0]
        body = stream[at + 6 : at + 6 + size]
        assert stream[at : at + 6 + size] == frame(body)
        yield body
        at += 6 + size


class MemoryBoard:
    """A board that was just switched on."""

    def __init__(self, library: Path, blob: bytes = b"") -> None:
        self.c = ctypes.CDLL(str(library))
        self.c.board_say.restype = ctypes.c_size_t
        self._out = ctypes.create_string_buffer(65536)
        self._blob = blob  # the board reads it where it is
        self.c.board_begin(blob or None, ctypes.c_size_t(len(blob)))
        self.sequence = 100

    def say(self, data: bytes) -> bytes:
        said = self.c.board_say(data, ctypes.c_size_t(len(data)), self._out)
        return self._out.raw[:said]

    def answers(self, data: bytes) -> list[tuple[int, int, int, bytes]]:
        """Service, method, sequence and arguments of each reply."""
        found = []
        for body in messages(self.say(data)):
            word, sequence = struct.unpack_from("<II", body)
            assert (word >> 24, word & 0xFF) == (1, REPLY)
            found.append((word >> 16 & 0xFF, word >> 8 & 0xFF, sequence, body[8:]))
        return found

    def fault(self, data: bytes) -> tuple[int, int, int, Status]:
        """The one Fault that is answered: sequence, service, method, status."""
        ((service, method, sequence, arguments),) = self.answers(data)
        assert (service, method) == FAULT
        return (sequence, *protocol.FAULT.decode(Reader(arguments)))

    def call(self, method: Method[T], arguments: bytes, sequence: int | None = None) -> T:
        self.sequence += 1
        sequence = self.sequence if sequence is None else sequence
        kind = ONEWAY if method.oneway else INVOCATION
        replies = self.answers(frame(message(method.service, method.method, kind, sequence, arguments)))
        if method.oneway:
            assert replies == []
            return method.decode(Reader(b""))
        ((service, number, answered, out),) = replies
        assert (service, number, answered) == (method.service, method.method, sequence)
        return method.decode(Reader(out))

    def hello(self, session: int = SESSION, max_frame: int = MAX_FRAME) -> tuple[Any, Status]:
        return self.call(protocol.HELLO, protocol.hello(protocol.PROTOCOL, protocol.INTERFACE, session, max_frame))

    def alive(self) -> bool:
        """Whether the next hello is answered, after what a host waits at least."""
        self.c.board_pass(100)
        self.say(b"")
        return self.hello()[1] == Status.OK
