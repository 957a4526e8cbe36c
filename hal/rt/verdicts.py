"""Why a call failed, and what to do about it."""

from __future__ import annotations

from typing import Any

from hal.rt.calls import Pending
from hal.rt.frames import Decoder
from hal.rt.protocol import Status
from pipelines.errors import DeviceCorrupt, DeviceError, DeviceMismatch, DeviceTimeout


def too_late(pending: Pending[Any], decoder: Decoder, received: int, stalled: str, *, baud: bool) -> DeviceError:
    """Of a call without an answer.

    Args:
        decoder: of all that came.
        received: its bytes.
        stalled: why the wire takes nothing; empty where it does.
        baud: both ends of this wire have to have the same rate.
    """
    what = f"{pending.method.name} got no answer within {pending.deadline_s:.3g} s"
    if pending.damaged:
        return DeviceCorrupt(
            f"{pending.method.name} got only damaged answers within {pending.deadline_s:.3g} s "
            f"({pending.damaged}); check the cable"
        )
    if pending.fault:
        return DeviceCorrupt(f"{what}, and the board did not understand it ({pending.fault}); check the cable")
    if stalled:
        return DeviceTimeout(f"{what}: {stalled}")
    if not pending.tries:
        return DeviceTimeout(f"{what}, because an earlier call is still out; wait for that one")
    if received and not decoder.messages:
        return DeviceCorrupt(
            f"{what}, but {received} bytes that are no frames; check that both ends have the same baud rate"
        )
    if damaged := decoder.bad - pending.bad_before:
        return DeviceCorrupt(f"{what}, but {damaged} damaged bytes; check the cable")
    runs = "is on and runs this firmware" + (" at this baud rate" if baud else "")
    return DeviceTimeout(f"{what} ({pending.tries} requests sent); check that the board {runs}, or reset it")


def refused(pending: Pending[Any], status: Status) -> DeviceError:
    """Of a call that the board answers with a fault, again and again."""
    if status in (Status.UNKNOWN_SERVICE, Status.UNKNOWN_METHOD):
        return DeviceMismatch(
            f"the board does not know the call {pending.method.name} ({status.name}), expected firmware of this "
            "version; build and flash it again"
        )
    return DeviceError(f"the board refused the call {pending.method.name} ({pending.fault}), expected it to be taken; "
                       "build the firmware of this version, and flash it again")  # fmt: skip
