"""PortAudio through sounddevice: finding an input device, and why one cannot be opened."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from pipelines.optional import require
from pipelines.registry import did_you_mean

INSTALL = "pip install 'eiq-demo[desktop]', and on Debian or Ubuntu: sudo apt-get install libportaudio2"
RATES_HZ = (8000, 11025, 16000, 22050, 32000, 44100, 48000, 96000)
INVALID_SAMPLE_RATE = -9997
OTHER = "or take a recording (file: …, --input)"

_lock = threading.Lock()
_in_use = 0


@dataclass(frozen=True, slots=True)
class Input:
    """An input device as PortAudio numbers it now."""

    index: int
    name: str
    channels: int


class NotFound(Exception):
    """No such input device; the text is the reason, for an error's sentence."""


def sounddevice() -> ModuleType:
    """The module.

    Raises:
        MissingDependency: it, or the PortAudio library that it loads, is not installed.
    """
    return require("sounddevice", purpose="the microphone", install=INSTALL)


@contextlib.contextmanager
def in_use(module: ModuleType) -> Iterator[None]:
    """PortAudio while a stream is open, with the devices that are there now.

    It lists them only when it starts. So that one plugged in since is found, it is started anew (0.05 s), unless
    another of our streams is open, which would not survive that.
    """
    global _in_use
    with _lock:
        if not _in_use:
            module._terminate()
            module._initialize()
        _in_use += 1
    try:
        yield
    finally:
        with _lock:
            _in_use -= 1


def find_input(module: ModuleType, device: int | str | None) -> Input:
    """The input device of that number or (part of a) name; the system's default for None.

    Raises:
        NotFound: there is none, or several have that name.
    """
    known = inputs(module)
    if not known:
        raise NotFound(f"this machine has no microphone; plug one in, {OTHER}")
    try:
        found = module.query_devices(device, "input")
    except (ValueError, module.PortAudioError) as error:
        raise NotFound(_why_not_found(device, known, error)) from error
    return Input(int(found["index"]), str(found["name"]), int(found["max_input_channels"]))


def inputs(module: ModuleType) -> list[Input]:
    """All input devices."""
    devices = [Input(int(d["index"]), str(d["name"]), int(d["max_input_channels"])) for d in module.query_devices()]
    return [device for device in devices if device.channels]


def offered_rates(module: ModuleType, device: Input, channels: int) -> list[int]:
    """The usual sample rates that the device takes."""
    return [rate for rate in RATES_HZ if _takes(module, device, channels, rate)]


def _takes(module: ModuleType, device: Input, channels: int, rate: int) -> bool:
    try:
        module.check_input_settings(device=device.index, channels=channels, dtype="float32", samplerate=rate)
    except module.PortAudioError:
        return False
    return True


def _why_not_found(device: int | str | None, known: list[Input], error: Exception) -> str:
    listed = ", ".join(f"{one.index} {one.name}" for one in known)
    if device is None:
        return f"this system has no default microphone; set device to one of: {listed}"
    if str(error).startswith("Multiple"):
        return f'several microphones are called "{device}"; set device to a number of: {listed}'
    if isinstance(device, int):
        return f"there is no microphone {device}; set device to one of: {listed}"
    return f'there is no microphone "{device}"; {did_you_mean(device, [one.name for one in known])}'


def is_about_rate(error: Any) -> bool:
    """Whether a PortAudioError says that the device does not take the sample rate."""
    return INVALID_SAMPLE_RATE in error.args


def reason(error: Any) -> str:
    """PortAudio's own words for what went wrong, without its number."""
    return str(error).partition(" [PaErrorCode")[0].rstrip(".")
