"""A call to a board: what it asks, and how it stands."""

from __future__ import annotations

import math
import struct
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from hal.rt.frames import encode
from hal.rt.protocol import Method
from pipelines.errors import DeviceError

T = TypeVar("T")

MESSAGE_HEADER = struct.Struct("<II")
INVOCATION, ONEWAY, REPLY = 0, 1, 2
VERSION = 1


@dataclass(slots=True, eq=False)
class Pending(Generic[T]):
    """A call that is out. ``wait`` as often as you like; ``Link`` makes these."""

    waiting: Callable[[Pending[Any]], Any]
    """The link's ``wait``."""
    method: Method[T]
    sequence: int
    frame: bytes
    key: Hashable
    deadline_s: float
    deadline: float
    bad_before: int
    alone: bool
    started: float = math.inf
    """When the board turned to it, as far as is known here."""
    due: float = math.inf
    """When it is sent again."""
    answered: float = math.inf
    end: int = 0
    """Bytes of requests up to this one's last."""
    last: int = 0
    """The same, of its last retry."""
    tries: int = 0
    silent: int = 0
    """Tries since the last sign of life."""
    heard: int = 0
    hints: int = 0
    damaged: str = ""
    fault: str = ""
    done: bool = False
    result: T | None = None
    error: DeviceError | None = None

    def wait(self) -> T:
        """The reply's values. Raises DeviceError: DeviceTimeout, DeviceCorrupt, DeviceLost, DeviceMismatch."""
        result: T = self.waiting(self)
        return result


def first_word(service: int, method: int, kind: int) -> int:
    """A message's first four bytes."""
    return VERSION << 24 | service << 16 | method << 8 | kind


def request(method: Method[Any], arguments: bytes, sequence: int, max_frame: int) -> bytes:
    """A request as it goes over the wire. A oneway's sequence means nothing."""
    if len(arguments) > max_frame - MESSAGE_HEADER.size:
        raise ValueError(f"{method.name} with {len(arguments)} bytes does not fit a message of {max_frame}")
    kind = ONEWAY if method.oneway else INVOCATION
    return encode(MESSAGE_HEADER.pack(first_word(method.service, method.method, kind), sequence) + arguments)
