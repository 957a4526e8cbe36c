"""Starts a firmware on a board that is emulated here: as a program on a pty, or in QEMU."""

from __future__ import annotations

import re
import shutil
import socket
import tempfile
import time
import weakref
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from hal.rt.firmware.builder import Image
from hal.rt.firmware.child import Child
from hal.rt.firmware.ports import EMULATED, port
from hal.rt.firmware.recording import Recorded, blob
from hal.rt.firmware.toolchain import require_tools
from pipelines.errors import CapabilityError, DataError, DeviceError, DeviceLost, OutputError

if TYPE_CHECKING:
    from hal.rt.wire import Wire

MEMORY = 0x60000000
"""Where the emulated board has the recordings: its PSRAM."""
MEMORY_BYTES = 16 << 20
START_S = 10.0
POLL_S = 0.002
PTY = re.compile(r"char device redirected to (\S+)")


class Running:
    """A board that is emulated here. Close it, or use it with ``with``; it never outlives this process.

    Args:
        image: what it runs.
        recordings: what its sensors play.
        terminal: in QEMU, a pty for other programs instead of a socket of our own.
        counted: in QEMU, run by instructions instead of by time: a tick of the board's clock is 40/64 instruction.

    Raises:
        CapabilityError: the board is no emulated one.
        MissingDependency: no QEMU.
        DeviceError: it did not start; with the program's own words.
        DataError: a recording that cannot be played.
        OutputError: no room for the recordings.
    """

    def __init__(
        self, image: Image, recordings: Sequence[Recorded] = (), *, terminal: bool = False, counted: bool = False
    ) -> None:
        if image.board not in EMULATED:
            raise CapabilityError(f"the board {image.board} is not emulated here, expected {' or '.join(EMULATED)}; "
                                  "flash it, and connect by its serial port")  # fmt: skip
        require_tools(port(image.board), run=True)
        self.image = image
        self._terminal, self._counted = terminal, counted
        self._folder = Path(tempfile.mkdtemp(prefix="eiq-rt-"))  # this user's alone
        self._end = weakref.finalize(self, shutil.rmtree, self._folder, ignore_errors=True)
        self._memory = self._write(blob(recordings)) if recordings else None
        self._child: Child | None = None
        try:
            self.restart()
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Running:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def alive(self) -> bool:
        """Whether the board runs."""
        return self._child is not None and self._child.alive

    @property
    def path(self) -> str:
        """The pty, or the socket, that leads to it; another one after a restart."""
        return self._path

    def last_words(self) -> str:
        """Why it runs no longer, in one sentence."""
        return self._child.last_words() if self._child else f"the board {self.image.board} was not started"

    def connect(self) -> Wire:
        """A new wire to the board.

        Raises:
            DeviceLost: it does not run.
        """
        from hal.rt.wire import FdWire, open_pty

        if not self.alive:  # its pty's number may be another program's by now
            raise DeviceLost(self.last_words())
        try:
            if self._path != str(self._socket):
                return open_pty(self._path)
            return FdWire(_connected(self._socket).detach(), name=f"the emulated board {self.image.board}")
        except (OSError, DeviceError) as error:
            if not self.alive:
                raise DeviceLost(self.last_words()) from error
            raise DeviceLost(
                f"the emulated board {self.image.board} cannot be reached ({error}); start it again"
            ) from error

    def restart(self) -> None:
        """Power off and on. Raises DeviceError where it does not start."""
        self.kill()
        self._path = str(self._socket)
        if self.image.board == "host":
            memory: list[str | Path] = ["--memory", self._memory] if self._memory else []
            self._child = Child([self.image.program, *memory], "the firmware's program")
            self._path = self._child.line(START_S)
            return
        self._child = Child(self._qemu(), "QEMU")
        self._wait(self._child)
        if self._terminal:
            self._path = self._pty(self._child)

    def kill(self) -> None:
        """Power off: the board is gone in the middle of whatever it did."""
        if self._child is not None:
            self._child.kill()
        for path in (self._socket, self._control):
            path.unlink(missing_ok=True)

    def close(self) -> None:
        """Power off and clean up. May be called twice."""
        self.kill()
        self._end()

    @property
    def _socket(self) -> Path:
        return self._folder / "uart0"

    @property
    def _control(self) -> Path:
        return self._folder / "control"

    def _qemu(self) -> list[str | Path]:
        serial = "pty" if self._terminal else f"unix:{self._socket},server=on,wait=off"
        command: list[str | Path] = ["qemu-system-arm", "-M", "mps2-an500", "-display", "none", "-monitor", "none",
                                     "-nodefaults", "-qmp", f"unix:{self._control},server=on,wait=off",
                                     "-serial", serial, "-kernel", self.image.program]  # fmt: skip
        if self._memory:
            command += ["-device", f"loader,file={self._memory},addr={MEMORY:#x},force-raw=on"]
        return [*command, "-icount", "shift=6"] if self._counted else command

    def _wait(self, child: Child) -> None:
        """Until QEMU has read its files and runs: only then does its control socket answer a command."""
        end = time.monotonic() + START_S
        while time.monotonic() < end:
            if not child.alive:
                child.end()
                raise DeviceError(child.last_words())
            if _answers(self._control, end - time.monotonic()):
                return
            time.sleep(POLL_S)
        raise DeviceError(f"QEMU did not start within {START_S:g} s; start it again")

    def _pty(self, child: Child) -> str:
        while True:
            found = PTY.search(child.line(START_S))
            if found:
                return found[1]

    def _write(self, data: bytes) -> Path:
        path = self._folder / "recordings"
        try:
            if len(data) > MEMORY_BYTES:
                raise DataError(f"the recordings take {len(data):,} bytes, and the board has {MEMORY_BYTES:,} for "
                                "them; take shorter ones")  # fmt: skip
            path.write_bytes(data)
        except BaseException as error:
            self._end()
            if isinstance(error, OSError):
                raise OutputError(f"cannot write the recordings to {path} ({error.strerror}); make room there, or name "
                                  "another folder with TMPDIR") from error  # fmt: skip
            raise
        return path


def _answers(control: Path, timeout_s: float) -> bool:
    """Whether QEMU greets and answers; False where it does not listen yet, or ended."""
    try:
        with _connected(control) as link, link.makefile("rb") as lines:
            link.settimeout(timeout_s)
            link.sendall(b'{"execute": "qmp_capabilities"}\n')
            return bool(lines.readline() and lines.readline())
    except OSError:
        return False


def _connected(path: Path) -> socket.socket:
    link = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        link.connect(str(path))
    except OSError:
        link.close()
        raise
    return link


def start(
    image: Image, recordings: Sequence[Recorded] = (), *, terminal: bool = False, counted: bool = False
) -> Running:
    """Start a firmware on a board that is emulated here; the same as ``Running``."""
    return Running(image, recordings, terminal=terminal, counted=counted)
