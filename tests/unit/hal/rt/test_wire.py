"""Wires over real ptys and sockets."""

from __future__ import annotations

import errno
import os
import socket
import sys
import threading
import time
import tty
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from hal.rt import wire as wires
from hal.rt.wire import FdWire, PortWire, Wire, open_pty, serial_wire
from pipelines.errors import DeviceError, DeviceLost, DeviceTimeout, MissingDependency

serial = pytest.importorskip("serial")


class Pty:
    """A pseudo-terminal: ``path`` for the wire, ``far`` for the test."""

    def __init__(self) -> None:
        self.far, self.near = os.openpty()
        tty.setraw(self.near)
        self.path = os.ttyname(self.near)

    def hang_up(self) -> None:
        for fd in (self.far, self.near):
            if fd >= 0:
                os.close(fd)
        self.far = self.near = -1


@pytest.fixture
def pty() -> Iterator[Pty]:
    made = Pty()
    yield made
    made.hang_up()


def port_wire(path: str) -> Wire:
    """pyserial's own calls, as on Windows."""
    return PortWire(serial.Serial(path, 115_200), serial)


@pytest.fixture(params=[open_pty, serial_wire, port_wire], ids=lambda made: made.__name__)
def wire(request: pytest.FixtureRequest, pty: Pty) -> Iterator[Wire]:
    made = request.param(pty.path)
    yield made
    made.close()


def test_bytes_of_every_value_go_through_both_ways(wire: Wire, pty: Pty) -> None:
    data = bytes(range(256))
    wire.write(data)
    assert os.read(pty.far, 4096) == data
    os.write(pty.far, data)
    found = b""
    while len(found) < 256:
        found += wire.read(1.0)
    assert found == data


def test_reading_waits_no_longer_than_it_is_told(wire: Wire) -> None:
    start = time.monotonic()
    assert wire.read(0.05) == b""
    assert 0.04 < time.monotonic() - start < 2
    assert wire.read(0) == b""


def test_reading_returns_with_the_first_bytes(wire: Wire, pty: Pty) -> None:
    os.write(pty.far, b"abc")
    start = time.monotonic()
    assert wire.read(5.0) in (b"a", b"ab", b"abc")
    assert time.monotonic() - start < 4


def test_the_other_end_that_goes_away_is_lost(wire: Wire, pty: Pty) -> None:
    pty.hang_up()
    with pytest.raises(DeviceLost, match=rf"{pty.path} went away \(.*\); connect the board again") as told:
        for _ in range(3):
            wire.read(0.1)
    assert "\n" not in str(told.value)
    with pytest.raises(DeviceLost):
        wire.write(bytes(10))


def test_a_closed_wire_says_so_and_closes_twice(wire: Wire) -> None:
    wire.close()
    wire.close()
    with pytest.raises(DeviceLost):
        wire.read(0.1)
    with pytest.raises(DeviceLost):
        wire.write(b"x")


def test_a_full_pty_that_nobody_reads_does_not_hang(wire: Wire) -> None:
    start = time.monotonic()
    with pytest.raises(DeviceTimeout, match="expected a board that reads; reset the board"):
        for _ in range(100):
            wire.write(bytes(4096))
    assert time.monotonic() - start < 5


def test_more_than_the_buffer_holds_goes_through_to_a_slow_reader(wire: Wire, pty: Pty) -> None:
    data = os.urandom(100_000)
    found = bytearray()

    def read() -> None:
        while len(found) < len(data):
            found.extend(os.read(pty.far, 1000))

    reader = threading.Thread(target=read)
    reader.start()
    wire.write(data)
    reader.join(10)
    assert bytes(found) == data


def test_the_pace_is_that_of_8n1(pty: Pty) -> None:
    for opened in (partial(serial_wire, pty.path, 9600), partial(open_pty, pty.path, baud=9600)):
        made = opened()
        assert made.seconds_per_byte == pytest.approx(10 / 9600)
        made.close()


@pytest.mark.parametrize("second", [lambda path: open_pty(path), lambda path: serial_wire(path, 9600)])
def test_a_second_host_is_refused(pty: Pty, second: Callable[[str], Wire]) -> None:
    first = open_pty(pty.path)
    with pytest.raises(DeviceError, match=f"{pty.path} is in use by another program; close that one"):
        second(pty.path)
    first.close()
    second(pty.path).close()


def test_without_a_pace(pty: Pty) -> None:
    unpaced = open_pty(pty.path)
    assert unpaced.seconds_per_byte == 0
    unpaced.close()


def test_a_socket_is_a_wire_too() -> None:
    ours, theirs = socket.socketpair()
    made = FdWire(ours.detach(), name="the socket")
    made.write(b"hello")
    assert theirs.recv(10) == b"hello"
    theirs.close()
    with pytest.raises(DeviceLost, match=r"the socket went away \(end of file\)"):
        made.read(1.0)
    made.close()


def test_a_port_has_one_user(pty: Pty) -> None:
    made = serial_wire(pty.path)
    with pytest.raises(DeviceError, match=f"{pty.path} is in use by another program; close that one"):
        serial_wire(pty.path)
    made.close()
    serial_wire(pty.path).close()


@pytest.mark.parametrize("path", ["/dev/ttyNOT_HERE", "COM77"])
def test_a_port_that_is_not_there(path: str) -> None:
    with pytest.raises(
        DeviceError, match=f"^{path} is not there; connect the board, and look up its port with: python -m"
    ):
        serial_wire(path)


def test_something_else_than_a_port(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.touch()
    with pytest.raises(DeviceError, match="file is no serial port; give the board's port, such as") as told:
        serial_wire(str(path))
    assert "\n" not in str(told.value)
    with pytest.raises(DeviceError, match="is not a terminal"):
        open_pty(str(path))
    with pytest.raises(DeviceError, match="cannot be opened .*; start the board's program again"):
        open_pty(str(tmp_path / "none"))


def test_a_port_without_permission_names_the_group(pty: Pty, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: object) -> None:
        raise serial.SerialException(errno.EACCES, f"could not open port {pty.path}: [Errno 13] Permission denied")

    monkeypatch.setattr(serial.Serial, "open", refuse)  # root, as tests may run, may open everything
    with pytest.raises(DeviceError, match=rf"this user may not use {pty.path}; run sudo usermod -aG dialout \$USER"):
        serial_wire(pty.path)


def test_windows_tells_by_words_alone() -> None:
    # what pyserial says there: FileNotFoundError(2, ...) and PermissionError(13, ...), as text
    missing = serial.SerialException("could not open port 'COM3': FileNotFoundError(2, 'not found', None, 2)")
    busy = serial.SerialException("could not open port 'COM3': PermissionError(13, 'Access is denied.', None, 5)")
    assert "COM3 is not there" in wires._why_not_open("COM3", missing)
    assert "COM3 is in use" in wires._why_not_open("COM3", busy)


def test_without_pyserial_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "serial", None)
    with pytest.raises(MissingDependency, match=r"a serial port needs .* pip install 'eiq-demo\[rt\]'"):
        serial_wire("/dev/ttyACM0")
