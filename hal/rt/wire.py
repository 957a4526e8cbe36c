"""Bytes to a board and back: a serial port, or any pty or socket."""

from __future__ import annotations

import errno
import os
import select
from pathlib import Path
from types import ModuleType
from typing import Any, Protocol

from pipelines.errors import DeviceError, DeviceLost, DeviceTimeout
from pipelines.optional import require

BAUD = 115_200
BITS_PER_BYTE = 10
"""8N1: a start bit, eight of data, a stop bit."""
READ_BYTES = 65_536
MOST_WRITE = 4096
"""Bytes that a link writes at once."""
STALL_S = 0.5
"""How long a wire that takes nothing is waited for."""
GONE = {errno.EIO, errno.EPIPE, errno.ECONNRESET, errno.ENODEV, errno.ENXIO, errno.EBADF}
"""A pty or socket whose other end was closed, a USB serial port that was pulled."""


class Wire(Protocol):
    """Both directions of a link. One thread reads, one writes.

    ``seconds_per_byte``: time that a byte takes, each way; 0 where nothing paces it or it is not known.
    """

    seconds_per_byte: float

    def read(self, timeout_s: float) -> bytes:
        """What has come, at the latest after ``timeout_s``; b"" when nothing came. Raises DeviceLost."""
        ...

    def write(self, data: bytes) -> None:
        """All of it, at least into the system's buffer. Raises DeviceLost; DeviceTimeout when nobody takes it."""
        ...

    def close(self) -> None:
        """May be called twice, and from another thread."""
        ...


class FdWire:
    """A Wire over a file descriptor, which it owns: a pty, a socket, a raw terminal.

    Args:
        fd: open for reading and writing.
        baud: where the other end paces; None where nothing does.
        name: for messages.
        stall_s: how long ``write`` waits for the other end to take something.
    """

    def __init__(self, fd: int, *, baud: int | None = None, name: str = "the link", stall_s: float = STALL_S) -> None:
        self.seconds_per_byte = BITS_PER_BYTE / baud if baud else 0.0
        self.name = name
        self._fd, self._stall_s = fd, stall_s
        os.set_blocking(fd, False)
        # poll, because select cannot watch descriptors above 1023; made once, because read() is on the hot path
        self._readable, self._writable = select.poll(), select.poll()
        self._readable.register(fd, select.POLLIN)
        self._writable.register(fd, select.POLLOUT)

    def read(self, timeout_s: float) -> bytes:
        self._check_open()
        if not self._readable.poll(max(0.0, timeout_s) * 1000):
            return b""
        try:
            data = os.read(self._fd, READ_BYTES)
        except BlockingIOError:  # another reader was faster
            return b""
        except OSError as error:
            raise self._lost(error) from error
        if not data:
            raise self._lost(None)
        return data

    def write(self, data: bytes) -> None:
        self._check_open()
        left = memoryview(data)
        while left:
            try:
                left = left[os.write(self._fd, left) :]
            except BlockingIOError:
                self._wait_for_room(len(left))
            except OSError as error:
                raise self._lost(error) from error

    def close(self) -> None:
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)

    def _wait_for_room(self, left: int) -> None:
        # a buffer that drains at the wire's pace soon has room again: the limit is for one that does not drain
        if not self._writable.poll(self._stall_s * 1000):
            raise _stalled(self.name, left, self._stall_s)

    def _check_open(self) -> None:
        if self._fd < 0:
            raise DeviceLost(f"{self.name} was closed")

    def _lost(self, error: OSError | None) -> DeviceError:
        if error is None:
            return _gone(self.name, "end of file")
        if error.errno in GONE:
            return _gone(self.name, _reason(error))
        return DeviceError(f"{self.name} cannot be used ({_reason(error)}); connect the board again")


def open_pty(path: str, *, baud: int | None = None) -> FdWire:
    """The wire to a program behind a pty, such as /dev/pts/3, in raw mode (no echo, no line ends, no signals).

    Raises:
        DeviceError: it cannot be opened.
    """
    import fcntl
    import termios  # absent on Windows, where there are no ptys either
    import tty

    try:
        fd = os.open(path, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
    except OSError as error:
        raise DeviceError(f"{path} cannot be opened ({error.strerror}); start the board's program again") from error
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)  # as pyserial does: two hosts would reset each other's session
    except OSError as error:
        os.close(fd)
        raise DeviceError(_in_use(path)) from error
    try:
        tty.setraw(fd, termios.TCSANOW)
    except termios.error as error:
        os.close(fd)
        raise DeviceError(f"{path} is not a terminal ({error.args[-1]}), expected a pty such as /dev/pts/3") from error
    return FdWire(fd, baud=baud, name=path)


class PortWire:
    """A Wire over a serial port that pyserial has opened, through pyserial's own calls: for Windows.

    Args:
        port: a ``serial.Serial``.
        serial: the module.
    """

    def __init__(self, port: Any, serial: ModuleType) -> None:
        self.seconds_per_byte = BITS_PER_BYTE / port.baudrate
        self.name = str(port.port)
        self._port, self._serial = port, serial
        port.write_timeout = STALL_S + 2 * MOST_WRITE * self.seconds_per_byte

    def read(self, timeout_s: float) -> bytes:
        port = self._port
        try:
            if waiting := port.in_waiting:
                data: bytes = port.read(waiting)
                return data
            port.timeout = max(0.0, timeout_s)
            first: bytes = port.read(1)  # pyserial waits until all is there that was asked for: ask for one byte
            return first + port.read(port.in_waiting) if first else first
        except (self._serial.SerialException, OSError, TypeError) as error:  # TypeError: closed by another thread
            raise self._lost(error) from error

    def write(self, data: bytes) -> None:
        try:
            self._port.write(data)
        except self._serial.SerialTimeoutException as error:
            raise _stalled(self.name, len(data), self._port.write_timeout) from error
        except (self._serial.SerialException, OSError, TypeError) as error:
            raise self._lost(error) from error

    def close(self) -> None:
        _close(self._port)

    def _lost(self, error: Exception) -> DeviceLost:
        return _gone(self.name, _reason(error))


class _SerialFd(FdWire):
    """A serial port of a Unix: pyserial sets it up, poll reads it.

    pyserial's own read would set all of the port anew with each other timeout, which costs a USB adapter milliseconds.
    """

    def __init__(self, port: Any) -> None:
        super().__init__(port.fileno(), baud=port.baudrate, name=str(port.port))
        self._port = port

    def close(self) -> None:
        self._fd = -1
        _close(self._port)


def serial_wire(path: str, baud: int = BAUD) -> Wire:
    """Open a serial port for this program alone: /dev/ttyACM0, /dev/pts/3, COM3.

    Raises:
        DeviceError: it is not there, in use, or not permitted.
        MissingDependency: pyserial is not installed.
    """
    serial = require("serial", purpose="a serial port", install="pip install 'eiq-demo[rt]'")
    windows = os.name == "nt"
    port = serial.Serial()
    port.port, port.baudrate = path, baud
    port.exclusive = None if windows else True  # Windows opens exclusively anyway, and pyserial refuses the wish there
    # No flow control; DTR and RTS stay set, as every terminal program has them: some debug probes pass no bytes on
    # without DTR, and those of NXP's boards reset the board by a break, never by these two.
    port.rtscts = port.dsrdtr = port.xonxoff = False
    try:
        port.open()
    except (serial.SerialException, OSError, ValueError) as error:
        raise DeviceError(_why_not_open(path, error)) from error
    return PortWire(port, serial) if windows else _SerialFd(port)


def _why_not_open(path: str, error: Exception) -> str:
    number, text = getattr(error, "errno", None), str(error)
    if number in (errno.ENOENT, errno.ENXIO, errno.ENODEV) or "FileNotFoundError" in text:
        return f"{path} is not there; connect the board, and look up its port with: python -m serial.tools.list_ports"
    if number == errno.EACCES and os.name != "nt":
        return f"this user may not use {path}; run sudo usermod -aG dialout $USER (its group), and log in again"
    if number in (errno.EBUSY, errno.EAGAIN) or "exclusively lock" in text or "PermissionError" in text:
        return _in_use(path)
    if number == errno.EISDIR or Path(path).is_dir():
        return f"{path} is a folder; give the board's port, such as /dev/ttyACM0"
    if number == errno.ENOTTY or "Inappropriate ioctl" in text:
        return f"{path} is no serial port; give the board's port, such as /dev/ttyACM0"
    return f"{path} cannot be opened as a serial port ({_reason(error)}); give the board's port, such as /dev/ttyACM0"


def _in_use(path: str) -> str:
    return f"{path} is in use by another program; close that one (a terminal, another eiq-demo)"


def _reason(error: Exception) -> str:
    said = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return str(said).splitlines()[0]


def _gone(name: str, why: str) -> DeviceLost:
    return DeviceLost(f"{name} went away ({why}); connect the board again")


def _stalled(name: str, size: int, seconds: float) -> DeviceTimeout:
    return DeviceTimeout(
        f"{name} did not take {size} bytes in {seconds:.1f} s, expected a board that reads; reset the board"
    )


def _close(port: Any) -> None:
    try:
        port.close()
    except OSError as error:  # a pulled USB port fails even here; it is gone either way
        if error.errno not in GONE:
            raise
