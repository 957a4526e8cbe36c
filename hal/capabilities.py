"""What a target can have, and the portable keys of each: the same on every target, declared once.

A target's binding extends the class here with keys of its own (``file``, ``device``). A target class lists what it can
do as ``capabilities``, a mapping from the names here to its own config classes.
"""

from __future__ import annotations

import re
from typing import Annotated

from msgspec import Meta

from pipelines import registry
from pipelines.config.schema import Config, Count, Positive, PositiveFloat, Text
from pipelines.errors import CapabilityError

MOST_HZ = 1_000_000  # bounded, so that a slip of the pen is an error in the file and not a MemoryError
UNIT = re.compile(r".+_(g|mg|mps2|dps|radps|uT|hPa|degC)")


class Microphone(Config, frozen=True, kw_only=True):
    """Sound as float32 in [-1, 1), mono.

    Args:
        rate_hz: samples per second that the pipeline gets.
        channel: which one of a recording or device with several, from 0; their mean where absent.
    """

    rate_hz: Annotated[int, Meta(gt=0, le=MOST_HZ)] = 16000
    channel: Count | None = None


class Camera(Config, frozen=True, kw_only=True):
    """Pictures as RGB, uint8 [height, width, 3].

    The three keys are what a real camera is asked for; it delivers the nearest mode it has, and its own default where
    they are absent. A recording comes as it was recorded.
    """

    fps: PositiveFloat | None = None
    width_px: Positive | None = None
    height_px: Positive | None = None


class Motion(Config, frozen=True, kw_only=True):
    """Accelerometer and gyroscope as float32 [samples, channels].

    Args:
        rate_hz: samples per second.
        channels: name and unit of each axis.
    """

    rate_hz: Annotated[float, Meta(gt=0, le=MOST_HZ)] = 100.0
    channels: tuple[Text, ...] = ("ax_g", "ay_g", "az_g", "gx_dps", "gy_dps", "gz_dps")

    def __post_init__(self) -> None:
        if not self.channels or len(set(self.channels)) < len(self.channels):
            raise ValueError(f"got channels {list(self.channels)}, expected at least one, and each once")
        for name in self.channels:
            if not UNIT.fullmatch(name):
                raise ValueError(f'got the channel "{name}", expected a name with its unit, such as ax_g or gx_dps')


class Led(Config, frozen=True, kw_only=True):
    """A light. It has no portable keys."""


def unsupported(target: str, capability: str) -> CapabilityError:
    """The error for a capability that ``target`` has not: names the targets that have it."""
    able = [name for name in registry.names("targets") if capability in _capabilities(name)]
    if able:
        return CapabilityError(f"the target {target} has no {capability}; the targets that have: {', '.join(able)}")
    return CapabilityError(registry.unknown("capability", capability, sorted(_capabilities(target))))


def _capabilities(target: str) -> dict[str, type[Config]]:
    # an installed target need not list them; then it is not offered
    return getattr(registry.load("targets", target), "capabilities", {})
