"""Where a board is: emulated here, or at a serial port."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING

from pipelines.errors import CapabilityError
from pipelines.registry import did_you_mean

if TYPE_CHECKING:
    from hal.rt.wire import Wire

EMULATED = {"host": "host", "qemu": "mps2-an500"}
"""What the command line says, and the board that the firmware is built for."""
QEMU_BYTES_PER_S = 20_000.0
"""What QEMU's UART takes from a host."""
BAUD = 115_200
PORT = re.compile(r"[/\\]|^COM\d+$|^tty|^cu\.")
"""What a serial port's name looks like."""


class Place:
    """The part of ``rt:PLACE`` behind the colon.

    Args:
        text: ``host``, ``qemu``, or the path of a serial port, with ``@BAUD`` behind it where that is not 115,200.
    """

    def __init__(self, text: str) -> None:
        self._text = text
        self.emulated = text in EMULATED
        self.board = EMULATED.get(text, "")
        self.path, _, baud = text.partition("@")
        if self.path in EMULATED and not self.emulated:
            raise CapabilityError(f"got rt:{text}, but {self.path} is emulated and has no baud rate; expected "
                                  f"rt:{self.path}")  # fmt: skip
        if text and not self.emulated and not PORT.search(self.path):
            raise CapabilityError(f"got rt:{text}, expected rt:host, rt:qemu or a serial port such as "
                                  f"rt:/dev/ttyACM0; {did_you_mean(text, list(EMULATED))}")  # fmt: skip
        if baud and not (baud.isdecimal() and 0 < int(baud) <= 100_000_000):
            raise CapabilityError(f"got the baud rate {baud} in rt:{text}, expected a number, such as "
                                  "rt:/dev/ttyACM0@921600")  # fmt: skip
        self.baud = int(baud or BAUD)

    def __str__(self) -> str:
        return f"rt:{self._text}"

    @property
    def bytes_per_s(self) -> float:
        """What the link carries; infinite where nothing limits it."""
        if self.emulated:
            return math.inf if self._text == "host" else QEMU_BYTES_PER_S
        return self.baud / 10

    def connect(self) -> Wire:
        """Open the serial port. Raises DeviceError."""
        from hal.rt.wire import serial_wire

        return serial_wire(self.path, self.baud)
