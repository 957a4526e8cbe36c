"""The firmware of the RT boards: built with its models, measured, and started where the board is emulated."""

from __future__ import annotations

from hal.rt.firmware.builder import Built, Image, build
from hal.rt.firmware.models import ModelSource
from hal.rt.firmware.recording import Recorded
from hal.rt.firmware.running import Running, start
from hal.rt.firmware.toolchain import needed

__all__ = ["Built", "Image", "ModelSource", "Recorded", "Running", "build", "needed", "start"]
