"""An IIO device's buffer: whole records out of /dev/iio:deviceN as they come."""

from __future__ import annotations

import errno
import os
from collections.abc import Mapping
from types import TracebackType
from typing import Self

from hal.imx8.iio import IioDevice
from hal.imx8.sysfs import Sysfs
from pipelines.core import Array
from pipelines.errors import DeviceError, DeviceLost

MOST = 64
"""Records of one read: so two devices' are read in turns."""


class Buffer:
    """Opened with the object, since the kernel lets one program do that: from here on no other's buffer is touched.

    Raises:
        DeviceError: it has none, or cannot be opened.
    """

    def __init__(self, sysfs: Sysfs, device: IioDevice) -> None:
        device.check_buffer()
        self.device, self._rest = device, b""
        path = sysfs.path(f"dev/{device.node}")
        try:
            self._descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        except OSError as error:
            raise DeviceError(f"{device} cannot be opened at {path} ({error.strerror}); is it in use, or "
                              "may you not (a udev rule, or sudo)?") from error  # fmt: skip

    def __enter__(self) -> Self:
        return self

    def start(self, rate_hz: float, samples: int, ranges: Mapping[str, float]) -> None:
        """Let samples come, as ``IioDevice.enable`` says."""
        self._layout = self.device.enable(rate_hz, samples, ranges)

    def fileno(self) -> int:
        """For select."""
        return self._descriptor

    def read(self) -> dict[str, Array] | None:
        """The raw values of the whole records that have come, by element; None where no record has ended.

        Raises:
            DeviceLost: the device went away.
            DeviceError: it cannot be read.
        """
        try:
            data = os.read(self._descriptor, self._layout.size * MOST)
        except BlockingIOError:
            return None
        except OSError as error:
            if error.errno not in (errno.ENODEV, errno.EIO, errno.EBUSY):
                raise DeviceError(f"{self.device} cannot be read ({error.strerror}); check the driver") from error
            raise DeviceLost(f"{self.device} went away ({error.strerror}); check its wiring and driver") from error
        if not data:
            raise DeviceLost(f"{self.device} closed its buffer; check its wiring and driver")
        data = self._rest + data
        whole = len(data) - len(data) % self._layout.size
        self._rest = data[whole:]
        return self._layout.decode(data[:whole]) if whole else None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        try:
            self.device.disable()
        except DeviceError:
            if kind is None and self.device.present():
                raise  # and what else ended it is the better reason
        finally:
            os.close(self._descriptor)
